"""All that can be asked of a configuration before any work, in one place for every entrance.

``mansu run`` and ``sweep``, the notebooks and their dashboards ask through
:class:`mansu.study.run.Run`, ``mansu plan`` directly. A run also needs its device to be here and a
folder of its own, and asks for them itself. The cheapest question comes first: a circuit larger
than its model is refused before any library that computes has been imported.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mansu.benchmarks import Task, load_tasks
from mansu.collections import find_recital, load_beside, load_set, load_texts
from mansu.data.companions import Companions, require_untrained
from mansu.data.facts import FactSet, require_disjoint, several
from mansu.data.templates import Fact
from mansu.errors import InputError
from mansu.models.layers import count_layers
from mansu.study.cache.records import read_result
from mansu.study.config import SETS, StudyConfig, differing_fields, make_config, require_fitting
from mansu.study.fitting import require_answers, require_attacks, require_calibration
from mansu.study.folders import Folders
from mansu.study.inert import require_effect
from mansu.study.outputs import require_cache, require_folder
from mansu.study.state import find_origin, origins
from mansu.unlearn.methods import find_method

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# What the facts of each side of the retain set are for.
_SIDES = {"train": "training keeps those", "held_out": "retention is measured on those"}


@dataclass(frozen=True)
class Sets:
    """The fact sets of a configuration, by role.

    Attributes:
        forget: What is to be forgotten.
        retain: What training keeps: the set that retention is measured on first.
        retain_more: Further sets that training keeps, measured together.
        utility: What training never touches.
        companions: What belongs to the forget set.
        texts: What the forget set is compared by beside its questions, by name, where a model is
            given to compare with.
        tasks: What the model is to write, by benchmark.
    """

    forget: FactSet
    retain: FactSet
    utility: FactSet
    companions: Companions
    retain_more: tuple[FactSet, ...] = ()
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    tasks: Mapping[str, tuple[Task, ...]] = field(default_factory=dict, hash=False)

    @property
    def asked(self) -> tuple[FactSet, ...]:
        """Every set whose own prompts a model is asked."""
        told = (self.companions.neighbours, self.companions.far_utility, self.companions.twin)
        beside = (facts for facts in told if facts)
        return (self.forget, *self.kept, self.utility, *beside)

    @property
    def kept(self) -> tuple[FactSet, ...]:
        """Every set that training keeps."""
        return (self.retain, *self.retain_more)

    @property
    def pool(self) -> tuple[Fact, ...]:
        """Facts of the forget set's form that are not in it."""
        return self.companions.pool.facts if self.companions.pool else ()

    @property
    def files(self) -> tuple[FactSet, ...]:
        """Every set that a run reads."""
        return (*self.asked, *([self.companions.pool] if self.companions.pool else []))


def check(config: StudyConfig, tokenizer: "Callable[[], PreTrainedTokenizerBase | None]") -> Sets:
    """Reads the fact sets and refuses what could fail later; no weight is read.

    Args:
        config: The configuration.
        tokenizer: Gives its model's tokenizer, or None where there is none; called last.

    Raises:
        InputError: A floor that is another method's, settings without effect or that the model
            cannot have, no such device, unknown or damaged model, malformed or overlapping fact
            sets, a circuit larger than the model, a role that the sets leave empty, facts that the
            model cannot be asked, missing data of a method's own, an origin, a format or an attack
            whose file holds none, a target without a codebook, a format whose library is not here
            or which the model's matrices do not fit, an attack that the sets or the formats give
            nothing to work with, a text too short for a format that reads one first.
    """
    require_fitting(config)
    require_effect(config)
    sets = load_sets(config)
    require_disjoint(sets.forget, sets.utility)
    _require_each_once(sets)
    for kept in sets.kept:
        require_disjoint(sets.forget, kept)
        for measured in (sets.companions.neighbours, sets.companions.far_utility):
            if measured is not None:
                require_untrained(measured, kept)
        _require_sides(kept)
    require_cache()
    require_layers(config)
    find_method(config.method).refuse(config.model, config.settings)
    require_device(config.device)
    _require_plugs(config, sets)
    if config.retrained:
        _require_retrained(config)
    found = tokenizer()
    if found is not None:
        require_answers(config.model, sets, found, config.reply_tokens)
        require_attacks(config.model, sets, found, config.attacks)
        require_calibration(config, sets, found)
    return sets


def load_sets(config: StudyConfig) -> Sets:
    """Reads the fact sets that a configuration names, and what belongs to the forget set.

    Raises:
        InputError: One cannot be read, or does not fit the forget set.
    """
    kept = several(config.retain)
    if not kept:
        raise InputError("retain: it names no set; give one, or several with commas between.")
    forget, retain, utility, *more = map(
        load_set, (config.forget, kept[0], config.utility, *kept[1:])
    )
    texts = load_texts(forget) if config.retrained else {}
    tasks = {name: load_tasks(name) for name in config.benchmarks}
    return Sets(forget, retain, utility, load_beside(forget), tuple(more), texts, tasks)


def require_layers(config: StudyConfig) -> None:
    """Refuses a circuit larger than its model; no weight is read.

    Raises:
        InputError: It is larger, or there is no such model.
    """
    if config.top_k > (layers := count_layers(config.model)):
        raise InputError(
            f"top_k: the model has {layers} MLP sublayers, so the circuit cannot have "
            f"{config.top_k}; lower top_k."
        )


def require_device(name: str, here: bool = False) -> None:
    """Refuses a device that torch does not know, that computes nothing, or that is not here.

    Args:
        name: As torch names it.
        here: Whether it must be on this machine.

    Raises:
        InputError: It is such a device.
    """
    import torch

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


def _require_plugs(config: StudyConfig, sets: Sets) -> None:
    """Refuses a plug whose file cannot be imported or holds none, and what the plugs cannot use.

    These are imported here for the first time, and with them the libraries that compute. So are the
    libraries that only some formats need.
    """
    from mansu.attacks import find_attack
    from mansu.models.folder import read_config, row_lengths
    from mansu.models.loading import find_model
    from mansu.quant.formats import find_codebook, require_format

    for name in config.target:
        find_codebook(name)
    for name in origins():
        find_origin(name)
    if config.formats:
        settings = read_config(find_model(config.model, weights=False)).get_text_config()
        for name in config.formats:
            require_format(name, row_lengths(settings))
    if config.attacks and find_recital(sets.forget):
        raise InputError(
            f"attacks: they ask for a choice, and {sets.forget.name} is answered in writing; leave "
            "them out."
        )
    for name in config.attacks:
        plug = find_attack(name)
        plug.usable(sets.forget, sets.companions)
        plug.tried(("fp", *config.formats))


def _require_retrained(config: StudyConfig) -> None:
    from mansu.models.pairing import require_pair

    try:
        require_pair(config.model, config.retrained)
    except InputError as error:
        raise InputError(f"retrained: {error}") from None


def _require_each_once(sets: Sets) -> None:
    """Refuses a set that is kept twice, or kept and measured as one that training never touches.

    A set is what its file holds, whatever name, link or copy it is given by.
    """
    kept: dict[str, FactSet] = {}
    for facts in sets.kept:
        if facts.fingerprint in kept:
            raise InputError(
                f"retain: {facts.path} and {kept[facts.fingerprint].path} are the same set; name "
                "it once."
            )
        kept[facts.fingerprint] = facts
    if sets.utility.fingerprint in kept:
        raise InputError(
            f"utility: {sets.utility.path} is the retain set {kept[sets.utility.fingerprint].path},"
            " which training keeps; give a set that it never touches."
        )
    near, far = sets.companions.neighbours, sets.companions.far_utility
    if near and far and near.fingerprint == far.fingerprint:
        raise InputError(
            f"{sets.forget.path}: its neighbours and its far_utility are the same set ({far.path});"
            " name another, or leave one out."
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


def check_folder(config: StudyConfig, folders: Folders, content: Callable[[], str]) -> None:
    """Refuses folders that hold something else than this run's results.

    Args:
        config: The run's configuration.
        folders: Its folders.
        content: Hash of its model and fact sets: a run whose files only moved is still the same.

    Raises:
        InputError: They do.
    """
    path = folders.run / "config.json"
    for folder in (folders.run, folders.shared):
        require_folder(folder)
    # Listed first: a run that another process starts meanwhile writes its configuration first.
    others = folders.run.is_dir() and [
        p.name
        for p in folders.run.iterdir()
        if p.name != "shared" and not p.name.startswith(".") and p.suffix != ".ipynb"
    ]
    if not path.is_file():
        # A run whose configuration was lost still has its circuit, its first result.
        if others and read_result(folders.run / "circuit.json") is None:
            raise InputError(
                f"{folders.run} holds other files and no run; give an empty or new folder."
            )
        return
    stored = read_result(path)
    try:
        other = make_config(stored.tree) if stored else None
    except InputError:
        other = None
    if other is None:
        raise InputError(
            f"{path} is damaged or not a run's configuration; delete it to go on with a run of "
            "yours, or give another folder."
        )
    differing = differing_fields(config, other)
    moved = {*differing} <= {"model", *SETS} and stored and stored.stamp.key == content()
    if differing and not moved:
        raise InputError(
            f"{folders.run} holds a run of another configuration (it differs in "
            f"{', '.join(differing)}); give another folder."
        )
