"""Measures what a model knows of the built-in sets: ``python data/measure.py measured.jsonl``.

For each set and role of templates: accuracy and AUC in full precision and in NF4, over items drawn
evenly from facts and templates; for a forget set also what can be answered without knowing (its
invented twin in the same templates, the frequency of the options) and what the spelling tells.
Each cell is appended to the file as soon as it is known, and cells that are there are not measured
again; in the end the table of README.md is printed.
"""

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mansu.data.companions import load_companions
from mansu.data.facts import FactSet, fact_set_names, load_fact_set
from mansu.data.far import build_far_items, build_reverse_items
from mansu.data.items import Item, build_items
from mansu.metrics.level import frequency_values, spelling_values
from mansu.metrics.mcq import score_items
from mansu.metrics.rank import item_accuracy, item_auc
from mansu.models import LanguageModel, load_model
from mansu.quant.deployed import deployed

SEED = 0
FAR = ("few_shot", "letters", "chat", "passage")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--items", type=int, default=200, help="items of a cell at most")
    parser.add_argument("--sets", nargs="*", default=list(fact_set_names()))
    parser.add_argument("--roles", nargs="*", help="these alone")
    given = parser.parse_args()
    lines = given.results.read_text().splitlines() if given.results.is_file() else []
    cells = {(row["set"], row["role"]): row for row in map(json.loads, lines)}
    model = load_model(given.model)
    for name in given.sets:
        for role, facts, items in _questions(load_fact_set(name), model):
            wanted = given.roles is None or role in given.roles
            if wanted and (name, role) not in cells and items:
                row = {"set": name, "role": role, **_cell(model, facts, _some(items, given.items))}
                cells[name, role] = row
                with given.results.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(row, flush=True)
    print(_table(list(cells.values())))


def _questions(facts: FactSet, model: LanguageModel) -> Iterator[tuple[str, FactSet, list[Item]]]:
    """Role, set and items, for all that a set can be asked, its twin included."""
    companions = load_companions(facts)
    pool = companions.pool.facts if companions.pool else ()
    asked = [("", facts), *([("twin ", companions.twin)] if companions.twin else [])]
    for prefix, these in asked:
        yield prefix + "seen", these, [*build_items(these.facts, these.seen, SEED)]
        yield prefix + "held_out", these, [*build_items(these.facts, these.held_out, SEED)]
        for kind in FAR:
            templates = [t for t in these.far if t.kind == kind]
            items = build_far_items(these.facts, templates, SEED, model.tokenizer, pool)
            yield f"{prefix}far: {kind}", these, [*items]
    yield "reverse", facts, [*build_reverse_items(facts, SEED)]


def _some(items: list[Item], most: int) -> list[Item]:
    """At most so many items, every fact as often as any other, in turn under every template."""
    order = random.Random(SEED).sample(items, len(items))
    rounds: dict[str, int] = {}
    turns = []
    for item in order:
        turns.append(rounds.get(item.fact_id, 0))
        rounds[item.fact_id] = turns[-1] + 1
    return [item for _, item in sorted(zip(turns, order, strict=True), key=lambda t: t[0])][:most]


def _cell(model: LanguageModel, facts: FactSet, items: list[Item]) -> dict[str, Any]:
    answers = [item.answer for item in items]
    found: dict[str, Any] = {"n": len(items)}
    under = np.array([item.template_id for item in items])

    def note(name: str, values: np.ndarray) -> None:
        right = item_accuracy(values, answers)
        found[name] = round(float(right.mean()), 3)
        found[f"{name}_auc"] = round(float(item_auc(values, answers).mean()), 3)
        if name in ("fp", "nf4"):
            each = {t: round(float(right[under == t].mean()), 2) for t in sorted(set(under))}
            found[f"{name}_templates"] = each

    note("fp", score_items(model, items).log_probs)
    with deployed(model):
        note("nf4", score_items(model, items).log_probs)
    offered = {f" {option}" for fact in facts.facts for option in fact.options}
    if offered.issuperset(option for item in items for option in item.options):
        note("frequency", frequency_values(items, facts))
        note("spelling", spelling_values(items, facts.facts))
    return found


def _table(rows: list[dict]) -> str:
    names = ("fp", "nf4", "frequency", "spelling")
    head = ["set", "prompts", "items", "FP", "NF4", "frequency", "spelling"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for row in sorted(rows, key=lambda row: row["set"]):
        figures = [f"{row[n]:.2f} ({row[n + '_auc']:.2f})" if n in row else "" for n in names]
        lines.append("| " + " | ".join([row["set"], row["role"], str(row["n"]), *figures]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
