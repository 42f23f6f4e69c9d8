"""Dashboards, one a notebook: live controls for a reader, complete static charts in a batch run."""

from mansu.lab.dashboards.compare import Shown as Shown
from mansu.lab.dashboards.compare import compare as compare
from mansu.lab.dashboards.inspect import inspect as inspect
from mansu.lab.dashboards.localize import localize as localize
