"""Study files: what they expand to, and what they may not hold."""

import subprocess
from pathlib import Path

import pytest
import yaml

from mansu.cli import main
from mansu.errors import InputError
from mansu.study.config import StudyConfig
from mansu.study.folders import study_folders
from mansu.study.inert import require_effect
from mansu.sweep import batch
from mansu.sweep.batch import Sweep, sweep
from mansu.sweep.grid import expand, read_study, untuned
from mansu.sweep.places import TAKEN, repository

SETS = [{"forget": "elements", "retain": "capitals", "utility": "cities"}]
RESERVED = ("reference", "studies", "profiles", "Snakefile", "snakefile")
SMALL = {"study": "small", "models": ["tiny-llama"], "sets": SETS}


def write(folder: Path, values: object) -> Path:
    path = folder / "study.yaml"
    path.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
    return path


def test_the_default_study_is_one_run_of_the_default_configuration() -> None:
    study = read_study(repository() / "papermill_runs" / "studies" / "default.yaml")
    assert study.study == "default"
    assert expand(study) == [StudyConfig()]


def test_the_fast_study_is_one_run_of_the_tiny_model() -> None:
    configs = expand(read_study(repository() / "papermill_runs" / "studies" / "fast.yaml"))
    assert [config.model for config in configs] == ["tiny-llama"]


@pytest.mark.parametrize(
    "path",
    sorted((repository() / "papermill_runs" / "studies").glob("*.yaml")),
    ids=lambda p: p.stem,
)
def test_every_study_that_ships_is_a_grid_of_runs_that_could_begin(path: Path) -> None:
    study = read_study(path)
    assert study.study == path.stem
    for config in expand(study):
        require_effect(config)


def test_a_study_spans_models_sets_methods_variants_and_seeds(tmp_path: Path) -> None:
    other = {"forget": "capitals", "retain": "elements", "utility": "cities"}
    values = {
        "study": "grid",
        "models": ["tiny-llama", "smollm2-135m"],
        "sets": [*SETS, other],
        "methods": ["mansu"],
        "variants": [{}, {"floor": "boundary"}, {"top_k": 4, "rho": 0.1}],
        "seeds": [0, 1],
        "set": {"steps": 30},
    }
    configs = expand(read_study(write(tmp_path, values)))
    assert len(configs) == 2 * 2 * 3 * 2
    assert len({study_folders(config, Path()).run for config in configs}) == len(configs)
    assert {config.settings.steps for config in configs} == {30}
    last = configs[-1]
    assert (last.model, last.forget, last.retain) == ("smollm2-135m", "capitals", "elements")
    assert (last.top_k, last.settings.rho, last.floor, last.seed) == (4, 0.1, "in_loop", 1)


def test_a_variant_overrides_what_every_run_has(tmp_path: Path) -> None:
    values = SMALL | {"set": {"top_k": 2}, "variants": [{}, {"top_k": 3}]}
    assert [c.top_k for c in expand(read_study(write(tmp_path, values)))] == [2, 3]


def test_what_every_run_has_goes_to_the_methods_that_have_such_a_setting(tmp_path: Path) -> None:
    values = SMALL | {"methods": ["mansu", "npo"], "set": {"steps": 9, "rho": 0.3}}
    masked, everywhere = expand(read_study(write(tmp_path, values)))
    assert (masked.settings.rho, masked.settings.steps, everywhere.settings.steps) == (0.3, 9, 9)
    with pytest.raises(InputError, match="rho: npo has no such setting"):
        expand(read_study(write(tmp_path, SMALL | {"methods": ["npo"], "set": {"rho": 0.3}})))


def write_tuned(folder: Path, **chosen: dict[str, float]) -> str:
    """A file of a finished search, with what it chose by method."""
    entries = {name: {"chosen": of, "finished": True, "tried": []} for name, of in chosen.items()}
    (folder / "tuned.yaml").write_text(yaml.safe_dump({"methods": entries}))
    return "tuned.yaml"


@pytest.mark.parametrize("nested", [False, True])
def test_a_variant_wins_over_what_every_run_has_and_that_over_what_was_tuned(
    tmp_path: Path, nested: bool
) -> None:
    def told(**own: float) -> dict[str, object]:
        return {"settings": own} if nested else dict(own)

    file = write_tuned(tmp_path, npo={"learning_rate": 0.1, "retain_weight": 3.0})
    values = SMALL | {"methods": ["npo"], "tuned": file}
    values["set"] = {"top_k": 2, **told(steps=7, learning_rate=0.2)}
    values["variants"] = [{}, told(steps=9), {"top_k": 3, **told(retain_weight=5.0)}]
    configs = expand(read_study(write(tmp_path, values)))
    own = [config.settings for config in configs]
    assert [one.learning_rate for one in own] == [0.2] * 3
    assert [one.steps for one in own] == [7, 9, 7]
    assert [one.retain_weight for one in own] == [3.0, 3.0, 5.0]
    assert [config.top_k for config in configs] == [2, 2, 3]


def test_methods_that_were_not_tuned_beside_others_are_named(tmp_path: Path) -> None:
    values = SMALL | {"methods": ["npo", "ga", "mansu"], "tuned": write_tuned(tmp_path, npo={})}
    said = untuned(read_study(write(tmp_path, values)))
    assert said.startswith("ga, mansu run at their defaults: ")
    assert said.endswith("tuned.yaml says nothing of them.")
    values |= {"methods": ["npo", "given"]}  # which trains nothing
    assert untuned(read_study(write(tmp_path, values))) == ""
    assert untuned(read_study(write(tmp_path, SMALL))) == ""


def test_a_sweep_and_a_plan_begin_with_the_methods_that_were_not_tuned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = SMALL | {"set": {"top_k": 2}, "tuned": write_tuned(tmp_path, npo={})}
    path = write(tmp_path, values)
    monkeypatch.setattr(batch, "_print_plan", lambda *_: 0)
    assert sweep(path, out=tmp_path / "out", dry_run=True) == 0
    assert "mansu: mansu runs at its defaults: " in capsys.readouterr().err
    assert main(["plan", str(path)]) == 0
    assert "mansu: mansu runs at its defaults: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ("", "study: field required"),
        ("[1, 2]", "must be a mapping"),
        ("study: {", "not valid YAML"),
        (SMALL | {"colour": "red"}, "colour"),
        (SMALL | {"models": []}, "models"),
        (SMALL | {"models": "tiny-llama"}, "models"),
        (SMALL | {"models": [3]}, "models.0"),
        (SMALL | {"sets": [{"forget": "elements"}]}, "sets.0.retain"),
        (SMALL | {"seeds": ["one"]}, "seeds.0"),
        (SMALL | {"seeds": [-1]}, "seed"),
        (SMALL | {"study": "../elsewhere"}, "study"),
        (SMALL | {"study": "a b"}, "study: string should match pattern '^[A-Za-z0-9]["),
        (SMALL | {"seeds": [True]}, "seeds.0: input should be a valid integer"),
        (SMALL | {"seeds": ["1.0"]}, "seeds.0: input should be a valid integer"),
        ("study: a\nmodels: [x]\nstudy: b\n", "gives the key 'study' twice (line 3)"),
        ("study: a\nset:\n  tau: 1\n  tau: 1\n", "gives the key 'tau' twice (line 4)"),
        ("study: a\nvariants: [{tau: 1, tau: 1}]\n", "gives the key 'tau' twice (line 2)"),
        (SMALL | {"study": ""}, "study"),
        *(
            (SMALL | {"study": name}, "a name of the project's own; choose another")
            for name in RESERVED
        ),
        (SMALL | {"methods": ["magic"]}, "method"),
        (SMALL | {"set": {"learning_rate": 0}}, "learning_rate"),
        (SMALL | {"set": {"colour": "red"}}, "'colour' is not a configuration key"),
        (SMALL | {"set": {"seed": 3}}, "set may not hold seed"),
        (SMALL | {"set": {"settings": {"seed": 3}}}, "settings: 'seed' is no setting of a method"),
        (SMALL | {"set": {"settings": {1: 3}}}, "settings: 1 is no setting of a method"),
        (SMALL | {"set": {"settings": [3]}}, "set: settings: must be a mapping"),
        (SMALL | {"set": {"settings": {"colour": 3}}}, "'colour' is not a configuration key"),
        (SMALL | {"set": {"steps": 1, "settings": {"steps": 2}}}, "set gives steps both under"),
        (SMALL | {"variants": [{"tau": 1, "settings": {"tau": 1}}]}, "variants gives tau both"),
        (SMALL | {"variants": [{"model": "x"}]}, "variants may not hold model"),
        (SMALL | {"seeds": [0, 1, 0]}, "seeds names 0 twice; drop the repeated entry"),
        (SMALL | {"methods": ["ga", "ga"]}, "methods names ga twice; drop the repeated entry"),
        (SMALL | {"models": ["x", "x"]}, "models names x twice; drop the repeated entry"),
        (SMALL | {"variants": [{}, {}]}, "two runs for the folder"),
        (SMALL | {"models": ["a/same", "b/same"]}, "two runs for the folder"),
    ],
)
def test_a_bad_study_is_refused_in_one_line(tmp_path: Path, values: object, told: str) -> None:
    with pytest.raises(InputError) as caught:
        expand(read_study(write(tmp_path, values)))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_study_may_be_called_as_what_lies_beside_the_results() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "papermill_runs"],
        cwd=repository(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("no checkout")
    assert {Path(line).parts[1] for line in listed.stdout.splitlines()} == {*TAKEN}


def test_a_missing_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"none\.yaml cannot be read \(No such .*; give a YAML file"
    ):
        read_study(tmp_path / "none.yaml")


def test_runs_on_the_same_data_share_two_notebooks_and_own_four(tmp_path: Path) -> None:
    study = read_study(write(tmp_path, SMALL | {"seeds": [0, 1]}))
    plan = Sweep(study, tmp_path, tuple(expand(study)))
    names = [str(target.relative_to(tmp_path)) for target in plan.targets]
    assert len(names) == len(set(names)) == 2 + 2 * 4
    assert sum("/shared/" in name for name in names) == 2
    assert sum("/seed1/" in name for name in names) == 4


def test_a_dry_run_lists_every_notebook_and_executes_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = SMALL | {"set": {"top_k": 2}, "seeds": [0, 1]}
    assert sweep(write(tmp_path, values), out=tmp_path / "out", dry_run=True) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 2 * 4
    assert all(line.strip().startswith("run ") for line in lines)
    assert not list((tmp_path / "out").glob("tiny-llama/**/*.ipynb"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"models": ["no-such-model"]}, "Unknown model"),
        ({"sets": [SETS[0] | {"forget": "./missing.jsonl"}]}, "missing.jsonl"),
        ({"sets": [SETS[0] | {"retain": "elements"}]}, "share the fact"),
        ({"set": {"top_k": 99}}, "top_k"),
    ],
)
def test_a_run_that_cannot_work_ends_the_sweep_before_it_starts(
    tmp_path: Path, change: dict, told: str
) -> None:
    values = SMALL | {"set": {"top_k": 2}} | change
    with pytest.raises(InputError, match=told):
        sweep(write(tmp_path, values), out=tmp_path / "out")
    assert not list(tmp_path.glob("out/**/*.ipynb"))


@pytest.mark.parametrize(
    ("options", "told"), [({"jobs": 0}, "--jobs 0"), ({"profile": "none"}, "local, slurm")]
)
def test_a_bad_option_of_the_sweep_is_refused(tmp_path: Path, options: dict, told: str) -> None:
    with pytest.raises(InputError, match=told):
        sweep(write(tmp_path, SMALL | {"set": {"top_k": 2}}), out=tmp_path / "out", **options)
