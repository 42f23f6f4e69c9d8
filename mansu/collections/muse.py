"""MUSE: news or books that a model has read, asked about and recited.

``muse:news`` and ``muse:books`` are questions about what is to be forgotten, ``muse:news-retain``
and ``muse:books-retain`` about what is to be kept; ``muse:news-verbatim`` and
``muse:books-verbatim`` are passages to be forgotten. The model is one that has been trained on the
texts.

Source: Shi et al. 2024 (arXiv 2407.06460); the datasets ``muse-bench/MUSE-News`` and
``muse-bench/MUSE-Books``, configurations ``knowmem``, ``verbmem`` and ``privleak``. Figures, as
shares and not in percent: KnowMem, ROUGE-L F1 of 32 tokens behind the dataset's own examples;
VerbMem, ROUGE-L F1 of 128 tokens against as many of the passage; PrivLeak
(:mod:`mansu.metrics.membership`) where a retrained model is given (``--retrained``), over the texts
that were read and those that were held out. The dataset has no wrong answers: a question's are
those of the next questions [O].
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mansu.collections.base import Collection
from mansu.data.facts import FactSet
from mansu.data.making import make_set
from mansu.data.pairs import Pair, build_pairs
from mansu.data.passages import PASSAGE, cut_pairs
from mansu.data.rows import Source, columns_of, read_rows, text_at
from mansu.data.sentences import ASKED, TEXT, open_facts
from mansu.data.templates import Fact, Template
from mansu.errors import InputError
from mansu.metrics.figures import Asked, Figure, Writing
from mansu.paths import sets_folder
from mansu.registry import refusal

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

HUBS = {"news": "muse-bench/MUSE-News", "books": "muse-bench/MUSE-Books"}
KINDS = ("", "-retain", "-verbatim")
SPLITS = ("forget", "holdout")
ENDS = ("\n\n", "\nQuestion", "Question:")


def load(part: str) -> FactSet:
    """Questions or passages of one corpus."""
    corpus, _, kind = part.partition("-")
    if part not in (known := [name + kind for name in HUBS for kind in KINDS]):
        raise InputError(refusal(part, known))
    if kind == "verbatim":
        rows, templates = _rows(corpus, "verbmem", "forget"), [PASSAGE]
        told = columns_of(rows, "prompt", "gt")
    else:
        split = f"{kind or 'forget'}_qa"
        examples = columns_of(_rows(corpus, "knowmem", f"{split}_icl"), "question", "answer")
        told = columns_of(_rows(corpus, "knowmem", split), "question", "answer")
        templates = [_behind(examples)]
    source = f"{HUBS[corpus]} (arXiv 2407.06460)"
    return make_set(open_facts(told), templates, source=source)


def _rows(corpus: str, name: str, split: str) -> Sequence[dict[str, Any]]:
    return read_rows(Source(sets_folder() / "muse" / corpus / name, HUBS[corpus], name, split))


def _behind(examples: Sequence[tuple[str, ...]]) -> Template:
    """The question behind examples."""
    shown = "".join(f"Question: {asked}\nAnswer: {said}\n\n" for asked, said in examples)
    if "{subject}" in shown:
        raise InputError("an example holds the text {subject}; change it.")
    return Template(ASKED.id, shown + TEXT, "question", "seen", joint=" ")


def draw_pairs(
    facts: FactSet,
    tokenizer: "PreTrainedTokenizerBase",
    count: int,
    seed: int,
    pool: Sequence[Fact] = (),
) -> tuple[Pair, ...]:
    """Passages are cut to one length; questions are paired with others as long."""
    draw = cut_pairs if facts.seen == (PASSAGE,) else build_pairs
    return draw(facts, tokenizer, count, seed, pool)


def figures(asked: Asked) -> Iterable[Figure]:
    """KnowMem or VerbMem."""
    if asked.written is not None:
        for name, template in (("knowmem", ASKED), ("verbmem", PASSAGE)):
            places = asked.under(template.id)
            if len(places):
                yield Figure(name, asked.written.f1, places)


def texts(facts: FactSet) -> Mapping[str, tuple[str, ...]]:
    """What the corpus' forget set is told from: texts that were read, and texts that were not.

    What is to be kept is told from none.
    """
    corpus, _, kind = facts.name.partition(":")[2].partition("-")
    if kind == "retain":
        return {}
    found = {split: _rows(corpus, "privleak", split) for split in SPLITS}
    return {
        split: tuple(text_at(row, "text", f"{split}, row {n}") for n, row in enumerate(rows))
        for split, rows in found.items()
    }


def against(now: Asked, retrained: Asked) -> Mapping[str, float]:
    """PrivLeak."""
    from mansu.metrics.membership import compare_membership

    return compare_membership(now, retrained)


COLLECTION = Collection(
    "muse",
    load,
    pairs=draw_pairs,
    writing=(Writing(32, ASKED.id, ENDS), Writing(128, PASSAGE.id, cut=True)),
    figures=figures,
    against=against,
    texts=texts,
)
