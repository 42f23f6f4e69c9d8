"""The stages of a run, one file each: draw, base, localize, train, floor, quantize, analyse.

Beside them, `measure_quality` asks how far the circuit can be trusted and `measure_guarantees`
whether the theory's claims hold; no run depends on either.
"""

from mansu.study.stages.analyse import analyse as analyse
from mansu.study.stages.base import measure_base as measure_base
from mansu.study.stages.draw import draw as draw
from mansu.study.stages.floor import floor as floor
from mansu.study.stages.guarantees import measure_guarantees as measure_guarantees
from mansu.study.stages.localize import localize as localize
from mansu.study.stages.quality import measure_quality as measure_quality
from mansu.study.stages.quantize import quantize as quantize
from mansu.study.stages.train import train as train
