"""Full precision: the model as it is held."""

from contextlib import nullcontext

from mansu.quant.formats.base import Format

FORMAT = Format(
    "fp", "full precision", lambda model, calibration=None: nullcontext(model), "#0072b2"
)
