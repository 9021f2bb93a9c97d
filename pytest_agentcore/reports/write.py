"""Writes the files of a report: report.md, report.html, and the tables that come with them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

from pytest_agentcore.analysis.groups import Group
from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.csv import write_tables
from pytest_agentcore.pack.digests import TextDigest, sealing
from pytest_agentcore.pack.folder import CampaignFolder, GroupFolder, write_atomically
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.validate import damage_named
from pytest_agentcore.reports.csv import ONLY_WITH_ROWS, REPORT_TABLES
from pytest_agentcore.reports.group_text import as_json
from pytest_agentcore.reports.html.index import build_index, read_shown
from pytest_agentcore.reports.html.transcripts import PAGE_BYTES, as_script, pack_readable
from pytest_agentcore.reports.rendering import group_page, index_page, markdown, page
from pytest_agentcore.reports.report import build_report

AT_A_TIME = 4
"""Transcripts that are packed, or written as scripts, at the same time."""


def write_reports(
    campaign: Campaign,
    baseline: Campaign | None = None,
    out: Path | None = None,
    *,
    tables: bool = True,
    held: Iterable[Campaign] = (),
) -> list[Path]:
    """Write report.md and report.html anew, with the tables of `verification/`; give the paths of the two.

    Args:
        campaign: complete or not.
        baseline: what it is compared with.
        out: the folder that receives them, by default the campaign's own.
        tables: False where the tables that follow from the results alone were written just before.
        held: campaigns beside it that need not be read.

    Raises:
        UsageError: a transcript is damaged, or the folder cannot be written.
    """
    with damage_named(campaign.folder):
        report = build_report(campaign, baseline, held)
    folder = CampaignFolder(out or campaign.folder.path)
    is_own = folder.path.resolve() == campaign.folder.path.resolve()
    renderings = {"report.md": markdown(report), "report.html": page(report)}
    try:
        folder.verification.mkdir(parents=True, exist_ok=True)
        with sealing(folder) if is_own else nullcontext() as seals:
            if tables:
                write_tables(campaign, folder, seals)
            drafts: dict[str, Path | None] = {}
            for table in REPORT_TABLES:
                is_empty = table.name in ONLY_WITH_ROWS and not any(table.rows(report))
                text = None if is_empty else [table.content(report).decode("utf-8")]
                drafts[table.file] = _draft(folder, table.file, text)
            drafts |= {name: _draft(folder, name, pieces) for name, pieces in renderings.items()}
            # a digest goes before the file that it is of, so that a kill between the two is no tampering
            if seals:
                seals.files({name: TextDigest.of_file(draft) if draft else None for name, draft in drafts.items()})
            for name, draft in drafts.items():
                if draft:
                    draft.replace(folder.path / name)
                else:  # a table that has nothing to say: that of an earlier report goes away
                    (folder.path / name).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{folder.path}: a report cannot be written there: {error.strerror or error}") from error
    return [folder.path / name for name in renderings]


def write_index(results: Path, page: Path) -> list[Path]:
    """Write the page over all campaigns of a results folder; give its path, and the folder beside it if there is one.

    As long as all packed transcripts fit into `PAGE_BYTES` they are in the page. Where they do not, each is a script in
    the folder `<page>-data`, which the page loads when the trial is opened.

    Raises:
        UsageError: no campaign can be read, or the page cannot be written.
    """
    campaigns, left_out = read_shown(results)
    if not campaigns:
        raise UsageError("; ".join(left_out.values()) or f"{results}: holds no campaign")
    page = page / "index.html" if page.is_dir() else page
    beside = page.with_name(f"{page.stem}-data")
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        held, written = _place_transcripts(campaigns, beside)
        for stale in set(beside.glob("*/????????-????-????-????-????????????.js")) - written:
            stale.unlink()  # of a trial that is gone, or that the page holds now
        with damage_named(*(campaign.folder for campaign in campaigns)):
            index = build_index(campaigns, left_out, home=page.parent.resolve(), beside=beside.name if written else "")
        draft = page.with_name(f".{page.name}.draft")
        with draft.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.writelines(index_page(index, held))
        draft.replace(page)
    except OSError as error:
        raise UsageError(f"{page}: the page cannot be written there: {error.strerror or error}") from error
    return [page, beside] if written else [page]


def _place_transcripts(campaigns: Iterable[Campaign], beside: Path) -> tuple[dict[str, str], set[Path]]:
    """Pack all transcripts, by campaign and attempt, for the page; or, where it has no room, write them beside it."""
    held, used, written = dict[str, str](), 0, set[Path]()

    def write(key: str) -> Path:
        path = beside / f"{key}.js"
        path.write_text(as_script(key, held[key]), encoding="ascii")
        return path

    with ThreadPoolExecutor(AT_A_TIME) as pool:  # compressing and writing leave the interpreter to others
        for campaign in campaigns:
            # an attempt becomes the name of a file, and who made the campaign may have written anything
            attempts = [result.attempt for result in campaign.results if re.fullmatch(r"[0-9A-Za-z-]+", result.attempt)]
            found = pool.map(pack_readable, map(campaign.folder.transcript, attempts))
            keys = [f"{campaign.folder.id}/{attempt}" for attempt in attempts]
            held |= dict(zip(keys, found, strict=True))
            used += sum(len(held[key]) for key in keys)
            if used > PAGE_BYTES:
                for name in {key.partition("/")[0] for key in held}:
                    (beside / name).mkdir(parents=True, exist_ok=True)
                written.update(pool.map(write, held))
                held.clear()
    return held, written


def write_group(folder: GroupFolder, group: Group) -> None:
    """Write group.json and group.md anew."""
    text = json.dumps(as_json(group), indent=2, allow_nan=False)
    write_atomically(folder.comparison, f"{text}\n".encode("ascii"))
    write_atomically(folder.page, group_page(group).encode("utf-8"))


def _draft(folder: CampaignFolder, name: str, pieces: Iterable[str] | None) -> Path | None:
    """Write a file beside the place that it is going to take."""
    if pieces is None:
        return None
    draft = folder.path / f".{Path(name).name}.draft"
    with draft.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.writelines(pieces)
    return draft
