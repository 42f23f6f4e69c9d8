"""What a collection is, as far as a study must know.

Whatever it is made of, a study is given a set of it as facts and the templates that ask for them
(:class:`mansu.data.facts.FactSet`). A template says how a fact is put into words and what continues
it where an option is the answer, so it is the template that tells a sentence to complete from
options behind letters; what is trained on, what is asked, and what could be answered without
knowing follow from it. All of it is multiple choice, and is scored as such (``mansu.metrics.mcq``);
what a benchmark measures beside that is made of the same answers, and of what the model writes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mansu.data.companions import Companions
from mansu.data.facts import FactSet
from mansu.data.pairs import Pair, build_pairs
from mansu.data.templates import Fact

if TYPE_CHECKING:  # who only names a set needs no library that computes
    from transformers import PreTrainedTokenizerBase

    from mansu.metrics.figures import Asked, Figure, Writing

    Pairs = Callable[[FactSet, PreTrainedTokenizerBase, int, int, Sequence[Fact]], tuple[Pair, ...]]


def _alone(_facts: FactSet) -> Companions:
    return Companions()


@dataclass(frozen=True)
class Collection:
    """Sets of questions under one name.

    Attributes:
        name: What stands before the colon: ``wmdp`` in ``wmdp:bio``.
        load: The set that stands behind the colon.

            Raises:
                InputError: There is none, or it cannot be read.
        companions: What belongs to a set that is to be forgotten; nothing, where not said.

            Raises:
                InputError: It does not fit the set.
        pairs: Clean/corrupted prompts of a set, so many, for attribution: set, tokenizer, count,
            seed, pool. Where not said, another subject in the same words.

            Raises:
                InputError: The set gives no pair with this tokenizer.
        masked: Whether none of its texts may be shown.
        every_option: Whether a question offers all options of a fact, as many of each, or four.
        writing: How a model answers in its own words, under the templates where that is measured.
        recited: Whether that takes the place of the choice among options, question by question,
            and so of accuracy: ROUGE-L F1.
        figures: The benchmark's own figures of a set, as it was asked; None where it has none, as
            of the next two.
        against: Figures of the forget set beside a model that was trained without it, by name: as
            the one was asked, and the other.
        texts: Texts that ``against`` asks about beside questions, by name; every token's likelihood
            is measured where such a model is given.

            Raises:
                InputError: They cannot be read.
        overall: Figures of all sets together, by their names: from the means of the others, by role
            or part and name; none where one of them is missing.
    """

    name: str
    load: Callable[[str], FactSet]
    companions: Callable[[FactSet], Companions] = _alone
    pairs: "Pairs" = build_pairs
    masked: bool = False
    every_option: bool = False
    writing: "tuple[Writing, ...]" = ()
    recited: bool = False
    figures: "Callable[[Asked], Iterable[Figure]] | None" = None
    against: "Callable[[Asked, Asked], Mapping[str, float]] | None" = None
    texts: Callable[[FactSet], Mapping[str, tuple[str, ...]]] | None = None
    overall: Callable[[Mapping[tuple[str, str], float]], Mapping[str, float]] | None = None
