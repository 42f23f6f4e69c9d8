"""MANSU: the circuit's matrices, the Fisher mask, the best checkpoint [P]; the study's default."""

from mansu.unlearn.methods.base import Method

METHOD = Method("mansu", "MANSU", scope="circuit", keep="best")
