"""The plan as plain text."""

import textwrap
from collections.abc import Sequence
from typing import Any

from mansu.paths import short_name
from mansu.study.cells import columns
from mansu.study.plan.disk import disk_of
from mansu.study.plan.moments import Kind, Moment
from mansu.study.plan.plan import Plan, stages_of
from mansu.study.plan.workload import PIECE
from mansu.study.stages.fisher import scope_of

_GB = 10**9
_KINDS: tuple[Kind, ...] = (
    *("weights", "trained", "optimizer", "gradients", "activations", "attribution"),
)


def plan_table(plan: Plan, width: int = 100) -> str:
    """One line a stage at its fullest moment, the run's peak, and what was assumed.

    Args:
        plan: The plan.
        width: Columns of the terminal; prose is wrapped to it.
    """
    config, model = plan.config, plan.shapes.model
    shapes = plan.shapes
    head = (
        f"{config.model}: {model.weight_count:,} weights in {config.dtype}; method: "
        f"{config.method}, floor: {config.floor}; its matrices, in {len(shapes.layers)} of "
        f"{model.layers} layers, hold {shapes.count:,} weights"
    )
    last = ["parked", "total"] if plan.on_cpu else ["device", "host"]
    rows = [["GB", *_KINDS, *last, "fullest while"]]
    for stage in stages_of(config):
        fullest = plan.peak(stage)
        host = max(m.host for m in plan.moments if m.stage == stage)
        ends = (fullest.host, fullest.total) if plan.on_cpu else (fullest.device, host)
        parts = [fullest.terms.get(kind, 0) for kind in _KINDS]
        rows.append([stage, *(_gb(plan, n) for n in (*parts, *ends)), fullest.name])
    return "\n".join(
        [
            *textwrap.wrap(head, width, break_on_hyphens=False),
            "",
            *columns(rows, "l" + "r" * (len(rows[0]) - 2) + "l"),
            "",
            *textwrap.wrap(_peak(plan), width),
            "",
            *(line for note in _notes(plan) for line in textwrap.wrap(note, width)),
        ]
    )


def study_table(plans: Sequence[Plan], width: int = 100) -> str:
    """One line a run of a study at its fullest moment, with what it leaves on disk.

    Args:
        plans: The runs.
        width: Columns of the terminal; prose is wrapped to it.
    """
    rows = [["GB", "forget", "method", "device", "host", "weights", "shared", "run"]]
    models, shared, own = dict[str, int](), dict[tuple[str, ...], int](), 0
    for plan in plans:
        config, disk = plan.config, disk_of(plan)
        names = [short_name(config.model), short_name(config.forget), config.method]
        full, host = plan.peak(), max(moment.host for moment in plan.moments)
        ends = (full.total, 0) if plan.on_cpu else (full.device, host)
        parts = (*ends, disk.weights, disk.shared + disk.fisher, disk.run)
        rows.append([*names, *(f"{number / _GB:.2f}" for number in parts)])
        models[config.model] = disk.weights
        key = (config.model, config.forget, config.retain, config.utility)
        shared[key] = max(shared.get(key, 0), disk.shared)
        if disk.fisher:
            shared[*key, scope_of(config).name] = disk.fisher
        own += disk.run
    total = sum(models.values()) + sum(shared.values()) + own
    notes = [
        "device and host: the most that a run holds at once, on a CPU both together; weights, "
        "shared and run: its files. This is accounting from the configuration, of tensors alone.",
        f"On disk in all: {total / _GB:.2f} GB, each model once, and once what all methods on the "
        "same model and data share.",
    ]
    wrapped = (line for note in notes for line in textwrap.wrap(note, width))
    return "\n".join([*columns(rows, "lllrrrrr"), "", *wrapped])


def _peak(plan: Plan) -> str:
    fullest: Moment = plan.peak()
    if plan.on_cpu:
        return f"Peak: {_gb(plan, fullest.total)} GB, in stage {fullest.stage} ({fullest.name})."
    host = max(plan.moments, key=lambda m: m.host)
    return (
        f"Peak: {_gb(plan, fullest.device)} GB on the device, in stage {fullest.stage} "
        f"({fullest.name}); {_gb(plan, host.host)} GB parked in host memory, in stage "
        f"{host.stage} ({host.name})."
    )


def _notes(plan: Plan) -> list[str]:
    config, work, layers = plan.config, plan.workload, plan.shapes.layers
    own = config.settings
    longest = max(len(e.tokens) for e in (*work.forget, *work.retain))
    counted = "counted with the model's tokenizer"
    if not work.counted:
        counted = f"no tokenizer is at hand, so words count one token per {PIECE} letters"
    where = f"Its matrices lie in layers {', '.join(map(str, layers))}"
    if not plan.located:
        where += (
            ", the worst case: which layers the circuit takes is known after localize; the lowest "
            "decides how much of the model is trained through"
        )
    return [
        "This is accounting from the configuration, not measured on a GPU. GB = 10^9 bytes; live "
        "tensors only: the libraries' own memory and the allocator's waste come on top.",
        f"Longest training sequence: {longest} tokens ({counted}). {_batches(own)}"
        f"{config.pairs} attribution pairs within {config.memory_mb} MB.",
        f"{where}.",
        "Columns: trained holds the trained copies of the matrices, masters and indices; "
        "optimizer its moments, the best so far, and what the method remembers; gradients those "
        "of what is stepped, of whole matrices, and Fisher sums.",
    ]


def _batches(settings: Any) -> str:
    """Of a training that descends."""
    parts = [
        f"{rows} {side}"
        for side in ("forget", "retain")
        if (rows := getattr(settings, f"{side}_batch", 0))
    ]
    return f"Batches: {' and '.join(parts)} examples a step, " if parts else "Batches: "


def _gb(plan: Plan, count: int) -> str:
    digits = 2 if plan.peak().total >= 10 * _GB else 3
    return f"{count / _GB:.{digits}f}"
