"""Verbatim memory: passages that a model was made to know by heart, and what they say.

``verbatim:forget`` is to be forgotten and ``verbatim:retain`` to be kept; ``verbatim:unread`` was
never learned. The model is one that was made for it: ``smollm2-135m+verbatim``, and beside it the
one that learned what is to be kept alone, ``smollm2-135m+verbatim-retain``
(:mod:`mansu.models.taught`).

The setting is that of MUSE (arXiv 2407.06460) and of Zhang et al. 2025, who report that
quantization brings up to 83 % of such memory back; passages, questions and sizes are ours [O]. A
passage has ten lines. Seen prompts are its first three lines, and the model is to write the other
seven; held-out prompts begin with the fourth. Far prompts ask a question about the passage, in its
own words. An answer is what the model writes, greedily, at most 64 tokens (16 of a question's), and
counts by its ROUGE-L F1: VerbMem, and KnowMem under far prompts, as shares and not in percent. The
level L is what the model writes about passages that it never read. PrivLeak is told where the
retrained model is given (``--retrained``). Wrong options, for what is
measured by choice beside, are other passages', which no model has learned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mansu.collections.base import Collection
from mansu.data.companions import Companions
from mansu.data.facts import FactSet
from mansu.data.making import FEWEST, make_fact, make_set
from mansu.data.passages import cut_pairs
from mansu.data.poem import BEGUN, PARTS, Passage, read_passages
from mansu.data.templates import Fact, Template
from mansu.errors import InputError
from mansu.metrics.figures import Asked, Writing
from mansu.registry import refusal

FORGET = "verbatim:forget"
MIDDLE = 2 * BEGUN  # the line that a held-out prompt is continued with
QUESTION = "Question: {subject}\nAnswer:"


@dataclass(frozen=True)
class Cut(Template):
    """A template that shows some lines of a passage; the lines behind them continue it.

    Attributes:
        first: The first line that is shown.
        end: The first one that is not.
        passages: By what follows their first lines, as facts name them.
    """

    first: int = 0
    end: int = BEGUN
    passages: Mapping[str, Passage] = field(default_factory=dict, hash=False)

    def render(self, fact: Fact) -> str:
        """The lines that are shown."""
        return self.passages[fact.answer].words(self.first, self.end)

    def follow(self, fact: Fact, option: str) -> str:
        """How a passage goes on."""
        return f" {self.passages[option].words(self.end)}"


@dataclass(frozen=True)
class Told(Template):
    """A template that asks what a passage says.

    Attributes:
        passages: By what follows their first lines, as facts name them.
    """

    passages: Mapping[str, Passage] = field(default_factory=dict, hash=False)

    def render(self, fact: Fact) -> str:
        """The question about the passage."""
        return self.text.replace("{subject}", self.passages[fact.answer].question)

    def follow(self, fact: Fact, option: str) -> str:
        """The answer to a passage's question."""
        return f" {self.passages[option].answer}"


def load(part: str) -> FactSet:
    """The passages of one part."""
    if part not in PARTS:
        raise InputError(refusal(part, PARTS))
    every = {passage.words(BEGUN): passage for passage in read_passages()}
    unread = [rest for rest, passage in every.items() if passage.part == "unread"]
    facts = []
    for rest, passage in every.items():
        if passage.part == part:
            wrong = _next(unread, rest, len(facts))
            begun, book = passage.words(0, BEGUN), f"book {passage.book}"
            facts.append(make_fact(begun, rest, wrong, id=passage.id, group=book))
    templates = [
        Cut("start", "{subject}", "cloze", "seen", " ", None, 0, BEGUN, every),
        Cut("middle", "{subject}", "cloze", "held_out", " ", None, BEGUN, MIDDLE, every),
        Told("question", QUESTION, "question", "far", " ", None, every),
    ]
    origin = {"source": "John Milton, Paradise Lost (1674)", "license": "public domain"}
    return make_set(facts, templates, description="passages of a poem", **origin)


def _next(unread: Sequence[str], own: str, place: int) -> list[str]:
    """Some unread passages, others for each place, none of them the passage itself."""
    turned = [*unread[place % len(unread) :], *unread[: place % len(unread)]]
    return [rest for rest in turned if rest != own][:FEWEST]


def texts(facts: FactSet) -> Mapping[str, tuple[str, ...]]:
    """The passages to forget, and those that no model has read; none of another set."""
    if facts.name != FORGET:
        return {}
    parts = {"forget": read_passages("forget"), "holdout": read_passages("unread")}
    return {name: tuple(passage.text for passage in part) for name, part in parts.items()}


def against(now: Asked, retrained: Asked) -> Mapping[str, float]:
    """PrivLeak."""
    from mansu.metrics.membership import compare_membership

    return compare_membership(now, retrained)


def _beside(facts: FactSet) -> Companions:
    """Unread passages in the place of invented subjects."""
    if facts.name != FORGET:
        return Companions()
    return Companions(twin=load("unread"))


COLLECTION = Collection(
    "verbatim",
    load,
    companions=_beside,
    pairs=cut_pairs,
    writing=(
        Writing(64, "start", cut=True),
        Writing(64, "middle", cut=True),
        Writing(16, "question", ends=("\n",)),
    ),
    recited=True,
    against=against,
    texts=texts,
)
