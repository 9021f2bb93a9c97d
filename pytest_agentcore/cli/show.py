"""`agentcore show`: a campaign in the terminal, or one of its trials turn by turn."""

from __future__ import annotations

import argparse
import shutil

from pytest_agentcore.cli.__main__ import write_lines
from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.read import Campaign, find_trial, read_campaign
from pytest_agentcore.pack.transcript import read_transcript
from pytest_agentcore.reports.report import build_report
from pytest_agentcore.reports.show import campaign_lines, trial_lines


def add(parser: argparse.ArgumentParser) -> None:
    """A campaign and perhaps one of its trials."""
    parser.description = "Show a campaign as its report does, or one of its trials turn by turn and in full."
    parser.add_argument("campaign", metavar="CAMPAIGN", help="a campaign's folder, or its id in agentcore-results")
    parser.add_argument(
        "trial",
        metavar="TRIAL",
        nargs="?",
        help="TASK:RUN such as task_05:2, the first characters of an attempt's UUID, or pytest's id of the item",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """0 when there was something to show."""
    campaign = read_campaign(options.campaign)
    width = shutil.get_terminal_size().columns
    if options.trial:
        write_lines(_trial(campaign, options.trial, width))
    else:
        write_lines(campaign_lines(build_report(campaign), width))
    return 0


def _trial(campaign: Campaign, word: str, width: int) -> list[str]:
    result = find_trial(campaign, word)
    events = read_transcript(campaign.folder.transcript(result.attempt))
    if not events:
        raise UsageError(f"{campaign.folder.transcript(result.attempt)}: this transcript is missing or empty")
    return list(trial_lines(result, events, width))
