"""`agentcore recheck`: today's checkers over the workspaces that a campaign keeps."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pytest_agentcore.checks.load import load
from pytest_agentcore.checks.recheck import Change, changed_line, recheck, record, summary_lines
from pytest_agentcore.cli.__main__ import write_lines
from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.folder import RESULTS_FOLDER
from pytest_agentcore.pack.read import Campaign, read_campaign
from pytest_agentcore.pack.validate import Problem, examine
from pytest_agentcore.reports.write import write_reports
from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.tasks.suite import Suite, overshadowed
from pytest_agentcore.tasks.task import Task
from pytest_agentcore.untrusted import visible

_SHOWN = 12
"""Characters of a digest."""


def add(parser: argparse.ArgumentParser) -> None:
    """The campaign, the suite, and whether what is found is written down."""
    parser.description = (
        "Runs today's checkers and classifier over the final workspaces of a campaign, without a model, and says which "
        "verdicts change. The recorded results stay as they are unless --record is given; then a line for each changed "
        "verdict is put behind the old one, which is kept."
    )
    parser.add_argument("campaign", metavar="CAMPAIGN", help="its folder, or its id in the results folder")
    parser.add_argument("--suite", metavar="SUITE", help="a shipped suite's name or a folder (default: the campaign's)")
    parser.add_argument("--record", action="store_true", help="write changed verdicts into the campaign")
    parser.add_argument(
        "--sandbox", choices=("bubblewrap", "process"), help="default: bubblewrap, or process where it does not work"
    )
    parser.add_argument(
        "--results", type=Path, default=Path(RESULTS_FOLDER), metavar="DIR", help=f"default: {RESULTS_FOLDER}"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """0, whatever changes: it is for the reader to judge."""
    campaign = read_campaign(options.campaign, options.results)
    place = options.suite or campaign.manifest.suite.name
    tasks = _tasks(place)
    suites = {suite.path: suite for suite, _ in tasks.values()}
    examination = examine(campaign.folder)
    if options.record and examination.problems:
        raise UsageError(_unsound(campaign, examination.problems))
    sandbox = open_sandbox(options.sandbox, may_fall_back=True, hidden=list(suites))
    digest = next(iter(suites.values())).digest
    write_lines(
        [f"campaign {campaign.folder.id}, sandbox {sandbox.name}", _about(campaign.manifest.suite.digest, digest)]
    )
    cautions = [overshadowed(place), *(str(problem) for problem in examination.problems if not problem.attempt)]
    write_lines(visible(f"CAUTION   {text}") for text in cautions if text)
    found = []
    doubted = {attempt: str(problem) for attempt, problem in examination.doubted.items()}
    for one in recheck(campaign, tasks, sandbox, doubted):
        found.append(one)
        if one.change is not Change.same:
            write_lines([changed_line(one)])
    write_lines(summary_lines(found))
    if options.record:
        record(campaign, found, digest, datetime.now(UTC))
        write_reports(read_campaign(campaign.folder.path))
        write_lines([f"recorded in {campaign.folder.path}"])
    return 0


def _unsound(campaign: Campaign, problems: Sequence[Problem]) -> str:
    more = f"; and {len(problems) - 1} more, see agentcore validate" if len(problems) > 1 else ""
    return f"{campaign.folder.path}: {problems[0]}{more}: nothing is recorded in a campaign that was changed"


def _tasks(place: str) -> Mapping[str, tuple[Suite, Task]]:
    try:
        loaded = load([place])
    except UsageError as error:
        raise UsageError(f"{error}; name the suite's folder with --suite") from error
    if loaded.errors:
        raise UsageError(loaded.errors[0])
    return {task.id: (suite, task) for suite, task in loaded.tasks}


def _about(then: str, now: str) -> str:
    if then == now:
        return f"suite digest {now[:_SHOWN]}, as it was"
    return f"suite digest {then[:_SHOWN]} → {now[:_SHOWN]}: the suite has changed since"
