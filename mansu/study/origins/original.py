"""θ₀, the model as it was: what every other origin is compared with."""

from contextlib import nullcontext

from mansu.study.state import Origin

ORIGIN = Origin(
    "original",
    "original",
    enter=lambda run: nullcontext(run.model),
    place="shared",
    look=("#7b8794", "circle"),
)
