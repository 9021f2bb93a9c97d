"""`agentcore validate`: whether a campaign is what its writer wrote."""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_agentcore.cli.__main__ import write_lines
from pytest_agentcore.pack.folder import RESULTS_FOLDER
from pytest_agentcore.pack.read import find_campaign
from pytest_agentcore.pack.validate import Examination, examine
from pytest_agentcore.untrusted import visible


def add(parser: argparse.ArgumentParser) -> None:
    """The campaigns to look at."""
    parser.description = (
        "Holds manifest, result lines, transcripts, workspaces and tables against their schemas, their counts, their "
        "digests and each other. A file that was edited or cut is named with its line. The exit code is 1 when "
        "something is wrong."
    )
    parser.add_argument("campaigns", nargs="+", metavar="CAMPAIGN", help="its folder, or its id in the results folder")
    parser.add_argument(
        "--results", type=Path, default=Path(RESULTS_FOLDER), metavar="DIR", help=f"default: {RESULTS_FOLDER}"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """1 when something is wrong, else 0."""
    wrong = 0
    for place in options.campaigns:
        folder = find_campaign(place, options.results)
        found = examine(folder)
        wrong += len(found.problems)
        write_lines(visible(f"{folder.id}: {problem}") for problem in found.problems)
        write_lines([f"{folder.id}: {_summary(found)}"])
    return int(bool(wrong))


def _summary(found: Examination) -> str:
    what = f"{found.results} results, {found.transcripts} transcripts, {found.workspaces} workspaces"
    number = len(found.problems)
    said = f"{number} problem{'s' if number > 1 else ''}" if number else "as it was written"
    return f"{said} ({what}){_note(found)}"


def _note(found: Examination) -> str:
    """What an earlier version kept too little for."""
    if found.speaks_for_all:
        return ""
    if found.sealed:
        return "; an earlier version began it, whose digests do not speak for tables, reports and replaced attempts"
    return "; it has no digests, so only schemas and counts were held"
