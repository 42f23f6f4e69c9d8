"""One unlearning method a file: what it trains, which checkpoint it keeps, its own defaults."""

from mansu.unlearn.methods.base import Method as Method
from mansu.unlearn.methods.registry import METHODS as METHODS
from mansu.unlearn.methods.registry import MethodName as MethodName
