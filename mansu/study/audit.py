"""What an audit says to a release pipeline: which rules are asked, an exit code, two reports. [O]

The audited checkpoint is judged as any run is (method ``given``); nothing here computes.
"""

import dataclasses
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mansu.errors import InputError
from mansu.registry import suggest
from mansu.study.cache.records import write_text
from mansu.study.config import RELEARN, StudyConfig
from mansu.study.rules.verdict import RULE_NAMES
from mansu.study.scorecard import RULES_VERSION, Row, Scorecard, Verdict

if TYPE_CHECKING:
    from mansu.study.alone import Alone

HOLD, FAIL, OPEN = 0, 3, 4  # exit codes; 1 and 2 are errors, as everywhere
_DURABLE = "durable"  # which only the attack relearn can decide
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def rules_asked(config: StudyConfig, names: str | None) -> tuple[str, ...]:
    """The rules that decide an audit.

    Args:
        config: The audit's configuration.
        names: The rules, commas between; None: all that its attacks make testable.

    Raises:
        InputError: There is no such rule.
    """
    if names is None:
        attacked = RELEARN in config.attacks
        return tuple(name for name in RULE_NAMES if attacked or name != _DURABLE)
    asked = [name.strip() for name in names.split(",") if name.strip()]
    for name in asked:
        if name not in RULE_NAMES:
            raise InputError(f"--rules: {suggest(name, RULE_NAMES)}.")
    if not asked:
        raise InputError(f"--rules: it names no rule; give some of {', '.join(RULE_NAMES)}.")
    return tuple(dict.fromkeys(asked))


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """0: all hold. 3: one fails. 4: none fails, and one is undecided or cannot be tested."""
    found = {verdict.outcome for verdict in verdicts}
    if "fails" in found:
        return FAIL
    return HOLD if found == {"holds"} else OPEN


@dataclasses.dataclass(frozen=True)
class Report:
    """What an audit found, for people and pipelines.

    Attributes:
        original: The model before, if one was named.
        unlearned: The model after.
        verdicts: What the asked rules say, in the rules' order.
        numbers: Every number.
        config: The configuration.
    """

    original: str | None
    unlearned: str
    verdicts: tuple[Verdict, ...]
    numbers: tuple[Row, ...]
    config: dict[str, Any]

    @property
    def exit_code(self) -> int:
        """See :func:`exit_code`."""
        return exit_code(self.verdicts)


def report_pair(card: Scorecard, asked: Sequence[str]) -> Report:
    """The report on a pair of models."""
    pair = card.config["model"], card.config["settings"]["checkpoint"]
    return Report(*pair, _asked(card.verdicts, asked), card.numbers, card.config)


def report_alone(found: "Alone", asked: Sequence[str]) -> Report:
    """The report on a model without its original."""
    verdicts = _asked(found.verdicts, asked)
    return Report(None, found.config["model"], verdicts, found.numbers, found.config)


def _asked(verdicts: Sequence[Verdict], asked: Sequence[str]) -> tuple[Verdict, ...]:
    return tuple(verdict for verdict in verdicts if verdict.name in asked)


def write_json(path: Path, report: Report) -> None:
    """Writes verdicts and all numbers as one JSON file."""
    tree = dataclasses.asdict(report) | {
        "exit_code": report.exit_code,
        "rules_version": RULES_VERSION,
    }
    write_text(path, json.dumps(tree, indent=1, ensure_ascii=False) + "\n")


def write_junit(path: Path, report: Report) -> None:
    """Writes the verdicts as JUnit XML: a rule that is not decided is a skipped test."""
    verdicts = report.verdicts
    failed = [verdict for verdict in verdicts if verdict.outcome == "fails"]
    skipped = [v for v in verdicts if v.outcome in ("undecided", "not testable")]
    counts = {"tests": len(verdicts), "failures": len(failed), "skipped": len(skipped)}
    suite = ET.Element(
        "testsuite", {"name": "mansu audit", **{name: str(n) for name, n in counts.items()}}
    )
    for verdict in verdicts:
        case = ET.SubElement(
            suite, "testcase", {"classname": "mansu.audit", "name": _plain(verdict.name)}
        )
        if verdict.outcome == "holds":
            ET.SubElement(case, "system-out").text = _plain(verdict.reason)
            continue
        kind = "failure" if verdict.outcome == "fails" else "skipped"
        found = ET.SubElement(case, kind, {"message": _plain(verdict.word)})
        found.text = _plain(f"{verdict.rule}\n{verdict.reason}")
    ET.indent(suite)
    write_text(path, ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n")


def _plain(text: str) -> str:
    """Text without the characters that no XML may hold."""
    return _NO_XML.sub("�", text)
