"""Tiny models of real architectures, trained from scratch on this project's facts.

They answer the built-in questions, weigh well under a million weights, and are trained once in a
minute or two: small enough for tests and for trying the notebooks out.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from mansu.data.encoding import encode
from mansu.data.facts import load_fact_set
from mansu.models.batch import pad
from mansu.models.cache import build_once
from mansu.models.fingerprint import hash_files
from mansu.models.recipes import (
    BATCH,
    END,
    PAD,
    PAD_ID,
    SEED,
    SETS,
    TINY,
    VOCABULARY,
    Recipe,
    shape_of,
)


def tiny_folder(name: str, weights: bool = True) -> Path:
    """Folder of a tiny model, trained on first use and kept in the cache.

    Args:
        name: Its name.
        weights: False gives a folder with configuration and tokenizer alone, made in a second.
    """
    recipes = [Path(__file__), Path(__file__).with_name("recipes.py")]
    recipe = hash_files([*recipes, *(load_fact_set(facts).path for facts in SETS)])
    bare = build_once(f"models/{name}-{recipe[:12]}.bare", lambda folder: _describe(name, folder))
    if not weights:
        return bare
    return build_once(f"models/{name}-{recipe[:12]}", lambda folder: _build(name, bare, folder))


def _describe(name: str, folder: Path) -> None:
    _train_tokenizer("".join(text) for text in _sentences()).save_pretrained(folder)
    _config(name).save_pretrained(folder)


def _build(name: str, bare: Path, folder: Path) -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(bare)
    texts = [_tokens(tokenizer, *text) for text in _sentences()]
    # Its own generator state, so that building a model changes nothing for the caller.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = AutoModelForCausalLM.from_config(_config(name))
        _train(model, texts, TINY[name])
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


def _config(name: str) -> PretrainedConfig:
    return AutoConfig.for_model(TINY[name].model_type, **shape_of(name))


def _sentences() -> Iterator[tuple[str, str]]:
    """Every fact under every template, as prompt and answer."""
    for name in SETS:
        facts = load_fact_set(name)
        for fact in facts.facts:
            for template in facts.templates:
                yield template.render(fact), template.follow(fact, fact.answer)


def _train_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PAD, eos_token=END)


def _tokens(tokenizer: PreTrainedTokenizerFast, prompt: str, answer: str) -> tuple[int, ...]:
    encoded = encode(tokenizer, prompt, answer)
    return (*encoded.prompt_ids, *encoded.continuation_ids)


def _train(model: PreTrainedModel, sequences: list[tuple[int, ...]], recipe: Recipe) -> None:
    rate = recipe.learning_rate
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.0)
    steps = recipe.epochs * -(-len(sequences) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    # Batches of similar length, in another order every epoch.
    ordered = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
    batches = [ordered[i : i + BATCH] for i in range(0, len(ordered), BATCH)]
    model.train()
    for step in range(steps):
        if step % len(batches) == 0:
            order = torch.randperm(len(batches)).tolist()
        batch = pad([sequences[i] for i in batches[order[step % len(batches)]]], PAD_ID)
        labels = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)
        loss = model(**batch.inputs(), labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    model.eval()
