"""θ, what the method made of the original."""

from mansu.study.stages.floor import floor, unlearned_model
from mansu.study.state import Origin

ORIGIN = Origin(
    "unlearned",
    "unlearned",
    enter=unlearned_model,
    after=lambda run: [(floor, ())],
    look=("#cc79a7", "diamond"),
)
