"""Pruning: the smallest weights are left out, and the model is deployed without them.

What was hidden by many small changes may come back when they are gone.
"""

from torch import Tensor

from mansu.attacks.base import Answers, Attack, Progress, Target, answer, questions
from mansu.models import LanguageModel
from mansu.models.swap import replaced

SHARES = ("0.1", "0.3")


def strike(model: LanguageModel, target: Target, share: str, _progress: Progress) -> Answers:
    """Prunes every linear weight, then deploys the model and asks."""
    names = model.family.linear_weight_names(model.module)
    with replaced(model.module, names, lambda _name, weight: pruned(weight, float(share))):
        return answer(model, target, questions(target), share)


def pruned(weight: Tensor, share: float) -> Tensor:
    """A copy in which that share of the entries, those of the least magnitude, are zero."""
    left = weight.clone()  # [outputs, inputs]
    flat = left.view(-1)
    flat[flat.abs().topk(int(share * flat.numel()), largest=False).indices] = 0
    return left


ATTACK = Attack("prune", "pruning", strike, SHARES)
