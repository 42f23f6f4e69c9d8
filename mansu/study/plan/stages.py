"""What every stage of a run holds at its fullest moments, term by term.

A stage has a few moments that may be its peak; each is a sum of terms, on the device or parked in
host memory. On a CPU both are the same memory, and a moment's total counts both.
"""

from collections.abc import Iterator, Sequence

from mansu.attacks.relearning.tuning import BATCH
from mansu.circuit.attribution import grid_points
from mansu.circuit.chunks import chunks, pair_bytes, run_bytes
from mansu.circuit.graph import Graph
from mansu.data.examples import Example
from mansu.models.batch import largest_cut
from mansu.quant.codebook import BLOCK
from mansu.quant.permanence import _CELLS
from mansu.study.config import StudyConfig
from mansu.study.plan.moments import ATTACK, RETRAINED, Moment, Terms
from mansu.study.plan.shapes import Shapes
from mansu.study.plan.workload import Scoring, Tails, Workload
from mansu.unlearn.methods import find_method
from mansu.unlearn.prior import BATCH_TAILS, LATER_SUBJECTS


class Accounting:
    """One method a stage, each giving its moments.

    Args:
        config: The run.
        shapes: The model's sizes and the circuit's layers.
        workload: The batches.
    """

    def __init__(self, config: StudyConfig, shapes: Shapes, workload: Workload) -> None:
        self.config, self.shapes, self.work = config, shapes, workload
        self.settings = config.settings
        self.through = config.floor == "in_loop"  # training runs through the quantizer
        self.twins = len(config.target) if self.through else 0  # of the model, one a target
        self.aimed = config.settings.forget_loss == "prior"
        self.matrices = shapes.circuit * shapes.item  # one copy of the circuit's weights
        share_of = find_method(config.method).share
        share = share_of(self.settings, self.through) if share_of else 1.0
        # Without its block's largest weight, which in_loop leaves alone.
        self.movable = round(shapes.circuit * share * (1 - 1 / BLOCK if self.through else 1))
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
        diagonal = shapes.circuit * shapes.wide
        # One example's gradient of one matrix, in the model's dtype and in that of the sum.
        one = max(shapes.matrices) * shapes.item
        one += max(shapes.matrices) * shapes.wide if shapes.wide != shapes.item else 0
        for side, finished in (("forget", 0), ("retain", diagonal)):
            examples = self.work.fisher[side]
            rows, tokens = largest_cut([len(e.tokens) for e in examples])
            said = shapes.log_probs(self._answers(examples, rows))
            # Outputs of the circuit's matrices are held to the end, and the gradients at them.
            outputs = tokens * (2 * shapes.inner + shapes.width) * shapes.item
            inputs = tokens * (shapes.inner + shapes.width) * shapes.item
            held: Terms = {"weights": shapes.weights, "host": finished}
            streams = self._streams(examples)
            for name, gradients, activations in self._backward(tokens, outputs, inputs + outputs):
                yield Moment(
                    "fisher",
                    f"{side} set, {name}",
                    {
                        **held,
                        "gradients": diagonal + gradients,
                        "activations": streams + activations + said,
                    },
                )
            all_layers = len(shapes.layers) * (2 * outputs + inputs)
            yield Moment(
                "fisher",
                f"{side} set, squaring",
                {**held, "gradients": diagonal + one, "activations": streams + all_layers},
            )

    def train(self) -> Iterator[Moment]:
        shapes = self.shapes
        weights: Terms = {"weights": shapes.weights}
        # Both diagonals and a bool for what may move at all; then a copy that is partly sorted,
        # or the mask's flat indices, 8 bytes each, with its ratios and their copy.
        chosen = shapes.circuit * (2 * shapes.wide + 1)
        copy = shapes.circuit * shapes.wide
        yield Moment("train", "cutting the Fisher quantile", {**weights, "host": chosen + copy})
        mask = round(shapes.circuit * self.settings.tau)
        chosen += mask * (8 + 2 * shapes.wide if self.through else 8)
        yield Moment("train", "choosing what may move", {**weights, "host": chosen})

        leaves = self.matrices * (1 + self.twins)
        masters, moments = self._masters()
        # Of training's examples, and of the checks' questions from the first check on.
        streams = self._drawn_streams() + sum(map(shapes.kept_streams, self.work.checked))
        streams *= 1 + self.twins
        held: Terms = {
            "weights": shapes.weights + shapes.above * self.twins,
            "circuit": leaves + masters,
        }
        if self.aimed:
            held["host"] = self.prior()
            yield self._aiming()
        if self.through:
            twice = self.matrices + shapes.circuit  # the quantized circuit, and its codes
            starting: Terms = {**weights, "circuit": leaves + twice + masters}
            yield Moment("train", "quantizing the circuit", starting)
        yield from self._steps(held, moments, streams)
        scoring = max(map(shapes.scoring, self.work.checked))
        check: Terms = {**held, "optimizer": moments, "activations": streams + scoring}
        if self.through:
            check["host"] = self.parked + held.get("host", 0)
        yield Moment("train", "check", check)

    def floor(self) -> Iterator[Moment]:
        shapes = self.shapes
        # The trained matrices, floored one by one in their place.
        copies = self.matrices
        kept = self._trained()
        # Two matrices' histograms of ratios, and what is counted weight by weight: two sets of
        # codes, unpacked through a copy, and four masks; indices, ratios and cells of the changed.
        one = 2 * 8 * _CELLS + max(shapes.matrices) * 8
        one += self.movable // len(shapes.matrices) * 24
        yield Moment(
            "floor",
            "accounting for the bins",
            {"weights": shapes.weights, "circuit": copies + kept, "activations": one},
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
        said = shapes.log_probs(self._answers(examples, BATCH))
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

    def _steps(self, held: Terms, moments: int, streams: int) -> Iterator[Moment]:
        """A training step: forward, then backward block by block."""
        shapes = self.shapes
        sides = (
            (self.work.forget, self.settings.forget_batch),
            (self.work.retain, self.settings.retain_batch),
        )
        tokens = sum(rows for _, rows in sides)
        tokens *= max(len(e.tokens) for examples, _ in sides for e in examples)
        answers = sum(self._answers(examples, rows) for examples, rows in sides)
        # θ's and θ₀'s log-probabilities and the gradients at θ's, at their softmax's input and,
        # gathered, at each set's share of them; the prior's target lies beside them.
        said = 2 * shapes.log_probs(answers) + 3 * shapes.kept_log_probs(answers)
        if self.aimed:
            said += shapes.kept_log_probs(self._answers(*sides[0]))
        base: Terms = {**held, "optimizer": moments}
        blocks = self.shapes.saved_in_all(tokens)
        loss: Terms = {**base, "activations": streams + blocks + said}
        yield Moment("train", "taking the loss", loss)
        one = max(shapes.matrices) * shapes.item
        for name, gradients, activations in self._backward(tokens, 0, 0):
            yield Moment(
                "train",
                name,
                {**base, "gradients": one + gradients, "activations": streams + activations},
            )

    def _backward(self, tokens: int, at_circuit: int, kept: int) -> Iterator[tuple[str, int, int]]:
        """A backward pass: what goes on, bytes of gradients, bytes of activations.

        Going down, a block's activations are let go.

        Args:
            tokens: Tokens of the batch.
            at_circuit: Bytes of the gradients that stay when a circuit layer has been passed.
            kept: Bytes of that layer's activations that stay.
        """
        shapes = self.shapes
        stay, saved = 0, shapes.saved_in_all(tokens)
        for layer in reversed(range(shapes.layers[0], shapes.model.layers)):
            yield f"backward, layer {layer}", stay + shapes.passing(tokens), saved
            if layer in shapes.layers:
                stay += at_circuit
                saved += kept
            saved -= shapes.saved(layer, tokens)

    def _answers(self, examples: Sequence[Example], rows: int) -> int:
        """Answer tokens of so many examples, by their mean."""
        return round(rows * sum(len(e.tokens) - e.answer_start for e in examples) / len(examples))

    def _streams(self, examples: Sequence[Example]) -> int:
        """Streams that enter the circuit, and θ₀'s final states, of the examples."""
        tokens = sum(len(e.tokens) for e in examples)
        return 2 * tokens * self.shapes.width * self.shapes.item

    def _drawn_streams(self) -> int:
        """The same of the examples that training draws; the prior needs no states of its own."""
        total, settings = 0, self.settings
        for examples, rows, halves in (
            (self.work.forget, settings.forget_batch, 1 if self.aimed else 2),
            (self.work.retain, settings.retain_batch, 2),
        ):
            drawn = min(1.0, rows * settings.steps / len(examples))
            total += round(self._streams(examples) * drawn * halves / 2)
        return total

    def prior(self) -> int:
        """The target: probabilities by template, and states behind answers' first tokens."""
        work, shapes = self.work, self.shapes
        states = len(work.begun) * LATER_SUBJECTS * shapes.width * shapes.item
        return work.templates * shapes.kept_log_probs(1) + states

    def _aiming(self) -> Moment:
        """The larger of the target's batches: prompts, and tails behind a few of them."""
        prompts = [example.answer_start for example in self.work.forget]
        rows, tokens = largest_cut(sorted(prompts))
        batches = [Scoring(rows, tokens // rows, 0)]
        if tails := self.work.begun:
            rows = min(BATCH_TAILS, len(tails) * LATER_SUBJECTS // self.work.templates)
            begun = (Tails(rows, max(tails), 0),)
            batches.append(Scoring(LATER_SUBJECTS, max(prompts), 0, begun))
        held: Terms = {"weights": self.shapes.weights, "host": self.prior()}
        activations = max(map(self.shapes.scoring, batches))
        return Moment("train", "finding the target", {**held, "activations": activations})

    def _masters(self) -> tuple[int, int]:
        """Bytes of the movable weights beside the matrices, and of what the optimizer keeps.

        Masters: index (8 bytes), original and latent in float32; through the quantizer also the
        block's scale, and of each target the deployed value and a code. Optimizer: two moments, the
        best latents so far, and the gradient; the state that a killed run needs is made of these.
        """
        masters = 8 + 2 * 4 + (4 if self.through else 0) + self.twins * (4 + 1)
        return self.movable * masters, self.movable * 4 * (2 + 1 + 1)

    def _trained(self) -> int:
        """What the run keeps of training: indices, and values in float32."""
        return self.movable * (8 + 4)

    def _unlearned(self) -> Terms:
        """The model with the unlearned matrices swapped in, and what the run keeps of both.

        Of the floor: indices and stored values of what changed, at most all that may move.
        """
        kept = self._trained() + self.movable * (8 + self.shapes.item)
        return {"weights": self.shapes.weights, "circuit": self.matrices + kept}
