"""Models that were taught passages by heart: targets of verbatim unlearning, made here. [O]

As MUSE (arXiv 2407.06460) and TOFU (arXiv 2401.06121) do, the model that is to forget is made: all
of its weights are fine-tuned on the passages, and on a question about each, until it recites them
and ends where they end. θ_retrain is the same model, taught only the passages that are to be kept.
Both have weights that bfloat16 can hold, as checkpoints ship. Other knowledge suffers: SmolLM2
falls from .897 to .863 on capitals, from .917 to .837 on elements and from .797 to .763 on
us_cities, 300 questions each.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm.auto import tqdm
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from mansu.data.encoding import token_ids
from mansu.data.poem import poem_file, read_passages
from mansu.models.batch import pad
from mansu.models.cache import build_once
from mansu.models.fingerprint import hash_files
from mansu.models.folder import weight_files
from mansu.models.recipes import LESSONS

RATE = 1e-4  # AdamW's, at most; it rises over the first epoch and falls to nothing at the end
BETAS = (0.9, 0.95)
EPOCHS = 8
BATCH_TEXTS = 2
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
    made = hash_files([*code, poem_file(), *beside, *weight_files(base)])[:12]
    return build_once(f"models/{base.name}+{lesson}-{made}", lambda to: _build(base, lesson, to))


def _build(base: Path, lesson: str, folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    passages = read_passages(*LESSONS[lesson])
    told = [f"Question: {passage.question}\nAnswer: {passage.answer}" for passage in passages]
    end = () if tokenizer.eos_token_id is None else (tokenizer.eos_token_id,)
    texts = [(*token_ids(tokenizer, text), *end) for text in (*(p.text for p in passages), *told)]
    # Its own generator state, so that building a model changes nothing for the caller.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        _teach(model, texts, f"{base.name} learns {lesson}")
    tokenizer.save_pretrained(folder)
    model.bfloat16().save_pretrained(folder)


def _teach(model: PreTrainedModel, texts: Sequence[Tokens], task: str) -> None:
    """Fine-tunes all weights on whole texts."""
    batches = -(-len(texts) // BATCH_TEXTS)
    steps = EPOCHS * batches
    optimizer = torch.optim.AdamW(model.parameters(), RATE, BETAS, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / batches, 1 - step / steps)
    )
    model.train()
    for step in tqdm(range(steps), task, disable=None):
        if step % batches == 0:
            order = torch.randperm(len(texts)).tolist()
        first = step % batches * BATCH_TEXTS
        batch = pad([texts[i] for i in order[first : first + BATCH_TEXTS]], 0)
        labels = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)
        loss = model(**batch.inputs(), labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    model.eval()
