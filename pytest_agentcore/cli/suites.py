"""Before a campaign: whether a suite's checkers can be trusted, and what somebody expects of its tasks."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_agentcore.cli.arguments import add_sandbox_choice, open_chosen, positive, tell
from pytest_agentcore.errors import UsageError
from pytest_agentcore.tasks.suite import AUDIT, find_suite, suite_at, task_ids

if TYPE_CHECKING:
    from pytest_agentcore.checks.attackers import Attacker
    from pytest_agentcore.sandbox.base import Sandbox
    from pytest_agentcore.session.collect import Collected


def add_selfcheck(parser: argparse.ArgumentParser) -> None:
    """Add the places to examine, where their code runs, and how many instances."""
    parser.description = (
        "Whether checkers can be trusted: the oracle passes, doing nothing fails, every counterexample is rejected, "
        "every alternative accepted, no spoilt artifact breaks them, and they say the same when they are asked again. "
        "It also tells how many mutants of the oracle's result they reject. The exit code is 1 when a checker is weak."
    )
    _add_places(parser)
    parser.add_argument(
        "--instances", type=positive, default=2, metavar="N", help="of each task that varies (default: 2)"
    )


def _add_places(parser: argparse.ArgumentParser) -> None:
    """Add what is examined, and where its code runs."""
    parser.add_argument(
        "places",
        nargs="*",
        default=["agentic-core-v1"],
        metavar="SUITE|FILE",
        help="a shipped suite's name, a folder, a task file",
    )
    add_sandbox_choice(parser)


def run_selfcheck(options: argparse.Namespace) -> int:
    """Return 1 when a checker is weak or a file cannot be used, else 0."""
    return _collected(options, _check)


def _collected(options: argparse.Namespace, work: Callable[[argparse.Namespace, Collected, Sandbox], int]) -> int:
    """Collect what was named, open the sandbox for its code, and let `work` go on from there."""
    from pytest_agentcore.checks.ask import parsing_in_threads
    from pytest_agentcore.session.collect import collect

    def begin(found: Collected) -> int:
        tell(options, [f"error: {line}" for line in found.errors])
        sandbox = open_chosen(options, (suite for suite, _ in found.tasks))
        tell(options, [f"sandbox {sandbox.name}"])
        return work(options, found, sandbox)

    with parsing_in_threads():
        return collect(options.places, begin)


def _check(options: argparse.Namespace, found: Collected, sandbox: Sandbox) -> int:
    from pytest_agentcore.checks.selfcheck import as_json, examine, summary, task_lines

    width = max((len(task.id) for _, task in found.tasks), default=0)
    pool = ThreadPoolExecutor()  # most of an examination is waiting for processes
    try:
        begun = [
            pool.submit(examine, suite, task, sandbox=sandbox, tools=found.tools, instances=options.instances)
            for suite, task in found.tasks
        ]
        for each in begun:
            tell(options, task_lines(each.result(), width))
    finally:
        pool.shutdown(cancel_futures=True)
    examined = [each.result() for each in begun]
    code = int(bool(found.errors) or not examined or any(each.problems for each in examined))
    tell(
        options,
        [summary(examined, len(found.errors))],
        errors=found.errors,
        sandbox=sandbox.name,
        tasks=[as_json(each) for each in examined],
        exit_code=code,
    )
    return code


def add_audit(parser: argparse.ArgumentParser) -> None:
    """Add the places to attack, where their code runs, and what becomes of the outcome."""
    parser.description = (
        "Whether a suite's checkers can be fooled: each attacker of a library works on each task by one known trick "
        "(hooks, early exits, patched unittest, forged output, links …), and none may pass. The exit code is 1 when "
        "one does, or breaks a checker so that its trial has no verdict."
    )
    _add_places(parser)
    parser.add_argument(
        "--list", action="store_true", help="show the attackers and what each tries, and attack nothing"
    )
    parser.add_argument(
        "--record",
        action="store_true",
        help="write the outcome beside the tasks, as audit.json, from which campaigns take it",
    )


def run_audit(options: argparse.Namespace) -> int:
    """Return 1 when an attacker passes or leaves a trial without a verdict, or a file cannot be used, else 0."""
    from pytest_agentcore.checks.attackers import library

    if not options.list:
        return _collected(options, _attack)
    width = max(len(each.name) for each in library())
    lines = [f"{each.name:<{width}}  {each.kind:<16}  {each.tries}" for each in library()]
    tell(options, lines, attackers=[_attacker_facts(each) for each in library()])
    return 0


def _attack(options: argparse.Namespace, found: Collected, sandbox: Sandbox) -> int:
    from pytest_agentcore.checks.audit import Outcome, audit, record, record_bytes, summary, table

    attacks = [*audit(found.tasks, sandbox=sandbox, tools=found.tools)]
    tell(options, [*table(attacks), summary(attacks)])
    whole = {suite.path: suite for suite, _ in found.tasks}
    for suite in whole.values() if options.record else ():
        if len(whole) > 1 or {task.id for _, task in found.tasks} != {*task_ids(suite.path)}:
            raise UsageError(f"--record: name one whole suite; a part of {suite.name} says nothing of the rest")
        (suite.path / AUDIT).write_bytes(record_bytes(record(suite, attacks, sandbox)))
    code = int(bool(found.errors) or not attacks or any(each.outcome is not Outcome.held for each in attacks))
    tell(
        options,
        [],
        errors=found.errors,
        sandbox=sandbox.name,
        tasks=[task.id for _, task in found.tasks],
        attacks=[
            {**_attacker_facts(each.attacker), "task": each.task}
            | {"outcome": each.outcome, "did": each.did, "words": each.words}
            for each in attacks
        ],
        **{each.value: sum(one.outcome is each for one in attacks) for each in Outcome},
        exit_code=code,
    )
    return code


def _attacker_facts(attacker: Attacker) -> dict[str, object]:
    """Say who attacks, and how."""
    return {"attacker": attacker.name, "kind": attacker.kind, "tries": attacker.tries}


def add_predict(parser: argparse.ArgumentParser) -> None:
    """Add the model, the suite, and where the form is written."""
    from pytest_agentcore.pack.predictions import PREDICTIONS

    parser.description = (
        "Write predictions.md, a form for what is expected of a campaign: rate, range, tasks, failure modes, cost. "
        "Fill it in and commit it; a campaign that finds it records that, and its report scores it."
    )
    parser.add_argument("model", metavar="MODEL", help="as --model will be given")
    parser.add_argument(
        "-o", "--out", type=Path, default=Path(PREDICTIONS), metavar="FILE", help="default: %(default)s"
    )
    parser.add_argument("--suite", default="agentic-core-v1", metavar="SUITE", help="default: %(default)s")
    parser.add_argument("--runs", type=positive, default=3, metavar="N", help="of each task (default: %(default)s)")


def run_predict(options: argparse.Namespace) -> None:
    """Write the form; a file that is there is never written over."""
    from pytest_agentcore.analysis.predicted import forecast
    from pytest_agentcore.catalogue.registry import open_registry, project_above

    suite = suite_at([find_suite(options.suite)])
    entry = open_registry(project_above(Path.cwd())).get(options.model)
    form = forecast(
        model=entry.slug if entry else options.model, suite=suite.name, tasks=task_ids(suite.path), runs=options.runs
    )
    try:
        with options.out.open("x", encoding="utf-8", errors="surrogateescape") as file:
            file.write(form)
    except FileExistsError:
        raise UsageError(f"{options.out}: is there already and is not written over; -o names another") from None
    except OSError as error:
        raise UsageError(f"{options.out}: cannot be written: {error.strerror or error}") from error
    tell(options, [f"{options.out}: fill it in, then commit it before the first trial"], file=options.out)
