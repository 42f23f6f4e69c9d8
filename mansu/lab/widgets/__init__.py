"""Widgets of our own: one dependency-free script each, nothing fetched, nothing built."""

from mansu.lab.widgets.circuit_graph import CircuitGraph as CircuitGraph
from mansu.lab.widgets.copy_text import CopyText as CopyText
