"""A forget set without held-out prompts: charts, tables and dashboards leave that role out."""

import pytest

from mansu.lab import charts, lessons
from mansu.lab.dashboards.analysis import AnalysisDashboard
from mansu.lab.dashboards.deployment import DeploymentDashboard
from mansu.lab.dashboards.training import TrainDashboard
from mansu.lab.theme import to_spec
from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.rows import behaviour_rows
from mansu.study.run import Run
from mansu.study.stages import draw, measure_all, measure_origin
from mansu.study.state import states
from tests.study.small_sets import FAST, hurry, write_set, write_sets


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("seen")
    forget = write_set(folder / "seen.jsonl", "elements", ["train"] * 6, ["seen", "seen"])
    config = make_config({**FAST, **write_sets(folder), "forget": forget})
    run = Run(config, Folders(folder / "run", folder / "shared"))
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        run_study(run)
    return run


def test_the_charts_and_tables_of_notebook_5_have_the_other_roles(run):
    measured = measure_all(run, states(run))
    rows = behaviour_rows(measured)
    assert {(row.set, row.view) for row in rows.where(metric="accuracy")} == {
        ("forget", "seen"),
        ("retain", "all"),
        ("utility", "all"),
    }
    assert len(to_spec(charts.slopes(rows, draw(run).chance))["concat"]) == 3
    assert "'role': 'forget, new prompts'" not in str(to_spec(charts.gap_chart(rows)))
    known = set(charts.fact_table(run.forget, measured)["fact"])
    assert known
    assert known <= {fact.subject for fact in run.forget.facts}
    assert charts.template_table(run.forget, measured)["used in"].unique().tolist() == ["training"]


def test_the_dashboards_open_and_offer_the_other_roles(run):
    deployment = DeploymentDashboard(run)
    assert [role for _, role in deployment.role.options] == ["forget_seen", "retain", "utility"]
    for role in ("retain", "utility", "forget_seen"):
        deployment.role.value = role
        assert "questions about" in deployment.words.text
    assert AnalysisDashboard(run).words.text
    assert "could be trained" in TrainDashboard(run).words.text


def test_the_lessons_of_notebook_0_need_no_held_out_prompts(run):
    models = {o: measure_origin(run, o) for o in ("original", "unlearned")}
    assert lessons.price(models, draw(run).chance).why
