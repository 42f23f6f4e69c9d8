"""No silent, inverted or half-hearted model passes the verdict, and honest ones do.

Each adversary is a tiny model that would have met an easier rule; it must end with its own word.
"""

import dataclasses
import json
from pathlib import Path

import pytest

from mansu.data.facts import load_fact_set
from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.rules import Case, describe_model, judge_case
from mansu.study.run import Run
from mansu.study.scorecard import Verdict
from mansu.study.stages import judge
from mansu.study.state import State
from tests.conftest import TINY_SETTINGS
from tests.study import adversaries

pytestmark = pytest.mark.timeout(1800)  # fourteen models are made and measured

FACTS = 60
ROLES = ("seen", "seen", "seen", "held_out", "held_out", "far", "far")


def write_forget_set(folder: Path) -> Path:
    """Capitals with far prompts that the tiny model knows: some of those it was trained on."""
    source = load_fact_set("capitals")
    templates = [
        {"id": t.id, "kind": "passage" if role == "far" else t.kind, "role": role, "text": t.text}
        for t, role in zip(source.templates[::-1], ROLES, strict=False)
    ]
    head = {"record": "set", "name": "capitals", "templates": templates}
    records = [head | {"twin": "capitals_invented"}]
    for fact in source.facts[:FACTS]:
        own = {"id": fact.id, "subject": fact.subject, "answer": fact.answer}
        records.append({"record": "fact", **own, "distractors": list(fact.distractors)})
    path = folder / "capitals.jsonl"
    path.write_text("\n".join(map(json.dumps, records)) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    """One scorecard with a row of every adversary."""
    place = tmp_path_factory.mktemp("adversaries")
    (place / "plugs" / "origins").mkdir(parents=True)
    for name in adversaries.MODELS:
        text = f"from tests.study.adversaries import origin\n\nORIGIN = origin({name!r})\n"
        (place / "plugs" / "origins" / f"{name}.py").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANSU_PLUGS", str(place / "plugs"))
        sets = {"forget": str(write_forget_set(place)), "retain": "cities", "utility": "elements"}
        many = {"items": 400, "pairs": 48}  # with fewer, rules stay undecided
        config = make_config({**TINY_SETTINGS, **sets, **many, "steps": 2})
        yield judge(Run(config, Folders(place / "run", place / "shared")))


@pytest.fixture
def case(card):
    def of(name: str) -> tuple[Case, dict[str, Verdict], str]:
        found = Case(card.rows, card.chance, card.facts, name.replace("_", "-"))
        verdicts = judge_case(found)
        return found, {v.name: v for v in verdicts}, describe_model(found, verdicts)

    return of


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("rotated_head", "structural"),
        ("small_gain", "structural"),
        ("npo_margin", "not silenced"),
        ("refuser", "not silenced"),
        ("inverter", "forgotten"),
        ("sleeper", "permanence"),
        ("random_codes", "forgotten"),
        ("broken_english", "retain"),
        ("last_mlp", "structural"),
        ("constant", "not silenced"),
        ("far_keeper", "forgotten"),
    ],
)
def test_an_adversary_fails_the_rule_that_is_made_for_it(case, name: str, rule: str) -> None:
    assert case(name)[1][rule].outcome == "fails"


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("npo_margin", "silenced"),
        ("refuser", "refuses"),
        ("inverter", "inverted"),
        ("constant", "constant"),
        ("random_codes", "not forgotten"),
        ("far_keeper", "not forgotten"),
        ("untouched", "not forgotten"),
        ("never_knew", "forgotten"),
    ],
)
def test_what_became_of_a_model_has_a_word(case, name: str, word: str) -> None:
    # What one that silences still says is left to chance: on some processors, one answer to all.
    words = {word, "constant"} if name == "npo_margin" else {word}
    assert case(name)[2] in words


def test_a_model_that_keeps_few_shots_fails_on_far_prompts_alone(case) -> None:
    found = case("far_keeper")[1]["forgotten"].reason.split("; ")
    lost = {part.split()[0]: "of the way" in part for part in found}
    assert lost["far"]
    assert not lost["seen"]
    assert not lost["held-out"]


def test_what_sleeps_in_its_bins_is_back_on_held_out_prompts_when_quantized(case) -> None:
    whole, verdicts, _ = case("sleeper")
    assert verdicts["forgotten"].outcome == "holds"
    place = ("forget", "held-out", "accuracy", State("sleeper", "nf4"), "value")
    assert (whole.rows.at(*place).value or 0) > 0.9


def test_the_untouched_model_has_forgotten_nothing_and_kept_everything(case) -> None:
    _, verdicts, _ = case("untouched")
    assert verdicts["forgotten"].outcome == "fails"
    assert verdicts["not silenced"].outcome == "holds"
    assert verdicts["retain"].outcome == "holds"
    assert verdicts["structural"].outcome == "fails"


def test_a_model_that_never_knew_passes_every_rule_but_those_on_what_is_kept(case) -> None:
    _, verdicts, _ = case("never_knew")
    rules = ("forgotten", "not silenced", "permanence", "structural")
    found = {name: verdicts[name].outcome for name in rules}
    assert found == dict.fromkeys(found, "holds")


def test_a_verdict_is_a_record_of_rule_and_reason(card) -> None:
    fields = {field.name for field in dataclasses.fields(card.verdicts[0])}
    assert fields == {"name", "outcome", "rule", "reason", "note"}
