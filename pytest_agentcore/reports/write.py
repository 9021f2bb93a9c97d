"""Writes the files of a report: the renderings and the tables that come with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from pytest_agentcore.campaign.digests import TextDigest
from pytest_agentcore.campaign.folder import CampaignFolder
from pytest_agentcore.campaign.reading import Campaign
from pytest_agentcore.campaign.seals import Seals, sealing
from pytest_agentcore.campaign.verification import name_of, write_verification
from pytest_agentcore.errors import UsageError
from pytest_agentcore.reports.build import build_report
from pytest_agentcore.reports.html.document import page
from pytest_agentcore.reports.markdown.document import markdown
from pytest_agentcore.reports.report import Report
from pytest_agentcore.reports.tables import REPORT_TABLES, ReportTable

Renderer = Callable[[Report], Iterable[str]]
"""Yields the text of a file in pieces, line ends included."""


def write_reports(
    campaign: Campaign, baseline: Campaign | None = None, out: Path | None = None, *, charts: bool = True
) -> list[Path]:
    """Write every rendering and every verification table anew; the paths of the renderings.

    Args:
        campaign: read from the disk.
        baseline: what it is compared with.
        out: the folder that receives them, by default the campaign's own.
        charts: False saves the half second that drawing them takes.

    Raises:
        UsageError: a transcript is damaged, or the folder cannot be written.
    """
    report = build_report(campaign, baseline)
    folder = CampaignFolder(out or campaign.folder.path)
    is_own = folder.path.resolve() == campaign.folder.path.resolve()
    try:
        folder.verification.mkdir(parents=True, exist_ok=True)
        with sealing(folder) if is_own else nullcontext() as seals:
            return _write_all(folder, report, seals, charts=charts)
    except OSError as error:
        raise UsageError(f"{folder.path}: a report cannot be written there: {error.strerror or error}") from error


def _write_all(folder: CampaignFolder, report: Report, seals: Seals | None, *, charts: bool) -> list[Path]:
    """Drafts first, then their digests, then each in its place."""
    campaign = report.campaign
    write_verification(folder, campaign.manifest, campaign.results, seals)
    drafts = {name_of(table.name): _draft(folder, table.name, _table(table, report)) for table in REPORT_TABLES}
    drafts |= {name: _draft(folder, name, renderer(report)) for name, renderer in _renderers(charts=charts)}
    if seals:
        seals.files({name: TextDigest.of_file(draft) if draft else None for name, draft in drafts.items()})
    for name, draft in drafts.items():
        if draft:
            draft.replace(folder.path / name)
        else:
            (folder.path / name).unlink(missing_ok=True)
    return [folder.path / name for name, _ in _renderers(charts=charts)]


def _table(table: ReportTable, report: Report) -> Iterable[str] | None:
    """None for a table that has nothing to say: that of an earlier report goes away."""
    if table.always or next(iter(table.rows(report)), None) is not None:
        return [table.to_csv(report).decode("utf-8")]
    return None


def _renderers(*, charts: bool) -> tuple[tuple[str, Renderer], ...]:
    """File name and renderer, in the order in which they are written."""
    return (("report.md", markdown), ("report.html", partial(page, with_charts=charts)))


def _draft(folder: CampaignFolder, name: str, pieces: Iterable[str] | None) -> Path | None:
    if pieces is None:
        return None
    draft = folder.path / f".{name}.draft"
    with draft.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.writelines(pieces)
    return draft
