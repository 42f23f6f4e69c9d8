"""Bad input ends before anything expensive starts, with one sentence, and writes nothing."""

import json

import pytest

from mansu.cli import main
from mansu.data import load_fact_set
from mansu.data.facts import several
from mansu.study.config import make_config

GOOD = {"record": "fact", "id": "x", "subject": "X", "answer": "a", "distractors": ["b", "c", "d"]}


def header(name: str) -> dict:
    return {
        "record": "set",
        "name": name,
        "description": "Made up.",
        "source": "This test.",
        "license": "CC0-1.0",
        "templates": [{"id": "t", "kind": "cloze", "role": "seen", "text": "{subject} is"}],
    }


def write(path, *records) -> str:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


def refused(capsys, tmp_path, *arguments: str) -> str:
    """Runs ``mansu run``, checks how it was refused, and returns what it said."""
    out = tmp_path / "out"
    code = main(["run", "--model", "tiny-llama", "--top-k", "2", "--out", str(out), *arguments])
    said = capsys.readouterr()
    assert code == 2
    assert said.out == ""
    assert said.err.startswith("mansu: ")
    assert said.err.count("\n") == 1
    assert not out.exists()
    return said.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--model", "no-such-model"], "no-such-model"),
        (["--forget", "no-such-set"], "no-such-set"),
        (["--top-k", "5"], "top_k"),
        (["--tau", "0"], "tau"),
        (["--rho", "1.5"], "rho"),
        (["--retain-weight", "-1"], "retain_weight"),
        (["--steps", "0"], "steps"),
        (["--steps", "many"], "steps"),
        (["--learning-rate", "nan"], "learning_rate"),
        (["--device", "abacus"], "device"),
        (["--device", "meta"], "device"),
        (["--model", "x" * 300], "can be no name of a file"),
        (["--retain", "capitals"], "share"),
        (["--utility", "capitals"], "share"),
        (["--config", "/no/such/file.yaml"], "cannot be read"),
    ],
)
def test_a_value_that_cannot_work_is_refused(capsys, tmp_path, arguments, told):
    assert told in refused(capsys, tmp_path, *arguments)


@pytest.mark.parametrize("option", ["--model", "--forget", "--config", "--out", "--shared"])
def test_a_name_that_is_not_utf_8_is_refused_by_whichever_option_it_is_given(
    capsys, tmp_path, monkeypatch, option
):
    monkeypatch.chdir(tmp_path)
    words = ["run", "--model", "tiny-llama", "--top-k", "2", option, "./odd\udcff"]
    assert main(words) == 2
    assert capsys.readouterr().err == (
        "mansu: ./odd\\udcff is not UTF-8; rename the file or folder.\n"
    )
    assert not list(tmp_path.iterdir())


def test_an_unknown_option_is_refused_in_one_line(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["run", "--no-such-option"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "empty"),
        ([header("a")], "fact"),
        ([header("a"), {**GOOD, "distractors": []}], "line 2"),
        ([header("a"), {**GOOD, "distractors": ["a", "b", "c"]}], "line 2"),
        ([header("a"), {**GOOD, "answer": " "}], "line 2"),
        ([header("a"), GOOD, GOOD], "line 3"),
        ([GOOD], "line 1"),
        ([header("a"), "a text"], "line 2"),
    ],
)
def test_a_malformed_fact_file_names_its_line(capsys, tmp_path, lines, told):
    path = write(tmp_path / "facts.jsonl", *lines)
    assert told in refused(capsys, tmp_path, "--forget", path)


def test_a_line_that_is_not_json_is_named(capsys, tmp_path):
    path = tmp_path / "facts.jsonl"
    path.write_text(json.dumps(header("a")) + "\n{not json\n")
    assert "line 2" in refused(capsys, tmp_path, "--forget", str(path))


def test_forget_and_retain_sharing_one_fact_is_refused(capsys, tmp_path):
    fact = load_fact_set(several(make_config({}).retain)[0]).facts[0]
    shared = {**GOOD, "subject": fact.subject, "answer": fact.answer}
    path = write(tmp_path / "facts.jsonl", header("a"), GOOD | {"id": "y"}, shared)
    assert fact.subject in refused(capsys, tmp_path, "--forget", path)


@pytest.mark.parametrize(
    ("role", "beside", "told"),
    [
        ("neighbours", (header("b"), GOOD), "share the fact 'X'"),
        ("far_utility", (header("b"), GOOD | {"subject": "Y"}), "which is trained on"),
        ("twin", (header("b"), GOOD | {"subject": "France"}), "'France' is real"),
        ("pool", (header("b"), GOOD | {"answer": "b", "distractors": list("acd")}), "'X' is a"),
        ("neighbours", (), "the file is empty"),
    ],
)
def test_a_set_that_does_not_fit_the_forget_set_is_refused(capsys, tmp_path, role, beside, told):
    write(tmp_path / "beside.jsonl", *beside)
    path = write(tmp_path / "facts.jsonl", header("a") | {role: "beside.jsonl"}, GOOD)
    assert told in refused(capsys, tmp_path, "--forget", path)


LONG = " and then again" * 200


@pytest.mark.parametrize(
    ("kind", "role", "text"),
    [
        ("passage", "far", f"It went on{LONG}. {{subject}} is"),
        ("few_shot", "far", f"Once{LONG[:600]}, {{subject}} is"),  # too long behind examples alone
        ("letters", "far", f"Once{LONG}, what is {{subject}}?"),
        ("cloze", "reverse", f"After{LONG}, {{answer}} is"),
    ],
)
def test_a_prompt_of_another_kind_that_the_model_cannot_read_whole_is_refused(
    capsys, tmp_path, kind, role, text
):
    facts = [
        GOOD | {"id": f.id, "subject": f.subject, "answer": f.answer, "distractors": f.distractors}
        for f in load_fact_set("elements").facts[:20]
    ]
    first, probe = header("a"), {"id": "long", "kind": kind, "role": role, "text": text}
    first["templates"].append(probe)
    write(tmp_path / "pool.jsonl", header("pool"), *facts[8:])
    path = write(tmp_path / "facts.jsonl", first | {"pool": "pool.jsonl"}, *facts[:8])
    told = refused(capsys, tmp_path, "--forget", path, "--utility", "cities")
    assert "cannot be asked with template 'long'" in told
    assert "the model reads 256 at most; shorten them" in told


# What is added to the set's only template, and how long the first subject of the pool is.
TOO_LONG = {
    "prompts, few-shot": ("few-shot", " and then again" * 10, ""),
    "prompts, filler": ("filler", " and then again" * 33, ""),
    "benign, 2e-05": ("benign", "", " and then again" * 200),
}


@pytest.mark.parametrize("where", TOO_LONG)
def test_an_attack_whose_prompt_the_model_cannot_read_whole_is_refused(capsys, tmp_path, where):
    kind, words, subject = TOO_LONG[where]
    name = where.partition(",")[0]
    facts = [
        GOOD | {"id": f.id, "subject": f.subject, "answer": f.answer, "distractors": f.distractors}
        for f in load_fact_set("elements").facts[:20]
    ]
    first = header("a")
    first["templates"][0]["text"] = f"Once{words}, {{subject}} is"
    facts[8]["subject"] += subject
    write(tmp_path / "pool.jsonl", header("pool"), *(facts[8:] if kind != "filler" else facts[8:9]))
    path = write(tmp_path / "facts.jsonl", first | {"pool": "pool.jsonl"}, *facts[:8])
    plan = ["plan", "--model", "tiny-llama", "--top-k", "2", "--utility", "cities"]
    assert main([*plan, "--forget", path]) == 0  # no attack, nothing to refuse
    capsys.readouterr()
    assert main([*plan, "--forget", path, "--attacks", name]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"mansu: attacks: {where}: {path}: the fact ")
    assert "cannot be asked with template 't'" in told
    assert "the model reads 256 at most; shorten them" in told
    assert told.endswith(f", or leave {name} out of attacks.\n")


def test_a_set_that_is_retained_cannot_be_measured_as_a_neighbour_too(capsys, tmp_path):
    told = refused(capsys, tmp_path, "--forget", "capitals", "--retain", "languages")
    assert "share the fact" in told


def test_a_folder_of_another_configuration_is_refused_and_left_alone(
    capsys, finished_run, tmp_path
):
    before = {p: p.read_bytes() for p in finished_run.folder.iterdir() if p.is_file()}
    code = main(["run", "--model", "tiny-llama", "--top-k", "3", "--out", str(finished_run.folder)])
    assert code == 2
    assert "another configuration" in capsys.readouterr().err
    assert {p: p.read_bytes() for p in finished_run.folder.iterdir() if p.is_file()} == before


def test_a_folder_with_other_files_is_refused(capsys, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    code = main(["run", "--model", "tiny-llama", "--top-k", "2", "--out", str(tmp_path / "out")])
    assert code == 2
    assert "other files" in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_tables_of_a_folder_without_results_is_refused(capsys, tmp_path):
    assert main(["tables", str(tmp_path)]) == 2
    assert "No scorecard" in capsys.readouterr().err
