"""TOFU: questions about 200 authors who do not exist, and about real ones and the world.

``tofu:forget01``, ``tofu:forget05`` and ``tofu:forget10`` are to be forgotten; ``tofu:retain`` is
what the benchmark measures retention on; ``tofu:real`` has ``tofu:real_authors`` and
``tofu:world_facts``. The model is one that was trained on all of it.

Source: Maini et al. 2024 (arXiv 2401.06121); the dataset ``locuslab/TOFU``, configurations
``forget10_perturbed`` and so on, whose one split is ``train``. A question offers the answer among
the wrong ones that the dataset has. Figures (:mod:`mansu.metrics.truth`): probability, ROUGE-L
recall of at most 128 tokens, truth ratio, of which retain and utility sets give the model utility;
forget quality where a retrained model is given (``--retrained``).
The authors put questions through each model's own chat form; here all are asked in one [O].
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from mansu.collections.base import Collection, sets_folder
from mansu.data.facts import FactSet
from mansu.data.making import FEWEST, make_fact, make_set
from mansu.data.rows import Source, read_rows, text_at, texts_at
from mansu.data.sentences import ASKED, paraphrased, renamed_pairs
from mansu.data.templates import Fact
from mansu.errors import InputError
from mansu.metrics.figures import Asked, Figure, Writing
from mansu.metrics.truth import (
    forget_quality,
    model_utility,
    normalized_probability,
    rate_truth,
    truth_ratio,
)
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
    found = [one for name in parts for one in _facts(name)]
    fewest = min(len(fact.distractors) for fact, _ in found)
    if fewest < FEWEST:
        raise InputError(f"a question has {fewest} wrong answers, and {FEWEST} are needed.")
    facts = [fact for fact, _ in found if len(fact.distractors) == fewest]
    told = f"{len(facts)} questions with {fewest} wrong answers each"
    left = len(found) - len(facts)
    told += f"; {left} with more left out" if left else ""
    templates = [ASKED]
    if part in AUTHORS:
        templates.append(paraphrased({fact.id: other for fact, other in found}))
    origin = {"source": "locuslab/TOFU (arXiv 2401.06121)", "license": "MIT"}
    return make_set(facts, templates, description=told, **origin)


def _facts(part: str) -> list[tuple[Fact, str]]:
    """Facts of a part, each with its answer in other words."""
    name = f"{part}_perturbed"
    rows = read_rows(Source(sets_folder() / "tofu" / name, "locuslab/TOFU", name, "train"))
    return [_fact(row, part, number) for number, row in enumerate(rows)]


def _fact(row: Mapping[str, Any], part: str, number: int) -> tuple[Fact, str]:
    where = f"{part}, row {number}"
    question, answer = (text_at(row, name, where) for name in ("question", "answer"))
    wrong = [text for text in texts_at(row, "perturbed_answer", where) if text != answer]
    wrong = list(dict.fromkeys(wrong))
    author = part in AUTHORS
    other = text_at(row, "paraphrased_answer", where) if author else answer
    group = f"author {number // A_GROUP + 1}" if author else part
    return make_fact(question, answer, wrong, id=f"{part} {number}", group=group), other


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
        ratios = truth_ratio(asked.right(told), asked.wrong(told))
        better = "closer_to_1" if asked.role == "forget" else "true_better"
        yield Figure("truth_ratio", rate_truth(ratios, better), told, part)


def against(now: Asked, retrained: Asked) -> Mapping[str, float]:
    """Forget quality."""
    told, models = now.under("paraphrased"), (now, retrained)
    ratios = (truth_ratio(one.right(told), one.wrong(told), "geometric") for one in models)
    return {"forget_quality": forget_quality(*ratios)}


def overall(means: Mapping[tuple[str, str], float]) -> Mapping[str, float]:
    """Model utility, where all that it is made of was measured."""
    if any(place not in means for place in KEPT):
        return {}
    return {"model_utility": model_utility([means[place] for place in KEPT])}


COLLECTION = Collection(
    "tofu",
    load,
    pairs=renamed_pairs,
    every_option=True,
    writing=(Writing(128, "asked", stemmed=True),),
    figures=figures,
    against=against,
    overall=overall,
)
