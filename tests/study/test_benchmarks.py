"""WMDP, MMLU and any multiple-choice set: files of the real schema, with invented questions."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from mansu.cli import main
from mansu.collections import load_set
from mansu.data.facts import MASK
from mansu.errors import InputError
from mansu.lab.charts import depth_map, fact_table, pair_table
from mansu.lab.dashboards.prompting import default_prompt
from mansu.lab.widgets.details import read_examples
from mansu.metrics.mcq import score_items
from mansu.study.card_text import scorecard_table
from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.plan import make_plan
from mansu.study.run import Run
from mansu.study.stages.attribute import attribute
from mansu.study.stages.depth import measure_depth
from mansu.study.stages.draw import draw
from mansu.study.stages.localize import choose_circuit
from mansu.study.stages.measure import measure_all
from mansu.study.state import State, states
from mansu.sweep.places import repository
from tests.study.small_sets import FAST, hurry, write_sets

MARK = "quib"  # in every text of the masked set, and nowhere else
COLOURS = ("red", "blue", "green", "grey", "pink", "brown", "black", "white", "gold", "teal")


def question(number: int, start: str) -> dict:
    """An invented question about a colour."""
    place = number % 4
    options = [f"{start} {COLOURS[(number * 3 + k) % 10]}" for k in range(4)]
    return {"question": f"What is {start} {number}?", "choices": options, "answer": place}


def write(folder: Path, lines: list[dict], name: str = "test.jsonl") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if name.endswith(".parquet"):
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(lines), folder / name)
    else:
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's own benchmarks."""
    monkeypatch.setenv("MANSU_SETS", str(tmp_path / "sets"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "sets"


WMDP = [question(number, MARK) for number in range(24)]
MMLU = [
    question(number, "the ball") | {"subject": ("world_games", "toys")[number % 2]}
    for number in range(16)
]


def test_parquet_and_json_lines_give_the_same_set(own: Path) -> None:
    write(own / "wmdp" / "bio", WMDP)
    lines = load_set("wmdp:bio")
    (own / "wmdp" / "bio" / "test.jsonl").unlink()
    write(own / "wmdp" / "bio", WMDP[:10], "test-00000-of-00002.parquet")
    write(own / "wmdp" / "bio", WMDP[10:], "test-00001-of-00002.parquet")
    assert load_set("wmdp:bio") == lines
    assert len(lines.facts) == len(WMDP)
    assert lines.masked
    assert "about biology." in lines.seen[0].render(lines.facts[0])


def test_mmlu_has_all_its_subjects_or_one_each_with_its_own_first_sentence(own: Path) -> None:
    write(own / "mmlu" / "all", MMLU, "test-00000-of-00001.parquet")
    whole, games = load_set("mmlu:all"), load_set("mmlu:world_games")
    assert (len(whole.facts), len(games.facts)) == (16, 8)
    assert {fact.group for fact in whole.facts} == {"world games", "toys"}
    assert "about toys.\n\nWhat" in whole.seen[0].render(whole.facts[1])
    assert not whole.masked
    write(own / "mmlu" / "toys", MMLU[1:2])
    assert len(load_set("mmlu:toys").facts) == 1
    with pytest.raises(InputError, match="mmlu:toy: 'toy' is unknown; did you mean 'toys'"):
        load_set("mmlu:toy")


def test_a_set_of_any_columns_is_described_by_a_file(own: Path, tmp_path: Path) -> None:
    renamed = [
        {"stem": r["question"], "of": {"text": r["choices"]}, "key": "ABCD"[r["answer"]]}
        for r in MMLU
    ]
    write(tmp_path / "science", renamed, "validation.jsonl")
    write(own / "mmlu" / "all", [row | {"subject": "balls"} for row in MMLU])
    text = "path: science\nsplit: validation\nquestion: stem\nchoices: of.text\nanswer: key\n"
    file = tmp_path / "science.yaml"
    file.write_text(text + "about: balls\n")
    found, same = load_set(f"mcq:{file}"), load_set("mmlu:all")
    asked = [found.seen[0].render(fact) for fact in found.facts]
    assert asked == [same.seen[0].render(fact) for fact in same.facts]
    assert make_config({"forget": f"mcq:{file}"}).forget == f"mcq:{file}"
    file.write_text(text + "masked: yes\n")
    assert load_set(f"mcq:{file}").masked


def test_from_the_hub_a_set_is_had_by_its_configuration_and_split(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    asked = []
    monkeypatch.setattr(
        datasets, "load_dataset", lambda *given, **named: asked.append((given, named)) or MMLU
    )
    assert len(load_set("mmlu:toys_of_the_hub").facts) == len(MMLU)
    assert asked == [(("cais/mmlu", "toys_of_the_hub"), {"split": "test"})]
    with pytest.raises(InputError, match="not here: fetch"):  # the user's own copy alone
        load_set("wmdp:bio")
    assert len(asked) == 1


@pytest.fixture
def refused(own: Path, tmp_path: Path, capsys) -> Callable[[str], str]:
    """What `mansu run` says of a forget set, in one line, before anything is written."""

    def run(name: str) -> str:
        out = tmp_path / "out"
        words = ["run", "--model", "tiny-llama", "--top-k", "2", "--out", str(out)]
        assert main([*words, "--forget", name]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("mansu: ")
        assert said.err.count("\n") == 1
        assert MARK not in said.err
        assert not out.exists()
        return said.err

    return run


RENAMED = [{"stem": r["question"], "choices": r["choices"], "answer": r["answer"]} for r in WMDP]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (RENAMED, "wmdp:bio: row 0: there is no column 'question'; there are stem, choices"),
        ([*WMDP, WMDP[0] | {"answer": 4}], "wmdp:bio: row 24: 'answer' must be a place from 0"),
        ([WMDP[0] | {"choices": WMDP[0]["choices"][:3]}], "it has 3 options"),
        ([{"question": MARK}], "row 0: there is no column 'choices'"),
    ],
)
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_set_of_another_schema_is_refused(
    refused, own: Path, lines: list[dict], told: str, ending: str
) -> None:
    write(own / "wmdp" / "bio", lines, f"test.{ending}")
    assert told in refused("wmdp:bio")


def test_an_empty_split_a_damaged_file_and_a_missing_set_are_refused(refused, own: Path) -> None:
    place = own / "wmdp" / "chem"
    told = refused("wmdp:chem")
    assert "fetch the dataset cais/wmdp, configuration wmdp-chem, from the hub" in told
    assert f"put its files, test*.parquet or test*.jsonl, into {place}." in told
    assert "did you mean 'chem'?\n" in refused("wmdp:chemistry")
    place.mkdir(parents=True)
    assert f"into {place}." in refused("wmdp:chem")  # a folder without the split's files
    empty = pyarrow.Table.from_pylist(WMDP).slice(0, 0)
    pyarrow.parquet.write_table(empty, place / "test.parquet")
    assert "wmdp:chem: its split 'test' is empty" in refused("wmdp:chem")
    (place / "test.parquet").write_bytes(b"PAR1 and no more " + MARK.encode())
    assert f"{place / 'test.parquet'} is no whole parquet file" in refused("wmdp:chem")
    (place / "test.parquet").unlink()
    (place / "test.jsonl").write_text(f'{json.dumps(WMDP[0])}\n{{"question": "{MARK}')
    assert f"{place / 'test.jsonl'}, line 2: it is no JSON object" in refused("wmdp:chem")
    (place / "test.jsonl").write_text(f'{json.dumps(WMDP[0])[:-1]}, "answer": 2}}')
    told = f"{place / 'test.jsonl'}, line 1: it gives the key 'answer' twice; keep one of them"
    assert told in refused("wmdp:chem")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "it cannot be read (FileNotFoundError"),
        ("path: [", "the file is not valid YAML (line 1)"),
        ("path: !!timestamp x", "the file is not valid YAML"),
        ("- a\n", "the file must be a mapping, such as path: ./FOLDER; it may give path, name"),
        ("path: x\nmasked: yes\nmasked: no\n", "the file gives the key 'masked' twice (line 3)"),
        ("question: stem\n", "path: field required; it may give path, name, split"),
        ("path: x\nanswers: key\n", "answers: extra inputs are not permitted"),
        ("path: nowhere\n", "fetch the dataset nowhere from the hub"),
    ],
)
def test_a_description_that_is_none_is_refused(refused, tmp_path: Path, text, told: str) -> None:
    file = tmp_path / "set.yaml"
    if text is not None:
        file.write_text(text)
    assert told in refused(f"mcq:{file}")


def test_a_set_that_cannot_be_asked_is_refused_before_torch_is_imported(own: Path) -> None:
    write(own / "wmdp" / "bio", RENAMED)
    code = "import sys, mansu.cli as c; c.main(sys.argv[1:]); print('torch' in sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", code, "run", "--model", "tiny-llama", "--forget", "wmdp:bio"],
        env={**os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "no column 'question'" in ended.stderr
    assert ended.stdout == "False\n"


@pytest.fixture
def run(own: Path, tmp_path: Path, tiny, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A short study of the masked set, beside MMLU as the utility set."""
    hurry(monkeypatch)
    write(own / "wmdp" / "bio", WMDP)
    write(own / "mmlu" / "all", MMLU)
    sets = {**write_sets(tmp_path), "forget": "wmdp:bio", "utility": "mmlu:all"}
    config = make_config({**FAST, **sets, "attacks": ("prompts",)})
    return Run(config, Folders(tmp_path / "run", tmp_path / "run" / "shared"), model=tiny)


def test_a_study_of_it_is_judged_like_any_other_and_shows_none_of_its_texts(run: Run) -> None:
    card = run_study(run)
    assert card.facts == len(WMDP)
    assert card.chance == 0.25
    for state in card.rows.states:
        assert card.rows.find("forget", "seen", "accuracy", state, "value")
        assert card.rows.find("utility", "all", "accuracy", state, "value")
    items = draw(run).items
    assert {item.template_id for item in items["utility"]} == {"letters"}
    assert len(items["utility"]) == len(MMLU)
    assert {item.template_id for item in items["forget_held_out"]} == {"turned"}
    level = card.rows.at("forget", "seen", "level_accuracy", State("original", "fp"), "value")
    assert level.value == 0.25  # every letter is right equally often
    measured = measure_all(run, states(run))
    circuit, state = choose_circuit(run), State("unlearned", "fp")
    facts = [pair.fact_id for pair in draw(run).pairs]
    chart = depth_map(measure_depth(run, state), facts, run.forget, circuit, state)
    shown = [
        scorecard_table(card),
        fact_table(run.forget, measured).to_json(),
        json.dumps(chart.to_dict()),
        str([behaviour.speech.texts for behaviour in measured.values()]),
        str(read_examples(draw(run).pairs, run.tokenizer, run.forget.masked)),
        pair_table(draw(run).pairs, run.tokenizer, run.forget.masked).to_json(),
        default_prompt(run),
        (run.folder / "scorecard.json").read_text(encoding="utf-8"),
        (run.folder / "config.json").read_text(encoding="utf-8"),
    ]
    assert all(MARK not in text for text in shown)
    assert any(MARK in item.prompt for item in draw(run).items["forget_seen"])
    assert {text for b in measured.values() for text in b.speech.texts} == {MASK}
    assert attribute(run, state).scores.metric.isfinite().all()
    assert make_plan(run.config).peak().total


def test_its_accuracy_counts_the_likeliest_letter_of_the_harness_s_prompt(run: Run, tiny) -> None:
    items = draw(run).items["forget_seen"]
    assert len(items) == len(WMDP)
    assert all(item.prompt.endswith("\nAnswer:") for item in items)
    assert {option for item in items for option in item.options} == {" A", " B", " C", " D"}
    (measured,) = measure_all(run, (State("original", "fp"),)).values()
    assert (
        measured.roles["forget_seen"].correct.tolist() == score_items(tiny, items).correct.tolist()
    )


# Those that show pairs and questions.
NOTEBOOKS = ("01_localize_circuit", "05_quantize")


def test_saved_notebooks_hold_none_of_its_texts(run: Run, tmp_path: Path) -> None:
    run_study(run)
    config = run.config
    sets = {name: getattr(config, name) for name in ("model", "forget", "retain", "utility")}
    values = FAST | sets | {"out": str(run.folder), "shared": str(run.shared)}
    told = {}
    for name in NOTEBOOKS:
        saved = tmp_path / f"{name}.ipynb"
        given = [word for key, value in values.items() for word in ("-p", key, str(value))]
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "papermill", saved.name, str(saved), *given),
                *("-y", "attacks: [prompts]"),
            ],
            cwd=repository() / "notebooks",
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        told[name] = saved.read_text(encoding="utf-8")
    assert {name for name, text in told.items() if MARK in text} == set()
    assert "row 1" in told["05_quantize"]
    assert MASK in told["05_quantize"]
