"""`agentcore report`: the files that show a campaign, written anew."""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_agentcore.cli.__main__ import write_lines
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.reports.write import write_reports


def add(parser: argparse.ArgumentParser) -> None:
    """A campaign, what to compare it with, where to write."""
    parser.description = (
        "Write the report of a campaign and the verification tables anew: into its folder, or with -o elsewhere."
    )
    parser.add_argument("campaign", metavar="CAMPAIGN", help="a campaign's folder, or its id in agentcore-results")
    parser.add_argument("--baseline", metavar="CAMPAIGN", help="compare with this one")
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", help="write into this folder and leave the campaign")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """0 when everything was written."""
    campaign = read_campaign(options.campaign)
    baseline = read_campaign(options.baseline) if options.baseline else None
    write_lines(str(path) for path in write_reports(campaign, baseline, options.out))
    return 0
