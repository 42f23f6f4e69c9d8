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
from mansu.study.stages.floor import unlearned_model
from mansu.unlearn.methods import find_method
from tests.study.small_sets import FAST, fitting, hurry, write_sets

METHODS = (*plugs("mansu.unlearn.methods"),)
OFFERED = {field.name: choices(field) for field in FIELDS if choices(field)}
ALONE = [
    {name: value}
    for name, values in OFFERED.items()
    if name not in ("method", "floor", "dtype")
    for value in values or ()
]
OWN = [
    {"method": method, field.name: value}
    for method in METHODS
    for field in own_fields(method)
    for value in choices(field) or ()
    if value != default_of(field) and (field.name != "keep" or method in ("mansu", "lunar"))
]
TOGETHER = [
    *({"dtype": d, "method": m} for d, m in product(OFFERED["dtype"] or (), METHODS)),
    *({"method": method, "floor": floor} for method in ("mansu", "ga") for floor in floors(method)),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("choices")


@pytest.fixture(scope="module")
def models() -> dict[str, LanguageModel]:
    """The tiny model by dtype, loaded once."""
    return {}


@pytest.fixture
def run_of(place: Path, models: dict[str, LanguageModel], monkeypatch):
    """Runs a study with some values, all in one folder, so that they share what they can."""
    hurry(monkeypatch)

    def run(values: dict) -> Run:
        config = make_config(fitting({**FAST, **write_sets(place), **values}))
        folders = Folders(place / f"{variant(config)}-{config.seed}", place / "shared")
        opened = Run(config, folders, model=models.get(config.dtype))
        models[config.dtype] = opened.model
        run_study(opened)
        return opened

    return run


@pytest.mark.parametrize("values", [*TOGETHER, *ALONE, *OWN], ids=lambda v: "-".join(v.values()))
def test_a_short_run_works_with_every_choice(run_of, values):
    run = run_of(values)
    assert (run.folder / "scorecard.json").is_file()
    if find_method(run.config.method).share:
        assert make_plan(run.config).peak().total > 0


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


# Both ends of the range that a number may lie in; larger batches only take longer.
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
    "steps": (1, 4),
    "forget_batch": (1, 100),
    "retain_batch": (1, 100),
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
    taken = {field.name for field in FIELDS} | NUMBERS
    assert taken == {*others, "settings", *OFFERED, *ENDS}


@pytest.mark.parametrize("floor", OFFERED["floor"])
@pytest.mark.parametrize("end", [0, 1])
def test_a_short_run_works_with_every_number_at_an_end_of_its_range(run_of, end, floor):
    own = {field.name for field in (*FIELDS, *own_fields("mansu"))}
    run_of({name: ends[end] for name, ends in ENDS.items() if name in own} | {"floor": floor})


@pytest.mark.parametrize("method", [name for name in METHODS if name != "mansu"])
@pytest.mark.parametrize("end", [0, 1])
def test_every_method_works_with_its_own_numbers_at_an_end_of_their_range(run_of, end, method):
    own = {field.name for field in own_fields(method)}
    ends = {name: both[end] for name, both in ENDS.items() if name in own}
    if method.startswith("gu"):  # what nothing holds is projected off nothing
        ends["retain_weight"] = max(ends["retain_weight"], 1e-9)
    try:
        run_of({**ends, "method": method})
    except RunError as error:  # rates of 1 may diverge, and a tiny model refuses nothing
        assert ("no refusal direction" if method == "lunar" else "not finite") in str(error)
