"""`agentcore compare`: two campaigns side by side, and whether they differ by more than chance."""

from __future__ import annotations

import argparse
import shutil

from pytest_agentcore.analysis.compare import compare
from pytest_agentcore.analysis.compare_text import comparison_lines
from pytest_agentcore.cli.__main__ import write_lines
from pytest_agentcore.format import labelled
from pytest_agentcore.pack.read import read_campaign

UNTESTED = "no test is possible, so --fail-on-regression cannot say that there is no regression."
"""A gate that opens when nothing was scored would pass every broken run."""


def add(parser: argparse.ArgumentParser) -> None:
    """Two campaigns, and what to make of the answer."""
    parser.description = (
        "Two campaigns task by task, and whether B differs from A by more than chance: one paired permutation test. "
        "Exit code 0: no significant regression; 1: --fail-on-regression is given and B is significantly worse, or "
        "nothing can be tested; 2: they cannot be compared."
    )
    parser.add_argument("first", metavar="A", help="a campaign's folder: the baseline")
    parser.add_argument("second", metavar="B", help="the campaign to compare with it")
    parser.add_argument(
        "--fail-on-regression",
        action="store_true",
        help="exit with 1 when B is significantly worse, or nothing can be tested",
    )
    parser.add_argument("--force", action="store_true", help="compare although the suites' digests differ")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """1 where regressions were asked about and there is one, or nothing to test; else 0."""
    comparison = compare(read_campaign(options.first), read_campaign(options.second), force=options.force)
    width = shutil.get_terminal_size((100, 24)).columns
    write_lines(comparison_lines(comparison, width))
    if not options.fail_on_regression:
        return 0
    if comparison.test is None:
        write_lines(labelled("failed", UNTESTED, width))
    return int(comparison.regression or comparison.test is None)
