"""What a run puts through the model: how many tokens at a time, from fact sets and tokenizer.

The batches are those that the stages form; without a tokenizer the lengths are estimated by
cutting words into short pieces, more of them than the models' tokenizers make.
"""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mansu.attacks import find_attack
from mansu.attacks.base import ask
from mansu.attacks.relearning.halves import halve
from mansu.attacks.relearning.lessons import TAUGHT_ITEMS, UNTAUGHT_ITEMS
from mansu.benchmarks import drawn, prompt_ids
from mansu.collections import draw_pairs, find_writing
from mansu.data.encoding import encode, token_ids
from mansu.data.examples import Example
from mansu.data.facts import FactSet
from mansu.data.items import Item
from mansu.data.pairs import Pair
from mansu.data.text import utility_text
from mansu.metrics import speech
from mansu.metrics.batching import batch_tails
from mansu.metrics.greedy import batch_alike
from mansu.metrics.mcq import prompt_batches
from mansu.metrics.perplexity import BATCH_WINDOWS, window_length
from mansu.models import LanguageModel
from mansu.models.loading import load_tokenizer
from mansu.study.check import Sets
from mansu.study.config import StudyConfig
from mansu.study.stages.draw import DRAW_SEED, MEASURED, TWINS, draw_items
from mansu.study.stages.fisher import build_training_examples, fisher_sample
from mansu.study.stages.write import asked_sets, written_items
from mansu.unlearn.methods import find_method
from mansu.unlearn.prior import contexts_of

# Letters a piece, where no tokenizer is at hand. Tokenizers of 32k words and more average above 4
# in English prose, and names are cut into shorter pieces than that.
PIECE = 4


@dataclass(frozen=True)
class Scoring:
    """One batch of multiple-choice scoring.

    Attributes:
        prompts: Prompts in the batch.
        length: Tokens of the longest.
        shared: Tokens that all of them begin with, read once.
        tails: Continuations that are read beyond their first token, in groups that run one after
            the other.
        new: Tokens that the model goes on with.
    """

    prompts: int
    length: int
    shared: int
    tails: tuple["Tails", ...] = ()
    new: int = 0

    @property
    def read(self) -> int:
        """Tokens that are read at once, padding included."""
        return self.prompts * (self.length - self.shared)


@dataclass(frozen=True)
class Tails:
    """Continuations that run together.

    Attributes:
        count: How many.
        length: Tokens of the longest, without its last.
        tokens: Tokens of all.
    """

    count: int
    length: int
    tokens: int


@dataclass(frozen=True)
class Workload:
    """The batches of a run.

    Attributes:
        pairs: Attribution pairs.
        measured: Scoring batches of the measured roles.
        spoken: Batches of the prompts that are gone on with, which have no tails.
        spoken_templates: How many templates those prompts have.
        checked: Scoring batches of training's checks.
        attacked: Scoring batches of an attack that fine-tunes, where one is asked for.
        text: Rows and tokens a row of the largest perplexity batch.
        text_batches: How many of those there are.
        longest: Tokens of the longest text that is read whole; 0 where there is none.
        forget: Training examples of the forget set.
        retain: Training examples of the retain set.
        fisher: What the Fisher information is averaged over, by side; empty where nobody asks.
        counted: Whether the model's tokenizer counted the tokens.
    """

    pairs: Sequence[Pair]
    measured: Sequence[Scoring]
    spoken: Sequence[Scoring]
    spoken_templates: int
    checked: Sequence[Scoring]
    attacked: Sequence[Scoring]
    text: tuple[int, int]
    text_batches: int
    longest: int
    forget: Sequence[Example]
    retain: Sequence[Example]
    fisher: dict[str, tuple[Example, ...]]
    counted: bool

    @property
    def templates(self) -> int:
        """Templates of the forget set that training sees."""
        return len({example.template_id for example in self.forget})

    @property
    def begun(self) -> list[int]:
        """Lengths of the beginnings of answers, template by template, that the target follows."""
        every = {context for example in self.forget for context in contexts_of(example)}
        return [len(tokens) for _, tokens in every if tokens]


def read_workload(config: StudyConfig, model: LanguageModel, sets: Sets) -> Workload:
    """The batches that a run of the configuration forms.

    Args:
        config: Gives the numbers of items, pairs and Fisher examples.
        model: The model; only its configuration and tokenizer are used.
        sets: The fact sets.
    """
    forget, tokenizer = sets.forget, model.tokenizer
    items = draw_items(sets, tokenizer, config.items)
    checks = [items["check_forget"], items["check_retain"]]
    tokens, window = len(model.read(utility_text())), window_length(model)
    rows = min(BATCH_WINDOWS, -(-tokens // window))
    taught = build_training_examples(tokenizer, sets, config.settings.wordings)
    examples = dict(zip(("forget", "retain"), taught, strict=True))
    return Workload(
        pairs=draw_pairs(forget, tokenizer, config.pairs, DRAW_SEED, sets.pool),
        measured=[b for role in (*MEASURED, *TWINS) for b in _scoring(model, items.get(role, ()))],
        spoken=[
            *_speaking(model, items["open"], speech.TOKENS),
            *_writing(model, sets, items),
            *_replying(model, sets, config),
        ],
        spoken_templates=len({item.template_id for item in items["open"]}),
        checked=[batch for role in checks for batch in _scoring(model, role)],
        attacked=_attacking(model, forget) if tunes(config) else [],
        text=(rows, min(tokens, window)),
        text_batches=-(-tokens // (window * BATCH_WINDOWS)),
        longest=max((len(model.read(t)) for ts in sets.texts.values() for t in ts), default=0),
        **examples,
        fisher={
            side: fisher_sample(every, config.settings.fisher_examples)
            for side, every in (examples.items() if reads_fisher(config) else ())
        },
        counted=has_tokenizer(model),
    )


def reads_fisher(config: StudyConfig) -> bool:
    """Whether the method asks for the Fisher information."""
    return "fisher" in find_method(config.method).needs(config.settings)


def tunes(config: StudyConfig) -> bool:
    """Whether an attack fine-tunes; all that do are planned for as if they moved every weight."""
    return any(find_attack(name).tunes for name in config.attacks)


def _scoring(model: LanguageModel, items: Sequence[Item]) -> list[Scoring]:
    if not items:  # a role that the sets leave empty
        return []
    encoded = [encode(model.tokenizer, i.prompt, option) for i in items for option in i.options]
    batches = []
    for chosen in prompt_batches(model, encoded):
        places = {prompt: place for place, prompt in enumerate(chosen.tokens)}
        tails = {
            (places[option.prompt_ids], option.continuation_ids[:-1])
            for option in encoded
            if option.prompt_ids in places and len(option.continuation_ids) > 1
        }
        lengths = [[len(tokens) for _, tokens in group] for group in batch_tails(tails)]
        groups = tuple(Tails(len(group), max(group), sum(group)) for group in lengths)
        longest = max(map(len, chosen.tokens))
        batches.append(Scoring(len(chosen.tokens), longest, chosen.shared, groups))
    return batches


def _speaking(model: LanguageModel, items: Sequence[Item], new: int) -> list[Scoring]:
    return _going_on([token_ids(model.tokenizer, item.prompt.rstrip()) for item in items], new)


def _going_on(prompts: Sequence[Sequence[int]], new: int) -> list[Scoring]:
    batches = batch_alike(prompts)
    return [Scoring(len(chosen), len(prompts[chosen[0]]), 0, new=new) for chosen in batches]


def _replying(model: LanguageModel, sets: Sets, config: StudyConfig) -> Iterator[Scoring]:
    for tasks in sets.tasks.values():
        prompts = [prompt_ids(model.tokenizer, task) for task in drawn(tasks, config.items)]
        yield from _going_on(prompts, config.reply_tokens)


def _writing(
    model: LanguageModel, sets: Sets, items: Mapping[str, Sequence[Item]]
) -> Iterator[Scoring]:
    for role, facts in asked_sets(sets).items():
        if writing := find_writing(facts):
            answered = written_items(items, role, writing.template)
            yield from _speaking(model, answered, writing.tokens)


def _attacking(model: LanguageModel, forget: FactSet) -> list[Scoring]:
    """Both halves, in the unseen and in the trained wording: which is asked is found in the run."""
    halves = halve(forget)
    return [
        batch
        for side, most in ((halves.taught, TAUGHT_ITEMS), (halves.untaught, UNTAUGHT_ITEMS))
        for templates in (forget.held_out, forget.seen)
        for batch in _scoring(model, ask(side, templates, most))
    ]


class Pieces:
    """Stands in for a tokenizer: words cut into pieces of at most four letters, and a start token.

    Args:
        vocabulary: Number of token ids.
    """

    chat_template = None

    def __init__(self, vocabulary: int) -> None:
        self._vocabulary = vocabulary

    def __call__(self, text: str, **_settings: Any) -> dict[str, list[int]]:
        found = re.findall(rf"\s?\S{{1,{PIECE}}}", text)
        tokens = [1, *(zlib.crc32(p.encode()) % self._vocabulary for p in found)]
        return {"input_ids": tokens, "special_tokens_mask": [1] + [0] * len(found)}


def has_tokenizer(model: LanguageModel) -> bool:
    """Whether the model's tokens are counted by its own tokenizer."""
    return not isinstance(model.tokenizer, Pieces)


def find_tokenizer(folder: Path, vocabulary: int) -> Any:
    """The tokenizer of a model folder, or what stands in for it where the folder has none."""
    if not any(folder.glob("tokenizer*")):
        return Pieces(vocabulary)
    return load_tokenizer(folder)
