"""IFEval: replies of a whole run, judged as lm-evaluation-harness judges its own."""

import copy
import dataclasses
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from mansu.benchmarks import drawn, find_benchmark, load_tasks
from mansu.cli import main
from mansu.errors import InputError
from mansu.models import LanguageModel
from mansu.study.card_text import scorecard_table
from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.plan import make_plan
from mansu.study.run import Run
from mansu.study.stages.reply import reply
from mansu.study.state import State
from tests.study.small_sets import FAST, hurry, write_sets

for needed in ("lm_eval", "langdetect", "immutabledict"):
    pytest.importorskip(needed)

ORIGINAL = State("original", "fp")
TOKENS = 12
CHAT = "{% for m in messages %}User: {{ m['content'] }}\n{% endfor %}Reply:\n"
EMPTY = {"num_sentences": None, "relation": None, "keywords": None, "language": None}
ASKED = [
    ("punctuation:no_comma", {}),
    ("length_constraints:number_words", {"num_words": 2, "relation": "at least"}),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "less than"}),
    ("change_case:english_lowercase", {}),
    ("keywords:existence", {"keywords": ["is"]}),
    ("language:response_language", {"language": "en"}),
    ("startend:quotation", {}),
]


def rows() -> list[dict[str, Any]]:
    """Every instruction alone, and with the next; as a table has them, with None in between."""
    found = []
    for n in range(2 * len(ASKED)):
        told = [ASKED[n % len(ASKED)], ASKED[(n + 1) % len(ASKED)]][: 1 + n // len(ASKED)]
        found.append(
            {
                "key": 1000 + n,
                "prompt": f"Write of element {n}. {told[0][0]}\n",
                "instruction_id_list": [name for name, _ in told],
                "kwargs": [{**EMPTY, **given} for _, given in told],
            }
        )
    return found


def write(folder: Path, lines: list[dict]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "train.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's own, and NLTK's data without a rule of any language."""
    monkeypatch.setenv("MANSU_SETS", str(tmp_path / "sets"))
    rules = tmp_path / "nltk" / "tokenizers" / "punkt_tab" / "english"
    rules.mkdir(parents=True)
    for name in ("collocations.tab", "sent_starters.txt", "abbrev_types.txt", "ortho_context.tab"):
        (rules / name).touch()
    import nltk

    monkeypatch.setattr(nltk.data, "path", [str(tmp_path / "nltk")])
    write(tmp_path / "sets" / "ifeval", rows())
    return tmp_path / "sets" / "ifeval"


@pytest.fixture(params=[None, CHAT], ids=["plain", "chat"])
def model(request, tiny) -> LanguageModel:
    """With and without a chat template."""
    tokenizer = copy.deepcopy(tiny.tokenizer)
    tokenizer.chat_template = request.param
    return dataclasses.replace(tiny, tokenizer=tokenizer)


@pytest.fixture
def study(own: Path, tmp_path: Path, monkeypatch) -> Callable[..., Run]:
    hurry(monkeypatch)

    def opened(model: LanguageModel | None, **values: Any) -> Run:
        given = {**FAST, **write_sets(tmp_path), "benchmarks": "ifeval", "reply_tokens": TOKENS}
        config = make_config({**given, **values})
        return Run(config, Folders(tmp_path / "run", tmp_path / "run" / "shared"), model=model)

    return opened


def harness(model: LanguageModel, file: Path, chats: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Reply and metrics of every prompt, by the harness's own task on a file."""
    import lm_eval
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager
    from lm_eval.tasks.ifeval.utils import agg_inst_level_acc, process_results

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    text = (Path(lm_eval.__file__).parent / "tasks" / "ifeval" / "ifeval.yaml").read_text()
    task = yaml.safe_load(text.replace("!function", ""))
    task |= {
        "task": "own_ifeval",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"train": str(file)}},
        "process_results": process_results,
        "generation_kwargs": {**task["generation_kwargs"], "max_gen_toks": TOKENS},
    }
    for metric in task["metric_list"]:
        if metric["metric"].startswith("inst"):
            metric["aggregation"] = agg_inst_level_acc
    wrapped = HFLM(pretrained=model.module, tokenizer=model.tokenizer, batch_size=1)
    found = simple_evaluate(
        wrapped,
        tasks=[task],
        task_manager=TaskManager(include_defaults=False),
        apply_chat_template=chats,
        bootstrap_iters=0,
    )
    assert found is not None
    for sample in sorted(found["samples"]["own_ifeval"], key=lambda sample: sample["doc_id"]):
        metrics = {metric["metric"]: sample[metric["metric"]] for metric in task["metric_list"]}
        yield sample["filtered_resps"][0], metrics


def test_every_reply_is_the_harness_s_and_is_judged_as_there(study, own, model) -> None:
    run = study(model)
    card = run_study(run)
    found = reply(run, ORIGINAL, "ifeval")
    theirs = [*harness(model, own / "train.jsonl", model.tokenizer.chat_template is not None)]
    assert len(theirs) == len(rows())
    assert [*found.texts] == [text for text, _ in theirs]
    assert len(set(found.texts)) > 3
    assert len(found.values) == 4
    for figure, values in found.values.items():
        each = [metrics[figure] for _, metrics in theirs]
        flat = [
            one for judged in each for one in (judged if isinstance(judged, list) else [judged])
        ]
        assert values.tolist() == flat
        assert 0 < values.mean() < 1
        row = card.rows.at("benchmark", "ifeval", figure, ORIGINAL, "value")
        assert row.value == pytest.approx(np.mean(flat))
        assert row.low < row.value < row.high
    assert len(found.values["inst_level_loose_acc"]) == 21  # of 14 prompts
    for state in card.rows.states:
        assert card.rows.at("benchmark", "ifeval", "inst_level_strict_acc", state, "value")
        if state.origin == "unlearned":
            now, was = (
                reply(run, one, "ifeval").values["inst_level_strict_acc"]
                for one in (state, State("original", state.format))
            )
            place = ("benchmark", "ifeval", "inst_level_strict_acc")
            change = card.rows.at(*place, state, "change")
            assert change.value == pytest.approx(now.mean() - was.mean())
    assert "ifeval: prompt level strict acc" in scorecard_table(card)
    assert card.versions["ifeval"] == find_benchmark("ifeval").version() == "4.0"


def test_as_many_prompts_as_items_are_asked_and_the_plan_counts_their_replies(study, tiny) -> None:
    run = study(tiny, items=5)
    found = reply(run, ORIGINAL, "ifeval")
    tasks = load_tasks("ifeval")
    assert len(found.texts) == 5
    places = [task.row["key"] for task in drawn(tasks, 5)]
    assert places == sorted(places) != [0, 1, 2, 3, 4]
    assert drawn(tasks, 99) == tasks
    batches = make_plan(run.config).workload.spoken
    assert sum(batch.prompts for batch in batches if batch.new == TOKENS) == 5


def test_what_cannot_be_judged_or_read_is_refused_before_any_work(
    study, own: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    def refused(change: list[dict] | None = None, **values: Any) -> str:
        write(own, rows() if change is None else change)
        with pytest.raises(InputError) as told:
            study(None, **values)
        assert not (tmp_path / "run").exists()
        return str(told.value)

    first = rows()[0]
    assert "ifeval: row 0: there is no column 'prompt'" in refused([{"p": 1}])
    assert "must be a text that is not blank" in refused([first | {"prompt": " "}])
    assert "an object for each" in refused([first | {"kwargs": []}])
    assert "an object for each" in refused([first | {"kwargs": [], "instruction_id_list": []}])
    unknown = [first | {"instruction_id_list": ["dance:now"]}]
    assert "the harness cannot judge it (KeyError" in refused(unknown)
    assert "its split 'train' is empty" in refused([])
    told = refused(reply_tokens=250)
    assert "ifeval: of the prompts, number 0 cannot be read" in told
    assert "lower reply_tokens" in told
    import nltk

    monkeypatch.setattr(nltk.data, "path", [])
    assert "python -m nltk.downloader punkt_tab" in refused()
    found = ["run", "--benchmarks", "ifevil", "--out", str(tmp_path / "out")]
    assert main(found) == 2
    assert "did you mean 'ifeval'?" in capsys.readouterr().err
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'mansu[benchmarks]'" in refused()
