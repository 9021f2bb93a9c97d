"""`agentcore leaderboard`: campaigns ranked, as Markdown or CSV."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pytest_agentcore.analysis.rank import leaderboard, published_scores
from pytest_agentcore.cli.__main__ import write_lines
from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.folder import CampaignFolder, campaigns
from pytest_agentcore.pack.read import Campaign, find_campaign, read_campaign
from pytest_agentcore.reports.leaderboard import leaderboard_csv, leaderboard_markdown


def add(parser: argparse.ArgumentParser) -> None:
    """Where the campaigns are, and the form of the answer."""
    parser.description = (
        "Rank campaigns by passed of planned trials. Campaigns are ranked against each other only if they ran the same "
        "tasks of the same suite under the same policy and limits; selections and agents without a model are left out."
    )
    parser.add_argument("places", nargs="+", metavar="DIR", help="a campaign's folder, or a folder of campaigns")
    parser.add_argument("--format", choices=("markdown", "csv"), default="markdown", help="default: markdown")
    parser.add_argument(
        "--with-published",
        action="store_true",
        help="add published scores in a table of their own: other tasks under the same name, not comparable",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Being last is no error, and neither is a damaged campaign beside others that can be ranked.

    Raises:
        UsageError: a place has no campaign, or nothing can be ranked and damage may be the reason.
    """
    damaged: list[UsageError] = []
    board = leaderboard(_read(_folders(options.places), damaged))
    if damaged and not board.rankings:
        raise UsageError("; ".join(map(str, damaged)))
    sys.stderr.writelines(f"agentcore: left out, since it cannot be read: {error}\n" for error in damaged)
    published = published_scores() if options.with_published else []
    if options.format == "csv":
        write_lines(leaderboard_csv(board, published).splitlines())
    else:
        write_lines(leaderboard_markdown(board, published))
    return 0


def _read(folders: Iterable[CampaignFolder], damaged: list[UsageError]) -> Iterator[Campaign]:
    """Those that can be read; why another cannot is added to `damaged`."""
    for folder in folders:
        try:
            yield read_campaign(folder.path)
        except UsageError as error:
            damaged.append(error)


def _folders(places: Sequence[str]) -> Iterator[CampaignFolder]:
    """Every campaign that is meant, once, in the order in which it was named.

    Raises:
        UsageError: a place has none.
    """
    seen: set[Path] = set()
    for place in places:
        path = Path(place).expanduser()
        below = campaigns(path) if not (path / "manifest.json").is_file() else []
        for folder in below or [_named(place)]:
            if (resolved := folder.path.resolve()) not in seen:
                seen.add(resolved)
                yield folder


def _named(place: str) -> CampaignFolder:
    if Path(place).is_dir() and not (Path(place) / "manifest.json").is_file():
        raise UsageError(f"{place}: neither a campaign nor a folder of campaigns (no manifest.json here or one below)")
    return find_campaign(place)
