"""What a chart cannot draw, it says."""

from dataclasses import replace

from mansu.lab import charts
from mansu.lab.theme import to_spec
from mansu.theory import Crossings
from tests.lab.made_up import Made


def test_an_update_that_crossed_nothing_is_said_to_have_changed_nothing(made: Made) -> None:
    update = replace(made.guarantees.after, crossings=Crossings(0, 0, 0, 0, 0, 0, 0, ()))
    found = replace(made.guarantees, before=update, after=update)
    assert "Nothing changed." in to_spec(charts.amplification(found))["title"]["subtitle"]


def test_a_falling_retain_loss_is_told_though_a_log_axis_cannot_show_it(made: Made) -> None:
    cost = replace(made.guarantees.after.cost, loss_after=0.75)
    found = replace(made.guarantees, after=replace(made.guarantees.after, cost=cost))
    notes = " ".join(to_spec(charts.retain_bound(found))["title"]["subtitle"])
    assert "measured after the floor is -0.25" in notes
