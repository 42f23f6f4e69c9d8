"""Every value that a choice offers works, from the first stage to the scorecard and export."""

from itertools import product
from pathlib import Path

import pytest
import torch

from mansu.cli import main
from mansu.errors import RunError
from mansu.models import LanguageModel, load_model
from mansu.quant import deployed
from mansu.registry import plugs
from mansu.study.config import FIELDS, choices, default_of, floors, make_config, own_fields
from mansu.study.folders import Folders, variant
from mansu.study.pipeline import run_study
from mansu.study.plan import make_plan
from mansu.study.run import Run
from mansu.study.stages import attribute, measure, measure_depth, train
from mansu.study.stages.floor import unlearned_model
from mansu.study.state import State
from mansu.unlearn import refusing
from tests.study.small_sets import FAST, fitting, hurry, write_sets

UNLEARNED = State("unlearned", "fp")
# `given` trains nothing: test_audit.py has it.
METHODS = tuple(name for name in plugs("mansu.unlearn.methods") if name != "given")
OFFERED = {field.name: choices(field) for field in FIELDS if choices(field)}
DTYPES = OFFERED["dtype"] or ()
WHOLE = [
    *({"method": method} for method in METHODS),
    *({"dtype": dtype} for dtype in DTYPES),
    *(
        {name: value}
        for name, values in OFFERED.items()
        if name not in ("method", "floor", "dtype")
        for value in values or ()
    ),
]
# What comes after them knows the weights that these make, and nothing else of them.
UPDATES = [
    *({"dtype": d, "method": m} for d, m in product(DTYPES, METHODS) if d != "float32"),
    *({"method": method, "floor": floor} for method in ("mansu", "ga") for floor in floors(method)),
    *(
        {"method": method, field.name: value}
        for method in METHODS
        for field in own_fields(method)
        for value in choices(field) or ()
        if value != default_of(field) and (field.name != "keep" or method in ("mansu", "lunar"))
    ),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("choices")


@pytest.fixture(scope="module")
def models() -> dict[str, LanguageModel]:
    """The tiny model by dtype, loaded once."""
    return {}


@pytest.fixture
def open_run(place: Path, models: dict[str, LanguageModel], monkeypatch):
    """Opens a study with some values, all in one folder, so that they share what they can."""
    hurry(monkeypatch)

    def opened(values: dict) -> Run:
        config = make_config(fitting({**FAST, **write_sets(place), **values}))
        folders = Folders(place / f"{variant(config)}-{config.seed}", place / "shared")
        run = Run(config, folders, model=models.get(config.dtype))
        models[config.dtype] = run.model
        return run

    return opened


@pytest.fixture
def run_of(open_run):
    """Runs a study with some values to its scorecard."""

    def run(values: dict) -> Run:
        opened = open_run(values)
        run_study(opened)
        return opened

    return run


@pytest.fixture
def refusing_all(monkeypatch) -> None:
    """Tiny models do not refuse, which ends LUNAR; what it does beyond is tried all the same."""
    monkeypatch.setattr(refusing, "require_refusals", lambda *given: None)


@pytest.mark.parametrize("values", WHOLE, ids=lambda v: "-".join(v.values()))
def test_a_short_run_works_with_every_choice(run_of, values):
    run = run_of(values)
    assert (run.folder / "scorecard.json").is_file()
    assert make_plan(run.config).peak().total > 0


@pytest.mark.usefixtures("refusing_all")
@pytest.mark.parametrize("values", UPDATES, ids=lambda v: "-".join(v.values()))
def test_every_choice_of_what_makes_the_weights_makes_a_model_that_answers(open_run, values):
    assert measure(open_run(values), UNLEARNED).roles["forget_seen"].facts


def test_what_is_measured_knows_a_method_by_its_weights_alone(open_run):
    run = open_run({})
    makes = {"method", "floor", *(field.name for field in own_fields("mansu"))}
    for stage in (measure, attribute, measure_depth):
        assert makes & set(train.fields(run))
        assert not makes & set(stage.fields(run, UNLEARNED))


@pytest.mark.parametrize("form", ["fp", "nf4", "fp4"])
@pytest.mark.parametrize("dtype", OFFERED["dtype"])
def test_an_export_works_in_every_dtype_and_format(run_of, tmp_path, dtype, form):
    folder = run_of({"dtype": dtype}).folder
    assert main(["export", str(folder), "--to", str(tmp_path / "new"), "--format", form]) == 0


@pytest.mark.parametrize("form", ["fp", "fp16", "q4_0"])
@pytest.mark.parametrize("dtype", OFFERED["dtype"])
def test_an_export_as_a_file_works_in_every_dtype(run_of, tmp_path, monkeypatch, dtype, form):
    run = run_of({"dtype": dtype})
    target = tmp_path / "new.gguf"
    assert main(["export", str(run.folder), "--to", str(target), "--format", form]) == 0
    with monkeypatch.context() as patched:
        patched.setenv("MANSU_CACHE", str(tmp_path / "cache"))  # where the file is converted
        read = load_model(str(target), dtype=getattr(torch, dtype))
    with unlearned_model(run) as model, deployed(model, form):
        for name, weight in model.module.named_parameters():
            assert torch.equal(read.module.get_parameter(name), weight), name


# Both ends of the range that a number may lie in. More steps, and batches larger than a set, only
# take longer.
ENDS = {
    "seed": (0, 2**31 - 1),
    "items": (1, 10**6),
    "pairs": (1, 10**6),
    "ig_steps": (1, 20),
    "top_k": (1, 4),
    "tau": (1e-9, 1.0),
    "rho": (1e-9, 1.0),
    "fisher_examples": (1, 10**6),
    "wordings": (0, 9),
    "beta": (1e-9, 1e6),
    "margin": (0.0, 1e6),
    "retain_weight": (0.0, 1e6),
    "learning_rate": (1e-12, 1.0),
    "steps": (1, 2),
    "forget_batch": (1, 30),
    "retain_batch": (1, 30),
    "validate_every": (1, 10**6),
    "memory_mb": (64, 10**7),
    "until": (0.0, 1.0),
    "patience": (0, 4096),
    "gamma": (0.0, 1e6),
    "forget_weight": (1e-9, 1e6),
    "history": (1, 8),
    "rank": (1, 16),
    "alpha": (1e-9, 1e6),
    "shift": (1e-9, 1e6),
    "references": (2, 128),
    "decay": (1e-9, 1.0),
    "epochs": (1, 2),
    "batch": (1, 100),
    "hinge_weight": (0.0, 1e6),
    "steering": (1e-9, 1e6),
    "percentile": (0.0, 99.9),
    "mask_examples": (1, 10**6),
}


NUMBERS = {field.name for method in METHODS for field in own_fields(method) if not choices(field)}


def test_every_number_of_the_configuration_and_of_every_method_has_its_ends_tried():
    others = {"model", "forget", "retain", "utility", "device", "target", "formats", "attacks"}
    others |= {"retrained", "benchmarks", "reply_tokens"}
    taken = {field.name for field in FIELDS} | NUMBERS
    assert taken == {*others, "settings", *OFFERED, *ENDS}


@pytest.mark.parametrize("floor", OFFERED["floor"])
@pytest.mark.parametrize("end", [0, 1])
def test_a_short_run_works_with_every_number_at_an_end_of_its_range(run_of, end, floor):
    own = {field.name for field in (*FIELDS, *own_fields("mansu"))}
    run_of({name: ends[end] for name, ends in ENDS.items() if name in own} | {"floor": floor})


@pytest.mark.usefixtures("refusing_all")
@pytest.mark.parametrize("method", [name for name in METHODS if name != "mansu"])
@pytest.mark.parametrize("end", [0, 1])
def test_every_method_works_with_its_own_numbers_at_an_end_of_their_range(run_of, end, method):
    own = {field.name for field in own_fields(method)}
    ends = {name: both[end] for name, both in ENDS.items() if name in own}
    if method.startswith("gu"):  # what nothing holds is projected off nothing
        ends["retain_weight"] = max(ends["retain_weight"], 1e-9)
    try:
        run_of({**ends, "method": method})
    except RunError as error:  # rates of 1 may diverge
        assert "not finite" in str(error)
