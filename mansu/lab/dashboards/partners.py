"""What a circuit can be compared to: a format, a control, another fact set, another model."""

from dataclasses import dataclass
from typing import Literal, cast, get_args

from mansu.circuit import EdgeScores, select
from mansu.circuit.selection import Kind
from mansu.lab.dashboards.comparison import Shown
from mansu.lab.dashboards.jobs import telling
from mansu.lab.dashboards.runs import change, fitting, forget_names, model_names, open_beside
from mansu.paths import short_name
from mansu.study.config import StudyConfig
from mansu.study.run import Progress, Run
from mansu.study.stages.attribute import attribute
from mansu.study.stages.gradual import GradualScores, score_gradually
from mansu.study.stages.localize import localize
from mansu.study.state import FP, State, format_title


@dataclass(frozen=True)
class Partner:
    """The other side of a comparison.

    Attributes:
        field: What differs: the format, or a configuration field.
        value: Its value there.
    """

    field: Literal["format", "circuit", "forget", "model"]
    value: str

    @property
    def name(self) -> str:
        """What a reader calls it."""
        return {
            "format": f"the same model in {self.value}",
            "circuit": f"{self.value} circuit of the same size",
            "forget": f"fact set {self.value}",
            "model": f"model {self.value}",
        }[self.field]


def partners(config: StudyConfig) -> list[Partner]:
    """What a run's circuit can be compared to here."""
    return [
        *(Partner("format", format_title(name)) for name in config.formats),
        *(Partner("circuit", kind) for kind in get_args(Kind) if kind != "causal"),
        *(Partner("forget", name) for name in forget_names(config)[1:]),
        *(Partner("model", name) for name in model_names(config)[1:]),
    ]


def both(
    run: Run,
    partner: Partner,
    top_k: int,
    kind: Kind,
    known: dict[Partner, GradualScores],
    tell: Progress,
) -> tuple[Shown, Shown]:
    """The run's circuit and its partner, computed as far as nothing is stored.

    Args:
        run: The notebook's run.
        partner: The other side.
        top_k: Size of both circuits, as far as the models have as many MLPs.
        kind: How both are chosen, unless this is what differs.
        known: Partners whose edges were scored, perhaps in part; a new one is added.
        tell: Told of progress; may end the work.
    """
    with telling(run, tell):
        own = localize(run).scores
        first = f"{short_name(run.config.model)}, {short_name(run.config.forget)}"
        if partner.field == "circuit":
            other = cast(Kind, partner.value)
            return _shown(own, top_k, "causal", "causal"), _shown(own, top_k, other, other)
        if partner.field == "format":
            form = next(f for f in run.config.formats if format_title(f) == partner.value)
            deployed = attribute(run, State("original", form)).scores
            full = _shown(own, top_k, kind, f"{first}, {format_title(FP)}")
            return full, _shown(deployed, top_k, kind, f"{first}, {partner.value}")
        config = fitting(change(run.config, **{partner.field: partner.value}))
        second = f"{short_name(config.model)}, {short_name(config.forget)}"
        if partner not in known:
            known[partner] = GradualScores(open_beside(run, config, tell))
        *_, found = score_gradually(known[partner], tell)
        return _shown(own, top_k, kind, first), _shown(found, top_k, kind, second)


def _shown(scores: EdgeScores, top_k: int, kind: Kind, name: str) -> Shown:
    return Shown(scores, select(scores, min(top_k, scores.graph.layers), kind), name)
