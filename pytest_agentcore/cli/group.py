"""`agentcore group`: campaigns of one model side by side, from their folders."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from pytest_agentcore.analysis.groups import build_group
from pytest_agentcore.cli.__main__ import write_lines
from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.group import GroupFolder, members
from pytest_agentcore.pack.identity import identity, told
from pytest_agentcore.pack.read import Campaign, read_campaign
from pytest_agentcore.reports.group_text import group_lines, group_title
from pytest_agentcore.reports.write import write_group

APART = ("policy", "context load")
"""Facets of a campaign's identity in which the campaigns of a group differ; one of them does not."""


def add(parser: argparse.ArgumentParser) -> None:
    """A group's folder, or campaigns."""
    parser.description = (
        "Format tax and context load. Of a GROUP: from the campaigns beside its folder, whose files are written anew, "
        "for instance after one of them was continued. Of two or more CAMPAIGNS of one model that differ in policy or "
        "context load and in nothing else: to look at, nothing is written."
    )
    parser.add_argument("places", nargs="+", type=Path, metavar="GROUP|CAMPAIGN", help="folders")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Always 0: a comparison has no right answer."""
    places: list[Path] = options.places
    width = shutil.get_terminal_size().columns
    if len(places) > 1:
        group = build_group("", _comparable([read_campaign(place) for place in places]))
        write_lines([group_title(group), *group_lines(group, None, width)])
        return 0
    folder = GroupFolder(places[0].resolve())
    group = build_group(folder.id, members(folder))
    write_group(folder, group)
    write_lines([group_title(group), *group_lines(group, places[0], width)])
    return 0


def _comparable(campaigns: Sequence[Campaign]) -> Sequence[Campaign]:
    """The same, unless they differ in more than a group's campaigns do, or two of them in nothing."""
    first = identity(campaigns[0].manifest)
    for campaign in campaigns[1:]:
        differences = identity(campaign.manifest).differences(first)
        others = [line for line in differences if not line.startswith(tuple(f"{name}: " for name in APART))]
        if others:
            raise UsageError(f"{campaign.folder.path}: not to be grouped with the first campaign: {told(others)}")
    asked = [(c.manifest.policy, c.manifest.context_load) for c in campaigns]
    if len(set(asked)) < len(asked):
        raise UsageError("two of the campaigns have one policy and one context load; `agentcore compare` compares them")
    return campaigns
