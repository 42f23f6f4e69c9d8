"""Sets that code makes are held to what a file's are."""

import pytest

from mansu.data.making import make_fact, make_set
from mansu.data.templates import Template
from mansu.errors import InputError

SNOW = make_fact("snow", "white", ["red", "green", "blue"])
SEEN = Template("is", "{subject} is", "cloze", "seen")


def test_a_set_has_its_templates_by_role_and_a_fingerprint_of_all_that_it_asks() -> None:
    new = Template("looks", "{subject} looks", "cloze", "held_out")
    far = Template("french", "{subject} est", "french", "far")
    found = make_set([SNOW], [SEEN, new, far], description="Colours.")
    assert (found.seen, found.held_out, found.far) == ((SEEN,), (new,), (far,))
    assert found.description == "Colours."
    others = [
        make_set([SNOW], [SEEN, new]),
        make_set([make_fact("snow", "grey", ["red", "green", "blue"])], [SEEN, new, far]),
        make_set([make_fact("snow", "white", ["red", "green", "pink"])], [SEEN, new, far]),
        make_set([make_fact("snow", "white", ["red", "green", "blue"], id="x")], [SEEN, new, far]),
    ]
    prints = {found.fingerprint, *(other.fingerprint for other in others)}
    assert len(prints) == 5
    assert make_set([SNOW], [SEEN, new, far]).fingerprint == found.fingerprint


def test_a_fact_is_called_by_its_subject_and_lists_its_answer_in_its_place() -> None:
    assert SNOW.id == "snow"
    assert SNOW.listed == ("white", "red", "green", "blue")
    third = make_fact("snow", "white", ["red", "green", "blue"], id="x", place=2)
    assert (third.id, third.listed) == ("x", ("red", "green", "white", "blue"))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((" ", "a", ["b", "c", "d"]), "blank subject or option"),
        (("s", "a", ["b", "", "d"]), "blank subject or option"),
        (("s", "a", ["b", "c"]), "at least 3 wrong answers"),
        (("s", "a", ["b", "c", "a "]), "two options that are alike"),
    ],
)
def test_a_fact_that_is_none_is_refused(given: tuple, told: str) -> None:
    with pytest.raises(InputError, match=told):
        make_fact(*given)


@pytest.mark.parametrize(
    ("facts", "templates", "told"),
    [
        ([], [SEEN], "has no facts"),
        ([SNOW], [], "no template that training sees"),
        (
            [SNOW],
            [Template("is", "{subject} is", "cloze", "held_out")],
            "template that training sees",
        ),
        ([SNOW, SNOW], [SEEN], "the fact id 'snow' twice"),
        ([SNOW], [SEEN, SEEN], "the template id 'is' twice"),
        ([SNOW], [Template("is", "it is", "cloze", "seen")], "must contain {subject} exactly once"),
        (
            [SNOW],
            [SEEN, Template("c", "{subject}", "chat", "far")],
            "begin the reply",
        ),
        ([SNOW], [SEEN, Template("c", "{subject}", "cloze", "far")], 'go with "role": "far"'),
    ],
)
def test_a_set_that_is_none_is_refused(facts: list, templates: list, told: str) -> None:
    with pytest.raises(InputError) as refused:
        make_set(facts, templates)
    assert told in str(refused.value)
