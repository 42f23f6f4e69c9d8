"""TOFU: questions about 200 authors who do not exist, and about real ones and the world.

``tofu:forget01``, ``tofu:forget05`` and ``tofu:forget10`` are to be forgotten; ``tofu:retain`` is
what the benchmark measures retention on; ``tofu:real`` has ``tofu:real_authors`` and
``tofu:world_facts``. The model is one that was trained on all of it.

Source: Maini et al. 2024 (arXiv 2401.06121); the dataset ``locuslab/TOFU``, configurations
``forget10_perturbed`` and so on, whose one split is ``train``. A question offers the answer among
the wrong ones that the dataset has. Held out are the same question, for the answer in other words,
and the question in other words. Figures (:mod:`mansu.metrics.truth`): probability, ROUGE-L recall
of at most 128 new tokens, truth ratio, of which retain and utility sets give the model utility;
the truth ratio as a share of what is known (``truth_known``); forget quality where a retrained
model is given (``--retrained``).

What differs from the authors' code [O]: all models are asked in one form, and theirs each in its
own chat form; their losses count the token that ends an answer; they write up to 200 tokens, the
prompt's included; they measure retention on all of ``retain``, and here it is the half that is not
trained on. Both take a few hundred questions of a set (``--items``; forget quality depends on it).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from mansu.collections import load_set
from mansu.collections.base import Collection
from mansu.data.companions import Companions
from mansu.data.facts import FactSet
from mansu.data.making import make_fact, make_set
from mansu.data.rows import Source, columns_of, read_rows, texts_at
from mansu.data.sentences import ASKED, paraphrased, renamed_pairs
from mansu.errors import InputError
from mansu.metrics.figures import Asked, Figure, Writing
from mansu.metrics.truth import (
    forget_quality,
    model_utility,
    normalized_probability,
    rate_truth,
    truth_ratio,
)
from mansu.paths import sets_folder
from mansu.registry import refusal

AUTHORS = ("forget01", "forget05", "forget10", "retain")
REAL = ("real_authors", "world_facts")
A_GROUP = 20  # questions about one author
# What the authors' model utility is the harmonic mean of.
KEPT = [
    (part, name) for part in ("retain", *REAL) for name in ("probability", "rouge_l", "truth_ratio")
]


def load(part: str) -> FactSet:
    """One of the sets, or both of the real ones."""
    parts = REAL if part == "real" else (part,)
    if part not in (known := (*AUTHORS, *REAL, "real")):
        raise InputError(refusal(part, known))
    rows = [row for name in parts for row in _rows(name)]
    (count, _), *_ = Counter(len(row.wrong) for row in rows).most_common(1)
    whole = [row for row in rows if len(row.wrong) >= count]
    facts = [
        make_fact(row.question, row.answer, row.wrong[:count], id=row.id, group=row.group)
        for row in whole
    ]
    told = f"{len(facts)} questions with {count} wrong answers each"
    told += f"; {len(rows) - len(whole)} with fewer left out" if len(whole) < len(rows) else ""
    templates = [ASKED]
    if part in AUTHORS:
        others = {row.id: row.paraphrase for row in whole}
        asked = {row.id: row.rewording for row in whole}
        templates += [paraphrased("paraphrased", others), paraphrased("reworded", others, asked)]
    origin = {"source": "locuslab/TOFU (arXiv 2401.06121)", "license": "MIT"}
    return make_set(facts, templates, description=told, **origin)


@dataclass(frozen=True)
class _Row:
    id: str
    question: str
    answer: str
    wrong: list[str]
    group: str
    rewording: str = ""
    paraphrase: str = ""


def _rows(part: str) -> Iterator[_Row]:
    """The rows of a part, without white space around their texts."""
    name = f"{part}_perturbed"
    read = read_rows(Source(sets_folder() / "tofu" / name, "locuslab/TOFU", name, "train"))
    columns = ["question", "answer"]
    columns += ["paraphrased_question", "paraphrased_answer"] if part in AUTHORS else []
    for number, (row, texts) in enumerate(zip(read, columns_of(read, *columns), strict=True)):
        question, answer, *others = texts
        told = texts_at(row, "perturbed_answer", f"row {number}")
        wrong = [text.strip() for text in told if text.strip() != answer]
        group = f"author {number // A_GROUP + 1}" if others else part
        yield _Row(f"{part} {number}", question, answer, [*dict.fromkeys(wrong)], group, *others)


def _beside(facts: FactSet) -> Companions:
    """The kept authors, where they are here: their names stand for others' in pairs."""
    if facts.name.startswith("tofu:forget"):
        with suppress(InputError):
            return Companions(pool=load_set("tofu:retain"))
    return Companions()


def figures(asked: Asked) -> Iterable[Figure]:
    """Probability, ROUGE-L recall and truth ratio, as the authors' code has them."""
    for part in REAL if set(asked.groups) <= set(REAL) else ("",):
        own, other = asked.under("asked", part or None), asked.under("paraphrased")
        if not len(own):
            continue
        right, wrong = asked.right(own), asked.wrong(own)
        chances = normalized_probability(right, wrong) if part else np.exp(-right)
        yield Figure("probability", chances, own, part)
        if asked.written is not None:
            order = np.searchsorted(asked.under("asked"), own)
            yield Figure("rouge_l", asked.written.recall[order], own, part)
        told = own if part else other  # the real ones have no other words
        if not len(told):
            continue
        ratios = truth_ratio(asked.right(told), asked.wrong(told))
        rating = "closer_to_1_better" if asked.role == "forget" else "true_better"
        yield Figure("truth_ratio", rate_truth(ratios, rating), told, part)
        yield Figure("truth_known", rate_truth(ratios, "prob_mean"), told, part)


def against(now: Asked, retrained: Asked) -> Mapping[str, float]:
    """Forget quality."""
    told, models = now.under("paraphrased"), (now, retrained)
    if not len(told):
        return {}
    ratios = (truth_ratio(one.right(told), one.wrong(told)) for one in models)
    return {"forget_quality": forget_quality(*ratios)}


def overall(means: Mapping[tuple[str, str], float]) -> Mapping[str, float]:
    """Model utility, where all that it is made of was measured."""
    if any(place not in means for place in KEPT):
        return {}
    return {"model_utility": model_utility([means[place] for place in KEPT])}


COLLECTION = Collection(
    "tofu",
    load,
    companions=_beside,
    pairs=renamed_pairs,
    every_option=True,
    writing=(Writing(128, "asked", stemmed=True),),
    figures=figures,
    against=against,
    overall=overall,
)
