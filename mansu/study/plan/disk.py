"""What a run leaves on disk, from the configuration alone."""

from dataclasses import dataclass

from mansu.circuit.graph import Graph
from mansu.study.plan.plan import Plan
from mansu.study.plan.training import Training

_INDEX = 4  # bytes of a weight's place


@dataclass(frozen=True)
class Disk:
    """Bytes of files.

    Attributes:
        weights: The model's own, in the dtype that the run has it in.
        shared: What all methods on the same model and data share: the original's attributions, and
            the target.
        fisher: What those of one scope share, where they ask for it.
        run: The run's own: what was trained, what was stored of it, attributions of the unlearned
            model.
    """

    weights: int
    shared: int
    fisher: int
    run: int


def disk_of(plan: Plan) -> Disk:
    """The files of a planned run; of its tables, texts and charts, which are small, none.

    Args:
        plan: Its plan.
    """
    config, shapes = plan.config, plan.shapes
    training = Training(config, shapes, plan.workload)
    graph, pairs = Graph.of(shapes.model), len(plan.workload.pairs)
    # Source differences and the edges into MLPs, in all and where the answer is said, by pair.
    numbers = pairs * graph.sources * (shapes.width + 2 * graph.layers)
    attributed = (numbers + graph.sources * graph.readers) * shapes.wide
    attributed *= 1 + len(config.formats)
    shared = attributed * (2 if config.retrained else 1)
    fisher = 2 * shapes.count * shapes.wide if training.masked else 0
    if training.aimed:
        shared += training.prior()
    places = 2 if training.place else 1  # of what may move, and of what changed
    own = attributed + training.movable * (places * _INDEX + training.value + shapes.item)
    return Disk(shapes.weights, shared, fisher, own)
