"""`agentcore selfcheck`: whether the checkers of a suite can be trusted."""

from __future__ import annotations

import argparse

from pytest_agentcore.checks.selfcheck import Examiner, summary, task_lines
from pytest_agentcore.cli.__main__ import positive, write_lines
from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.session.collect import Collected, collect


def add(parser: argparse.ArgumentParser) -> None:
    """Places to examine, where, and how many instances."""
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
        "--instances", type=positive, default=3, metavar="N", help="of each task that varies (default: 3)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """1 when a checker is weak or a file cannot be read, else 0."""
    return collect(options.places, lambda found: _examine(options, found))


def _examine(options: argparse.Namespace, found: Collected) -> int:
    write_lines(f"error: {line}" for line in found.errors)
    sandbox = open_sandbox(options.sandbox, may_fall_back=True, hidden=[suite.path for suite, _ in found.tasks])
    write_lines([f"sandbox {sandbox.name}"])
    examiner = Examiner(sandbox=sandbox, tools=found.tools, instances=options.instances)
    width = max((len(task.id) for _, task in found.tasks), default=0)
    examined = []
    for suite, task in found.tasks:
        examined.append(examiner.examine(suite, task))
        write_lines(task_lines(examined[-1], width))
    write_lines([summary(examined, len(found.errors))])
    return int(bool(found.errors) or not examined or any(each.problems for each in examined))
