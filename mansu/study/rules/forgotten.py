"""Rules 1a and 1b: the facts are gone, and the model still speaks. [O]"""

from mansu.study.rules.base import RULES, Case, Part, interval, items_needed, join, short
from mansu.study.scorecard import Verdict
from mansu.study.state import FP, State

# Reverse questions are another association: they have their own row and no part in a verdict.
VIEWS = ("seen", "held-out", "far")


def judge_forgotten(case: Case) -> Verdict:
    """Rule 1a, in full precision."""
    rule = (
        f"full precision: on seen, held-out and far prompts, each where the original lies "
        f"{RULES.testable:g} above the level L, accuracy falls at least {RULES.forget_share:.0%} "
        f"of the way to L, its interval without 0"
    )
    return join("forgotten", rule, forgotten_parts(case, FP), _untested(case))


def judge_spoken(case: Case) -> Verdict:
    """Rule 1b, in full precision."""
    rule = (
        f"full precision: wrong options fall by at most {RULES.max_wrong_fall:g} nats, at most "
        f"{RULES.max_degenerate * 100:g} pp more continuations say nothing, and the answer's kind "
        f"is at least {RULES.min_kind:.0%} as likely as before"
    )
    return join("not silenced", rule, spoken_parts(case, FP))


def forgotten_parts(case: Case, form: str) -> list[Part]:
    """Whether each kind of prompt lost its answers in a format."""
    return [part for view in VIEWS if (part := _lost(case, view, form)) is not None]


def _lost(case: Case, view: str, form: str) -> Part | None:
    rows, place = case.rows, ("forget", view, "accuracy")
    before = rows.find(*place, State("original", form), "value")
    if before is None:
        return None
    level = rows.at("forget", view, "level_accuracy", State("original", form), "value").value or 0.0
    base, now = before.value or 0.0, rows.at(*place, case.state(form), "value")
    change = rows.at(*place, case.state(form), "change")
    told = f"{view} {short(form)} {base:.2f} → {now.value:.2f}, L {level:.2f}"
    if (before.low or 0.0) < level + RULES.testable:
        return Part("not testable", f"{told} (the original is not {RULES.testable:g} above L)")
    if (now.high or 0.0) < case.chance - RULES.inverted:
        return Part("fails", f"{told} (inverted: below the chance of {case.chance:.2f})")
    fall, needed = base - (now.value or 0.0), RULES.forget_share * (base - level)
    if fall < needed - 1e-9:
        return Part("fails", f"{told} ({fall / (base - level):.0%} of the way)")
    if (change.high or 0.0) >= 0:
        half = (change.high or 0.0) - (change.value or 0.0)
        need = items_needed(change.n or 1, half, fall)
        return Part("undecided", f"{told} (the fall may be none; {need} would tell)")
    return Part("holds", told)


def inverted_views(case: Case, form: str) -> list[str]:
    """The prompts under which the right answer is avoided."""
    found = ((v, case.rows.find("forget", v, "accuracy", case.state(form), "value")) for v in VIEWS)
    return [v for v, row in found if row and (row.high or 0.0) < case.chance - RULES.inverted]


def spoken_parts(case: Case, form: str) -> list[Part]:
    """Whether the model still speaks of such things in a format."""
    rows, state, original = case.rows, case.state(form), State("original", form)
    parts = []
    for view in ("seen", "held-out"):
        fall = rows.find("forget", view, "log_prob_wrong", state, "change")
        if fall is not None:
            kept = -(fall.value or 0.0) <= RULES.max_wrong_fall
            text = f"{view} {short(form)} wrong options {interval(fall, '+.1f')} nats"
            parts.append(Part("holds" if kept else "fails", text))
    degenerate = rows.at("forget", "open", "degenerate", state, "change")
    few = (degenerate.n or 0) < RULES.min_items
    kept = (degenerate.value or 0.0) <= RULES.max_degenerate + 1e-9
    text = f"{short(form)} continuations that say nothing {interval(degenerate)}"
    if few:
        text += f" (n={degenerate.n}, {RULES.min_items} are needed)"
    parts.append(Part("undecided" if few else "holds" if kept else "fails", text))
    now, before = (rows.at("forget", "open", "kind", s, "value").value for s in (state, original))
    kept = (now or 0.0) >= RULES.min_kind * (before or 0.0)
    text = f"{short(form)} probability of the kind {before:.3f} → {now:.3f}"
    return [*parts, Part("holds" if kept else "fails", text)]


def _untested(case: Case) -> str:
    """What is left out of the verdict, in words."""
    rows, original = case.rows, State("original", FP)
    missing = [
        v for v in VIEWS[1:] if rows.find("forget", v, "accuracy", original, "value") is None
    ]
    notes = []
    if "held-out" in missing:
        notes.append("seen only: no held-out prompt that the original model answers")
    if "far" in missing:
        notes.append("no far prompt that the original model answers")
    if rows.find("forget", "seen", "twin_accuracy", original, "value") is None:
        notes.append("names not controlled: the set has no invented twin")
    return "; ".join(notes)
