"""The paper's study: its models shrunk, on small files of the real schemas, as it ships."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml

from mansu.cli import main
from mansu.data.facts import MASK
from mansu.study.config import StudyConfig
from mansu.study.folders import study_folders
from mansu.study.pipeline import run_study
from mansu.study.run import Run
from mansu.study.scorecard import read_scorecard
from mansu.sweep.batch import sweep
from mansu.sweep.grid import expand, read_study
from mansu.sweep.places import repository
from tests.models.real_configs import real_config, save_shrunk
from tests.study.small_sets import hurry

PAPER = repository() / "papermill_runs" / "studies" / "paper.yaml"
MODELS = {
    "meta-llama/Llama-3.1-8B-Instruct": "Llama-3.1-8B-Instruct",
    "Qwen/Qwen3-8B": "Qwen3-8B",
    "google/gemma-2b-it": "Gemma-2B",
    "google/gemma-3-1b-it": "Gemma-3-1B",
    "google/gemma-3-4b-it": "Gemma-3-4B",
    "meta-llama/Llama-3.2-3B-Instruct": "Llama-3.2-3B",
    "Qwen/Qwen2.5-3B-Instruct": "Qwen2.5-3B",
    "Qwen/Qwen3-4B": "Qwen3-4B",
}
# Every model and every set once; all pairs of them are in the torture.
PAIRS = [
    ("meta-llama/Llama-3.1-8B-Instruct", "muse:news"),
    ("meta-llama/Llama-3.1-8B-Instruct", "tofu:forget10"),
    ("Qwen/Qwen3-8B", "muse:books"),
    ("google/gemma-2b-it", "wmdp:bio"),
    ("google/gemma-3-1b-it", "wmdp:chem"),
    ("google/gemma-3-4b-it", "wmdp:cyber"),
    ("meta-llama/Llama-3.2-3B-Instruct", "wmdp:bio"),
    ("Qwen/Qwen2.5-3B-Instruct", "wmdp:chem"),
    ("Qwen/Qwen3-4B", "wmdp:cyber"),
]
MARK = "quib"  # in every text of the masked sets, and nowhere else
COLOURS = ("red", "blue", "green", "grey", "pink", "brown", "black", "white", "gold", "teal")
SMALL = {"items": 6, "top_k": 1, "pairs": 2, "ig_steps": 1, "reply_tokens": 4}
BRIEF = {"fisher_examples": 4, "steps": 2, "validate_every": 2, "forget_batch": 2}
BRIEF |= {"retain_batch": 2, "learning_rate": 0.02}
JUDGED = all(map(importlib.util.find_spec, ("lm_eval", "langdetect", "immutabledict")))


def lettered(of: str, count: int = 12) -> list[dict]:
    return [
        {
            "question": f"What is {of} {n}?",
            "choices": [f"{of} {COLOURS[(3 * n + k) % 10]}" for k in range(4)],
            "answer": n % 4,
            "subject": "made_up",
        }
        for n in range(count)
    ]


def open_questions(of: str, count: int) -> list[dict]:
    return [
        {"question": f"What colour is {of} {n}?", "answer": f"It is {COLOURS[n % 10]}."}
        for n in range(count)
    ]


def authors(names: tuple[str, ...]) -> list[dict]:
    return [
        {
            "question": f"What is book {n} of {name} about?",
            "answer": f"{name} wrote of {COLOURS[n % 10]} ships.",
            "paraphrased_question": f"Of {name}, what is book {n} about?",
            "paraphrased_answer": f"It is about {COLOURS[n % 10]} ships.",
            "perturbed_answer": [f"It is of {COLOURS[(n + k) % 10]} boats." for k in range(1, 6)],
        }
        for name in names
        for n in range(20)
    ]


def real(of: str) -> list[dict]:
    return [
        {
            "question": f"Who wrote the {of} {n}?",
            "answer": f"Bo of {COLOURS[n % 10]}",
            "perturbed_answer": [f"Ka of {COLOURS[(n + k) % 10]}" for k in range(3)],
        }
        for n in range(6)
    ]


FILES: dict[str, list[dict]] = {
    **{f"wmdp/{part}/test": lettered(MARK) for part in ("bio", "chem", "cyber")},
    "mmlu/all/test": lettered("the house"),
    **{
        f"muse/{corpus}/knowmem/{split}": open_questions(of, count)
        for corpus in ("news", "books")
        for split, of, count in (
            ("forget_qa", "the ball", 12),
            ("forget_qa_icl", "the door", 1),
            ("retain_qa", "the ship", 12),
            ("retain_qa_icl", "the gate", 1),
        )
    },
    "tofu/forget10_perturbed/train": authors(("Bo Ka", "Ka Bo")),
    "tofu/retain_perturbed/train": authors(("Bo Bo", "Ka Ka")),
    "tofu/real_authors_perturbed/train": real("novel"),
    "tofu/world_facts_perturbed/train": real("atlas"),
    "ifeval/train": [
        {"prompt": f"Write {n}.", "instruction_id_list": [f"change_case:english_{case}"]}
        | {"key": n, "kwargs": [{}]}
        for n, case in enumerate(("lowercase", "capital"))
    ],
}


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmarks, and NLTK's data without a rule of any language."""
    for name, rows in FILES.items():
        file = tmp_path / "sets" / f"{name}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    monkeypatch.setenv("MANSU_SETS", str(tmp_path / "sets"))
    rules = tmp_path / "nltk" / "tokenizers" / "punkt_tab" / "english"
    rules.mkdir(parents=True)
    for name in ("collocations.tab", "sent_starters.txt", "abbrev_types.txt", "ortho_context.tab"):
        (rules / name).touch()
    monkeypatch.setenv("NLTK_DATA", str(tmp_path / "nltk"))
    if JUDGED:
        import nltk

        monkeypatch.setattr(nltk.data, "path", [str(tmp_path / "nltk")])


def changed(folder: Path, models: dict[str, str], **values: Any) -> Path:
    """The study with other names of its models, and with what fits a processor."""
    text = PAPER.read_text(encoding="utf-8")
    for name in MODELS:  # where they are named alone, and in a set's list
        text = text.replace(name, models.get(name, name))
    study = yaml.safe_load(text)
    given = {"device": "cpu", "dtype": "float32"}
    study["set"] |= given | {"benchmarks": study["set"]["benchmarks"] if JUDGED else []} | values
    if not JUDGED:  # nothing would read it
        study["set"].pop("reply_tokens", None)
    path = folder / "paper.yaml"
    path.write_text(yaml.safe_dump(study), encoding="utf-8")
    return path


def test_the_study_is_the_paper_s_models_and_methods_on_its_sets() -> None:
    study = read_study(PAPER)
    assert study.models == [*MODELS]
    runs = expand(study)
    assert len(runs) == 7 * (2 * 6 + 6 * 3)
    assert {run.forget for run in runs if run.model == "Qwen/Qwen3-4B"} == {
        *("wmdp:bio", "wmdp:chem", "wmdp:cyber"),
    }
    assert {run.forget for run in runs} == {forget for _, forget in PAIRS}
    assert {model for model, _ in PAIRS} == {*MODELS}
    assert {run.benchmarks for run in runs} == {("ifeval",)}


@pytest.fixture
def run_one(tiny, tmp_path: Path, monkeypatch) -> Callable[[str, str], StudyConfig]:
    """Runs MANSU on one model, shrunk, and one set of the study."""
    hurry(monkeypatch)

    def run(name: str, forget: str) -> StudyConfig:
        folder = save_shrunk(MODELS[name], tiny.tokenizer, tmp_path / "model")
        study = read_study(changed(tmp_path, {name: str(folder)}, **SMALL, **BRIEF))
        (config,) = (
            config
            for config in expand(study)
            if (config.model, config.forget, config.method) == (str(folder), forget, "mansu")
        )
        card = run_study(Run(config, study_folders(config, tmp_path / "out")))
        assert {verdict.rule for verdict in card.verdicts}
        metrics = {(row.view, row.metric) for row in card.rows.where(set="benchmark")}
        assert (("ifeval", "inst_level_loose_acc") in metrics) == JUDGED
        own = {"muse": "knowmem", "tofu": "truth_ratio"}.get(forget.partition(":")[0])
        assert own is None or ("forget", own) in metrics
        return config

    return run


@pytest.mark.parametrize(("name", "forget"), PAIRS)
def test_a_model_s_architecture_goes_through_the_study_from_the_sets_to_the_scorecard(
    run_one, name: str, forget: str
) -> None:
    run_one(name, forget)


@pytest.mark.torture
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("part", ["bio", "chem", "cyber"])
def test_every_model_goes_through_every_part_of_wmdp(run_one, name: str, part: str) -> None:
    run_one(name, f"wmdp:{part}")


@pytest.fixture
def on_wmdp(tiny, tmp_path: Path) -> Callable[..., Path]:
    """The study of one model, shrunk, on one part of WMDP."""
    name = "meta-llama/Llama-3.1-8B-Instruct"
    folder = save_shrunk(MODELS[name], tiny.tokenizer, tmp_path / "llama")

    def write(**values: Any) -> Path:
        path = changed(tmp_path, {name: str(folder)}, **SMALL)
        study = yaml.safe_load(path.read_text(encoding="utf-8"))
        study |= {"models": [str(folder)], "sets": study["sets"][:1], **values}
        path.write_text(yaml.safe_dump(study), encoding="utf-8")
        return path

    return write


def test_snakemake_plans_every_method_s_notebooks(on_wmdp, tmp_path: Path, capfd) -> None:
    assert sweep(on_wmdp(), dry_run=True, out=tmp_path / "out") == 0
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 2 + 7 * 4
    assert {line.split()[0] for line in lines} == {"run"}
    assert len([line for line in lines if "/lunar-" in line]) == 4


@pytest.mark.torture
def test_its_notebooks_run_by_snakemake_and_show_no_question_of_wmdp(
    on_wmdp, tmp_path: Path, capfd
) -> None:
    study = yaml.safe_load(on_wmdp().read_text(encoding="utf-8"))
    assert sweep(on_wmdp(methods=["mansu"], set=study["set"] | BRIEF), out=tmp_path / "out") == 0
    printed = capfd.readouterr()
    assert "wmdp:bio" in printed.out
    assert MARK not in printed.out + printed.err
    saved = [*(tmp_path / "out" / "llama").rglob("0*.ipynb")]
    assert len(saved) == 6
    texts = [file.read_text(encoding="utf-8") for file in saved]
    assert not [text for text in texts if MARK in text]
    assert any(MASK in text for text in texts)
    assert all(nbformat.reads(text, as_version=4).cells for text in texts)
    (card,) = (tmp_path / "out").rglob("scorecard.json")
    assert read_scorecard(card)
    assert MARK not in card.read_text(encoding="utf-8")


def test_mansu_plan_prints_memory_and_disk_of_its_runs_at_their_real_sizes(
    tmp_path: Path, capsys
) -> None:
    names = {}
    for name, real_name in MODELS.items():
        names[name] = str(tmp_path / "models" / real_name)
        real_config(real_name).save_pretrained(names[name])
    path = changed(tmp_path, names, device="cuda", dtype="bfloat16", reply_tokens=1280)
    assert main(["plan", str(path)]) == 0
    said = capsys.readouterr().out
    lines = [line for line in said.splitlines() if " mansu " in line]
    assert len(lines) == 2 * 6 + 6 * 3
    every = [line for line in said.splitlines() if line.startswith(tuple(MODELS.values()))]
    assert len(every) == 7 * len(lines)
    eight = [line.split() for line in lines if line.startswith("Llama-3.1-8B")]
    assert {words[5] for words in eight} == {"16.06"}  # 8.03 G weights of two bytes
    held = {words[1]: float(words[3]) for words in eight}
    assert 16.06 < held["muse:news"] < held["wmdp:bio"]  # whose retained questions are long
    assert MARK not in said
    assert main(["plan", str(path), "--top-k", "2"]) == 2
    assert "leave out top_k" in capsys.readouterr().err
