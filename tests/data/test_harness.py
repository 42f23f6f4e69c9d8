"""MMLU's dev questions out of the package that carries them, with made-up ones in its place."""

import sys
from pathlib import Path

import pytest

from mansu.collections import load_set
from mansu.data.harness import FOLDER, dev_rows
from mansu.errors import InputError

FILE = """\
dataset_name: made_up_subjects
description: Questions.
process: !function utils.process
fewshot_config:
  sampler: first_n
  samples:
  - question: 'How many legs has a table of the usual kind?

      (A) three (B) four, one at each
      corner (C) five (D) none'
    target: Let's think step by step. (A) is a stool. The answer is (B).
  - question: 'Which of these has five options?

      (A) this (B) that (C) those (D) these (E) none'
    target: Let's think step by step. The answer is (E).
  - question: 'Which two are alike?

      (A) one (B) one (C) two (D) three'
    target: The answer is (D).
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch) -> Path:
    """A package of the name, which must never be imported."""
    folder = tmp_path / "lm_eval" / FOLDER
    folder.mkdir(parents=True)
    (tmp_path / "lm_eval" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "lm_eval", raising=False)  # the real one, of another test
    return folder


def test_a_question_is_taken_apart_and_one_with_five_options_left_out(package: Path) -> None:
    (package / "mmlu_made_up.yaml").write_text(FILE)
    first, alike = dev_rows()
    assert first == {
        "question": "How many legs has a table of the usual kind?",
        "subject": "made_up_subjects",
        "choices": ["three", "four, one at each corner", "five", "none"],
        "answer": 1,
    }
    assert alike["answer"] == 3
    found = load_set("mmlu:dev")
    assert [fact.answer for fact in found.facts] == ["four, one at each corner"]
    assert "1 rows left out" in found.description
    assert "lm_eval" not in sys.modules


@pytest.mark.parametrize(
    ("text", "told"), [(None, "holds no question"), ("samples: [", "is damaged"), ("[]", "damaged")]
)
def test_a_package_without_the_questions_is_told(package: Path, text, told: str) -> None:
    if text is not None:
        (package / "mmlu_made_up.yaml").write_text(text)
    with pytest.raises(InputError, match=told):
        load_set("mmlu:dev")


def test_where_the_package_is_absent_the_sentence_says_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install 'mansu\\[benchmarks\\]'"):
        load_set("mmlu:dev")
