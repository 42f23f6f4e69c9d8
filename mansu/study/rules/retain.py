"""Rule 2: what was to be kept is there, and the model's English too. [O]"""

from mansu.study.rules.base import RULES, Case, Part, interval, items_needed, join, short
from mansu.study.scorecard import Row, Verdict
from mansu.study.state import FP, State

SETS = ("retain", "retained beside", "utility", "neighbours", "far utility")
# Sets that a forget set brings along: a model that does not know them cannot lose them.
BESIDE = ("neighbours", "far utility")


def judge_retain(case: Case) -> Verdict:
    """Rule 2, in every format."""
    formats = " and ".join(map(short, (FP, *case.deployed)))
    rule = (
        f"in {formats}, each against θ₀ there: retain, utility, neighbours and far utility fall by "
        f"at most {RULES.max_drop * 100:g} pp (lower end {RULES.max_drop_low * 100:g}), on "
        f"{RULES.min_items} items or more; the loss on plain text rises by at most "
        f"{RULES.max_loss_rise:g} nats a token (upper end {RULES.max_loss_rise_high:g})"
    )
    parts, notes = [], []
    for name in SETS:
        base = case.rows.find(name, "all", "accuracy", State("original", FP), "value")
        if base is None:
            notes += [] if name == "retained beside" else [f"{name} not given"]
        elif name in BESIDE and (base.value or 0.0) < RULES.known:
            notes.append(f"{name} not known to the original ({base.value:.2f})")
        else:
            parts += [
                _kept(name, case.rows.at(name, "all", "accuracy", case.state(form), "change"))
                for form in case.rows.formats
            ]
    parts += [_english(case, form) for form in case.rows.formats]
    return join("retain", rule, parts, "; ".join(notes))


def _kept(name: str, row: Row) -> Part:
    value, low, high = row.value or 0.0, row.low or 0.0, row.high or 0.0
    text = f"{name} {short(row.format)} {interval(row)}"
    # A drop of exactly 2 pp is a difference of two floats and may come out a hair above.
    if (row.n or 0) < RULES.min_items:
        return Part("undecided", f"{text} (n={row.n}, {RULES.min_items} are needed)")
    if value >= -RULES.max_drop - 1e-9 and low >= -RULES.max_drop_low - 1e-9:
        return Part("holds", text)
    if high < -RULES.max_drop:
        return Part("fails", text)
    if value < -RULES.max_drop:
        need = items_needed(row.n or 1, high - value, -RULES.max_drop - value)
    else:
        need = items_needed(row.n or 1, value - low, value + RULES.max_drop_low)
    return Part("undecided", f"{text} ({need} would tell)")


def _english(case: Case, form: str) -> Part:
    rise = case.rows.at("utility", "text", "loss", case.state(form), "change")
    value, low, high = rise.value or 0.0, rise.low or 0.0, rise.high or 0.0
    text = f"plain text {short(form)} {interval(rise)} nats"
    if value <= RULES.max_loss_rise + 1e-9 and high <= RULES.max_loss_rise_high + 1e-9:
        return Part("holds", text)
    if low > RULES.max_loss_rise:
        return Part("fails", text)
    return Part("undecided", f"{text} (a longer text would tell)")
