"""A campaign among the others of its results folder."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_agentcore.campaign.folder import campaigns
from pytest_agentcore.campaign.manifest import read_manifest
from pytest_agentcore.campaign.reading import Campaign
from pytest_agentcore.campaign.store import read_results
from pytest_agentcore.errors import UsageError
from pytest_agentcore.reports.leaderboard import Ranking, Terms, leaderboard

NEWEST = 50
"""Siblings that are read at most: a report is written at the end of every run."""


def ranking_of(campaign: Campaign) -> Ranking | None:
    """The ranking that the campaign stands in, of its results folder as it is now; None where it is ranked nowhere."""
    rankings = leaderboard([campaign, *_siblings(campaign)]).rankings
    me = campaign.manifest.campaign
    return next((r for r in rankings if any(s.manifest.campaign == me for s in r.standings)), None)


def _siblings(campaign: Campaign) -> Iterator[Campaign]:
    """Those that ran the same tasks on the same terms; one that cannot be read is no sibling."""
    mine = Terms.of(campaign.manifest)
    folders = [folder for folder in campaigns(campaign.folder.path.parent) if folder.id != campaign.folder.id]
    for folder in folders[-NEWEST:]:
        try:
            manifest = read_manifest(folder)
            if Terms.of(manifest) == mine:
                yield Campaign(folder=folder, manifest=manifest, results=tuple(read_results(folder)))
        except UsageError:
            continue
