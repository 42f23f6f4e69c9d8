"""What a model writes when it is asked, held against what it should write: ROUGE-L.

For answers of a sentence, which no option stands for. Source: Lin 2004, by the package rouge-score;
TOFU (arXiv 2401.06121) takes the recall of stemmed words, MUSE (arXiv 2407.06460) the F1 of words
as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mansu.data.encoding import token_ids
from mansu.data.items import Item
from mansu.metrics.figures import Writing
from mansu.metrics.greedy import go_on_all
from mansu.models import LanguageModel


@dataclass(frozen=True)
class Written:
    """What a model wrote.

    Attributes:
        texts: The answers, ``[items]``.
        recall: ROUGE-L recall against the right answer, ``[items]``.
        f1: ROUGE-L F1, ``[items]``.
    """

    texts: tuple[str, ...]
    recall: np.ndarray
    f1: np.ndarray


def write(
    model: LanguageModel,
    items: Sequence[Item],
    writing: Writing,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Written:
    """Has a model answer in its own words, greedily.

    Args:
        model: The model as it is to be judged.
        items: Questions; of their options the right one is what should be written.
        writing: How.
        report: Told of (prompts done, prompts in all).

    Raises:
        RunError: A logit is not finite.
    """
    prompts = [token_ids(model.tokenizer, item.prompt.rstrip()) for item in items]
    said = go_on_all(model, prompts, writing.tokens, report)
    texts = [_until(text, writing) for text in said]
    answers = [item.options[item.answer].strip() for item in items]
    if writing.cut:
        ids = (token_ids(model.tokenizer, answer)[: writing.tokens] for answer in answers)
        answers = [str(model.tokenizer.decode(list(one), skip_special_tokens=True)) for one in ids]
    return compare(texts, answers, writing.stemmed)


def compare(texts: Sequence[str], answers: Sequence[str], stemmed: bool) -> Written:
    """ROUGE-L of texts against answers.

    Args:
        texts: What was written.
        answers: What should have been.
        stemmed: Whether words are compared by their stems.
    """
    from rouge_score.rouge_scorer import RougeScorer  # brings NLTK, which is imported slowly

    scorer = RougeScorer(["rougeL"], use_stemmer=stemmed)
    found = [scorer.score(a, t)["rougeL"] for a, t in zip(answers, texts, strict=True)]
    recall, f1 = [one.recall for one in found], [one.fmeasure for one in found]
    return Written(tuple(texts), np.array(recall), np.array(f1))


def _until(text: str, writing: Writing) -> str:
    for end in writing.ends:
        text = text.partition(end)[0]
    return text.strip()
