"""What a setting may be: numbers with their ranges, as a file, a shell or a notebook gives them."""

from collections.abc import Callable
from contextlib import suppress
from numbers import Integral
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, Strict


def _number(kind: Callable[[Any], Any]) -> BeforeValidator:
    """Takes a number as text, which is how the shell and papermill give it; true is no number."""

    def read(value: object) -> object:
        if isinstance(value, str) or (isinstance(value, Integral) and not isinstance(value, bool)):
            with suppress(ValueError, OverflowError):
                return kind(value)
        return value

    return BeforeValidator(read)


Whole = Annotated[int, Strict(), _number(int)]
Real = Annotated[float, Strict(), _number(float)]
Count = Annotated[Whole, Field(ge=1, le=1_000_000)]
Few = Annotated[Whole, Field(ge=1, le=4096)]
Several = Annotated[Whole, Field(ge=2, le=4096)]
Positive = Annotated[Real, Field(gt=0, le=1e6, allow_inf_nan=False)]
NonNegative = Annotated[Real, Field(ge=0, le=1e6, allow_inf_nan=False)]
Share = Annotated[Real, Field(gt=0, le=1, allow_inf_nan=False)]
Switch = Annotated[bool, Field()]


def setting(default: Any, help: str) -> Any:
    """A field of a configuration or of a method's settings: its default, and what it is."""
    return Field(default=default, description=help)
