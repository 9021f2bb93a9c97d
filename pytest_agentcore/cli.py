"""The `agentcore` command. Each subcommand is a function that adds its arguments and one that runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from pytest_agentcore import __version__
from pytest_agentcore.errors import AgentcoreError

USAGE_ERROR = 2
"""As argparse's own."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand and return the exit code."""
    options = _parser().parse_args(argv)
    try:
        code: int = options.run(options)
    except AgentcoreError as error:
        sys.stderr.write(f"agentcore: error: {error}\n")
        return USAGE_ERROR
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="agentcore", description="Tools around tasks and campaigns of pytest-agentcore."
    )
    parser.add_argument("--version", action="version", version=f"agentcore {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_selfcheck(commands.add_parser("selfcheck", help="examine the checkers of a suite or of one task file"))
    return parser


def _add_selfcheck(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Whether checkers can be trusted: the oracle passes, doing nothing fails, every counterexample is rejected, "
        "every alternative accepted, and no spoilt artifact breaks them. The exit code is 1 when a checker is weak."
    )
    parser.add_argument(
        "places",
        nargs="*",
        default=["agentic-core-v1"],
        metavar="SUITE|FILE",
        help="a shipped suite's name, a folder, a task file",
    )
    parser.add_argument(
        "--sandbox", choices=("bubblewrap", "process"), help="default: bubblewrap, or process where it does not work"
    )
    parser.add_argument(
        "--instances", type=_positive, default=3, metavar="N", help="of each task that varies (default: 3)"
    )
    parser.set_defaults(run=_selfcheck)


def _selfcheck(options: argparse.Namespace) -> int:
    from pytest_agentcore.sandbox.probe import open_sandbox  # noqa: PLC0415 - heavy, and only this command needs it
    from pytest_agentcore.selfcheck.examine import Examiner  # noqa: PLC0415
    from pytest_agentcore.selfcheck.loading import load  # noqa: PLC0415
    from pytest_agentcore.selfcheck.report import summary, task_lines  # noqa: PLC0415

    loaded = load(options.places)
    _write(f"error: {line}" for line in loaded.errors)
    sandbox = open_sandbox(options.sandbox, may_fall_back=True, hidden=[suite.path for suite, _ in loaded.tasks])
    _write([f"sandbox {sandbox.name}"])
    examiner = Examiner(sandbox=sandbox, tools=loaded.tools, instances=options.instances)
    width = max((len(task.id) for _, task in loaded.tasks), default=0)
    examined = []
    for suite, task in loaded.tasks:
        examined.append(examiner.examine(suite, task))
        _write(task_lines(examined[-1], width))
    _write([summary(examined, len(loaded.errors))])
    return int(bool(loaded.errors) or not examined or any(found.problems for found in examined))


def _write(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number
