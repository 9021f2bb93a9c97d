"""`agentcore plan`: how many runs settle a question, and what they cost."""

from __future__ import annotations

import argparse
import shutil

from pytest_agentcore.analysis.plan import make_plan, plan_lines
from pytest_agentcore.cli.__main__ import chance, change, positive, write_lines
from pytest_agentcore.pack.read import read_campaign


def add(parser: argparse.ArgumentParser) -> None:
    """The question, and what is known beforehand."""
    parser.description = (
        "How many runs of every task two campaigns need so that agentcore compare finds a difference of a given size, "
        "and what a campaign of that size costs."
    )
    parser.add_argument(
        "--detect", type=change, required=True, metavar="10pp", help="difference of pass rates, in percentage points"
    )
    parser.add_argument(
        "--power", type=chance, default=0.8, metavar="P", help="chance to find it (default: 0.8; between 0.5 and 1)"
    )
    parser.add_argument(
        "--from", dest="earlier", metavar="CAMPAIGN", help="learn rates, seconds and prices from this campaign"
    )
    parser.add_argument(
        "--tasks", type=positive, default=10, metavar="N", help="tasks of the suite, without --from (default: 10)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Always 0."""
    earlier = read_campaign(options.earlier) if options.earlier else None
    plan = make_plan(detect=options.detect, power=options.power, earlier=earlier, tasks=options.tasks)
    write_lines(plan_lines(plan, shutil.get_terminal_size((100, 24)).columns))
    return 0
