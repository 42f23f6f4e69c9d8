"""Tiny models that know a fact set, and twins that never did, from the same weights. [O]

Attributions of unrelated models cannot be compared, so both start from one tiny model, which has
never read the set, and go through the same training: as many steps on the same prompts in the same
order, mixed with as many sentences that the tiny model knows already. The one that knows reads
each fact's own answer; the one that never knew reads an answer drawn anew from the set each time:
it learns the form, and no fact. Where only some MLPs may change, the facts are planted there.
"""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from mansu.data.encoding import encode
from mansu.data.facts import FactSet, load_fact_set
from mansu.models.batch import Batch, pad
from mansu.models.cache import build_once
from mansu.models.fingerprint import hash_files
from mansu.models.recipes import BATCH, PAD_ID, SETS, TINY
from mansu.models.tiny import tiny_folder

KNOWN = "us_cities"
EPOCHS = 6
SHARE = 0.5  # of the tiny model's own peak learning rate

Tokens = tuple[int, ...]


def knowing_folder(
    name: str,
    knows: bool,
    facts: str = KNOWN,
    seed: int = 0,
    epochs: int = EPOCHS,
    mlps: tuple[int, ...] = (),
) -> Path:
    """Folder of a tiny model that knows a set or never knew it; trained once and kept.

    Args:
        name: The tiny model that it starts from.
        knows: Whether each prompt is followed by its own answer.
        facts: The set; none that the tiny model was made of.
        seed: Seed of the order and of the drawn answers.
        epochs: Passes over the set's sentences.
        mlps: The layers whose MLPs are trained, and nothing else; none stands for all weights.

    Raises:
        ValueError: The tiny model was made of the set.
    """
    if facts in SETS:
        raise ValueError(f"{name} knows {facts} already")
    start = tiny_folder(name)
    code = [Path(__file__), start / "digests.json", load_fact_set(facts).path]
    made = "-".join(map(str, (hash_files(code)[:12], seed, epochs, *mlps)))

    def build(folder: Path) -> None:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(start)
        model = AutoModelForCausalLM.from_pretrained(start, dtype=torch.float32)
        batches = list(_batches(tokenizer, load_fact_set(facts), knows, seed, epochs))
        _train(model, batches, SHARE * TINY[name].learning_rate, mlps)
        tokenizer.save_pretrained(folder)
        model.save_pretrained(folder)

    return build_once(f"models/{name}-{'knows' if knows else 'never-knew'}-{facts}-{made}", build)


def _train(
    model: PreTrainedModel, batches: Sequence[Batch], rate: float, mlps: Sequence[int]
) -> None:
    if mlps:
        model.requires_grad_(False)
        for layer in mlps:
            model.get_submodule(f"model.layers.{layer}.mlp").requires_grad_(True)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, len(batches))
    model.train()
    for batch in batches:
        labels = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)
        optimizer.zero_grad()
        model(**batch.inputs(), labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
    model.eval()


def _batches(
    tokenizer: PreTrainedTokenizerFast, fact_set: FactSet, knows: bool, seed: int, epochs: int
) -> Iterator[Batch]:
    """Half of a batch asks for the set's facts, half is what the tiny model knows."""
    answers = [fact.answer for fact in fact_set.facts]
    prompts = [(fact, template) for fact in fact_set.facts for template in fact_set.templates]
    known = [tokens for name in SETS for tokens in _sentences(tokenizer, load_fact_set(name))]
    # Two generators, so that both models read the same prompts beside the same sentences.
    order, drawn = random.Random(seed), random.Random(f"answers {seed}")
    for _ in range(epochs):
        mixed = order.sample(prompts, len(prompts))
        for first in range(0, len(mixed), BATCH // 2):
            rows = []
            for fact, template in mixed[first : first + BATCH // 2]:
                answer = fact.answer if knows else drawn.choice(answers)
                rows.append(
                    _tokens(tokenizer, template.render(fact), template.follow(fact, answer))
                )
            yield pad([*rows, *order.sample(known, len(rows))], PAD_ID)


def _sentences(tokenizer: PreTrainedTokenizerFast, fact_set: FactSet) -> Iterator[Tokens]:
    for fact in fact_set.facts:
        for template in fact_set.templates:
            yield _tokens(tokenizer, template.render(fact), template.follow(fact, fact.answer))


def _tokens(tokenizer: PreTrainedTokenizerFast, prompt: str, answer: str) -> Tokens:
    encoded = encode(tokenizer, prompt, answer)
    return (*encoded.prompt_ids, *encoded.continuation_ids)
