"""Whether a model refuses, and which way its activations lie where it would."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from transformers import PreTrainedTokenizerBase

from mansu.data.encoding import Encoded, encode, token_ids
from mansu.data.far import chat
from mansu.data.fitting import check_reads
from mansu.data.refusals import Unanswerable
from mansu.errors import NoResultError
from mansu.models import LanguageModel, pad
from mansu.models.batch import cuts
from mansu.models.split import stretch
from mansu.models.targets import answer_targets
from mansu.unlearn.task import Task

REFUSAL = "I don't know"
ASKED = 64  # pairs of questions that tell whether a model refuses
CERTAIN = 2.0  # standard errors


def find_direction(task: Task, layer: int, known: Sequence[Unanswerable]) -> torch.Tensor:
    """From the forget set's prompts to questions without an answer, behind a block, ``[width]``.

    Args:
        task: The task.
        layer: The block.
        known: The questions.

    Raises:
        NoResultError: The model does not refuse them.
    """
    model = task.model
    require_refusals(model, known[:ASKED])
    # A mean over as many as there are questions; all would be minutes in a long chat template.
    order = torch.randperm(len(task.forget), generator=torch.Generator().manual_seed(task.seed))
    drawn = [task.forget[i] for i in order[: len(known)].tolist()]
    prompts = [
        str(model.tokenizer.decode(list(e.tokens[: e.answer_start]), skip_special_tokens=True))
        for e in drawn
    ]
    asked, forget = (
        last_streams(model, layer, texts).mean(0)
        for texts in (
            [put(model.tokenizer, pair.question) for pair in known],
            [put(model.tokenizer, prompt, plain=prompt) for prompt in prompts],
        )
    )
    return asked - forget


def put(tokenizer: PreTrainedTokenizerBase, question: str, plain: str = "") -> str:
    """A question as a model is asked it: in its chat template, or else as it says."""
    if tokenizer.chat_template is not None:
        return chat(tokenizer, question)
    return plain or f"Question: {question}\nAnswer:"


@lru_cache(maxsize=8)  # a study opens many runs on the same model
def require_askable(
    tokenizer: PreTrainedTokenizerBase,
    known: tuple[Unanswerable, ...],
    rows: int,
    context: int | None,
) -> None:
    """Refuses a model that cannot be asked the questions; no weight is read.

    Raises:
        InputError: Its chat template cannot be rendered, or it cannot read a question whole.
    """
    asked = [pair.question for pair in known] + [pair.answerable for pair in known[:ASKED]]
    read = [token_ids(tokenizer, put(tokenizer, question)) for question in asked]
    check_reads(read, "lunar: of the questions without an answer,", rows, context)


def require_refusals(model: LanguageModel, known: Sequence[Unanswerable]) -> None:
    """Refuses a model that is no likelier to refuse a question because it has no answer.

    Raises:
        NoResultError: It is none that refuses.
    """
    refused = said(model, [put(model.tokenizer, pair.question) for pair in known])
    answered = said(model, [put(model.tokenizer, pair.answerable) for pair in known])
    gap = refused - answered
    error = gap.std() / len(gap) ** 0.5
    tokens = len(_followed(model, put(model.tokenizer, known[0].question)).continuation_ids)
    at_random = -tokens * torch.tensor(model.rows).log()
    if not (gap.mean() > CERTAIN * error and refused.mean() > at_random):
        raise NoResultError(
            "no refusal direction",
            f"lunar: the model has no refusal direction: asked about what does not exist, it is "
            f"{gap.mean():.2f} ± {error:.2f} nats likelier to say '{REFUSAL}' than when "
            f"asked about what does, and says it with {refused.mean():.1f} nats (tokens at random: "
            f"{at_random:.1f}); choose a model that refuses, or another method.",
        )


def said(model: LanguageModel, prompts: Sequence[str]) -> torch.Tensor:
    """Log-probability of the refusal behind each prompt, ``[prompts]``."""
    found = []
    followed = [_followed(model, prompt) for prompt in prompts]
    for some in cuts([len(row.prompt_ids) + len(row.continuation_ids) for row in followed]):
        rows = followed[some]
        targets = answer_targets(
            [(*row.prompt_ids, *row.continuation_ids) for row in rows],
            [len(row.prompt_ids) for row in rows],
            model.pad_id,
            model.device,
        )
        with torch.no_grad():
            hidden = model.hidden(targets.batch)[targets.row, targets.position]
            each = model.log_probs(hidden).gather(1, targets.token[:, None])[:, 0]
        found.append(targets.mean_per_row(each) * targets.per_row)
    return torch.cat(found)


def last_streams(model: LanguageModel, layer: int, texts: Sequence[str]) -> torch.Tensor:
    """The residual stream behind a block at each text's last token, ``[texts, width]``, float32."""
    lower, found = stretch(model, range(layer + 1)), []
    read = [model.read(text) for text in texts]
    for rows in cuts([len(tokens) for tokens in read]):
        batch = pad(read[rows], model.pad_id, model.device)
        with torch.no_grad():
            stream = lower(**batch.inputs(), use_cache=False).last_hidden_state
        found.append(stream[torch.arange(len(batch.last)), batch.last].float())
    return torch.cat(found)


def _followed(model: LanguageModel, prompt: str) -> Encoded:
    """A prompt with the refusal behind it; a chat's reply begins on a line of its own."""
    joint = "" if prompt[-1:].isspace() else " "
    return encode(model.tokenizer, prompt, f"{joint}{REFUSAL}")
