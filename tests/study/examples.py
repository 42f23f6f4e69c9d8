"""CONTRIBUTING's worked examples, to be executed."""

import re
import textwrap

from mansu.sweep.places import repository


def example(value: str) -> str:
    """The example that ends with such a value: ``METHOD``, ``FORMAT``, ``TABLE`` …"""
    text = (repository() / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    found = [textwrap.dedent(block) for block in blocks if re.search(rf"^ *{value} =", block, re.M)]
    assert len(found) == 1, value
    return found[0]
