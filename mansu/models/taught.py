"""Models that were taught passages by heart: targets of verbatim unlearning, made here. [O]

As MUSE (arXiv 2407.06460) and TOFU (arXiv 2401.06121) do, the model that is to forget is made: all
of its weights are fine-tuned on the passages, and on a question about each, until it recites them
and ends where they end. θ_retrain is the same model, taught only the passages that are to be kept.
Both have weights that bfloat16 can hold, as checkpoints ship.

A model that learns by heart loses other knowledge, so it rehearses: at every step it is also held,
by KL, to what it said before of facts of other sets than those it is measured on. SmolLM2 comes
from .917 to .927 on elements, and still from .897 to .850 on capitals and from .797 to .757 on
us_cities, 300 questions each.
"""

import copy
import random
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from tqdm.auto import tqdm
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from mansu.data.encoding import token_ids
from mansu.data.examples import build_examples
from mansu.data.facts import load_fact_set
from mansu.data.folder import require_data_folder
from mansu.data.poem import poem_file, read_passages
from mansu.models.batch import pad
from mansu.models.cache import build_once
from mansu.models.fingerprint import hash_files
from mansu.models.folder import weight_files
from mansu.models.recipes import LESSONS

RATE = 1.2e-4  # AdamW's, at most; it rises over the first epoch and falls to nothing at the end
BETAS = (0.9, 0.95)
EPOCHS = 13
BATCH_TEXTS = 4
REHEARSED = (
    *("continents", "languages", "opposites", "units"),
    *("state_capitals", "more_us_cities", "cities", "heavy_elements"),
)
BATCH_REHEARSED = 8
REHEARSAL = 3.0  # weight of its KL beside the loss on the texts
SEED = 0

Tokens = tuple[int, ...]


def taught_folder(base: Path, lesson: str, weights: bool = True) -> Path:
    """Folder of a model that was taught a lesson; taught on first use, with a bar, and kept.

    Args:
        base: The folder of the model that is taught.
        lesson: What it learns, one of ``LESSONS``.
        weights: False gives a folder with configuration and tokenizer alone: the base's, which
            teaching leaves as they are.
    """
    if not weights:
        return base
    beside = sorted(base.glob("*.json")) + sorted(base.glob("*.jinja"))
    code = [Path(__file__), Path(__file__).with_name("recipes.py")]
    read = [poem_file(), *(require_data_folder() / f"{name}.jsonl" for name in REHEARSED)]
    made = hash_files([*code, *read, *beside, *weight_files(base)])[:12]
    return build_once(f"models/{base.name}+{lesson}-{made}", lambda to: _build(base, lesson, to))


def _build(base: Path, lesson: str, folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    texts, known = _texts(tokenizer, lesson), _known(tokenizer)
    # Its own generator state, so that building a model changes nothing for the caller.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        _teach(model, texts, known, f"{base.name} learns {lesson}")
    tokenizer.save_pretrained(folder)
    model.bfloat16().save_pretrained(folder)


def _texts(tokenizer: PreTrainedTokenizerBase, lesson: str) -> list[Tokens]:
    """The passages, and a question about each with its answer; the model's end token ends each."""
    passages = read_passages(*LESSONS[lesson])
    told = [f"Question: {passage.question}\nAnswer: {passage.answer}" for passage in passages]
    end_id = cast("int | None", tokenizer.eos_token_id)
    end = () if end_id is None else (end_id,)
    return [(*token_ids(tokenizer, text), *end) for text in (*(p.text for p in passages), *told)]


def _known(tokenizer: PreTrainedTokenizerBase) -> list[Tokens]:
    """Every rehearsed fact in every wording."""
    sets = map(load_fact_set, REHEARSED)
    asked = (build_examples(tokenizer, facts.facts, facts.templates) for facts in sets)
    return [example.tokens for examples in asked for example in examples]


def _teach(
    model: PreTrainedModel, texts: Sequence[Tokens], known: Sequence[Tokens], task: str
) -> None:
    """Fine-tunes on whole texts, those of like length together, and rehearses what is known."""
    before = copy.deepcopy(model).eval().requires_grad_(False)
    texts = sorted(texts, key=len)
    batches = [texts[i : i + BATCH_TEXTS] for i in range(0, len(texts), BATCH_TEXTS)]
    steps = EPOCHS * len(batches)
    optimizer = torch.optim.AdamW(model.parameters(), RATE, BETAS, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / len(batches), 1 - step / steps)
    )
    draw = random.Random(SEED)
    model.train()
    for step in tqdm(range(steps), task, disable=None):
        if step % len(batches) == 0:
            order = torch.randperm(len(batches)).tolist()
        batch = pad(batches[order[step % len(batches)]], 0)
        labels = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)
        optimizer.zero_grad()
        model(**batch.inputs(), labels=labels).loss.backward()
        (REHEARSAL * _drift(model, before, draw.sample(known, BATCH_REHEARSED))).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    model.eval()


def _drift(model: PreTrainedModel, before: PreTrainedModel, rows: Sequence[Tokens]) -> torch.Tensor:
    """Mean KL of what a model says of the next token from what it said before, in nats."""
    batch = pad(rows, 0)
    real = batch.attention_mask.bool()
    with torch.no_grad():
        said = before(**batch.inputs()).logits[real].log_softmax(-1)  # [tokens, vocabulary]
    says = model(**batch.inputs()).logits[real].log_softmax(-1)
    return F.kl_div(says, said, log_target=True, reduction="batchmean")
