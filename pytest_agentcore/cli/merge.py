"""`agentcore merge`: one campaign from several that are parts of it."""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_agentcore.cli.__main__ import write_lines
from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.folder import RESULTS_FOLDER
from pytest_agentcore.pack.merge import merge
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.reports.write import write_reports

SEVERAL = 2


def add(parser: argparse.ArgumentParser) -> None:
    """The parts, and where the whole goes."""
    parser.description = (
        "Joins shards of one experiment: the same model, suite, policy, sampling, seed, limits, sandbox and harness, "
        "other tasks, runs or machines. Everything is copied and the parts stay as they are. A trial that two parts "
        "scored is refused: it has one score."
    )
    parser.add_argument("parts", nargs="+", metavar="CAMPAIGN", help="its folder, or its id in the results folder")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="folder of the new campaign")
    parser.add_argument(
        "--results", type=Path, default=Path(RESULTS_FOLDER), metavar="DIR", help=f"default: {RESULTS_FOLDER}"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """0 when the campaign was written."""
    if len(options.parts) < SEVERAL:
        raise UsageError("merge: name at least two campaigns")
    parts = [read_campaign(place, options.results) for place in options.parts]
    whole = read_campaign(merge(parts, options.out).path)
    write_reports(whole)
    write_lines(f"{place}: {len(part.results)} results" for place, part in zip(options.parts, parts, strict=True))
    planned, scored = len(whole.manifest.planned), sum(result.scored for result in whole.results)
    write_lines([f"{options.out}: {len(whole.results)} results, {scored} of {planned} planned trials are scored"])
    return 0
