"""The methods by name. A new one is a file of this folder and a name here."""

from types import MappingProxyType
from typing import Literal

from mansu.unlearn.methods import ga, mansu, npo
from mansu.unlearn.methods.base import Method

MethodName = Literal["mansu", "ga", "npo"]
METHODS: MappingProxyType[str, Method] = MappingProxyType(
    {module.METHOD.name: module.METHOD for module in (mansu, ga, npo)}
)
