"""Whether a model can be told to have read a text: Min-K % probability and MUSE's PrivLeak.

Source: Shi et al. 2023 (arXiv 2310.16789) for Min-K %, Shi et al. 2024 (MUSE, arXiv 2407.06460) for
PrivLeak, whose code takes k = 40 % and the texts' tokens as they are, special ones in front
included. That code gives PrivLeak in percent; here it is a share, as MUSE's other figures are.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from mansu.errors import InputError, RunError
from mansu.metrics.figures import Asked
from mansu.models import LanguageModel, pad

SPLITS = ("forget", "holdout")  # texts that the original model has read, and that none has
K = 0.4  # share of a text's tokens, the least likely ones
CHUNK = 256  # tokens whose next one is looked up at once: a vocabulary of numbers each


def token_log_probs(
    model: LanguageModel,
    texts: Sequence[str],
    report: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[np.ndarray, ...]:
    """Log-probability of every token of each text behind those before it, ``[tokens - 1]``, in
    nats. Each text is read alone and whole.

    Args:
        model: The model as it is to be judged.
        texts: Texts of at least two tokens that the model can read whole.
        report: Told of (texts done, texts in all).

    Raises:
        InputError: A text has fewer than two tokens, or one that the model does not know.
        RunError: A log-probability is not finite.
    """
    found = []
    for number, text in enumerate(texts, start=1):
        tokens = model.read(text)
        if len(tokens) < 2:
            raise InputError(f"Text {number} has one token, and two are needed; leave it out.")
        batch = pad([tokens], model.pad_id, model.device)
        with torch.no_grad():
            states, following = model.hidden(batch)[0, :-1], batch.input_ids[0, 1:]
            chunks = zip(states.split(CHUNK), following.split(CHUNK), strict=True)
            picked = [model.log_probs(h).gather(1, t[:, None])[:, 0] for h, t in chunks]
        values = torch.cat(picked).double().cpu().numpy()
        if not np.isfinite(values).all():
            raise RunError(
                "The likelihood of a text is not finite; choose dtype float32 if this is the "
                "original model, else a lower learning rate."
            )
        found.append(values)
        report(number, len(texts))
    return tuple(found)


def min_k(log_probs: np.ndarray, share: float = K) -> float:
    """Mean log-probability of a text's least likely tokens, in nats: high where it was read.

    Args:
        log_probs: Of the text's tokens, ``[tokens]``.
        share: How many of them count, rounded down; one at least.
    """
    count = max(int(len(log_probs) * share), 1)
    return float(np.sort(log_probs)[:count].mean())


def held_out_auc(read: Sequence[np.ndarray], held_out: Sequence[np.ndarray]) -> float:
    """How often a text that no model has read scores above one that was, by Min-K %; ties half.

    0 where all of what was read is known as such, 0.5 where the two cannot be told apart: the
    direction of the authors' code.

    Args:
        read: Log-probabilities of each text that the original model has read.
        held_out: The same of the others.
    """
    known, others = (np.array([min_k(one) for one in texts]) for texts in (read, held_out))
    above, ties = others[:, None] > known, others[:, None] == known
    return float((above + ties / 2).mean())


def compare_membership(now: Asked, retrained: Asked) -> Mapping[str, float]:
    """PrivLeak of a model beside a retrained one, from what both made of the texts of `SPLITS`;
    nothing where there are none."""
    if not now.texts or not retrained.texts:
        return {}
    found = (held_out_auc(*(one.texts[split] for split in SPLITS)) for one in (now, retrained))
    leaked = privacy_leakage(*found)
    return {} if leaked is None else {"privleak": leaked}


def privacy_leakage(auc: float, retrained: float) -> float | None:
    """PrivLeak, (AUC - AUC_retrain) / AUC_retrain: below 0 where more is still known than by a
    model that never read it, above 0 where a text can be told by being forgotten too well.

    Args:
        auc: :func:`held_out_auc` of the judged model.
        retrained: That of a model that was trained without the texts; where it is 0, there is no
            such share.
    """
    return (auc - retrained) / retrained if retrained else None
