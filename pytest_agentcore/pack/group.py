"""A group's folder: what several campaigns of one model say together, beside their own folders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.folder import campaigns, dated_name, make_first_free
from pytest_agentcore.pack.manifest import read_manifest
from pytest_agentcore.pack.read import Campaign, read_campaign


@dataclass(frozen=True, slots=True)
class GroupFolder:
    """The places of a group's files."""

    path: Path

    @property
    def id(self) -> str:
        """The group's id is its folder's name."""
        return self.path.name

    @property
    def comparison(self) -> Path:
        """The comparison of the campaigns, in JSON."""
        return self.path / "group.json"

    @property
    def page(self) -> Path:
        """The same comparison, to read."""
        return self.path / "group.md"


def members(folder: GroupFolder, held: Iterable[Campaign] = ()) -> list[Campaign]:
    """The campaigns of a group, which lie beside its folder, by name; those that are `held` are not read.

    Raises:
        UsageError: there is none, or one of them cannot be read.
    """
    known = {campaign.folder.id: campaign for campaign in held}
    mine = []
    for found in campaigns(folder.path.parent):
        campaign = known.get(found.id)
        if (campaign.manifest if campaign else read_manifest(found)).group == folder.id:
            mine.append(campaign or read_campaign(found.path))
    if not mine:
        raise UsageError(f"{folder.path}: no campaign of a group with this name lies beside it")
    return mine


def create_group(results: Path, model: str, suite: str, started: datetime) -> GroupFolder:
    """Make a group's folder `YYYY-MM-DD-<model>-<suite>-group`; where the name is taken it gets `-2`, `-3` …

    Raises:
        UsageError: the results folder cannot be made or written.
    """
    return GroupFolder(make_first_free(results, dated_name(started, model, suite, "group")))
