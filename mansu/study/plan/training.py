"""What a method's training holds at its fullest moments, term by term.

What is stepped is one vector of numbers in float32; the optimizer keeps two moments of it and the
best so far. A step's gradient is put together matrix by matrix on the way back.
"""

from collections.abc import Iterator, Sequence

import torch

from mansu.data.examples import Example
from mansu.models.batch import largest_cut
from mansu.quant.codebook import BLOCK
from mansu.study.config import StudyConfig
from mansu.study.plan.moments import Moment, Terms
from mansu.study.plan.shapes import Shapes
from mansu.study.plan.workload import Scoring, Tails, Workload, reads_fisher
from mansu.unlearn.methods import find_method
from mansu.unlearn.prior import BATCH_TAILS, LATER_SUBJECTS

FLOAT, PLACE = 4, 8  # bytes of a number that is stepped, and of a weight's place in its matrix


class Training:
    """The moments of one training.

    Args:
        config: The run.
        shapes: The model's sizes and what is trained.
        workload: The batches.

    Attributes:
        matrices: Bytes of one copy of the trained matrices.
        movable: How many weights may move.
    """

    def __init__(self, config: StudyConfig, shapes: Shapes, workload: Workload) -> None:
        method, self.settings = find_method(config.method), config.settings
        self.shapes, self.work = shapes, workload
        self._device = torch.device(config.device).type
        self.through = config.floor == "in_loop"  # training runs through the quantizer
        self.load = load = method.load(self.settings, self.through)
        needs = method.needs(self.settings)
        self.masked, self.aimed = reads_fisher(config), "prior" in needs
        # Of the matrices, one a target.
        self.twins = len(config.target) if self.through or load.rounds else 0
        self.matrices = shapes.count * shapes.item
        share = 1.0 if load.share is None else load.share
        # Without its block's largest weight, which in_loop leaves alone.
        self.movable = round(shapes.count * share * (1 - 1 / BLOCK if self.through else 1))
        self._stepped = self.movable
        if load.factors:
            self._stepped = sum(load.factors(*size) for size in shapes.sizes.values())
        self.place = 0 if load.share is None else PLACE
        # Of what is trained the run keeps float32, of what is given the model's own.
        self.value = shapes.item if load.kind == "values" else FLOAT
        held = 1 if load.kind == "descent" and getattr(self.settings, "retain_weight", 0) else 0
        self._sides = (
            (workload.forget, getattr(self.settings, "forget_batch", 0), load.compares),
            (
                workload.retain,
                held * getattr(self.settings, "retain_batch", 0),
                load.retain_compares,
            ),
        )

    @property
    def kept(self) -> int:
        """Bytes of what the run keeps of training: places and values."""
        return self.movable * (self.place + self.value)

    @property
    def stored(self) -> int:
        """The same with what it keeps of the floor: at most all that may move, where and what."""
        return self.kept + self.movable * (PLACE + self.shapes.item)

    def moments(self) -> Iterator[Moment]:
        """All of them."""
        if self.load.kind == "values":
            held: Terms = {"weights": self.shapes.weights, "trained": self.matrices}
            yield Moment("train", "finding the new values", held)
        elif self.load.kind == "fit":
            yield from self._fit()
        else:
            yield from self._descent()

    def prior(self) -> int:
        """The target: probabilities by template, and states behind answers' first tokens."""
        work, shapes = self.work, self.shapes
        states = len(work.begun) * LATER_SUBJECTS * shapes.width * shapes.item
        return work.templates * shapes.kept_log_probs(1) + states

    def _descent(self) -> Iterator[Moment]:
        shapes = self.shapes
        weights: Terms = {"weights": shapes.weights}
        if self.masked:
            yield from self._masking(weights)
        if self.load.salient:
            yield from self._weighing(weights)
        # Of training's examples, and of the checks' questions from the first check on.
        streams = self._drawn_streams() * self._precisions
        streams += self._checked_streams()
        leaves, masters = self.matrices * self._copies, self._masters()
        held: Terms = {
            "weights": shapes.weights + shapes.above * self.twins,
            "trained": leaves + masters,
        }
        if self.aimed:
            held["host"] = self.prior()
            yield self._aiming()
        if self.through:
            twice = self.matrices + shapes.count  # the quantized matrices, and their codes
            starting: Terms = {**weights, "trained": leaves + twice + masters}
            yield Moment("train", "quantizing the matrices", starting)
        history = min(self.load.history, self.settings.steps)
        remembered = self._stepped * (2 * FLOAT + FLOAT + 2 * history)
        held["optimizer"] = remembered
        yield from self._steps(held, streams)
        yield from self._checks(held, streams)
        if self.load.factors:
            merged = shapes.count * FLOAT
            yield Moment("train", "merging", {**held, "gradients": merged, "activations": streams})

    @property
    def _precisions(self) -> int:
        """How many the loss is taken in."""
        return self.twins if self.load.rounds else 1 + self.twins

    @property
    def _copies(self) -> int:
        """Copies of the matrices: one a precision; what is rounded may be seen as it is stepped."""
        seen = self.shapes.item == FLOAT and self._device == "cpu"
        return self.twins if self.load.rounds and seen else 1 + self.twins

    def _masking(self, weights: Terms) -> Iterator[Moment]:
        """Both diagonals and a bool for what may move at all; then a copy that is partly sorted.

        Or the mask's flat indices, 8 bytes each, with its ratios and their copy.
        """
        shapes = self.shapes
        chosen = shapes.count * (2 * shapes.wide + 1)
        copy = shapes.count * shapes.wide
        yield Moment("train", "cutting the Fisher quantile", {**weights, "host": chosen + copy})
        mask = round(shapes.count * getattr(self.settings, "tau", 1.0))
        chosen += mask * (PLACE + 2 * shapes.wide if self.through else PLACE)
        yield Moment("train", "choosing what may move", {**weights, "host": chosen})

    def _weighing(self, weights: Terms) -> Iterator[Moment]:
        """The whole gradient at θ₀: leaves, latents and their start, and the sum over batches."""
        shapes, count = self.shapes, self.shapes.count
        held: Terms = {**weights, "trained": self.matrices + 2 * count * FLOAT}
        every, _, compares = self._sides[0]
        taken = min(len(every), self.load.salient)
        examples = [every[i * len(every) // taken] for i in range(taken)]
        rows, tokens = largest_cut(sorted(len(e.tokens) for e in examples))
        held["activations"] = shapes.streams(examples) * (2 if compares else 1)
        said = (2 if compares else 1) * shapes.log_probs(spoken := answers(examples, rows))
        said += 3 * shapes.kept_log_probs(spoken)
        yield from self._pass(held, tokens, said, count * FLOAT, count)

    def _steps(self, held: Terms, streams: int) -> Iterator[Moment]:
        """A training step: the pass, then the optimizer's own root of its moments."""
        load, one = self.load, self._stepped * FLOAT
        sides = [(rows, max(len(e.tokens) for e in ex)) for ex, rows, _ in self._sides if rows]
        if load.apart:
            tokens = max(rows * longest for rows, longest in sides)
        else:
            tokens = sum(rows for rows, _ in sides) * max(longest for _, longest in sides)
        # Of the terms' gradients, those that are there when the last is taken; where a step is
        # corrected, also the last step's retain gradient.
        before = load.apart + (self._precisions > 1) + load.corrects
        while_there: Terms = {**held, "activations": streams}
        yield from self._pass(while_there, tokens, self._said(), before * one, self._stepped)
        beside = 1 + (2 if load.corrects else 0) + 1
        yield Moment("train", "stepping", {**while_there, "gradients": beside * one})

    def _pass(
        self, held: Terms, tokens: int, said: int, before: int, numbers: int
    ) -> Iterator[Moment]:
        """Forward, backward block by block, and the gradient, put together from its parts.

        Args:
            held: What is there all the while.
            tokens: Tokens of the batch.
            said: Bytes of what its answers' log-probabilities take.
            before: Bytes of gradients that are there already.
            numbers: How many numbers the gradient has.
        """
        shapes, streams = self.shapes, held.get("activations", 0)
        last = shapes.layers[-1] if self.load.stops else shapes.model.layers - 1
        saved, largest = shapes.saved_in_all(tokens, last), max(shapes.matrices) * shapes.item

        def moment(name: str, gradients: int, activations: int) -> Moment:
            terms: Terms = {**held, "activations": streams + activations}
            return Moment("train", name, {**terms, "gradients": before + gradients})

        yield moment("taking the loss", 0, saved + said)
        parts = 0
        for layer in reversed(range(shapes.layers[0], last + 1)):
            parts += round(shapes.numbers_in(layer) * numbers / shapes.count) * FLOAT
            going = parts + largest + shapes.passing(tokens)
            yield moment(f"backward, layer {layer}", going, saved)
            saved -= shapes.saved(layer, tokens)
        yield moment("putting the gradient together", 2 * numbers * FLOAT, 0)

    def _said(self) -> int:
        """Log-probabilities of a step's answers.

        θ's and, where a term compares, θ₀'s, and the gradients at θ's: at their softmax's input
        and, gathered, at each set's share of them; the prior's target lies beside them.
        """
        shapes = self.shapes
        if self.load.stops:
            return 0
        asked = [answers(examples, rows) for examples, rows, _ in self._sides]
        compared = any(compares for _, rows, compares in self._sides if rows)
        spoken = (max if self.load.apart else sum)(asked)
        said = (2 if compared else 1) * shapes.log_probs(spoken)
        said += 3 * shapes.kept_log_probs(spoken)
        return said + (shapes.kept_log_probs(asked[0]) if self.aimed else 0)

    def _checks(self, held: Terms, streams: int) -> Iterator[Moment]:
        """What is scored, and the state that is kept beside the one before."""
        shapes = self.shapes
        scoring = max(map(shapes.scoring, self.work.checked))
        check: Terms = {**held, "activations": streams + scoring}
        if self.twins:
            check["host"] = sum(shapes.linear.values()) + held.get("host", 0)
        yield Moment("train", "check", check)
        best: Terms = {**held, "activations": streams, "gradients": self._stepped * FLOAT}
        if self._device != "cpu":  # it is written from host memory
            best["host"] = held.get("host", 0) + held.get("optimizer", 0) + self._stepped * FLOAT
        yield Moment("train", "keeping the best", best)

    def _checked_streams(self) -> int:
        """What enters the lowest trained block of the checks' questions."""
        return sum(map(self.shapes.kept_streams, self.work.checked)) * self._precisions

    def _drawn_streams(self) -> int:
        """What enters the lowest trained block of the examples that training draws.

        And behind the highest, where a term compares with it.
        """
        total = 0
        for examples, rows, compares in self._sides:
            drawn = min(1.0, rows * getattr(self.settings, "steps", 0) / len(examples))
            total += round(self.shapes.streams(examples) * drawn * (2 if compares else 1))
        return total

    def _masters(self) -> int:
        """Bytes beside the matrices: places, and original and latent in float32.

        Through the quantizer also the block's scale, and of each target the deployed value and a
        code.
        """
        each = 2 * FLOAT + (FLOAT + self.twins * (FLOAT + 1) if self.through else 0)
        return self._stepped * each + self.movable * self.place

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

    def _fit(self) -> Iterator[Moment]:
        """What enters one block's matrix at every token of the prompts, read and put together."""
        shapes, one = self.shapes, self._stepped * FLOAT
        prompts = [e.answer_start for e in (*self.work.forget, *self.work.retain)]
        entering = sum(prompts) * shapes.inner * shapes.item
        held: Terms = {"weights": shapes.weights, "trained": self.matrices + 2 * one}
        yield Moment("train", "reading what enters", {**held, "activations": 2 * entering})
        held["optimizer"] = 3 * one
        stepping: Terms = {**held, "gradients": 3 * one, "activations": entering}
        yield Moment("train", "stepping", stepping)
        yield from self._checks(held, entering + self._checked_streams())


def answers(examples: Sequence[Example], rows: int) -> int:
    """Answer tokens of so many examples, by their mean."""
    return round(rows * sum(len(e.tokens) - e.answer_start for e in examples) / len(examples))
