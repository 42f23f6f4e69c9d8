"""The command ``mansu audit``: the verdict on a model that any tool unlearned."""

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mansu.cli.bars import Bars
from mansu.cli.options import add_field, read_options
from mansu.cli.running import folders_of, judge
from mansu.data.facts import several
from mansu.errors import InputError
from mansu.paths import absolute, expand
from mansu.study.config import FIELDS, StudyConfig, default_of
from mansu.study.outputs import require_file, require_no_result

if TYPE_CHECKING:
    from mansu.study.alone import Alone

STUDY = "audit"
GIVEN = "given"  # the method whose update is somebody's checkpoint
UTILITIES = (StudyConfig().utility, "capitals", "cities", "opposites")
_NOT_AUDITED = {"model", "method", "seed", "settings", "floor"}


def add_audit(audit: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    audit.epilog = (
        "Exit code 0: all asked rules hold. 3: one fails. 4: none fails, and one is undecided or "
        "cannot be tested."
    )
    _add_models(audit)
    audit.add_argument("--rules", help="rules that decide, commas between (default: all testable)")
    audit.add_argument("--json", type=expand, help="file for verdicts and numbers as JSON")
    audit.add_argument("--junit", type=expand, help="file for the verdicts as JUnit XML")
    audit.add_argument(
        "--out", type=expand, help="folder of the results (default: its place in the study audit)"
    )
    audit.add_argument("--shared", type=expand, help="folder of the results on the original")
    audit.set_defaults(command=_audit)


def _add_models(parser: argparse.ArgumentParser) -> None:
    """Adds two models, and an option for every field that has a part in judging them."""
    parser.set_defaults(method=GIVEN)
    parser.add_argument("--config", type=expand, help="YAML file of the values below")
    parser.add_argument(
        "--original",
        dest="model",
        default=argparse.SUPPRESS,
        help="model before unlearning: packaged or tiny, folder, GGUF file, or hub id",
    )
    parser.add_argument(
        "--unlearned",
        dest="checkpoint",
        default=argparse.SUPPRESS,
        help="model after it, made by any tool: the same, or the folder of a peft adapter",
    )
    group = parser.add_argument_group("configuration; an option overrides the file's value")
    for field in FIELDS:
        if field.name not in _NOT_AUDITED:
            add_field(group, field, default_of(field))


def _audit(options: argparse.Namespace) -> int:
    _require_places(options)
    named = vars(options)
    if "checkpoint" not in named and not options.config:
        raise InputError("--unlearned is missing: name the model. See mansu audit --help.")
    alone = "model" not in named and not options.config
    if alone:  # the model stands by itself; no method has a part in it
        _require_whole(named["checkpoint"])
        options.model, options.method = named.pop("checkpoint"), StudyConfig().method
    if "utility" not in named and not options.config:
        options.utility = free_utility(named)
    config = read_options(options)
    from mansu.study.audit import report_alone, report_pair, rules_asked, write_json, write_junit

    asked = rules_asked(config, options.rules)
    if alone:
        report = report_alone(_judge_alone(config, options), asked)
    else:
        report = report_pair(judge(config, options, STUDY, given=True), asked)
    for path, option, write in (
        (options.json, "--json", write_json),
        (options.junit, "--junit", write_junit),
    ):
        if path:
            require_no_result(path, option)  # the audit itself may have put one there
            write(path, report)
    return report.exit_code


def _require_places(options: argparse.Namespace) -> None:
    """Refuses reports that could not be written.

    Raises:
        InputError: One could not, or both are one file, or one a folder of results.
    """
    folders = [(absolute(p), f"--{n}") for n in ("out", "shared") if (p := vars(options)[n])]
    for path, option in ((options.json, "--json"), (options.junit, "--junit")):
        if path:
            require_file(path, option)
            require_no_result(path, option)
            for folder, name in folders:
                if absolute(path) in (folder, *folder.parents):
                    raise InputError(f"{option}: {path} is to be a folder ({name}); give a file.")
    if options.json and options.junit and absolute(options.json) == absolute(options.junit):
        raise InputError(f"--json and --junit: both are {options.json}; give two files.")


def _require_whole(name: str) -> None:
    """Refuses an adapter, which is no model by itself."""
    folder = expand(name)
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise InputError(
            f"--unlearned: {name} holds an adapter, which is no model without its base; name that "
            "with --original."
        )


def free_utility(named: Mapping[str, Any]) -> str:
    """The default utility set, or another one where the audit names that for something else."""
    usual = StudyConfig()
    taken = {str(named.get("forget", usual.forget)), *several(named.get("retain", usual.retain))}
    return next((name for name in UTILITIES if name not in taken), UTILITIES[0])


def _judge_alone(config: StudyConfig, options: argparse.Namespace) -> "Alone":
    """Judges a model without its original and prints what can be said."""
    from mansu.study.run import Run

    folders = folders_of(config, options, STUDY)
    with Bars() as bars:
        run = Run(config, folders, bars.show)
        from mansu.study.alone import judge_alone
        from mansu.study.card_text import verdict_lines

        found = judge_alone(run)
    print(f"{config.model} by itself: no original was named (--original)\n")
    print("\n".join(verdict_lines(found.verdicts)))
    print(f"\nResults: {folders.shared}")
    return found
