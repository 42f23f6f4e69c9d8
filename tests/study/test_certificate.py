"""The certificate: the worst of all that was tried, its cell, and a word from the numbers alone."""

import dataclasses
import io

import pandas as pd
import pytest

from mansu.study.attacked import attack_rows
from mansu.study.card_text import scorecard_table
from mansu.study.certificate import NEEDED, UNATTACKED, certify
from mansu.study.relearned import relearning_rows
from mansu.study.scorecard import Outcome, Row, Rows, Scorecard
from mansu.study.table_files import to_csv, to_markdown, to_text
from mansu.study.tables import find_table
from tests.study import made_up
from tests.study.test_attacked import plug, shouted, struck
from tests.study.test_relearned import attacks, card_rows

FORMS = ("fp", "nf4")
TRIED = "formats FP, NF4; seed 3; prompts seen, held-out; "


def card(
    *more: Row, seed: int = 3, held: float = 0.35, level: float = 0.25, **outcomes: Outcome
) -> Scorecard:
    """A run with an accuracy on held-out prompts in NF4, further rows, and rules that end so."""
    rows = [
        *(row for row in card_rows() if row.set != "forget" or row.metric != "accuracy"),
        *made_up.accuracies("forget", "seen", made_up.in_states(0.9, fp=0.3, nf4=0.31)),
        *made_up.accuracies("forget", "held-out", made_up.in_states(0.9, fp=0.3, nf4=held)),
        *made_up.accuracies("forget", "reverse", made_up.in_states(0.9, fp=0.8, nf4=0.8)),
        *made_up.levels(FORMS, level, ("seen", "held-out")),
    ]
    made = made_up.scorecard([*rows, *more])
    verdicts = tuple(
        dataclasses.replace(verdict, outcome=outcomes.get(verdict.name.replace(" ", "_"), "holds"))
        for verdict in made.verdicts
    )
    config = {**made.config, "seed": seed}
    return dataclasses.replace(made, config=config, verdicts=verdicts)


def changes(name: str, fp: float, nf4: float) -> Rows:
    return made_up.accuracies(name, "all", made_up.in_states(0.9, fp=0.9 + fp, nf4=0.9 + nf4))


def test_the_worst_over_formats_prompts_and_seeds_is_named_with_cell_and_interval() -> None:
    found = certify([card(held=0.35), card(held=0.42, seed=7), card(held=0.33, seed=9)])
    cell = found.cells["forget, asked"]
    assert (cell.row.value, cell.place, cell.seed) == (0.42, "held-out prompts, NF4", 7)
    assert (cell.row.low, cell.row.high) == (pytest.approx(0.39), pytest.approx(0.45))
    assert (cell.original, cell.never_knew) == (0.9, 0.25)


def test_the_worst_fall_is_the_smallest_change_of_each_set() -> None:
    one = [*changes("neighbours", -0.5, -0.5)]  # in no line of the certificate
    found = certify([card(*one), card(seed=4)]).cells
    for name in ("retain", "utility"):
        cell = found[f"{name}, change"]
        rows = card().rows.where(set=name, metric="accuracy", kind="change", origin="unlearned")
        assert cell.row.value == min(row.value or 0.0 for row in rows)
        assert cell.place == "FP"


def test_the_worst_of_the_attacks_is_named_with_its_setting() -> None:
    found = certify([card(*shouted(), *relearning_rows(attacks()))]).cells
    cell = found["forget, attacked"]
    assert (cell.row.value, cell.place) == (pytest.approx(0.7), "prompts loud, FP")
    assert (cell.original, cell.never_knew) == (pytest.approx(0.95), pytest.approx(0.2))
    share = found["recovered share"]
    assert (share.row.value, share.place) == (pytest.approx(0.4), "relearn 0.0005, as trained, FP")
    assert share.row.low is not None


def test_what_was_not_tried_has_no_cell_and_is_not_on_the_list() -> None:
    found = certify([card()])
    assert not {"forget, attacked", "recovered share"} & set(found.cells)
    assert found.word == "undecided"
    assert found.basis == f"{UNATTACKED}; tried: {TRIED}not attacked"


def asked(**accuracies: float) -> Rows:
    """An attack that asks: original .95, never-knew .1, .2 … in the settings' order."""
    return attack_rows(plug(*accuracies), struck(**accuracies))


def shared(share: float, high: float) -> Rows:
    """An attack that fine-tunes and brings back such a share."""
    found = relearning_rows(attacks())
    ends = {"value": share, "low": 0.1, "high": high}
    return Rows(
        dataclasses.replace(row, **ends) if row.metric == "recovered_share" else row
        for row in found
    )


@pytest.mark.parametrize(
    ("rows", "outcomes", "word", "why"),
    [
        ((), {}, "undecided", UNATTACKED),
        ((), {"permanence": "fails"}, "not permanent", "rule permanence FAILS (seed 3)"),
        ((), {"forgotten": "undecided"}, "undecided", "rule forgotten undecided (seed 3)"),
        ((), {"permanence": "not testable"}, "not testable", "rule permanence not testable"),
        # Told by their own lines.
        (asked(quiet=0.2), {"retain": "fails", "durable": "fails"}, "permanent", ""),
        (asked(quiet=0.2), {}, "permanent", ""),
        (asked(quiet=0.2, loud=0.95), {}, "not permanent", "prompts loud brings it back in FP"),
        (asked(quiet=0.5), {}, "undecided", "prompts quiet is undecided in NF4"),
        (asked(quiet=0.95), {"forgotten": "not testable"}, "not permanent", "brings it back"),
        (asked(quiet=0.2), {"forgotten": "not testable"}, "not testable", "rule forgotten"),
        (shared(0.3, 0.45), {}, "permanent", ""),
        (relearning_rows(attacks(now=0.9)), {}, "not permanent", "relearn brings it back in NF4"),
        (shared(0.3, 0.55), {}, "undecided", "relearn is undecided in FP"),
    ],
)
def test_the_word_comes_from_rules_and_attacks_alone(rows, outcomes, word, why) -> None:
    found = certify([card(*rows, **outcomes)])
    assert found.word == word
    assert why in found.basis
    assert f"tried: {TRIED}" in found.basis


def test_one_seed_that_fails_is_enough_and_is_named() -> None:
    found = certify([card(), card(seed=4, permanence="fails"), card(seed=5)])
    assert found.word == "not permanent"
    assert "rule permanence FAILS (seed 4)" in found.basis
    assert "seeds 3, 4, 5" in found.basis


def test_an_attack_that_cannot_tell_decides_nothing_and_is_not_on_the_list() -> None:
    """The original itself answers no more there than a model that never knew."""
    found = struck(quiet=0.2, mute=0.9)
    for origins in found.values():
        quiet, mute = origins["original"]
        origins["original"] = (
            quiet,
            dataclasses.replace(mute, scores=origins["control"][1].scores),
        )
    certificate = certify([card(*attack_rows(plug("quiet", "mute"), found))])
    assert certificate.basis == f"tried: {TRIED}attacks prompts quiet"
    untaught = certify([card(*relearning_rows(attacks(taught=0.5)))])
    assert untaught.basis == f"{UNATTACKED}; tried: {TRIED}not attacked"


def test_prompts_whose_answers_can_be_guessed_are_not_on_the_list() -> None:
    found = certify([card(level=0.8)])
    assert "no prompts" in found.basis


def test_only_what_every_seed_knows_is_on_the_list_and_all_of_it_counts() -> None:
    found = certify([card(*asked(quiet=0.2)), card(*shouted(), seed=4), card(seed=5)])
    assert "not attacked" in found.basis
    assert found.cells["forget, attacked"].seed == 4
    assert "prompts loud is undecided in NF4 (seed 4)" in found.basis


@pytest.mark.parametrize("rows", [(), asked(quiet=0.2), shouted()])
def test_the_scorecard_ends_with_the_worst_cells_the_word_and_the_list(rows) -> None:
    text = scorecard_table(card(*rows), 80)
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("certificate"))
    told = " ".join(lines[start:])
    assert "forget, asked" in told
    assert "0.350 [0.32,0.38]" in told
    assert told.endswith(certify([card(*rows)]).basis)
    assert max(map(len, lines)) <= 80


def test_the_table_has_a_line_a_cell_and_the_word_with_its_list() -> None:
    table = find_table("certificate")
    other = card(permanence="fails")
    other = dataclasses.replace(other, config={**other.config, "method": "ga", "floor": "none"})
    frame = table.build([card(), card(held=0.42, seed=7), other])
    assert frame["certificate"].tolist() == [
        *("forget, asked", "retain, change", "utility, change", "undecided"),
        *("forget, asked", "retain, change", "utility, change", "not permanent"),
    ]
    assert frame["where"][0] == "held-out prompts, NF4, seed 7"
    text = to_text(table, frame)
    assert "0.420 [0.390, 0.450]" in text
    read = pd.read_csv(io.StringIO(to_csv(table, frame)))
    assert read["worst low"][0] == pytest.approx(0.39)


def test_permanent_is_nowhere_printed_without_the_list() -> None:
    table, rows = find_table("certificate"), asked(quiet=0.2)
    cards = [card(*rows), card(*rows, seed=4)]
    texts = [write(table, table.build(cards)) for write in (to_text, to_markdown, to_csv)]
    lines = [line for text in texts for line in text.splitlines() if line != table.note]
    said = [line for line in lines if "permanent" in line]
    assert len(said) == 3
    assert all("tried: formats FP, NF4; seeds 3, 4; prompts seen" in line for line in said)
    assert NEEDED == ("forgotten", "not silenced", "permanence")
