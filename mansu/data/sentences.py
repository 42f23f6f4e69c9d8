"""Questions that are answered by sentences, and the same answers in other words."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mansu.data.facts import FactSet
from mansu.data.making import FEWEST, make_fact
from mansu.data.pairs import Pair, Prompt, first_pairs, pair_of, prompt_of
from mansu.data.templates import Fact, Template
from mansu.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TEXT = "Question: {subject}\nAnswer:"
ASKED = Template("asked", TEXT, "question", "seen", joint=" ")


@dataclass(frozen=True)
class Paraphrased(Template):
    """A template whose facts are answered in other words; wrong options stay as they are.

    Attributes:
        paraphrases: The right answer in other words, by the fact's id.
        rewordings: The question in other words, where it is another one.
    """

    paraphrases: Mapping[str, str] = field(default_factory=dict, hash=False)
    rewordings: Mapping[str, str] = field(default_factory=dict, hash=False)

    def render(self, fact: Fact) -> str:
        """The question."""
        asked = self.rewordings.get(fact.id, fact.subject)
        return self.text.replace("{subject}", asked)

    def follow(self, fact: Fact, option: str) -> str:
        """The option, the right one in other words."""
        return super().follow(fact, self.paraphrases[fact.id] if option == fact.answer else option)


def paraphrased(
    name: str, paraphrases: Mapping[str, str], rewordings: Mapping[str, str] | None = None
) -> Paraphrased:
    """Questions, or the same in other words, for answers in other words.

    Args:
        name: The template's id.
        paraphrases: The right answers, by fact.
        rewordings: The questions, where they are other ones.
    """
    words = rewordings or {}
    return Paraphrased(name, TEXT, "question", "held_out", " ", None, paraphrases, words)


def renamed_pairs(
    facts: FactSet,
    tokenizer: "PreTrainedTokenizerBase",
    count: int,
    seed: int,
    pool: Sequence[Fact] = (),
) -> tuple[Pair, ...]:
    """Draws pairs of a question and the same question about somebody else, each at most once.

    Who a question is about is told by the group: the words, each with a capital, that most of its
    questions share. The other one is of another group, with a name of as many tokens. The answers
    part where the right one and a wrong one do. [O]

    Args:
        facts: The questions.
        tokenizer: The model's.
        count: Pairs wanted.
        seed: Seed of the draw.
        pool: Further facts, of other people, whose names may stand in.

    Raises:
        InputError: ``count`` is not positive, or no question names somebody for whom another
            group's name could stand.
    """
    names = find_names(facts.facts)
    others = [*names.values(), *find_names(pool).values()]
    pairs = _renamed_all(facts.facts, names, others, tokenizer, random.Random(seed))
    if found := first_pairs(pairs, count):
        return found
    raise InputError(
        f"The set {facts.name!r} gives no clean/corrupted pair: no question names somebody for "
        "whom a name of as many tokens stands in another group; choose another set or model."
    )


def open_facts(told: Sequence[tuple[str, ...]]) -> list[Fact]:
    """Facts of a dataset without wrong answers: each has those of the questions that come next.

    Args:
        told: Question and answer of each row.

    Raises:
        InputError: Too few answers differ.
    """
    answers = [answer for _, answer in told]
    if len(set(answers)) <= FEWEST:
        raise InputError(f"{len(set(answers))} answers differ, and {FEWEST + 1} are needed.")
    facts = []
    for place, (subject, answer) in enumerate(told):
        others = dict.fromkeys((*answers[place + 1 :], *answers[:place]))
        wrong = [text for text in others if text != answer][:FEWEST]
        facts.append(make_fact(subject, answer, wrong, id=f"row {place}"))
    return facts


def find_names(facts: Sequence[Fact]) -> dict[str, str]:
    """Whom the questions of each group are about; nobody where no two of them share a name."""
    groups: dict[str, list[str]] = {}
    for fact in facts:
        groups.setdefault(fact.group or "", []).append(fact.subject)
    everywhere = Counter(n for asked in groups.values() for n in {*_capitals(asked)})
    found = {}
    for group, asked in groups.items():
        shared = Counter(name for name in _capitals(asked) if everywhere[name] == 1)
        likely = [name for name, times in shared.items() if times > 1]
        if likely:
            most = max(likely, key=lambda name: (shared[name], len(name.split())))
            whole = [name for name in likely if most in name]  # with a first name, if said
            found[group] = max(whole, key=lambda name: len(name.split()))
    return found


def _capitals(questions: Sequence[str]) -> Iterator[str]:
    """Every run of capitalised words of each question, once a question; not its first word."""
    for question in questions:
        words = [word.strip('?,.;:"()') for word in question.split()]
        words = [word.removesuffix("'s").removesuffix("’s") for word in words]
        runs = {
            " ".join(words[first:end])
            for first in range(1, len(words))
            for end in range(first + 1, len(words) + 1)
            if all(word[:1].isupper() for word in words[first:end])
        }
        yield from runs


def _renamed_all(
    facts: Sequence[Fact],
    names: Mapping[str, str],
    others: list[str],
    tokenizer: "PreTrainedTokenizerBase",
    rng: random.Random,
) -> Iterator[Pair]:
    """Of each question the pair whose answers part first."""
    for fact in rng.sample(facts, len(facts)):
        rng.shuffle(others)
        if pairs := [*_renamed(fact, names, others, tokenizer)]:
            yield min(pairs, key=lambda pair: len(pair.clean))


def _renamed(
    fact: Fact,
    names: Mapping[str, str],
    others: Sequence[str],
    tokenizer: "PreTrainedTokenizerBase",
) -> Iterator[Pair]:
    """Pairs with the first of the other names that has as many tokens."""
    own = names.get(fact.group or "")
    clean = prompt_of(ASKED, fact, tokenizer) if own and own in fact.subject else None
    if own is None or clean is None:
        return
    for name in others:
        other = prompt_of(ASKED, replace(fact, subject=fact.subject.replace(own, name)), tokenizer)
        if name == own or other is None or len(other.tokens) != len(clean.tokens):
            continue
        for wrong in fact.distractors:
            said = prompt_of(ASKED, replace(fact, answer=wrong), tokenizer)
            if said is not None and said.tokens == clean.tokens:
                pair = pair_of(ASKED, clean, Prompt(fact.id, other.tokens, said.answer))
                if pair is not None:
                    yield pair
        return
