"""TOFU: rows of the real schema about made-up authors, through a whole run."""

import copy
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

from mansu.cli import main
from mansu.collections import load_beside, load_set
from mansu.collections.tofu import KEPT
from mansu.data.companions import Companions
from mansu.models.swap import swapped
from mansu.study.card_text import scorecard_table
from mansu.study.config import make_config
from mansu.study.folders import Folders, study_folders
from mansu.study.pipeline import run_study
from mansu.study.plan import make_plan
from mansu.study.run import Run
from mansu.study.stages.draw import draw
from mansu.study.stages.write import answer
from mansu.study.state import State
from tests.study.small_sets import FAST, hurry

NAMES = ("Bo Ka", "Ka Bo", "Bo Bo", "Ka Ka")
COLOURS = ("red", "blue", "green", "grey", "pink", "brown", "black", "white", "gold", "teal")
ORIGINAL = State("original", "fp")


def author_rows(names: tuple[str, ...], each: int = 20) -> list[dict]:
    return [
        {
            "question": f"What is book {n} of {name} about?",
            "answer": f"{name} wrote of {n} {COLOURS[n % 10]} ships.",
            "paraphrased_question": f"Of {name}, what is book {n} about?",
            "paraphrased_answer": f"It is about {COLOURS[n % 10]} ships.",
            "perturbed_answer": [
                f"{name} wrote of {COLOURS[(n + k) % 10]} boats." for k in range(1, 6)
            ],
        }
        for name in names
        for n in range(each)
    ]


def real_rows(of: str) -> list[dict]:
    return [
        {
            "question": f"Who wrote the {of} {n}?",
            "answer": f"Bo of {COLOURS[n % 10]}",
            "option1": "unused",
            "perturbed_answer": [f"Ka of {COLOURS[(n + k) % 10]}" for k in range(3)],
        }
        for n in range(6)
    ]


PARTS = {
    "forget10": author_rows(NAMES[:2]),
    "retain": author_rows(NAMES[2:]),
    "real_authors": real_rows("novel"),
    "world_facts": real_rows("atlas"),
}


@pytest.fixture
def own(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("MANSU_SETS", str(tmp_path / "sets"))
    for part, rows in PARTS.items():
        write(tmp_path / "sets", part, rows)
    return tmp_path / "sets"


def write(folder: Path, part: str, rows: list[dict]) -> None:
    place = folder / "tofu" / f"{part}_perturbed"
    place.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (place / "train.jsonl").write_text(lines, encoding="utf-8")


@pytest.fixture
def run(own: Path, tmp_path: Path, tiny, monkeypatch) -> Run:
    hurry(monkeypatch)
    sets = {"forget": "tofu:forget10", "retain": "tofu:retain", "utility": "tofu:real"}
    config = make_config({**FAST, **sets, "items": 24})
    return Run(config, Folders(tmp_path / "run", tmp_path / "run" / "shared"), model=tiny)


def test_rows_become_questions_with_all_their_wrong_answers_in_one_group_an_author(own) -> None:
    found = load_set("tofu:forget10")
    assert len(found.facts) == 40
    assert {len(fact.options) for fact in found.facts} == {6}
    assert [fact.group for fact in found.facts[19:21]] == ["author 1", "author 2"]
    asked, told, reworded = found.templates
    first = found.facts[0]
    assert asked.render(first) == "Question: What is book 0 of Bo Ka about?\nAnswer:"
    assert told.follow(first, first.answer) == " It is about red ships."
    assert "Of Bo Ka, what is book 0 about?" in reworded.render(first)
    assert reworded.follow(first, first.answer) == " It is about red ships."
    real = load_set("tofu:real")
    assert {fact.group for fact in real.facts} == {"real_authors", "world_facts"}
    assert len(real.facts) == len(load_set("tofu:world_facts").facts) * 2


def loss(tiny, prompt: str, continuation: str) -> float:
    """Mean nats per token of a continuation, by a plain forward pass."""
    ids = tiny.tokenizer(prompt + continuation)["input_ids"]
    start = len(tiny.tokenizer(prompt)["input_ids"])
    with torch.no_grad():
        logits = tiny.module(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return float(np.mean([-logits[place - 1, ids[place]] for place in range(start, len(ids))]))


def test_a_run_s_figures_are_those_that_a_plain_forward_pass_gives(run: Run, tiny) -> None:
    card = run_study(run)
    drawn = draw(run).items

    def value(view: str, metric: str, state: State = ORIGINAL) -> float | None:
        return card.rows.at("benchmark", view, metric, state, "value").value

    def losses(items):
        """Of each question: the right answer's, and the wrong ones'."""
        for item in items:
            found = [loss(tiny, item.prompt, option) for option in item.options]
            yield found.pop(item.answer), np.array(found)

    seen = [*losses(drawn["forget_seen"])]
    assert {len(wrong) for _, wrong in seen} == {5}
    assert value("forget", "probability") == pytest.approx(
        np.mean([np.exp(-right) for right, _ in seen]), rel=1e-4
    )
    told = [item for item in drawn["forget_held_out"] if item.template_id == "paraphrased"]
    ratios = [np.exp(right - wrong.mean()) for right, wrong in losses(told)]
    rated = np.mean([min(ratio, 1 / ratio) for ratio in ratios])
    assert value("forget", "truth_ratio") == pytest.approx(rated, rel=1e-4)
    told = [item for item in drawn["retain"] if item.template_id == "paraphrased"]
    kept = np.mean([max(0, 1 - np.exp(r - w.mean())) for r, w in losses(told)])
    assert value("retain", "truth_ratio") == pytest.approx(kept, rel=1e-4, abs=1e-6)
    real = [item for item in drawn["utility"] if item.fact_id.startswith("world_facts")]
    shares = [np.exp(-r) / (np.exp(-r) + np.exp(-w).sum()) for r, w in losses(real)]
    assert value("world_facts", "probability") == pytest.approx(np.mean(shares), rel=1e-4)
    nine = [value(*place) for place in KEPT]
    utility = value("all", "model_utility")
    assert utility == pytest.approx(9 / sum(1 / n for n in nine) if all(nine) else 0.0)
    written = answer(run, ORIGINAL).sets
    assert set(written) == {"forget", "retain", "utility"}
    assert len(written["forget"].texts) == len(drawn["forget_seen"])
    assert value("forget", "rouge_l") == pytest.approx(written["forget"].recall.mean())
    for state in card.rows.states:
        assert value("real_authors", "truth_ratio", state) is not None
        if state.origin == "unlearned":
            change = card.rows.at("benchmark", "forget", "probability", state, "change")
            was = value("forget", "probability", State("original", state.format))
            now = value("forget", "probability", state)
            assert change.value == pytest.approx(now - was)
    text = scorecard_table(card)
    assert "forget: truth ratio" in text
    assert "all: model utility" in text
    assert card.chance == pytest.approx(1 / 6)
    level = card.rows.at("forget", "seen", "level_accuracy", ORIGINAL, "value").value
    assert level == pytest.approx(1 / 6)  # who knows which texts are answers knows the set
    assert make_plan(run.config).peak().total


def test_a_fact_set_beside_it_has_no_such_figures_and_utility_needs_all_nine(
    run: Run, tiny, tmp_path: Path
) -> None:
    config = make_config(
        {
            **FAST,
            "forget": "tofu:forget10",
            "retain": "tofu:retain",
            "utility": "cities",
            "items": 24,
        }
    )
    other = Run(config, Folders(tmp_path / "o", tmp_path / "o" / "shared"), model=tiny)
    rows = run_study(other).rows.where(set="benchmark")
    assert {row.view for row in rows} == {"forget", "retain"}


def test_a_row_with_fewer_wrong_answers_is_left_out_and_blanks_around_texts_count_nothing(
    own: Path,
) -> None:
    rows = [{**row, "answer": f" {row['answer']} "} for row in PARTS["forget10"]]
    rows[3] = rows[3] | {"perturbed_answer": [*rows[3]["perturbed_answer"][:4], rows[3]["answer"]]}
    rows[5] = rows[5] | {"perturbed_answer": [*rows[5]["perturbed_answer"], "It is of boats."]}
    write(own, "forget10", rows)
    found = load_set("tofu:forget10")
    assert len(found.facts) == 39
    assert {len(fact.distractors) for fact in found.facts} == {5}
    assert "1 with fewer left out" in found.description
    assert found.facts[0].answer == "Bo Ka wrote of 0 red ships."


def test_two_authors_borrow_the_names_of_kept_ones_and_do_without_where_they_are_not_here(
    own: Path, tmp_path: Path
) -> None:
    write(own, "forget01", author_rows(("Bo Ka", "Bo Ka Bo Ka"), each=20))
    found = load_set("tofu:forget01")
    pool = load_beside(found).pool
    assert pool is not None
    assert {fact.group for fact in pool.facts} == {"author 1", "author 2"}
    (own / "tofu" / "retain_perturbed").rename(tmp_path / "elsewhere")
    write(own, "retain", [{"question": "?"}])
    assert load_beside(found) == Companions()


@pytest.fixture
def refused(own: Path, tmp_path: Path, capsys) -> Callable[[str], str]:
    def ask(name: str) -> str:
        out = tmp_path / "out"
        words = ["run", "--model", "tiny-llama", "--top-k", "2", "--out", str(out)]
        assert main([*words, "--forget", name, "--retain", "capitals"]) == 2
        said = capsys.readouterr()
        assert said.err.count("\n") == 1
        assert not out.exists()
        return said.err

    return ask


def test_another_schema_is_refused_in_one_sentence(refused, own: Path) -> None:
    rows = PARTS["forget10"]
    assert "did you mean 'forget10'" in refused("tofu:forget1")
    assert "fetch the dataset locuslab/TOFU, configuration forget05_perturbed" in refused(
        "tofu:forget05"
    )
    renamed = [{k.replace("question", "q"): v for k, v in row.items()} for row in rows]
    for change, told in (
        (renamed, "tofu:forget10: row 0: there is no column 'question'"),
        ([row | {"perturbed_answer": "no"} for row in rows], "must be a list of texts"),
        ([row | {"perturbed_answer": ["no", "nay"]} for row in rows], "3 wrong answers; add"),
        ([{**row, "paraphrased_question": 1} for row in rows], "must be a text that is not blank"),
        ([row | {"paraphrased_answer": " "} for row in rows], "must be a text that is not blank"),
        ([], "its split 'train' is empty"),
    ):
        write(own, "forget10", change)
        assert told in refused("tofu:forget10")
    long = [row | {"question": row["question"] * 20} for row in rows]
    write(own, "forget10", long)
    assert "the model reads" in refused("tofu:forget10")


def test_beside_a_model_that_never_read_the_set_forget_quality_is_told(
    run: Run, tiny, tmp_path: Path
) -> None:
    apart = copy.deepcopy(tiny.module)
    with torch.no_grad():
        for weight in apart.parameters():
            weight.add_(0.05 * weight.std() * torch.randn_like(weight))
    folder = tmp_path / "retrained"
    apart.save_pretrained(folder)
    tiny.tokenizer.save_pretrained(folder)
    config = dataclasses.replace(run.config, retrained=str(folder))
    beside = Run(config, Folders(tmp_path / "b", run.shared), model=tiny)
    assert study_folders(config, tmp_path).run == study_folders(run.config, tmp_path).run
    card = run_study(beside)
    state = State("retrained", "fp")
    plan = make_plan(config)
    assert plan.peak("retrained").terms["weights"] == 2 * plan.peak("base").terms["weights"]
    held_out = draw(beside).items["forget_held_out"]
    items = [item for item in held_out if item.template_id == "paraphrased"]

    def ratios(model) -> list[float]:
        with swapped(tiny.module, dict(model.named_parameters())):
            found = []
            for item in items:
                each = [loss(tiny, item.prompt, option) for option in item.options]
                right = each.pop(item.answer)
                found.append(np.exp(right - np.mean(each)))
            return found

    quality = card.rows.at("benchmark", "forget", "forget_quality", ORIGINAL, "value").value
    expected = ks_2samp(ratios(tiny.module), ratios(apart)).pvalue
    assert quality == pytest.approx(expected)
    unlearned = State("unlearned", "fp")
    assert card.rows.find("benchmark", "forget", "forget_quality", unlearned, "change")
    assert not card.rows.find("benchmark", "forget", "forget_quality", state, "value")
    assert card.rows.find("forget", "seen", "accuracy", state, "value")
    text = scorecard_table(card)
    assert "forget: forget quality" in text
    assert "--retrained" not in text
    assert "--retrained" in scorecard_table(run_study(run))


def test_a_retrained_model_that_cannot_be_one_is_refused(own: Path, tmp_path: Path, capsys) -> None:
    words = ["run", "--model", "tiny-llama", "--top-k", "2", "--out", str(tmp_path / "out")]
    alone = ["audit", "--unlearned", "tiny-llama", "--retrained", "tiny-qwen3", "--top-k", "2"]
    assert main([*alone, "--out", str(tmp_path / "alone")]) == 2
    assert capsys.readouterr().err.startswith("mansu: retrained: ")
    for other in ("tiny-qwen3", "tiny-llama", str(tmp_path / "nowhere")):
        assert main([*words, "--retrained", other]) == 2
        said = capsys.readouterr().err
        assert said.startswith("mansu: retrained: ")
        assert said.count("\n") == 1
