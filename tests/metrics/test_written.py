"""What a model writes, and how much of the answer is in it."""

import pytest

from mansu.data import load_fact_set
from mansu.data.items import build_items
from mansu.metrics.figures import Writing
from mansu.metrics.generation import continue_prompt
from mansu.metrics.written import compare, write


def test_recall_and_f1_are_those_of_the_longest_common_run_of_words() -> None:
    answer = "The harbour of Ulm was built by sailors."  # eight words
    texts = [answer, "The harbour was built, by the sea, by sailors.", "Nobody knows.", ""]
    found = compare(texts, [answer] * 4, stemmed=False)
    assert found.recall == pytest.approx([1, 6 / 8, 0, 0])
    assert found.f1 == pytest.approx([1, 2 * 6 / (8 + 9), 0, 0])
    assert found.texts == tuple(texts)


def test_stems_count_where_they_are_asked_for() -> None:
    plain, stemmed = (compare(["he wrote novels"], ["a novel"], stem) for stem in (False, True))
    assert plain.recall.tolist() == [0]
    assert stemmed.recall == pytest.approx([0.5])


def test_an_answer_is_what_the_model_goes_on_with_up_to_what_ends_it(each_tiny) -> None:
    facts = load_fact_set("capitals")
    items = build_items(facts.facts[:6], facts.templates[:2], seed=0)
    told: list[tuple[int, int]] = []
    whole = write(each_tiny, items, Writing(6, "any"), lambda *done: told.append(done))
    for item, text in zip(items, whole.texts, strict=True):
        assert text == continue_prompt(each_tiny, item.prompt, 6).text.strip()
    assert told[-1] == (len(items), len(items))
    rights = [item.options[item.answer].strip() for item in items]
    assert whole.recall.tolist() == compare(whole.texts, rights, stemmed=False).recall.tolist()
    end = whole.texts[0][2:4]
    cut = write(each_tiny, items, Writing(6, "any", ends=(end,)))
    assert cut.texts[0] == whole.texts[0].split(end)[0].strip()
