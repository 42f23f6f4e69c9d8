"""Settings that nothing reads under the others' values: refused, with the reason.

Whoever sets one expects it to do something, and a table would show two runs as different that are
the same. What has its default was set by nobody.
"""

from collections.abc import Mapping

from mansu.errors import InputError
from mansu.study.config import StudyConfig, defaults, value
from mansu.unlearn.methods import find_method


def idle(config: StudyConfig) -> Mapping[str, str]:
    """What nothing reads, by name, with when it would be read."""
    found = dict(find_method(config.method).idle(config.settings, config.floor))
    if config.attribution != "eap-ig":
        found |= dict.fromkeys(("ig_steps", "alpha_grid"), "attribution is eap-ig")
    if not config.benchmarks:
        found["reply_tokens"] = "benchmarks are named"
    return found


def inert(config: StudyConfig) -> dict[str, str]:
    """Those of them that were set nonetheless."""
    own = defaults(config.method)
    return {
        name: when for name, when in idle(config).items() if value(config, name) != value(own, name)
    }


def require_effect(config: StudyConfig) -> None:
    """Refuses settings without effect.

    Raises:
        InputError: There are such; the message says when each would be read.
    """
    own = defaults(config.method)
    told = [
        f"{name}: nothing reads it unless {when}; leave it at {value(own, name)}"
        for name, when in inert(config).items()
    ]
    if told:
        raise InputError(f"{'. '.join(told)}.")
