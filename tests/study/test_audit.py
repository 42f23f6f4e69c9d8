"""Anyone's checkpoint under judgement: of transformers, of peft, as GGUF; and what is none."""

import dataclasses
import json
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from mansu.cli import main
from mansu.cli.audit import free_utility
from mansu.errors import InputError
from mansu.models import LanguageModel, load_model
from mansu.models.knowing import KNOWN, knowing_folder
from mansu.models.pairing import read_weights
from mansu.study.audit import (
    FAIL,
    HOLD,
    OPEN,
    exit_code,
    report_pair,
    rules_asked,
    write_junit,
)
from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.run import Run
from mansu.study.scorecard import Outcome, Scorecard, Verdict, read_scorecard
from mansu.study.stages import judge
from mansu.study.stages.floor import floor, unlearned_model
from tests.conftest import TINY_SETTINGS, numbers, run_in

SHARED = ("forget", "retain", "utility", "items", "top_k", "pairs")
ASKED = [
    word for name in SHARED for word in (f"--{name.replace('_', '-')}", str(TINY_SETTINGS[name]))
]


def audit(run: Run, checkpoint: Path | str, out: Path, *more: str) -> int:
    """Audits a checkpoint against a run's original, whose shared results are read."""
    pair = ["--original", "tiny-llama", "--unlearned", str(checkpoint)]
    return main(["audit", *pair, *ASKED, "--out", str(out), "--shared", str(run.shared), *more])


def card_in(folder: Path) -> Scorecard:
    card = read_scorecard(folder / "scorecard.json")
    assert card is not None
    return card


@pytest.fixture(scope="module")
def theirs(finished_run: Run, tmp_path_factory) -> Run:
    """A copy of the finished run: audits write into its shared folder."""
    place = tmp_path_factory.mktemp("theirs") / "study"
    shutil.copytree(finished_run.folder.parent, place)
    return run_in(place, finished_run.config)


@pytest.fixture(scope="module")
def exported(theirs: Run, tmp_path_factory) -> Path:
    """The run's unlearned model, as plain transformers code saves it."""
    folder = tmp_path_factory.mktemp("exported") / "model"
    with unlearned_model(theirs) as model:
        model.module.save_pretrained(folder)
        model.tokenizer.save_pretrained(folder)
    return folder


def altered(place: Path, change: Callable[[LanguageModel], object], **saving) -> Path:
    """A copy of the tiny model with other weights, as plain transformers code saves it."""
    model = load_model("tiny-llama")
    change(model)
    model.module.save_pretrained(place, **saving)
    model.tokenizer.save_pretrained(place)
    return place


def scaled(model: LanguageModel) -> None:
    for weight in model.module.parameters():
        weight.data.mul_(1.01)


def test_an_audit_of_a_run_s_own_export_finds_the_run_s_own_numbers(
    theirs: Run, exported: Path, tmp_path: Path, capsys
) -> None:
    files = [tmp_path / "report.json", tmp_path / "report.xml"]
    reports = ["--json", str(files[0]), "--junit", str(files[1])]
    code = audit(theirs, exported, tmp_path / "out", *reports)
    mine, theirs = judge(theirs), card_in(tmp_path / "out")
    assert numbers(theirs).numbers == tuple(
        row if row.metric != "excluded" else dataclasses.replace(row, value=0)  # no floor was used
        for row in mine.numbers
    )
    assert theirs.verdicts == mine.verdicts
    asked = [v for v in mine.verdicts if v.name != "durable"]
    assert code == exit_code(asked)
    found = json.loads(files[0].read_text(encoding="utf-8"))
    assert [v["outcome"] for v in found["verdicts"]] == [v.outcome for v in asked]
    assert found["exit_code"] == code
    assert len(found["numbers"]) == len(mine.numbers)
    suite = ET.parse(files[1]).getroot()  # noqa: S314 (our own file)
    assert [case.get("name") for case in suite] == [v.name for v in asked]
    assert f"verdict: {mine.word}" in capsys.readouterr().out


def test_a_gguf_file_of_the_same_model_is_judged_alike(
    theirs: Run, tmp_path: Path, monkeypatch
) -> None:
    file = tmp_path / "model.gguf"
    assert main(["export", str(theirs.folder), "--to", str(file)]) == 0
    original = theirs.model
    with monkeypatch.context() as patched:
        patched.setenv("MANSU_CACHE", str(tmp_path / "cache"))  # where the file is converted
        weights = read_weights(str(file), original)
    with unlearned_model(theirs) as model:
        for name, weight in model.module.named_parameters():
            assert torch.equal(weights[name], weight), name


def test_shards_of_another_dtype_are_read_and_their_rounding_counts(
    theirs: Run, tmp_path: Path
) -> None:
    def halve(model: LanguageModel) -> None:
        scaled(model)
        model.module.to(torch.bfloat16)

    folder = altered(tmp_path / "model", halve, max_shard_size="200KB")
    assert len([*folder.glob("*.safetensors")]) > 2
    code = audit(theirs, folder, tmp_path / "out", "--formats", "nf4,fp4")
    assert code in (FAIL, OPEN)
    card = card_in(tmp_path / "out")
    assert card.rows.formats == ("fp", "nf4", "fp4")
    weights = read_weights(str(folder), theirs.model)
    same = theirs.model.module.get_parameter("model.layers.0.mlp.down_proj.weight")
    expected = (same * 1.01).to(torch.bfloat16).float()
    assert torch.equal(weights["model.layers.0.mlp.down_proj.weight"], expected)


def test_an_adapter_is_merged_as_peft_merges_it(theirs: Run, tmp_path: Path) -> None:
    base = load_model("tiny-llama").module
    tuned = get_peft_model(base, LoraConfig(r=2, lora_alpha=8, target_modules=["down_proj"]))
    for name, weight in tuned.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.1, generator=torch.Generator().manual_seed(0))
    tuned.save_pretrained(tmp_path / "adapter")
    weights = read_weights(str(tmp_path / "adapter"), theirs.model)
    inner = tuned.base_model.model.model.layers[1].mlp.down_proj
    product = inner.lora_B["default"].weight @ inner.lora_A["default"].weight
    name = "model.layers.1.mlp.down_proj.weight"
    before = theirs.model.module.get_parameter(name)
    torch.testing.assert_close(weights[name], before + 4 * product)
    untouched = "model.layers.1.mlp.up_proj.weight"
    assert torch.equal(weights[untouched], theirs.model.module.get_parameter(untouched))
    assert audit(theirs, tmp_path / "adapter", tmp_path / "out") in (FAIL, OPEN)
    changed = {
        entry.name
        for entry in floor(given(tmp_path / "adapter", tmp_path / "out")).account.matrices
        if entry.changed
    }
    assert changed == {f"model.layers.{n}.mlp.down_proj.weight" for n in range(4)}


def given(checkpoint: Path, out: Path) -> Run:
    settings = {name: TINY_SETTINGS[name] for name in SHARED}
    values = {"model": "tiny-llama", "method": "given", "checkpoint": str(checkpoint), **settings}
    return Run(make_config(values), Folders(out, out / "shared"))


def test_a_head_that_is_stored_beside_the_embedding_may_equal_it_and_nothing_else(
    theirs: Run, tmp_path: Path
) -> None:
    folder = altered(tmp_path / "model", scaled)
    untie(folder, times=1.0)
    weights = read_weights(str(folder), theirs.model)
    assert set(weights) == {name for name, _ in theirs.model.module.named_parameters()}
    untie(folder, times=2.0)
    with pytest.raises(InputError, match="has an output head of its own"):
        read_weights(str(folder), theirs.model)


def untie(folder: Path, times: float) -> None:
    """Stores the head of a saved model apart from its embedding."""
    model = AutoModelForCausalLM.from_pretrained(folder)
    head = model.get_input_embeddings().weight.detach().clone()
    model.config.tie_word_embeddings = False
    model.lm_head = torch.nn.Linear(head.shape[1], head.shape[0], bias=False)
    model.lm_head.weight = torch.nn.Parameter(head * times)
    model.save_pretrained(folder)


def test_a_missing_model_and_an_unknown_rule_are_told_before_anything_is_opened(
    tmp_path: Path, capsys
) -> None:
    assert main(["audit", "--original", "tiny-llama", *ASKED]) == 2
    assert "--unlearned is missing" in capsys.readouterr().err
    assert main(["run", "--model", "tiny-llama", "--method", "given", *ASKED]) == 2
    assert "checkpoint: name the unlearned model" in capsys.readouterr().err
    config = make_config({"method": "given"})
    with pytest.raises(InputError, match="did you mean 'retain'"):
        rules_asked(config, "forgotten,retian")
    with pytest.raises(InputError, match="it names no rule"):
        rules_asked(config, " ,")
    assert "durable" not in rules_asked(config, None)
    assert "durable" in rules_asked(make_config({"method": "given", "attacks": "relearn"}), None)
    assert rules_asked(config, "retain") == ("retain",)


@pytest.mark.parametrize(
    ("named", "utility"),
    [
        ({}, "elements"),
        ({"forget": "elements"}, "capitals"),
        ({"forget": "elements", "retain": "capitals"}, "cities"),
        ({"retain": "continents, elements"}, "cities"),
    ],
)
def test_the_utility_set_is_one_that_the_audit_asks_nothing_else_of(named: dict, utility: str):
    assert free_utility(named) == utility


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        (["holds", "holds"], HOLD),
        (["holds", "undecided"], OPEN),
        (["not testable", "holds"], OPEN),
        (["undecided", "fails"], FAIL),
        ([], OPEN),
    ],
)
def test_the_exit_code_is_the_worst_of_what_was_asked(outcomes: list[Outcome], code: int) -> None:
    verdicts = [Verdict(str(n), outcome, "rule", "reason") for n, outcome in enumerate(outcomes)]
    assert exit_code(verdicts) == code


def test_a_report_is_whole_xml_whatever_a_reason_says(theirs: Run, tmp_path: Path) -> None:
    strange = "a \x00 <b> & \ud800 ]]> \x1b[0m"
    verdicts = (
        Verdict("forgotten", "fails", "rule", strange),
        Verdict("retain", "undecided", "rule", strange),
    )
    card = dataclasses.replace(judge(theirs), verdicts=verdicts)
    card.config["settings"]["checkpoint"] = "somewhere"
    write_junit(tmp_path / "report.xml", report_pair(card, ("forgotten", "retain")))
    suite = ET.parse(tmp_path / "report.xml").getroot()  # noqa: S314 (our own file)
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("2", "1", "1")
    assert "<b> & " in (suite[0][0].text or "")


@pytest.mark.parametrize(("knows", "code"), [(True, FAIL), (False, OPEN)])
def test_a_model_by_itself_is_shown_to_know_or_nothing_is_decided(
    knows: bool, code: int, tmp_path: Path, capsys
) -> None:
    sets = ["--forget", KNOWN, "--retain", "capitals", "--utility", "cities"]
    short = ["--items", "60", "--pairs", "12", "--top-k", "2", "--attacks", "prompts"]
    model = ["--unlearned", str(knowing_folder("tiny-llama", knows))]
    report = tmp_path / "report.json"
    places = ["--out", str(tmp_path / "out"), "--json", str(report)]
    assert main(["audit", *model, *sets, *short, *places]) == code
    said = capsys.readouterr().out
    assert "by itself: no original was named" in said
    found = json.loads(report.read_text(encoding="utf-8"))
    outcomes = {verdict["name"]: verdict["outcome"] for verdict in found["verdicts"]}
    told = "fails" if knows else "undecided"
    assert outcomes["forgotten"] == outcomes["permanence"] == told
    assert outcomes["retain"] == outcomes["structural"] == "not testable"
    assert found["original"] is None
    rows = {(row["view"], row["metric"], row["format"]): row for row in found["numbers"]}
    assert ("circuit", "separation", "nf4") in rows
    worst = rows["prompts", "worst_accuracy", "fp"]["value"]
    assert (worst > 0.9) == knows


def test_an_attack_that_takes_the_original_is_refused_without_one(
    exported: Path, theirs: Run, tmp_path: Path, capsys
) -> None:
    given = ["--unlearned", str(exported), *ASKED, "--out", str(tmp_path / "out")]
    assert main(["audit", *given, "--attacks", "relearn"]) == 2
    assert "what relearn brings back is told beside the original" in capsys.readouterr().err
