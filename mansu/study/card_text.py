"""The scorecard as aligned plain text."""

import textwrap
from collections.abc import Sequence
from typing import Any

from mansu.attacks import find_attack
from mansu.collections import find_collection, split
from mansu.data.facts import several
from mansu.paths import short_name
from mansu.study.attacked import attack_notes, attack_table, tuned
from mansu.study.benchmark_text import benchmark_text
from mansu.study.cells import cell, columns, head_of, lines_of, number
from mansu.study.certificate import Certificate, certify
from mansu.study.config import SETS
from mansu.study.relearned import RELEARN, relearning_lines
from mansu.study.rows import VIEWS
from mansu.study.rules.base import short
from mansu.study.scorecard import Kind, Rows, Scorecard, Verdict
from mansu.study.state import FP, State, find_origin

_NAMES = {
    "forget_seen": "forget",
    "forget_held_out": "held-out",
    "forget_far": "far",
    "forget_reverse": "reverse",
    "far_utility": "far utility",
}


def scorecard_table(card: Scorecard, width: int = 100) -> str:
    """All of a scorecard's numbers, its verdicts and their reasons.

    Args:
        card: The scorecard.
        width: Columns of the terminal; prose is wrapped to it, tables need 80.

    A card without numbers says why there are none.
    """
    head, config, rows = _head(card, width), card.config, card.rows
    if not rows:
        why = f"no numbers: {card.verdicts[0].reason}"
        return "\n".join([*head, "", *textwrap.wrap(why, width)])
    layers = ", ".join(map(str, card.circuit))
    circuit = f"circuit ({config['circuit']}): MLPs of layers {layers}; floor: {config['floor']}"
    others = 2 * (len(rows.origins) - 1)
    parts = [
        *head,
        *textwrap.wrap(circuit, width),
        "",
        *columns(accuracy_rows(rows), "llll" + "lr" * (others // 2)),
        *textwrap.wrap(_accuracy_note(card), width),
        "",
        *columns(speech_table(rows), "ll" + "r" * (others // 2 + 1)),
        "",
        *benchmark_text(rows, config["forget"]),
        *columns(permanence_rows(rows), "ll"),
        "",
        *columns(attribution_rows(rows), None),
        "",
        *_attacks(rows, width),
        *_verdicts(card, width),
        "",
        *_certificate(card, width),
    ]
    return "\n".join(parts)


def _head(card: Scorecard, width: int) -> list[str]:
    """Which run it is about."""
    config = card.config
    names = {key: short_name(config[key]) for key in ("model", "forget", "utility")}
    names["retain"] = ", ".join(map(short_name, several(config["retain"])))
    told = (
        f"{config['method']} on {names['model']}: forget {names['forget']}, retain "
        f"{names['retain']}, utility {names['utility']}, seed {config['seed']}"
    )
    return textwrap.wrap(told, width, break_on_hyphens=False)  # a path must stay one


def accuracy_rows(rows: Rows) -> list[list[str]]:
    """Accuracies of every role in every state, and perplexities, a heading first."""
    table = [head_of("accuracy", rows)]
    places = [(_NAMES.get(role, name), name, view) for role, (name, view) in VIEWS.items()]
    for title, name, view in places:
        if rows.where(set=name, view=view, metric="accuracy"):
            table += lines_of(title, rows, (name, view, "accuracy"), ".3f")
    return table + lines_of("perplexity", rows, ("utility", "text", "perplexity"), ".2f")


def speech_table(rows: Rows) -> list[list[str]]:
    """What options lost, what is said openly, and what depends on the subject, a heading first."""
    heads = [find_origin(name).title for name in rows.origins]
    table = [["answers in the open", "", *heads]]
    named: dict[str, tuple[str, str, Kind, str]] = {
        "right option, nats": ("seen", "log_prob_right", "value", ".1f"),
        "  its change": ("seen", "log_prob_right", "change", "+.1f"),
        "wrong options, nats": ("seen", "log_prob_wrong", "value", ".1f"),
        "  their change": ("seen", "log_prob_wrong", "change", "+.1f"),
        "an answer of the kind": ("open", "kind", "value", ".3f"),
        "says nothing": ("open", "degenerate", "value", ".3f"),
        "depends on the subject, nats": ("open", "subject_dependence", "value", ".2f"),
        "AUC": ("seen", "auc", "value", ".3f"),
        "level L": ("seen", "level_accuracy", "value", ".3f"),
        "  readable from names": ("seen", "readable_accuracy", "value", ".3f"),
    }
    for title, (view, metric, kind, digits) in named.items():
        for form in rows.formats:
            states = [State(origin, form) for origin in rows.origins]
            found = [rows.find("forget", view, metric, state, kind) for state in states]
            if any(found):
                cells = [number(row, digits) for row in found]
                table.append([title if form == FP else "", short(form), *cells])
    return table


def permanence_rows(rows: Rows) -> list[list[str]]:
    """PTQ gaps and the account of the bins, a heading first."""
    place = ("forget", "seen", "accuracy")
    table = [["permanence", ""]]
    for form in rows.formats[1:]:
        for origin in (*rows.origins[1:], "original"):
            gap = cell(rows.at(*place, State(origin, form), "gap"), "+.3f")
            own = {
                "unlearned": f"PTQ gap ({short(form)} - FP)",
                "original": "  the original's own",
            }
            table.append([own.get(origin, f"  {find_origin(origin).title}'s"), gap])
    return [*table, *_account_rows(rows)]


def _account_rows(rows: Rows) -> list[list[str]]:
    """The account in every format that was aimed at: what all share, then what each keeps."""
    accounts: dict[str, dict[str, Any]] = {}
    for row in rows.where(set="weights"):
        accounts.setdefault(row.format, {})[row.metric] = row.value
    first = next(iter(accounts.values()))
    changed, share = first["changed"], first["changed_fraction"]
    own = [
        [f"{title} in {short(form)}" if len(accounts) > 1 else title, text]
        for form, account in accounts.items()
        for title, text in _kept(account).items()
    ]
    return [
        *own,
        ["changed", f"{changed:,.0f} weights, {share:.3%} of the model"],
        ["excluded", f"{first['excluded']:,.0f} updates that no boundary could keep"],
    ]


def _kept(account: dict[str, Any]) -> dict[str, str]:
    """What one format keeps of the update."""
    in_bins = survival = "nothing changed"
    if account["ratio_median"] is not None:
        in_bins = (
            f"median {account['ratio_median']:.3g}, 5th to 95th percentile "
            f"{account['ratio_p05']:.3g} to {account['ratio_p95']:.3g}"
        )
    if account["survival"] is not None:
        whole = account["survival"] == 1
        survival = "1, every changed weight" if whole else f"{account['survival']:.6f}"
    return {
        "survival": survival,
        "collateral": f"{account['collateral']:,.0f} weights",
        "update / bin": in_bins,
    }


def attribution_rows(rows: Rows) -> list[list[str]]:
    """CAD, depth and their companions, a heading first; the last columns are noise floors."""
    compared = [State(o, form) for o in rows.origins[1:] for form in rows.formats]
    several = len(rows.origins) > 2
    heads = [f"{find_origin(s.origin).title}, {short(s.format)}" for s in compared]
    floors = [State("original", form) for form in rows.formats[1:]]
    floor_heads = (
        ["noise floor"] if len(floors) == 1 else [f"floor, {short(s.format)}" for s in floors]
    )
    table = [["attribution", *(heads if several else map(short, rows.formats)), *floor_heads]]
    named = {
        "CAD": ("circuit", "cad"),
        "normalised": ("circuit", "normalised_cad"),
        "M'/M": ("circuit", "metric_ratio"),
        "left of it": ("circuit", "mass_ratio"),
        "AS-C": ("circuit", "activation_shift"),
        "AS-NC": ("outside", "activation_shift"),
        "depth": ("depth", "unlearning_depth"),
        "depth, capped": ("depth", "capped_depth"),
        "lens depth": ("depth", "lens_depth"),
    }
    for name, (view, metric) in named.items():
        found = [rows.find("forget", view, metric, state, "change") for state in compared]
        found += [rows.find("forget", view, metric, state, "gap") for state in floors]
        if any(found):
            table.append([name, *("" if row is None else cell(row, ".3f") for row in found)])
    return table


def property_rows(card: Scorecard) -> list[list[str]]:
    """The rules: name, verdict, rule, reason; then the paper's properties."""
    told = [[v.name, v.word, v.rule, v.reason] for v in card.verdicts]
    return told + [[f"paper: {v.name}", v.word, v.rule, v.reason] for v in card.paper]


def _accuracy_note(card: Scorecard) -> str:
    note = f"[95 % interval, facts resampled as a whole]; chance {card.chance:.2f}; "
    written = [
        role
        for role in SETS
        for name in several(card.config[role])
        if find_collection(split(name)[0]).recited
    ]
    if written:
        note += f"of {', '.join(dict.fromkeys(written))}: ROUGE-L F1 of what is written; "
    if not card.templates:
        return note + "no held-out prompt is one that the original model answers."
    return note + "held-out: forget facts under prompts that training never saw."


def _attacks(rows: Rows, width: int) -> list[str]:
    """What every attack brought back, a section each, and the worst of each side by side."""
    names, lines = tuned(rows), []
    if RELEARN not in names:
        lines += ["relearning: not attacked (mansu run --relearn)", ""]
    for name in names:
        told = relearning_lines(rows, name, find_attack(name).title)
        lines += [*columns(told, None), ""]
    if worst := attack_table(rows):
        lines += columns([[*worst[0]], *([*line.values()] for line in worst)], None)
        lines += [*(part for note in attack_notes(rows) for part in textwrap.wrap(note, width)), ""]
    return lines


def _verdicts(card: Scorecard, width: int) -> list[str]:
    told = ", ".join(f"{verdict.name} {verdict.word}" for verdict in card.paper)
    return [
        f"verdict: {card.word} (rules, version {card.rules})",
        *verdict_lines(card.verdicts, width),
        "",
        *textwrap.wrap(f"by the paper's own four properties: {told}", width),
    ]


def verdict_lines(verdicts: Sequence[Verdict], width: int = 100) -> list[str]:
    """Each rule with its outcome, its words and the numbers that decide it."""
    lines = []
    for verdict in verdicts:
        lines.append(f"{verdict.mark} {verdict.name} {verdict.word}")
        for label, text in (("rule: ", verdict.rule), ("here: ", verdict.reason)):
            indent = " " * (4 + len(label))
            lines += textwrap.wrap(
                text, width, initial_indent="    " + label, subsequent_indent=indent
            )
    return lines


def certificate_rows(found: Certificate) -> list[list[str]]:
    """The worst of all that was tried and where it was found, a heading first."""
    table = [["certificate", "worst", "where"]]
    for name, worst in found.cells.items():
        digits = "+.3f" if worst.row.kind == "change" else ".3f"
        table.append([name, cell(worst.row, digits), worst.place])
    return table


def _certificate(card: Scorecard, width: int) -> list[str]:
    found = certify([card])
    told = textwrap.wrap(f"{found.word}: {found.basis}", width)
    return [*columns(certificate_rows(found), "lrl"), *told]
