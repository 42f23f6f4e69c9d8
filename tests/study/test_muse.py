"""MUSE: rows of the real schema with made-up texts, through a whole run."""

import copy
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from rouge_score.rouge_scorer import RougeScorer

from mansu.cli import main
from mansu.collections import draw_pairs, load_set
from mansu.collections.muse import ENDS
from mansu.errors import InputError
from mansu.study.card_text import scorecard_table
from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.run import Run
from mansu.study.stages.draw import draw
from mansu.study.state import State
from tests.study.small_sets import FAST, hurry

COLOURS = ("red", "blue", "green", "grey", "pink", "brown", "black", "white", "gold", "teal")
ORIGINAL = State("original", "fp")


def asked(of: str, count: int) -> list[dict]:
    return [
        {"question": f"What colour is {of} {n}?", "answer": f"It is {COLOURS[n % 10]}."}
        for n in range(count)
    ]


PASSAGES = [
    {
        "prompt": f"In harbour {n} the ships were {COLOURS[n % 10]} and old, ",
        "gt": f" {COLOURS[(n + 1) % 10]} sails lay on the quay of the {COLOURS[n % 10]} town.",
    }
    for n in range(12)
]
FILES = {
    "knowmem/forget_qa": asked("the ball", 12),
    "knowmem/forget_qa_icl": asked("the door", 2),
    "knowmem/retain_qa": asked("the ship", 12),
    "knowmem/retain_qa_icl": asked("the gate", 1),
    "verbmem/forget": PASSAGES,
    "privleak/forget": [{"text": f"{row['prompt']} {row['gt']}"} for row in PASSAGES[:5]],
    "privleak/retain": [{"text": "Nothing asks for these."}],
    "privleak/holdout": [  # some like those that were read, or no model would take them for such
        *({"text": f"{row['prompt']} {row['gt']}"} for row in PASSAGES[6:]),
        {"text": " On hill 1 the blue houses were teal and new. \n"},
    ],
}


def write(folder: Path, name: str, rows: list[dict]) -> None:
    place = folder / "muse" / "news" / f"{name}.jsonl"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def own(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("MANSU_SETS", str(tmp_path / "sets"))
    for name, rows in FILES.items():
        write(tmp_path / "sets", name, rows)
    return tmp_path / "sets"


@pytest.fixture
def study(own: Path, tmp_path: Path, tiny, monkeypatch) -> Callable[..., Run]:
    hurry(monkeypatch)

    def open_run(**sets: str) -> Run:
        config = make_config({**FAST, "utility": "cities", "items": 24, **sets})
        folder = tmp_path / "run" / sets["forget"].replace(":", "-")
        return Run(config, Folders(folder, folder / "shared"), model=tiny)

    return open_run


def test_questions_stand_behind_the_dataset_s_own_examples_and_lack_other_splits_rows(own) -> None:
    found = load_set("muse:news")
    assert len(found.facts) == 12
    assert found.seen[0].render(found.facts[3]) == (
        "Question: What colour is the door 0?\nAnswer: It is red.\n\n"
        "Question: What colour is the door 1?\nAnswer: It is blue.\n\n"
        "Question: What colour is the ball 3?\nAnswer:"
    )
    assert found.facts[11].answer == "It is blue."
    assert found.facts[11].distractors == ("It is red.", "It is green.", "It is grey.")
    assert len(load_set("muse:news-verbatim").facts) == len(PASSAGES)


def greedy(tiny, prompt: str, tokens: int) -> str:
    """What the model goes on with, by transformers' own generation."""
    ids = tiny.tokenizer(prompt, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        made = tiny.module.generate(
            ids, max_new_tokens=tokens, do_sample=False, pad_token_id=tiny.pad_id
        )
    return tiny.tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)


def f1(answer: str, text: str) -> float:
    return RougeScorer(["rougeL"], use_stemmer=False).score(answer, text)["rougeL"].fmeasure


def test_knowmem_is_the_mean_f1_of_what_generation_gives(study, tiny) -> None:
    run = study(forget="muse:news", retain="muse:news-retain")
    card = run_study(run)
    for role, items in (("forget", "forget_seen"), ("retain", "retain")):
        expected = []
        for item in draw(run).items[items]:
            text = greedy(tiny, item.prompt, 32)
            for end in ENDS:
                text = text.split(end)[0]
            expected.append(f1(item.options[item.answer], text))
        found = card.rows.at("benchmark", role, "knowmem", ORIGINAL, "value")
        assert found.value == pytest.approx(sum(expected) / len(expected))
        assert found.n == len(expected)
    assert "forget: knowmem" in scorecard_table(card)


def test_verbmem_is_that_of_passages_and_counts_no_more_of_them_than_is_written(
    study, tiny, monkeypatch
) -> None:
    run = study(forget="muse:news-verbatim", retain="muse:news-retain")
    card = run_study(run)
    tokenizer, expected = tiny.tokenizer, []
    for item in draw(run).items["forget_seen"]:
        answer = tokenizer(item.options[item.answer].strip())["input_ids"][:128]
        text = greedy(tiny, item.prompt, 128)
        expected.append(f1(tokenizer.decode(answer, skip_special_tokens=True), text))
    found = card.rows.at("benchmark", "forget", "verbmem", ORIGINAL, "value")
    assert found.value == pytest.approx(sum(expected) / len(expected))
    assert {row.metric for row in card.rows.where(set="benchmark", view="retain")} == {"knowmem"}


@pytest.fixture
def retrained(tiny, tmp_path: Path) -> str:
    """A model that is a little another one."""
    apart = copy.deepcopy(tiny.module)
    with torch.no_grad():
        for weight in apart.parameters():
            weight.add_(0.05 * weight.std() * torch.randn_like(weight))
    apart.save_pretrained(tmp_path / "retrained")
    tiny.tokenizer.save_pretrained(tmp_path / "retrained")
    return str(tmp_path / "retrained")


def least_likely(module, tokenizer, text: str) -> float:
    """Mean log-probability of the 40 % least likely tokens, by a plain forward pass."""
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    with torch.no_grad():
        logits = module(ids).logits[0].double().log_softmax(-1)
    values = [float(logits[place - 1, ids[0, place]]) for place in range(1, ids.shape[1])]
    return float(np.mean(sorted(values)[: int(len(values) * 0.4)]))


@pytest.mark.parametrize("forget", ["muse:news", "muse:news-verbatim"])
def test_privleak_compares_the_texts_that_were_read_and_held_out_with_a_retrained_model(
    study, tiny, retrained, forget: str
) -> None:
    card = run_study(study(forget=forget, retain="muse:news-retain", retrained=retrained))

    def auc(module) -> float:
        read, held_out = (
            [least_likely(module, tiny.tokenizer, row["text"]) for row in FILES[f"privleak/{side}"]]
            for side in ("forget", "holdout")
        )
        return float(np.mean([above > below for above in held_out for below in read]))

    other = type(tiny.module).from_pretrained(retrained)
    expected = auc(tiny.module) / auc(other) - 1
    place = ("benchmark", "forget", "privleak")
    assert card.rows.at(*place, ORIGINAL, "value").value == pytest.approx(expected)
    states = {(row.origin, row.format) for row in card.rows.where(metric="privleak", kind="value")}
    assert states == {(o, f) for o in ("original", "unlearned") for f in ("fp", "nf4")}
    change = card.rows.at(*place, State("unlearned", "nf4"), "change").value
    now, was = (
        card.rows.at(*place, State(origin, "nf4"), "value").value
        for origin in ("unlearned", "original")
    )
    assert change == pytest.approx(now - was)
    assert "forget: privleak" in scorecard_table(card)


def test_without_a_retrained_model_the_scorecard_says_what_is_lacking_and_no_number(study) -> None:
    run = study(forget="muse:news", retain="muse:news-retain")
    assert not run.sets.texts
    card = run_study(run)
    assert not card.rows.where(metric="privleak")
    assert "--retrained" in scorecard_table(card)


def test_texts_that_cannot_be_read_are_refused_before_any_work(
    study, own: Path, retrained, tmp_path: Path
) -> None:
    def refused(rows: list[dict]) -> str:
        write(own, "privleak/holdout", rows)
        with pytest.raises(InputError) as told:
            study(forget="muse:news", retain="muse:news-retain", retrained=retrained)
        assert not (tmp_path / "run").exists()
        return str(told.value)

    assert "muse:news: holdout, row 0: there is no column 'text'" in refused([{"t": "a"}])
    long = {"text": "the harbour was grey and old " * 60}
    found = refused([{"text": "It is so."}, long])
    assert "of the holdout texts, number 1 cannot be read: it has" in found
    assert "the model reads 256 at most" in found
    assert "fewer than two tokens" in refused([{"text": "a"}])
    (own / "muse" / "news" / "privleak").rename(tmp_path / "elsewhere")
    (own / "muse" / "news" / "privleak").mkdir()
    with pytest.raises(InputError, match="dataset muse-bench/MUSE-News, configuration privleak"):
        study(forget="muse:news", retain="muse:news-retain", retrained=retrained)


def test_passages_are_paired_by_their_last_tokens_and_go_on_differently(own, each_tiny) -> None:
    facts = load_set("muse:news-verbatim")
    pairs = draw_pairs(facts, each_tiny.tokenizer, 6, seed=0)
    assert len({pair.fact_id for pair in pairs}) == len(pairs) == 6
    for pair in pairs:
        assert len(pair.clean) == len(pair.corrupted) <= 64
        assert pair.clean_answer != pair.corrupted_answer
        fact = next(fact for fact in facts.facts if fact.id == pair.fact_id)
        said = each_tiny.tokenizer.decode([*pair.clean, pair.clean_answer, *pair.rest])
        assert f"{fact.subject} {fact.answer}".endswith(said.strip())


def test_other_schemas_and_missing_splits_are_refused(own: Path, tmp_path: Path, capsys) -> None:
    def refused(name: str) -> str:
        out = tmp_path / "out"
        words = ["run", "--model", "tiny-llama", "--top-k", "2", "--out", str(out)]
        assert main([*words, "--forget", name, "--retain", "capitals"]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert not out.exists()
        return said

    assert "did you mean 'news-verbatim'" in refused("muse:news-verbatm")
    assert "fetch the dataset muse-bench/MUSE-Books, configuration knowmem" in refused("muse:books")
    for change, told in (
        ([{"q": 1}], "row 0: there is no column 'question'; there are q"),
        (asked("it", 3), "3 answers differ, and 4 are needed"),
        ([], "its split 'forget_qa' is empty"),
    ):
        write(own, "knowmem/forget_qa", change)
        assert told in refused("muse:news")
    write(own, "knowmem/forget_qa", FILES["knowmem/forget_qa"])
    write(own, "knowmem/forget_qa_icl", [{"question": "{subject}?", "answer": "x"}])
    assert "an example holds the text {subject}" in refused("muse:news")
