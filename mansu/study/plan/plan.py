"""The memory plan of a run: what its stages hold, from the configuration alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from mansu.errors import InputError
from mansu.study.config import StudyConfig
from mansu.study.plan.shapes import Shapes, meta_model
from mansu.study.plan.stages import STAGES, Accounting, Moment
from mansu.study.plan.workload import Workload, read_workload
from mansu.unlearn.methods import find_method


@dataclass(frozen=True)
class Plan:
    """The memory of a run.

    Attributes:
        config: The configuration.
        shapes: The model's sizes, and the circuit's layers.
        workload: The batches.
        located: Whether the circuit's layers were given; otherwise they are the worst case.
        moments: Every stage's moments, in order.
    """

    config: StudyConfig
    shapes: Shapes
    workload: Workload
    located: bool
    moments: tuple[Moment, ...]

    def peak(self, stage: str | None = None) -> Moment:
        """A stage's fullest moment, or the run's: on the device, or in all on a CPU."""
        chosen = [m for m in self.moments if stage in (None, m.stage)]
        on_cpu = self.config.device == "cpu"
        return max(chosen, key=lambda m: m.total if on_cpu else m.device)


def make_plan(config: StudyConfig, layers: Sequence[int] | None = None) -> Plan:
    """Accounts for the memory of a run; no weight is loaded.

    Args:
        config: The run.
        layers: The circuit's layers, where they are known. Otherwise the worst case: the lowest
            layer, so that every block is differentiated, and the highest others, so that their
            gradients are there while most activations still are.

    Raises:
        InputError: No such model, a circuit larger than it, or a method that is not planned for.
    """
    if find_method(config.method).scope != "circuit":
        raise InputError(
            f"method: memory is planned for methods that train a circuit, not for {config.method}; "
            "leave method out."
        )
    model = meta_model(config)
    if config.top_k > model.layers:
        raise InputError(
            f"top_k: the model has {model.layers} MLP sublayers, so the circuit cannot have "
            f"{config.top_k}; lower top_k."
        )
    worst = (0, *range(model.layers - config.top_k + 1, model.layers))
    shapes = Shapes(model, tuple(sorted(worst if layers is None else layers)))
    workload = read_workload(config, model)
    accounting = Accounting(config, shapes, workload)
    moments = tuple(m for stage in STAGES for m in getattr(accounting, stage)())
    return Plan(config, shapes, workload, layers is not None, moments)
