"""Language models: where they come from and how their families differ.

What is named here is imported when it is first used: how many blocks a model has is known without
the libraries that compute.
"""

import importlib
from typing import TYPE_CHECKING, Any

from mansu.models.memory import import_libraries

if TYPE_CHECKING:
    from mansu.models.batch import Batch as Batch
    from mansu.models.batch import pad as pad
    from mansu.models.families import Family as Family
    from mansu.models.language_model import LanguageModel as LanguageModel
    from mansu.models.loading import load_model as load_model

_PLACES = {
    "Batch": "batch",
    "pad": "batch",
    "Family": "families",
    "LanguageModel": "language_model",
    "load_model": "loading",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    import_libraries()
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
