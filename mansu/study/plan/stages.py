"""What every stage of a run holds at its fullest moments, term by term.

A stage has a few moments that may be its peak; each is a sum of terms, on the device or parked in
host memory. On a CPU both are the same memory, and a moment's total counts both.
"""

from collections.abc import Iterator

from mansu.attacks.relearning.tuning import BATCH
from mansu.circuit.attribution import grid_points
from mansu.circuit.chunks import chunks, pair_bytes, run_bytes
from mansu.circuit.graph import Graph
from mansu.models.batch import largest_cut
from mansu.quant.permanence import _CELLS
from mansu.study.config import StudyConfig
from mansu.study.plan.moments import ATTACK, RETRAINED, Moment, Terms
from mansu.study.plan.shapes import Shapes
from mansu.study.plan.training import Training, answers
from mansu.study.plan.workload import Workload


class Accounting:
    """One method a stage, each giving its moments.

    Args:
        config: The run.
        shapes: The model's sizes and what is trained.
        workload: The batches.
    """

    def __init__(self, config: StudyConfig, shapes: Shapes, workload: Workload) -> None:
        self.config, self.shapes, self.work = config, shapes, workload
        self.training = Training(config, shapes, workload)
        self.parked = sum(shapes.linear.values())  # originals, while the model is deployed

    def base(self) -> Iterator[Moment]:
        yield from self._measured("base", {"weights": self.shapes.weights})

    def localize(self) -> Iterator[Moment]:
        yield self._attributed("localize", {"weights": self.shapes.weights})

    def retrained(self) -> Iterator[Moment]:
        held: Terms = {"weights": 2 * self.shapes.weights}  # beside the original, which waits
        yield from self._measured(RETRAINED, held)
        yield self._attributed(RETRAINED, {**held, "host": self.parked})

    def fisher(self) -> Iterator[Moment]:
        shapes = self.shapes
        diagonal = shapes.count * shapes.wide
        # One example's gradient of one matrix, in the model's dtype and in that of the sum.
        one = max(shapes.matrices) * shapes.item
        one += max(shapes.matrices) * shapes.wide if shapes.wide != shapes.item else 0
        for side, finished in (("forget", 0), ("retain", diagonal)):
            examples = self.work.fisher[side]
            rows, tokens = largest_cut([len(e.tokens) for e in examples])
            said = shapes.log_probs(answers(examples, rows))
            held: Terms = {"weights": shapes.weights, "host": finished}
            streams = 2 * shapes.streams(examples)
            for name, gradients, activations in self._backward(tokens):
                yield Moment(
                    "fisher",
                    f"{side} set, {name}",
                    {
                        **held,
                        "gradients": diagonal + gradients,
                        "activations": streams + activations + said,
                    },
                )
            recorded = (shapes.recorded(layer, tokens) for layer in shapes.layers)
            all_layers = sum(inputs + 2 * outputs for inputs, outputs in recorded)
            yield Moment(
                "fisher",
                f"{side} set, squaring",
                {**held, "gradients": diagonal + one, "activations": streams + all_layers},
            )

    def train(self) -> Iterator[Moment]:
        yield from self.training.moments()

    def floor(self) -> Iterator[Moment]:
        shapes = self.shapes
        # The trained matrices, floored one by one in their place.
        training = self.training
        copies, kept = training.matrices, training.stored
        # Two matrices' histograms of ratios, and what is counted weight by weight: two sets of
        # codes, unpacked through a copy, and four masks; indices, ratios and cells of the changed.
        one = 2 * 8 * _CELLS + max(shapes.matrices) * 8
        one += training.movable // len(shapes.matrices) * 24
        yield Moment(
            "floor",
            "accounting for the bins",
            {"weights": shapes.weights, "trained": copies + kept, "activations": one},
        )

    def quantize(self) -> Iterator[Moment]:
        yield from self._measured("quantize", self._unlearned())

    def analyse(self) -> Iterator[Moment]:
        yield self._attributed("analyse", {**self._unlearned(), "host": self.parked})

    def relearn(self) -> Iterator[Moment]:
        shapes = self.shapes
        numbers = self.parked // shapes.item
        # Masters and two moments in float32, and in another dtype the copies that are run.
        copies = self.parked if shapes.item != 4 else 0
        held: Terms = {**self._unlearned(), "optimizer": 3 * 4 * numbers + copies}
        examples = self.work.forget
        longest = max(len(e.tokens) for e in examples)
        saved = len(shapes.model.family.blocks(shapes.model.module)) * BATCH * longest
        saved *= (4 * shapes.width + 4 * shapes.inner + 6 * shapes.query) * shapes.item
        said = shapes.log_probs(answers(examples, BATCH))
        largest = max(shapes.linear.values())
        yield Moment(
            ATTACK, "a step", {**held, "gradients": largest, "activations": saved + 2 * said}
        )
        scoring = max(map(shapes.scoring, self.work.attacked))
        deployed: Terms = {**held, "activations": scoring, "host": self.parked}
        yield Moment(ATTACK, "scoring as deployed again", deployed)

    def _measured(self, stage: str, held: Terms) -> Iterator[Moment]:
        """The measured roles, what is said and the text, in full precision and deployed."""
        shapes, work = self.shapes, self.work
        scoring = max(map(shapes.scoring, work.measured))
        speech = max(shapes.speech(batch, work.spoken_templates) for batch in work.spoken)
        text = shapes.perplexity(*work.text, work.text_batches)
        activations = max(scoring, speech, text, shapes.reading(work.longest))
        yield Moment(stage, "scoring", {**held, "activations": activations})
        deployed: Terms = {**held, "host": self.parked}
        yield Moment(stage, "scoring as deployed", {**deployed, "activations": activations})
        yield Moment(stage, "quantizing", {**deployed, "activations": shapes.quantizing})

    def _attributed(self, stage: str, held: Terms) -> Moment:
        """The largest chunk of an attribution, as the chunks are cut."""
        shapes, config = self.shapes, self.config
        model, graph = shapes.model, Graph.of(shapes.model)
        points = len(grid_points(config.attribution, config.ig_steps, config.alpha_grid))
        largest = 0
        for chunk in chunks(model, graph, self.work.pairs, points, 8, config.memory_mb):
            tokens = max(len(self.work.pairs[row].clean) for row in chunk.rows)
            one = pair_bytes(model, graph, tokens) + chunk.runs * run_bytes(model, tokens)
            scores = graph.sources * graph.readers * shapes.wide  # one pair's
            largest = max(largest, len(chunk.rows) * (one + scores))
        total = graph.sources * graph.readers * shapes.wide
        per_pair = len(self.work.pairs) * graph.sources * graph.layers * shapes.wide
        return Moment(stage, "attribution", {**held, "attribution": largest + total + per_pair})

    def _backward(self, tokens: int) -> Iterator[tuple[str, int, int]]:
        """The Fisher pass back: what goes on, bytes of gradients, bytes of activations.

        Going down, a block's activations are let go; outputs of the trained matrices are held to
        the end, with what entered them and the gradients at them.
        """
        shapes = self.shapes
        stay, saved = 0, shapes.saved_in_all(tokens, shapes.model.layers - 1)
        for layer in reversed(range(shapes.layers[0], shapes.model.layers)):
            yield f"backward, layer {layer}", stay + shapes.passing(tokens), saved
            if layer in shapes.layers:
                inputs, outputs = shapes.recorded(layer, tokens)
                stay += outputs
                saved += inputs + outputs
            saved -= shapes.saved(layer, tokens)

    def _unlearned(self) -> Terms:
        """The model with the unlearned matrices swapped in, and what the run keeps of both.

        Of the floor: indices and stored values of what changed, at most all that may move.
        """
        training = self.training
        held = training.matrices + training.stored
        return {"weights": self.shapes.weights, "trained": held}
