"""What public bug reports of neighbouring tools did to this one, through the command line."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from tokenizers import processors
from transformers import AutoTokenizer

from mansu.cli import main
from mansu.data import load_fact_set
from mansu.data.folder import DATA_FOLDER
from mansu.models import load_model
from mansu.study.cache.records import Stamp, read_result, write_result
from mansu.study.config import StudyConfig, make_config
from mansu.study.export import export_run
from mansu.study.folders import Folders
from mansu.study.run import Run
from mansu.study.stages.draw import draw
from mansu.study.stages.floor import floor

FAST = {
    "top_k": 1,
    "pairs": 4,
    "ig_steps": 1,
    "fisher_examples": 8,
    "steps": 2,
    "forget_batch": 4,
    "retain_batch": 2,
    "validate_every": 2,
}
HEADER = {"record": "set", "name": "own"}
TEMPLATE = {"id": "a", "kind": "cloze", "role": "seen", "text": "The capital of {subject} is"}
ASKED = {"id": "h", "kind": "question", "role": "held_out", "text": "Where is {subject}?"}


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The first twelve facts of each built-in set, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("elements", "capitals", "cities"):
        lines = (DATA_FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()[:13]
        Path(f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return {"forget": "./elements.jsonl", "retain": "./capitals.jsonl", "utility": "./cities.jsonl"}


def own_set(facts: list[tuple[str, str, tuple[str, ...]]], *templates: dict) -> str:
    """Writes a set of facts (subject, answer, distractors) into the current folder."""
    records = [HEADER | {"templates": [*templates]}] + [
        {"record": "fact", "id": s[:9], "subject": s, "answer": a, "distractors": [*d]}
        for s, a, d in facts
    ]
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    Path("own.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return "./own.jsonl"


def mansu(command: str, **values: object) -> int:
    options = [f"--{name.replace('_', '-')}={value}" for name, value in values.items()]
    return main([command, *options])


def refused(capsys: pytest.CaptureFixture[str], command: str, **values: object) -> str:
    """Runs a command that must end before any work; returns its one sentence."""
    where = {} if command == "plan" else {"out": "out"}
    assert mansu(command, **where, **values) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert not Path("out").exists()
    return told.err


def test_a_context_that_is_too_short_is_told_before_any_work(sets, model_folder, capsys):
    facts = [("Alpha " * 200 + "x", "Bern", ("Basel", "Genf", "Zug")), *_CAPITALS]
    long = sets | {"forget": own_set(facts, TEMPLATE, ASKED)}
    for command in ("run", "plan"):
        told = refused(capsys, command, model=model_folder, **long, **FAST)
        assert "fact 'Alpha Alp'" in told
        assert "template 'a'" in told
        assert "and the model reads 256 at most" in told


def test_dynamic_scaling_is_exact_up_to_its_context_and_refused_beyond(sets, model_folder, capsys):
    path = model_folder / "config.json"
    config = json.loads(path.read_text())
    dynamic = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10_000.0}
    path.write_text(json.dumps(config | {"rope_parameters": dynamic, "max_position_embeddings": 9}))
    told = refused(capsys, "run", model=model_folder, **sets, **FAST)
    assert "and the model reads 9 at most" in told


def test_a_model_s_own_nf4_export_is_named_as_quantized(sets, tmp_path, capsys, finished_run):
    assert main(["export", str(finished_run.folder), "--to", "nf4", "--format", "nf4"]) == 0
    capsys.readouterr()
    for command in ("run", "plan"):
        told = refused(capsys, command, model="nf4", **sets, **FAST)
        assert "is quantized (bitsandbytes nf4); give the full-precision model" in told


_CAPITALS = [
    ("Gamma", "Chur", ("Basel", "Genf", "Zug")),
    ("Delta", "Thun", ("Basel", "Genf", "Zug")),
]
_CHINESE = [
    ("法国", "巴黎"), ("德国", "柏林"), ("英国", "伦敦"), ("日本", "东京"), ("韩国", "首尔"),
    ("泰国", "曼谷"), ("埃及", "开罗"), ("希腊", "雅典"),
]  # fmt: skip


def chinese() -> str:
    answers = [answer for _, answer in _CHINESE]
    facts = [(s, a, tuple(other for other in answers if other != a)[:4]) for s, a in _CHINESE]
    seen = TEMPLATE | {"text": "{subject}的首都是"}
    return own_set(facts, seen, ASKED | {"text": "{subject}的首都在哪里\uff1f答\uff1a"})


def bare_tokenizer(folder: Path) -> None:
    """A tokenizer without padding and end token, which appends an end token all the same."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <end>", special_tokens=[("<end>", tokenizer.eos_token_id)]
    )
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    kept = {k: v for k, v in settings.items() if k not in ("pad_token", "eos_token")}
    path.write_text(json.dumps(kept))


def test_facts_in_a_script_without_spaces_run_with_any_tokenizer(sets, model_folder):
    bare_tokenizer(model_folder)
    command = [sys.executable, "-m", "mansu", "run", "--model", str(model_folder), "--out", "out"]
    for name, value in (sets | {"forget": chinese()} | FAST).items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""  # above all, no keyword is announced to go
    stored = read_result(next(Path("out/shared").glob("items-*.json")))
    assert stored is not None
    for item in stored.tree["items"]["forget_seen"]:
        assert not any(option.startswith(" ") for option in item["options"])


def test_answers_of_many_words_that_begin_alike_give_pairs(sets, model_folder):
    authors = ["Ada", "Bea", "Cleo", "Dora", "Edda", "Fay"]
    places = ["Basel", "Chur", "Genf", "Thun", "Zug", "Bern"]
    said = [
        f"The author {a} was born in {p} and wrote novels."
        for a, p in zip(authors, places, strict=True)
    ]
    begun = [f"The author was born in {p} and wrote novels." for p in places]
    for answers in (begun, said):
        facts = [
            (a, answer, tuple(x for x in answers if x != answer)[:3])
            for a, answer in zip(authors, answers, strict=True)
        ]
        forget = own_set(facts, TEMPLATE | {"text": "Q: Who is {subject}?\nA:"}, ASKED)
        config = make_config({"model": str(model_folder), **sets, "forget": forget, **FAST})
        run = Run(config, Folders(Path("out"), Path("out/shared")))
        for pair in draw(run).pairs:
            assert len(pair.clean) == len(pair.corrupted)
            assert pair.clean_answer != pair.corrupted_answer


def short_run(folder: Path, **values: object) -> StudyConfig:
    """A run up to its unlearned checkpoint, from a model named as a user in that folder would."""
    config = make_config({"model": "model", **FAST, "learning_rate": 0.02, **values})
    run = Run(config, Folders(folder, folder / "shared"))
    floor(run)
    return run.config


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_exports_keep_the_run_s_dtype_and_template_and_need_neither_its_device_nor_its_folder(
    sets, model_folder, tmp_path, monkeypatch, dtype
):
    template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    (model_folder / "chat_template.jinja").write_text(template)
    config = short_run(tmp_path / "run", dtype=dtype, **sets)
    stored = tmp_path / "run" / "config.json"
    assert json.loads(stored.read_text())["model"] == str(model_folder)
    values = dataclasses.asdict(config) | {"device": "cuda:3"}  # pyright: ignore
    write_result(stored, values, {}, Stamp("config", 0.0, 0))
    monkeypatch.chdir("/")
    moved = tmp_path / "moved"
    shutil.move(model_folder, moved)
    for form in ("fp", "nf4"):
        target = tmp_path / form
        assert export_run(tmp_path / "run", target, form, str(moved)) == ()
        with safe_open(target / "model.safetensors", framework="pt") as weights:
            kinds = {n: weights.get_tensor(n).dtype for n in weights.keys()}  # noqa: SIM118
        wanted = getattr(torch, dtype)
        assert kinds["model.embed_tokens.weight"] == kinds["model.norm.weight"] == wanted
        written = json.loads((target / "config.json").read_text())
        assert written["dtype"] == dtype
        if form == "nf4":
            assert written["quantization_config"]["bnb_4bit_compute_dtype"] == dtype
        else:
            assert set(kinds.values()) == {wanted}
        assert AutoTokenizer.from_pretrained(target).chat_template == template
    with pytest.raises(ValueError, match="was not made from"):
        export_run(tmp_path / "run", tmp_path / "other", "fp", "tiny-qwen3")


def test_every_path_may_begin_with_the_home_folder(
    sets, model_folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FACTS", str(tmp_path))
    Path("own.yaml").write_text("forget: $FACTS/elements.jsonl\nretain: ~/capitals.jsonl\n")
    values = {"model": "~/model", "utility": "~/cities.jsonl", "config": "~/own.yaml"}
    assert mansu("plan", **values, top_k=1) == 0
    monkeypatch.chdir("/")
    # A folder that holds other files ends the run after all paths were read.
    told = []
    for out in ("~", "$FACTS"):
        assert mansu("run", **values, top_k=1, out=out) == 2
        told.append(capsys.readouterr().err)
    assert all(f"{tmp_path} holds other files" in said for said in told)
    assert main(["tables", "~"]) == 2
    assert f"below {tmp_path}" in capsys.readouterr().err
    assert main(["export", "~/model", "--to", "~/model"]) == 2
    assert main(["sweep", "~/nothing.yaml"]) == 2
    assert str(tmp_path / "nothing.yaml") in capsys.readouterr().err


def test_a_set_and_a_model_load_by_the_same_names_everywhere(sets, model_folder, monkeypatch):
    monkeypatch.setenv("HOME", str(model_folder.parent))
    assert load_fact_set("~/cities.jsonl").name == "cities"
    assert load_model("~/model").layers == 4
