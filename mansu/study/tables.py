"""The scorecard as aligned plain text."""

import textwrap
from collections.abc import Sequence
from typing import Any

from mansu.paths import short_name

_PRECISIONS = (("FP", "fp"), ("NF4", "nf4"))
PROPERTIES = ("forget", "retain", "permanence", "structural")


def scorecard_table(card: dict[str, Any], width: int = 100) -> str:
    """All of a scorecard's numbers, its verdicts and their reasons.

    Args:
        card: A scorecard as stored.
        width: Columns of the terminal; prose is wrapped to it, tables need 80.
    """
    config = card["config"]
    head = (
        f"{config['method']} on {config['model']}: forget {config['forget']}, retain "
        f"{config['retain']}, utility {config['utility']}, seed {config['seed']}"
    )
    layers = ", ".join(map(str, card["circuit"]))
    circuit = f"circuit ({config['circuit']}): MLPs of layers {layers}; floor: {config['floor']}"
    parts = [
        *textwrap.wrap(head, width, break_on_hyphens=False),  # a path must stay one
        *textwrap.wrap(circuit, width),
        "",
        *columns(accuracy_rows(card), "lllllr"),
        *textwrap.wrap(_accuracy_note(card), width),
        "",
        *columns(weight_rows(card), "ll"),
        "",
        *columns(structure_rows(card), "llll"),
        "",
        *_verdicts(card, width),
    ]
    return "\n".join(parts)


def accuracy_rows(card: dict[str, Any]) -> list[list[str]]:
    """Accuracies of every role in both precisions, a heading first."""
    rows = [["accuracy", "", "n", "original", "unlearned", "change"]]
    roles = {"forget": card["forget"], "held-out": card["forget"]["held_out_templates"]}
    roles |= {"retain": card["retain"], "utility": card["utility"]}
    for name, role in roles.items():
        if role is None:
            continue
        for label, precision in _PRECISIONS:
            now, base = role[precision], role[f"{precision}_base"]
            change = role[f"{precision}_change"]
            rows.append(
                [
                    name if precision == "fp" else "",
                    label,
                    str(now["n"]),
                    f"{base['acc']:.3f} {_interval(base['ci'])}",
                    f"{now['acc']:.3f} {_interval(now['ci'])}",
                    f"{change['value']:+.3f} {_interval(change['ci'], '+')}",
                ]
            )
    perplexity = card["utility"]["perplexity"]
    for label, precision in _PRECISIONS:
        base, now = perplexity[f"{precision}_base"], perplexity[precision]
        name = "perplexity" if precision == "fp" else ""
        change = f"{now - base:+.2f}"
        rows.append([name, label, "", f"{base:.2f}", f"{now:.2f}", change])
    return rows


def weight_rows(card: dict[str, Any]) -> list[list[str]]:
    """PTQ gap and the account of the bins, a heading first."""
    gap, ratio = card["ptq_gap"], card["update_to_bin"]
    own = gap["base"]
    in_bins = "nothing changed"
    if ratio["median"] is not None:
        in_bins = (
            f"median {ratio['median']:.3g}, 5th to 95th percentile {ratio['p05']:.3g} to "
            f"{ratio['p95']:.3g}"
        )
    survival = "nothing changed"
    if card["survival"] is not None:
        survival = "1, every changed weight" if card["survival"] == 1 else f"{card['survival']:.6f}"
    return [
        ["permanence", ""],
        ["PTQ gap (NF4 - FP)", f"{gap['value']:+.3f} {_interval(gap['ci'], '+')}"],
        ["  the original's own", f"{own['value']:+.3f} {_interval(own['ci'], '+')}"],
        ["survival", survival],
        ["collateral", f"{card['collateral']:,} weights"],
        ["changed", f"{card['changed']:,} weights, {card['changed_fraction']:.3%} of the model"],
        ["excluded", f"{card['excluded']:,} updates that no boundary could keep"],
        ["update / bin", in_bins],
    ]


def structure_rows(card: dict[str, Any]) -> list[list[str]]:
    """CAD and its companions, a heading first."""
    cad = [card["cad"][name] for name in ("fp", "nf4", "noise_floor")]
    rows = [
        ["attribution", "FP", "NF4", "noise floor"],
        ["CAD", *(f"{c['value']:.3f} {_interval(c['ci'])}" for c in cad)],
        ["normalised", *(f"{c['normalised']:.3f} {_interval(c['normalised_ci'])}" for c in cad)],
        ["M'/M", *(f"{c['metric_ratio']:.3f}" for c in cad)],
    ]
    for name, key in (("AS-C", "as_c"), ("AS-NC", "as_nc")):
        found = [card[key][precision] for _, precision in _PRECISIONS]
        rows.append([name, *(f"{s['value']:.3f} {_interval(s['ci'])}" for s in found), ""])
    return rows


def property_rows(card: dict[str, Any]) -> list[list[str]]:
    """The four properties: name, verdict, rule, reason."""
    return [
        [
            name,
            "holds" if card["properties"][name] else "FAILS",
            card["rules"][name],
            card["reasons"][name],
        ]
        for name in PROPERTIES
    ]


def summary_table(cards: Sequence[dict[str, Any]]) -> str:
    """One line a run: what sets it apart, the key numbers, the verdicts."""
    rows = [["model", "forget", "method", "seed", "FP", "NF4", "gap", "CAD", *PROPERTIES]]
    for card in cards:
        config = card["config"]
        numbers = [
            f"{card['forget']['fp']['acc']:.3f}",
            f"{card['forget']['nf4']['acc']:.3f}",
            f"{card['ptq_gap']['value']:+.3f}",
            f"{card['cad']['fp']['value']:.2f}",
        ]
        verdicts = ["holds" if card["properties"][name] else "FAILS" for name in PROPERTIES]
        named = [short_name(str(config[name])) for name in ("model", "forget", "method", "seed")]
        rows.append([*named, *numbers, *verdicts])
    return "\n".join(columns(rows, "lll" + "r" * 5 + "l" * 4))


def _accuracy_note(card: dict[str, Any]) -> str:
    note = f"[95 % interval, facts resampled as a whole]; chance {card['chance']:.2f}; "
    if card["forget"]["held_out_templates"] is None:
        return note + "no held-out prompt is one that the original model answers."
    return note + "held-out: forget facts under prompts that training never saw."


def _verdicts(card: dict[str, Any], width: int) -> list[str]:
    lines = ["properties"]
    for name, verdict, rule, reason in property_rows(card):
        lines.append(f"{'✓' if verdict == 'holds' else '✗'} {name} {verdict}")
        for label, text in (("rule: ", rule), ("here: ", reason)):
            indent = " " * (4 + len(label))
            lines += textwrap.wrap(
                text, width, initial_indent="    " + label, subsequent_indent=indent
            )
    return lines


def columns(rows: Sequence[Sequence[str]], sides: str) -> list[str]:
    """Aligned lines, a rule below the first; ``sides`` has ``l`` or ``r`` for every column."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = zip(row, widths, sides, strict=True)
        padded = [cell.rjust(w) if side == "r" else cell.ljust(w) for cell, w, side in cells]
        lines.append("  ".join(padded).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return lines


def _interval(ends: Sequence[float], sign: str = "") -> str:
    return f"[{ends[0]:{sign}.2f},{ends[1]:{sign}.2f}]"
