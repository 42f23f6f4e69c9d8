"""The theory's claims in words, decided by a run's numbers alone.

Each claim is said to hold on this run or not to hold on it, with the number that decides; where a
claim is an identity (a bound that follows from algebra), the sentence says what the run adds to it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mansu.study.stages.guarantees import Guarantees, Update
from mansu.theory import Crossings, Eigenvalue

# What counts as "with high probability" and as a small error; ours, and named in the sentences. [O]
HIGH_PROBABILITY = 0.95
SMALL_FACTOR = 2.0
STATES = {"before": "before the floor", "after": "after the floor"}


@dataclass(frozen=True)
class Claim:
    """One claim on one run.

    Attributes:
        name: The claim.
        holds: Whether it holds; None if the run has nothing to check it on.
        reason: The numbers that decide, as a clause.
    """

    name: str
    holds: bool | None
    reason: str

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        words = {True: "holds on this run", False: "does not hold on this run"}
        return words.get(self.holds, "nothing to check on this run")  # pyright: ignore

    def __str__(self) -> str:
        return f"- **{self.name}** {self.verdict}: {self.reason}."


def markdown(claims: Iterable[Claim]) -> str:
    """The claims as a list."""
    return "\n".join(str(claim) for claim in claims)


def bin_claims(found: Guarantees) -> list[Claim]:
    """Proposition 1, Lemma 1 and Proposition 2."""
    claims = [_uniform(found)]
    for state, update in _updates(found):
        claims += _crossing(update.crossings, state)
    return claims


def retain_claims(found: Guarantees) -> list[Claim]:
    """Theorem 1, before and after the floor."""
    gradient, curvature = found.circuit.at_most(found.whole)
    claims = [
        Claim(
            "Theorem 1, each term at most its global counterpart,",
            gradient and curvature,
            f"the gradient is {found.circuit.gradient_norm:.3g} in the circuit and "
            f"{found.whole.gradient_norm:.3g} in the whole model, the largest curvature "
            f"{_ends(found.circuit.curvature)} and {_ends(found.whole.curvature)}",
        )
    ]
    for state, update in _updates(found):
        cost = update.cost
        name = f"Theorem 1, the retain bound {state},"
        if not cost.delta_norm:
            claims.append(Claim(name, None, "no weight moved"))
            continue
        bound = found.circuit.bound(cost.delta_norm)
        reason = (
            f"the retain loss changed by {cost.measured:+.3g} nats, the bound allows {bound:.3g}, "
            f"second order predicts {cost.predicted:+.3g}"
        )
        if bound > cost.loss_before:
            reason += f". A bound above the loss itself ({cost.loss_before:.3g}) excludes little"
        claims.append(Claim(name, cost.within(found.circuit), reason))
    return claims


def _ends(curvature: Eigenvalue) -> str:
    return f"{curvature.value:.3g} to {curvature.upper:.3g}"


def floor_effect(found: Guarantees) -> str:
    """What the floor did to the retain bound, in a sentence; the paper leaves it open."""
    before, after = found.before.cost, found.after.cost
    if not before.delta_norm:
        return "Training moved nothing, so the floor had nothing to lift."
    if found.before == found.after:
        return "The floor left the update as it was, and with it the retain bound."
    bounds = [found.circuit.bound(cost.delta_norm) for cost in (before, after)]
    turn = "raises" if bounds[1] > bounds[0] else "lowers"
    return (
        f"The floor takes ‖Δ‖ from {before.delta_norm:.3g} to {after.delta_norm:.3g} and {turn} "
        f"the retain bound from {bounds[0]:.3g} to {bounds[1]:.3g} nats; the measured change goes "
        f"from {before.measured:+.3g} to {after.measured:+.3g} nats."
    )


def fisher_claims(found: Guarantees) -> list[Claim]:
    """Proposition 3: whether the diagonal can stand for the whole Fisher matrix."""
    claims = []
    for state, update in _updates(found):
        name = f"Proposition 3, a small error of the diagonal Fisher {state},"
        ratio = update.forms.ratio
        if ratio is None:
            claims.append(Claim(name, None, "the update has no Fisher cost"))
            continue
        claims.append(
            Claim(
                name,
                1 / SMALL_FACTOR <= ratio <= SMALL_FACTOR,
                f"the full form ΔᵀFΔ is {update.forms.full:.3g} and the diagonal one "
                f"{update.forms.diagonal:.3g}, a factor of {ratio:.3g} (small: within "
                f"{SMALL_FACTOR:g})",
            )
        )
    return claims


def block_reading(found: Guarantees) -> str:
    """What the sampled Fisher block says, in a sentence."""
    block = found.block
    if block.ratio is None:
        return f"The {block.weights} sampled weights have no retain Fisher at all."
    return (
        f"Among {block.weights} sampled weights the off-diagonal part of the Fisher block is "
        f"{block.ratio:.2f} times as large as its diagonal; for weights that have nothing to do "
        f"with each other, {block.examples} examples alone would give {block.chance:.2f}."
    )


def _uniform(found: Guarantees) -> Claim:
    caps = {cap.name: cap for cap in found.caps}
    whole = caps["whole model"]
    least = found.caps[-1]  # the smallest set: what the run changed, or could have
    return Claim(
        "Proposition 1, an even update stays inside the bins over all weights, not over few,",
        not whole.reaches and least.reaches,
        f"at a budget of {whole.budget:g} nats, spread over the {whole.name} |Δ| is at most "
        f"{whole.bins:.2g} bins, over the {least.name} {least.bins:.2g} bins",
    )


def _crossing(found: Crossings, state: str) -> list[Claim]:
    lemma = f"Lemma 1 {state}"
    reason = (
        f"{found.crossed:,} of the {found.premise:,} weights moved by a bin or more have a new code"
    )
    told = {
        "outermost codes pushed outward": found.outward,
        "of blocks whose scale moved": found.moved,
        "within rounding of a boundary": found.rounding,
        "unexplained": found.unexplained,
    }
    exceptions = ", ".join(f"{count:,} {name}" for name, count in told.items() if count)
    if exceptions:
        reason += f"; the others: {exceptions}"
    if found.exceptions and not found.unexplained:
        reason += ". Where the scale stays and a boundary lies ahead it has no exception"
    claim = Claim(lemma, found.exceptions == 0 if found.premise else None, reason)
    return [claim, _far(found, state), _near(found, state)]


def _far(found: Crossings, state: str) -> Claim:
    title = f"Proposition 2 {state}, two or more boundaries crossed,"
    groups = [group for group in found.groups if group.boundaries >= 2]
    count = sum(group.weights for group in groups)
    if not count:
        return Claim(title, None, "no weight crossed so far")
    share = sum(group.weights * group.amplified for group in groups) / count
    reason = (
        f"{share:.1%} of {count:,} weights move at least as far quantized as unquantized "
        f"(needed: {HIGH_PROBABILITY:.0%})"
    )
    return Claim(title, share >= HIGH_PROBABILITY, reason)


def _near(found: Crossings, state: str) -> Claim:
    title = f"Proposition 2 {state}, one boundary crossed,"
    for group in found.groups:
        if group.boundaries == 1:
            reason = (
                f"over {group.weights:,} weights mean |ΔQ| is {group.ratio_of_means:.3g} times "
                f"mean |Δ|, and {group.amplified:.1%} of them move at least as far"
            )
            return Claim(title, group.ratio_of_means >= 1, reason)
    return Claim(title, None, "no weight crossed just one")


def _updates(found: Guarantees) -> list[tuple[str, Update]]:
    """Both updates with their names; once where the floor changed nothing."""
    if found.before == found.after:
        return [("with or without the floor", found.after)]
    return [(name, getattr(found, state)) for state, name in STATES.items()]
