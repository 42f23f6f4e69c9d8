"""The stages of a run, one file each, from `draw` to `judge`.

Beside them, `measure_quality` asks how far the circuit can be trusted and `measure_guarantees`
whether the theory's claims hold; no run depends on either.
"""

from mansu.study.stages.attribute import attribute as attribute
from mansu.study.stages.attribute import attribute_all as attribute_all
from mansu.study.stages.depth import measure_depth as measure_depth
from mansu.study.stages.depth import measure_depths as measure_depths
from mansu.study.stages.draw import draw as draw
from mansu.study.stages.floor import floor as floor
from mansu.study.stages.guarantees import measure_guarantees as measure_guarantees
from mansu.study.stages.judge import judge as judge
from mansu.study.stages.localize import localize as localize
from mansu.study.stages.measure import measure as measure
from mansu.study.stages.measure import measure_all as measure_all
from mansu.study.stages.measure import measure_origin as measure_origin
from mansu.study.stages.quality import measure_quality as measure_quality
from mansu.study.stages.train import train as train
