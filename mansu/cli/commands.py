"""The command line: ``mansu run | audit | plan | sweep | tune | comeback | tables | export …``.

Bad input ends with one line on standard error and exit code 2, before anything expensive starts;
a run that fails on the way ends with exit code 1 and keeps its finished stages. A run whose method
has no result on the model ends with 0: that is what came out, and the scorecard says why.
"""

import argparse
import errno
import io
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from mansu.cli.audit import add_audit
from mansu.cli.options import add_config, named_method, read_options
from mansu.errors import InputError, RunError
from mansu.paths import expand
from mansu.study.outputs import require_file

_NO_SUCH_NAME = {errno.ENAMETOOLONG, errno.ELOOP}  # bad input, not a fault of the disk


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"mansu: {InputError(f'{message}. See {self.prog} --help.')}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        0 on success, 1 when a run failed on the way, 2 on bad input, 130 when interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a character
            stream.reconfigure(errors="backslashreplace")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    words = sys.argv[1:] if arguments is None else arguments
    try:
        _require_text(words)
        options = _parser(words).parse_args(words)
        return options.command(options)
    except InputError as error:
        print(f"mansu: {error}", file=sys.stderr)
        return 2
    except RunError as error:
        print(f"mansu: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mansu: interrupted; run the same command again to go on.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 1
    except OSError as error:  # a folder that cannot be read, a disk that fails
        print(f"mansu: {RunError(f'{error}; see to it and run again.')}", file=sys.stderr)
        return 2 if error.errno in _NO_SUCH_NAME else 1


def _require_text(words: Sequence[str]) -> None:
    """Refuses a name that is no text: no configuration can hold it, and not every library opens it.

    Raises:
        InputError: There is one.
    """
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError as error:
            raise InputError(f"{word} is not UTF-8; rename the file or folder.") from error


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    method = named_method(words)
    parser = _Parser(
        prog="mansu",
        description="Unlearning that survives quantization: localize, train, floor, measure.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    run = commands.add_parser("run", help="run one configuration and print its scorecard")
    run.add_argument(
        "--out",
        type=expand,
        help="folder of the run's results (default: its place in the default study)",
    )
    run.add_argument("--shared", type=expand, help="folder of the results shared by all methods")
    add_config(run, method)
    run.set_defaults(command=_run)

    add_audit(commands.add_parser("audit", help="judge a checkpoint that any tool unlearned"))
    plan = commands.add_parser(
        "plan", help="print the memory that a configuration, or each run of a study, needs"
    )
    plan.add_argument(
        "study", nargs="?", type=expand, help="a study's YAML file; with its runs' files on disk"
    )
    add_config(plan, method)
    plan.set_defaults(command=_plan)

    sweep = commands.add_parser("sweep", help="run a study's notebooks, resuming what is finished")
    sweep.add_argument("study", type=expand, help="the study's YAML file")
    sweep.add_argument("--jobs", type=int, default=1, help="notebooks at a time (default: 1)")
    sweep.add_argument(
        "--profile",
        default="local",
        help="where they run: a folder of papermill_runs/profiles, or another (default: local)",
    )
    sweep.add_argument("--dry-run", action="store_true", help="only say what would run")
    sweep.set_defaults(command=_sweep)

    _add_searches(commands)
    _add_outputs(commands)
    lab = commands.add_parser("lab", help="open JupyterLab on the notebooks")
    lab.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="after --: passed on to jupyter lab"
    )
    lab.set_defaults(command=_lab)
    serve = commands.add_parser("serve", help="show the notebooks as pages without code (Voilà)")
    serve.add_argument("arguments", nargs=argparse.REMAINDER, help="after --: passed on to Voilà")
    serve.set_defaults(command=_serve)
    return parser


def _add_searches(commands: Any) -> None:
    """What goes through the runs of a study in slices."""
    tune = commands.add_parser("tune", help="search each method's settings with one small budget")
    tune.add_argument("study", type=expand, help="a study of one model, group of sets and seed")
    tune.add_argument("--budget", help="time this slice may take, such as 150m (default: no limit)")
    tune.add_argument("--out", type=expand, help="file to write (default: tuned.yaml of the study)")
    tune.set_defaults(command=_tune)

    comeback = commands.add_parser(
        "comeback", help="map what every format brings back, over the runs of a study"
    )
    comeback.add_argument("study", type=expand, help="the study's YAML file")
    comeback.add_argument("--budget", help="time this slice may take, such as 60m")
    comeback.add_argument("--out", type=expand, help="folder of the study's results")
    comeback.add_argument("--to", type=expand, help="file for the map: .md, .tex, .csv or .txt")
    comeback.set_defaults(command=_comeback)


def _add_outputs(commands: Any) -> None:
    """What is made of finished runs."""
    tables = commands.add_parser("tables", help="print the scorecards below a folder, or a table")
    tables.add_argument("folder", type=expand, help="a run, a study, or papermill_runs")
    tables.add_argument(
        "--table", help="summary, scorecard, methods, attacks, certificate, or one of your own"
    )
    tables.add_argument("--to", type=expand, help="file for it: .md, .tex, .csv, .txt or .png")
    tables.set_defaults(command=_tables)

    _add_export(
        commands.add_parser("export", help="write an unlearned model as a folder or GGUF file")
    )


def _add_export(export: argparse.ArgumentParser) -> None:
    export.add_argument("run", type=expand, help="folder of a finished run")
    export.add_argument(
        "--to", type=expand, required=True, help="folder to write, or FILE.gguf; must not exist"
    )
    export.add_argument(
        "--format",
        default="fp",
        help="fp; in a folder nf4 or fp4, in a GGUF file q4_0, q8_0, q4_k_m, fp16 or bf16 "
        "(default: fp)",
    )
    export.add_argument("--model", help="the run's model, where it has moved")
    export.add_argument("--device", default="cpu", help="torch device to work on (default: cpu)")
    export.set_defaults(command=_export)


def _plan(options: argparse.Namespace) -> int:
    if options.study:
        return _plan_study(options)
    config = read_options(options)
    from mansu.study.plan import make_plan, plan_table

    print(plan_table(make_plan(config)))
    return 0


def _plan_study(options: argparse.Namespace) -> int:
    """Plans for the runs of a study."""
    given = {name for name, value in vars(options).items() if value is not None}
    if beside := sorted(given - {"command", "study"}):
        named = ", ".join(beside)
        raise InputError(f"plan: the study says what its runs are; leave out {named}.")
    from mansu.study.plan import make_plan, study_table
    from mansu.sweep.grid import expand as runs_of
    from mansu.sweep.grid import read_study, untuned

    study = read_study(options.study)
    print(study_table([make_plan(config) for config in runs_of(study)]))
    if told := untuned(study):
        print(f"mansu: {told}", file=sys.stderr)
    return 0


def _run(options: argparse.Namespace) -> int:
    config = read_options(options)
    from mansu.cli.running import judge

    judge(config, options, "default")
    return 0


def _sweep(options: argparse.Namespace) -> int:
    from mansu.sweep.batch import sweep

    return sweep(options.study, options.jobs, options.profile, options.dry_run)


def _tune(options: argparse.Namespace) -> int:
    from mansu.sweep.tune import tune, tuned_table

    done, file = tune(options.study, options.budget, options.out)
    print(tuned_table(file))
    print(f"\n{file}" if done else f"\n{file}\nThe slice is over; run the same command to go on.")
    return 0


def _comeback(options: argparse.Namespace) -> int:
    from mansu.cli.bars import Bars
    from mansu.study.comeback import LAYOUT, read_map, to_frame
    from mansu.study.table_files import WRITERS, to_text, write_table
    from mansu.sweep.comeback import map_comeback

    if options.to and options.to.suffix not in WRITERS:
        raise InputError(f"{options.to}: a map is written as {', '.join(WRITERS)}.")
    if options.to:
        require_file(options.to, "--to")
    with Bars() as bars:
        done, file = map_comeback(
            options.study,
            options.budget,
            options.out,
            progress=bars.show,
            note=lambda text: print(f"mansu: {text}", file=sys.stderr),
        )
    found = read_map(file)
    frame = to_frame(found)
    print(f"{to_text(LAYOUT, frame)}\n\n{file}" if found else "Nothing is measured yet.")
    if options.to and found:
        write_table(LAYOUT, frame, options.to)
    if not done:
        print("\nThe slice is over; run the same command to go on.")
    return 0


def _tables(options: argparse.Namespace) -> int:
    from mansu.lab.tables import print_tables

    print_tables(options.folder, options.table, options.to)
    return 0


def _export(options: argparse.Namespace) -> int:
    from mansu.study.export import export_run

    ragged = export_run(options.run, options.to, options.format, options.model, options.device)
    print(options.to)
    if ragged:
        print(
            f"mansu: {len(ragged)} matrices (such as {ragged[0]}) have rows that do not end with a "
            "block of 64 weights; bitsandbytes on a CPU may misread them, so run this on a GPU.",
            file=sys.stderr,
        )
    return 0


def _lab(options: argparse.Namespace) -> int:
    from mansu.lab.server import open_lab

    return open_lab(_passed_on(options))


def _serve(options: argparse.Namespace) -> int:
    from mansu.lab.server import serve_pages

    return serve_pages(_passed_on(options))


def _passed_on(options: argparse.Namespace) -> list[str]:
    """Another program's arguments, without the ``--`` that keeps argparse off them."""
    words = options.arguments
    return words[1:] if words[:1] == ["--"] else words
