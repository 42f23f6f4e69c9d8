"""Whether a model can read what a configuration would have it read: told from its tokenizer."""

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from mansu.benchmarks import prompt_ids
from mansu.collections import draw_pairs, find_recital, find_writing
from mansu.data.encoding import token_ids
from mansu.data.facts import FactSet
from mansu.data.far import build_far_items, build_reverse_items
from mansu.data.fitting import check_fits, check_items, check_reads
from mansu.data.items import Item
from mansu.errors import InputError
from mansu.study.config import StudyConfig

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from mansu.study.check import Sets


@lru_cache(maxsize=8)  # a study opens many runs on the same sets and model
def require_answers(
    model: str, sets: "Sets", tokenizer: "PreTrainedTokenizerBase", reply_tokens: int
) -> None:
    """Refuses what the model cannot be asked, and sets whose pairs would be none."""
    from mansu.data.text import utility_text
    from mansu.models.language_model import read_text

    rows, context = _limits(model)
    for facts in sets.asked:
        writing = find_writing(facts)
        said = [*([writing] if writing else []), *find_recital(facts).values()]
        written = max((one.tokens for one in said), default=0)
        check_fits(facts, tokenizer, rows, context, written)
    for facts, items in _probes(sets, tokenizer):
        check_items(facts, items, tokenizer, rows, context)
    for name, texts in sets.texts.items():
        read = [token_ids(tokenizer, text) for text in texts]
        check_reads(read, f"{sets.forget.name}: of the {name} texts,", rows, context)
    for name, tasks in sets.tasks.items():
        read = [prompt_ids(tokenizer, task) for task in tasks]
        check_reads(read, f"{name}: of the prompts,", rows, context, reply_tokens)
    read_text(tokenizer, utility_text(), rows, model)
    draw_pairs(sets.forget, tokenizer, count=1, seed=0, pool=sets.pool)


@lru_cache(maxsize=8)
def require_attacks(
    model: str, sets: "Sets", tokenizer: "PreTrainedTokenizerBase", attacks: tuple[str, ...]
) -> None:
    """Refuses attacks that would ask what the model cannot be asked."""
    from mansu.attacks import find_attack

    rows, context = _limits(model)
    for name in attacks:
        plug = find_attack(name)
        for setting in plug.usable(sets.forget, sets.companions):
            for facts in _with_twin(sets):
                items = plug.asks(facts, sets.companions, setting)
                try:
                    check_items(facts, items, tokenizer, rows, context)
                except InputError as error:
                    raise InputError(
                        f"attacks: {name}, {setting}: {str(error).removesuffix('.')}, or leave "
                        f"{name} out of attacks."
                    ) from None


def _limits(model: str) -> tuple[int, int | None]:
    """How many tokens a model has an embedding for, and how many it reads at most."""
    from mansu.models.folder import context_of, read_config
    from mansu.models.loading import find_model

    settings = read_config(find_model(model, weights=False)).get_text_config()
    return settings.vocab_size, context_of(settings)


def _with_twin(sets: "Sets") -> list[FactSet]:
    """What is to be forgotten, and its invented twin, which the control is asked about."""
    return [facts for facts in (sets.forget, sets.companions.twin) if facts is not None]


def _probes(
    sets: "Sets", tokenizer: "PreTrainedTokenizerBase"
) -> Iterator[tuple[FactSet, tuple[Item, ...]]]:
    """What a model is asked beside the sets' own prompts: in other kinds, and in reverse."""
    from mansu.study.stages.draw import DRAW_SEED

    yield sets.forget, build_reverse_items(sets.forget, DRAW_SEED)
    for facts in _with_twin(sets):
        if facts.far:
            far = build_far_items(facts.facts, facts.far, DRAW_SEED, tokenizer, sets.pool)
            yield facts, far


def require_calibration(
    config: StudyConfig, sets: "Sets", tokenizer: "PreTrainedTokenizerBase"
) -> None:
    """Refuses texts that are too short for the formats which read one first."""
    from mansu.attacks import find_attack
    from mansu.quant.calibration import cut_rows
    from mansu.quant.formats import find_format

    if any(find_format(name).calibrated for name in config.formats):
        cut_rows(tokenizer)
    for texts in filter(None, (find_attack(name).texts for name in config.attacks)):
        for facts in _with_twin(sets):
            cut_rows(tokenizer, texts(facts))
