"""What a model in one precision answers: accuracies by role, and perplexity on plain text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mansu.data.items import Item
from mansu.data.text import utility_text
from mansu.metrics.mcq import McqScores, score_items
from mansu.metrics.perplexity import perplexity
from mansu.models import LanguageModel
from mansu.study.run import Run
from mansu.study.stages.draw import MEASURED


@dataclass(frozen=True)
class Behaviour:
    """Answers of one model in one precision.

    Attributes:
        roles: Scores by role, over the role's drawn items in their order.
        perplexity: On the utility text, per token.
    """

    roles: dict[str, McqScores]
    perplexity: float

    def to_json(self) -> dict[str, Any]:
        """As JSON values; facts and templates are left to the drawn items."""
        return {
            "perplexity": self.perplexity,
            "roles": {
                role: {
                    "log_probs": scores.log_probs.tolist(),
                    "correct": scores.correct.tolist(),
                    "correct_norm": scores.correct_norm.tolist(),
                }
                for role, scores in self.roles.items()
            },
        }

    @classmethod
    def from_json(cls, payload: dict[str, Any], items: dict[str, tuple[Item, ...]]) -> "Behaviour":
        """Reads what :meth:`to_json` wrote for the same drawn items."""
        roles = {
            role: McqScores(
                log_probs=np.array(stored["log_probs"]),
                correct=np.array(stored["correct"]),
                correct_norm=np.array(stored["correct_norm"]),
                facts=tuple(item.fact_id for item in items[role]),
                templates=tuple(item.template_id for item in items[role]),
            )
            for role, stored in payload["roles"].items()
        }
        return cls(roles, payload["perplexity"])


def measure_behaviour(
    run: Run,
    model: LanguageModel,
    items: dict[str, tuple[Item, ...]],
    task: str,
    roles: Sequence[str] = MEASURED,
) -> Behaviour:
    """Scores the measured roles and the utility text with the model as it is now."""
    scores = {
        role: score_items(model, items[role], run.report(f"{task}: {role}")) for role in roles
    }
    return Behaviour(scores, perplexity(model, utility_text()))
