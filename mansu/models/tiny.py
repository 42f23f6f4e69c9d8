"""Tiny models of real architectures, trained from scratch on this project's facts.

They answer the built-in questions, weigh well under a million weights, and are trained once in a
minute or two: small enough for tests and for trying the notebooks out.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from mansu.data.encoding import encode
from mansu.data.facts import load_fact_set
from mansu.models.batch import pad
from mansu.models.cache import build_once
from mansu.models.fingerprint import hash_files

VOCABULARY = 1024
SETS = ("elements", "capitals", "cities")
SEED = 0
BATCH = 64
PAD, END = "<pad>", "<end>"
PAD_ID = 0

_SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "max_position_embeddings": 256,
    "tie_word_embeddings": True,
    "pad_token_id": PAD_ID,
    "bos_token_id": None,
    "eos_token_id": 1,
}


@dataclass(frozen=True)
class Recipe:
    """How a tiny model is made.

    Attributes:
        model_type: Its architecture.
        epochs: Passes over all sentences.
        learning_rate: Peak of the schedule.
        differing: What differs from the common shape.
    """

    model_type: str
    epochs: int
    learning_rate: float
    differing: dict[str, Any] = field(default_factory=dict)


TINY = {
    "tiny-llama": Recipe("llama", 24, 4e-3),
    "tiny-qwen3": Recipe("qwen3", 10, 5e-3, {"initializer_range": 0.08}),
    "tiny-gemma3": Recipe(
        "gemma3_text",
        8,
        8e-3,
        # Both kinds of attention; the window is shorter than most prompts, so that it matters.
        {
            "initializer_range": 0.05,
            "layer_types": ["sliding_attention", "full_attention"] * 2,
            "sliding_window": 8,
            "query_pre_attn_scalar": 32,
        },
    ),
}


def tiny_folder(name: str) -> Path:
    """Folder of a tiny model, trained on first use and kept in the cache."""
    here = Path(__file__)
    recipe = hash_files([here, *(load_fact_set(facts).path for facts in SETS)])
    return build_once(f"models/{name}-{recipe[:12]}", lambda folder: _build(name, folder))


def _build(name: str, folder: Path) -> None:
    texts = list(_sentences())
    tokenizer = _train_tokenizer(texts)
    # Its own generator state, so that building a model changes nothing for the caller.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        recipe = TINY[name]
        config = AutoConfig.for_model(recipe.model_type, **_SHAPE, **recipe.differing)
        model = AutoModelForCausalLM.from_config(config)
        _train(model, [_tokens(tokenizer, *text) for text in texts], recipe)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


def _sentences() -> Iterator[tuple[str, str]]:
    """Every fact under every template, as prompt and answer."""
    for name in SETS:
        facts = load_fact_set(name)
        for fact in facts.facts:
            for template in facts.templates:
                yield template.render(fact), template.follow(fact, fact.answer)


def _train_tokenizer(texts: Iterable[tuple[str, str]]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((prompt + answer for prompt, answer in texts), trainer)
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
