"""The paper's own four properties, as it would have them: printed beside the rules, no verdict. [P]

Where the paper gives no number, the threshold is ours [O] (:class:`mansu.study.rules.base.Rules`).
"""

from mansu.study.rules.base import RULES, Case, short
from mansu.study.rules.structural import noise_floor
from mansu.study.scorecard import Outcome, Row, Rows, Verdict
from mansu.study.state import FP, State


def paper_properties(case: Case) -> tuple[Verdict, ...]:
    """Forget, retain, permanence and structural erasure."""
    rows, chance, origin = case.rows, case.chance, case.origin
    return (
        _forget(rows, chance, State(origin, FP)),
        _retain(rows, origin),
        _permanence(rows, chance, origin, case.deployed),
        _structural(rows, origin, case.deployed),
    )


def fell_far(base: float, now: float, chance: float) -> bool:
    """Whether accuracy fell at least half of the way to chance; none falls from there."""
    needed = RULES.forget_share * (base - chance)
    return needed > 0 and base - now >= needed


def fell(rows: Rows, view: str, state: State, chance: float) -> bool:
    """Rule 1: far enough towards chance, and the interval of the fall excludes 0."""
    change = rows.at("forget", view, "accuracy", state, "change")
    return fell_far(*_both(rows, view, state), chance) and (change.high or 0) < 0


def clears(rows: Rows, metric: str, state: State) -> bool:
    """Whether a divergence lies above its noise floor, interval against interval."""
    found = rows.at("forget", "circuit", metric, state, "change")
    floor = noise_floor(rows, metric, state.format)
    return (found.low or 0) > (floor.high or 0)


def _word(holds: bool) -> Outcome:
    return "holds" if holds else "fails"


def _forget(rows: Rows, chance: float, state: State) -> Verdict:
    """Property 1: accuracy fell, on the prompts training saw and on those it did not."""
    on_seen = fell(rows, "seen", state, chance)
    asked = rows.find("forget", "held-out", "accuracy", state, "value")
    on_held_out = asked is None or fell(rows, "held-out", state, chance)
    reason = f"seen templates {_fall(rows, 'seen', state)}"
    if asked is None:
        reason += "; no held-out template that the base model knows, so paraphrase is untested"
    else:
        reason += f"; held-out templates {_fall(rows, 'held-out', state)}"
    if on_seen and not on_held_out:
        reason += "; passes on seen templates only: this suppresses prompts, it does not forget"
    rule = (
        f"full precision: falls at least {RULES.forget_share:.0%} of the way to chance "
        f"({chance:.2f}), interval excludes 0, on seen and held-out templates"
    )
    return Verdict("forget", _word(on_seen and on_held_out), rule, reason)


def _retain(rows: Rows, origin: str) -> Verdict:
    """Property 2: retain and utility accuracy fell by at most 2 pp, in every format."""
    parts = {
        f"{name} {short(form)}": rows.at(name, "all", "accuracy", State(origin, form), "change")
        for name in ("retain", "utility")
        for form in rows.formats
    }
    # A drop of exactly 2 pp is a difference of two floats and may come out a hair above.
    kept = all((row.value or 0) >= -RULES.max_drop - 1e-9 for row in parts.values())
    enough = all((row.n or 0) >= RULES.min_items for row in parts.values())
    reason = "; ".join(f"{name} {row.value:+.3f} (n={row.n})" for name, row in parts.items())
    formats = " and ".join(map(short, rows.formats))
    rule = (
        f"retain and utility fall by at most {RULES.max_drop * 100:g} pp in {formats}, each "
        f"against θ₀ in the same precision, on at least {RULES.min_items} items each"
    )
    return Verdict("retain", _word(kept and enough), rule, reason)


def _permanence(rows: Rows, chance: float, origin: str, deployed: list[str]) -> Verdict:
    """Property 3: the forgetting is there after quantization as well."""
    holds, reasons = bool(deployed), []
    for form in deployed:
        state = State(origin, form)
        gap = rows.at("forget", "seen", "accuracy", state, "gap")
        own = rows.at("forget", "seen", "accuracy", State("original", form), "gap")
        low = (gap.value or 0) <= RULES.max_gap and (gap.high or 0) <= RULES.max_gap_high
        holds = holds and low and fell(rows, "seen", state, chance)
        reasons.append(
            f"gap {gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}] (the original model's own "
            f"gap: {own.value:+.3f}); {short(form)} {_fall(rows, 'seen', state)}"
        )
    names = " and ".join(map(short, deployed)) or "no format"
    rule = (
        f"PTQ gap at most {RULES.max_gap:+.2f}, its interval's upper end at most "
        f"{RULES.max_gap_high:+.2f}, and {names} accuracy meets rule 1 against Q(θ₀)"
    )
    return Verdict("permanence", _word(holds), rule, "; ".join(reasons) or "no format was measured")


def _structural(rows: Rows, origin: str, deployed: list[str]) -> Verdict:
    """Property 4: the circuit's attribution collapsed, beyond what quantization alone does."""
    holds, found, shifts = bool(deployed), [], []
    for form in (FP, *deployed) if deployed else ():
        state = State(origin, form)
        cad = rows.at("forget", "circuit", "cad", state, "change")
        inside, outside = shift_of(rows, state)
        collapsed = clears(rows, "cad", state) and clears(rows, "normalised_cad", state)
        enough = (cad.value or 0) >= RULES.high_cad
        holds = holds and collapsed and enough and (outside.value or 0) < (inside.value or 0)
        normalised = rows.at("forget", "circuit", "normalised_cad", state, "change")
        found.append(_cad(short(form), cad, normalised))
        shifts.append(f"{short(form)} AS-NC {outside.value:.2f} against AS-C {inside.value:.2f}")
    for form in deployed:
        floors = [noise_floor(rows, name, form) for name in ("cad", "normalised_cad")]
        name = "noise floor" if len(deployed) == 1 else f"noise floor of {short(form)}"
        found.append(_cad(name, *floors))
    formats = " and ".join(map(short, (FP, *deployed)))
    rule = (
        f"in {formats}: CAD and normalised CAD clear their noise floor's interval, CAD at least "
        f"{RULES.high_cad:g}, AS-NC below AS-C"
    )
    reason = "; ".join([*found, *shifts]) or "no format was measured, so there is no noise floor"
    return Verdict("structural", _word(holds), rule, reason)


def shift_of(rows: Rows, state: State) -> tuple[Row, Row]:
    """AS-C and AS-NC."""
    inside, outside = (
        rows.at("forget", view, "activation_shift", state, "change")
        for view in ("circuit", "outside")
    )
    return inside, outside


def _both(rows: Rows, view: str, state: State) -> tuple[float, float]:
    """Forget accuracy of the original in the same format, and of the state."""
    before, now = (
        rows.at("forget", view, "accuracy", State(origin, state.format), "value").value or 0.0
        for origin in ("original", state.origin)
    )
    return before, now


def _fall(rows: Rows, view: str, state: State) -> str:
    change = rows.at("forget", view, "accuracy", state, "change")
    before, now = _both(rows, view, state)
    return (
        f"{before:.2f} → {now:.2f} (change {change.value:+.2f} "
        f"[{change.low:+.2f}, {change.high:+.2f}])"
    )


def _cad(name: str, cad: Row, normalised: Row) -> str:
    return (
        f"{name} CAD {cad.value:.2f} [{cad.low:.2f}, {cad.high:.2f}], "
        f"normalised {normalised.value:.2f}"
    )
