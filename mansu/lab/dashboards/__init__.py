"""Dashboards, one a notebook: live controls for a reader, complete static charts in a batch run."""

from mansu.lab.dashboards.analysis import analyse as analyse
from mansu.lab.dashboards.analysis import depth_map as depth_map
from mansu.lab.dashboards.auditing import audit as audit
from mansu.lab.dashboards.comparison import Shown as Shown
from mansu.lab.dashboards.comparison import compare as compare
from mansu.lab.dashboards.deployment import quantize as quantize
from mansu.lab.dashboards.flooring import floor as floor
from mansu.lab.dashboards.inspection import inspect as inspect
from mansu.lab.dashboards.localization import localize as localize
from mansu.lab.dashboards.playground import block as block
from mansu.lab.dashboards.question import ask as ask
from mansu.lab.dashboards.runs import open_method as open_method
from mansu.lab.dashboards.training import train as train
