"""All that can be asked of a configuration before any work, in one place for every entrance.

``mansu run`` and ``sweep``, the notebooks and their dashboards ask through
:class:`mansu.study.run.Run`, ``mansu plan`` directly. A run also needs its device to be here and a
folder of its own, and asks for them itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from transformers import PreTrainedTokenizerBase

from mansu.data.facts import FactSet, check_tokenizes, load_fact_set, require_disjoint
from mansu.data.pairs import build_pairs
from mansu.errors import InputError
from mansu.models import LanguageModel
from mansu.models.loading import find_model, read_config
from mansu.study.config import StudyConfig, require_fitting

# What the facts of each side of the retain set are for.
_SIDES = {"train": "training keeps those", "held_out": "retention is measured on those"}


@dataclass(frozen=True)
class Sets:
    """The fact sets of a configuration, by role."""

    forget: FactSet
    retain: FactSet
    utility: FactSet


def check(config: StudyConfig, load: Callable[[], LanguageModel]) -> Sets:
    """Reads the fact sets and refuses what could fail later, the cheapest question first.

    Args:
        config: The configuration.
        load: Gives its model, with weights or without; called last.

    Raises:
        InputError: Settings that are another method's, no such device, unknown or damaged model,
            malformed or overlapping fact sets, a circuit larger than the model, a role that the
            sets leave empty, answers that the model's tokenizer cannot tell apart.
    """
    require_fitting(config)
    require_device(config.device)
    sets = Sets(*(load_fact_set(name) for name in (config.forget, config.retain, config.utility)))
    require_disjoint(sets.forget, sets.retain)
    require_disjoint(sets.forget, sets.utility)
    _require_sides(sets.retain)
    require_layers(config)
    _require_answers(sets, load().tokenizer)
    return sets


def require_device(name: str, here: bool = False) -> None:
    """Refuses a device that torch does not know, that computes nothing, or that is not here.

    Args:
        name: As torch names it.
        here: Whether it must be on this machine.

    Raises:
        InputError: It is such a device.
    """
    try:
        known = torch.device(name).type != "meta"
    except RuntimeError:
        known = False
    if not known:
        raise InputError(f"device: '{name}' is none that torch computes on; try cpu or cuda.")
    try:
        if here:
            torch.ones(1, device=name).item()
    except Exception as error:  # every backend that is missing has its own way to say so
        raise InputError(f"device: '{name}' is not available here; give another.") from error


def require_layers(config: StudyConfig) -> None:
    """Refuses a circuit larger than its model; no weight is read.

    Raises:
        InputError: It is larger, or there is no such model.
    """
    folder = find_model(config.model, weights=False)
    layers = read_config(folder).get_text_config().num_hidden_layers
    if config.top_k > layers:
        raise InputError(
            f"top_k: the model has {layers} MLP sublayers, so the circuit cannot have "
            f"{config.top_k}; lower top_k."
        )


def _require_sides(retain: FactSet) -> None:
    for side, use in _SIDES.items():
        if not any(fact.split == side for fact in retain.facts):
            way_out = (
                f'give some of its facts "split": "{side}"'
                if len(retain.facts) > 1
                else "add facts: it has one, and each side needs its own"
            )
            raise InputError(
                f"{retain.path}: the retain set has no {side} fact, and {use}; {way_out}."
            )


@lru_cache(maxsize=8)  # a dashboard opens many runs on the same sets and model
def _require_answers(sets: Sets, tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuses sets whose questions, examples or pairs would be empty in this tokenizer's tokens."""
    for facts in (sets.forget, sets.retain, sets.utility):
        check_tokenizes(facts, tokenizer)
    build_pairs(sets.forget, tokenizer, count=1, seed=0)
