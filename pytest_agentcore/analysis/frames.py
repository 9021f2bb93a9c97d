"""Campaigns as pandas DataFrames: what `pytest_agentcore.read` returns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas

from pytest_agentcore.analysis.columns import CALLS, CAMPAIGNS, TASKS, TRIALS, TURNS, Column, Row, cell
from pytest_agentcore.analysis.compare import Comparison
from pytest_agentcore.analysis.compare import compare as compare_campaigns
from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.figures import CampaignFigures
from pytest_agentcore.pack.folder import RESULTS_FOLDER
from pytest_agentcore.pack.read import Campaign, list_campaigns, read_campaign
from pytest_agentcore.pack.transcript import read_transcript, turns
from pytest_agentcore.trial.fold import read_attempt


class Results:
    """Campaigns as DataFrames, each made when it is first asked for.

    `campaigns`, `tasks` and `trials` come from manifests and result lines; `turns` and `calls` read every transcript.
    """

    def __init__(self, campaigns: Sequence[Campaign]) -> None:
        self._read = campaigns

    @cached_property
    def campaigns(self) -> pandas.DataFrame:
        """A row per campaign, the oldest first."""
        return _frame(CAMPAIGNS, [Row(campaign) for campaign in self._read])

    @cached_property
    def trials(self) -> pandas.DataFrame:
        """A row per recorded trial, by campaign, task and run."""
        return _frame(TRIALS, self._trials)

    @cached_property
    def tasks(self) -> pandas.DataFrame:
        """A row per campaign and task, planned tasks without a result too."""
        return _frame(
            TASKS, [Row(campaign, figures=each) for campaign in self._read for each in campaign.figures.tasks]
        )

    @cached_property
    def turns(self) -> pandas.DataFrame:
        """A row per reply of each trial's last attempt."""
        told = ((row, turns(events)) for row, events in self._transcripts)
        return _frame(TURNS, [replace(row, reply=turn.reply) for row, found in told for turn in found])

    @cached_property
    def calls(self) -> pandas.DataFrame:
        """A row per call of each trial's last attempt, also of calls that did not run."""
        told = ((row, read_attempt(events)) for row, events in self._transcripts if events)
        return _frame(CALLS, [replace(row, call=call) for row, attempt in told for call in attempt.calls])

    def transcript(self, attempt: str) -> list[dict[str, Any]]:
        """The events of a trial's last attempt, by its UUID; docs/data-pack.md describes them.

        Raises:
            UsageError: no trial of these campaigns ended with that attempt.
        """
        places = {row.attempt: row.campaign.folder for row in self._trials}
        if attempt not in places:
            raise UsageError(f"no trial of these campaigns ended with attempt {attempt!r}; see trials.attempt")
        return read_transcript(places[attempt].transcript(attempt))

    def __getitem__(self, campaign: str) -> Campaign:
        """One campaign, by its id: manifest, results and figures.

        Raises:
            KeyError: there is none of that id.
        """
        return {each.folder.id: each for each in self._read}[campaign]

    def to_parquet(self, folder: Path | str) -> None:
        """Write campaigns, tasks, trials, turns and calls as `NAME.parquet` each into a folder.

        Raises:
            ImportError: pyarrow is not installed.
        """
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name in ("campaigns", "tasks", "trials", "turns", "calls"):
            frame: pandas.DataFrame = getattr(self, name)
            frame.to_parquet(Path(folder) / f"{name}.parquet", index=False)

    @cached_property
    def _trials(self) -> list[Row]:
        return [Row(campaign, result=result) for campaign in self._read for result in campaign.results]

    @property
    def _transcripts(self) -> Iterator[tuple[Row, list[dict[str, Any]]]]:
        """One after the other: all of them at once would not fit for thousands of trials."""
        return ((row, read_transcript(row.campaign.folder.transcript(row.attempt))) for row in self._trials)


def read(place: Path | str | None = None) -> Results:
    """Read the campaigns of a results folder, or one campaign.

    Selections (`--agentcore-rerun`, `--lf`) are left out of a folder's campaigns: their rates are no pass rates.

    Args:
        place: a results folder, or a campaign's folder or id; by default `agentcore-results` in the working folder.

    Raises:
        UsageError: there is none, or a file of it cannot be read; names the file and the line.
    """
    path = Path(place or RESULTS_FOLDER)
    if not path.is_dir() or (path / "manifest.json").is_file():
        return Results([read_campaign(place)])
    found, damaged = list_campaigns(path)
    for sentence in damaged.values():
        raise UsageError(sentence)
    if not found:
        raise UsageError(f"no campaign in {path}: name a results folder or a campaign's own")
    return Results([read_campaign(folder.path) for folder, _ in found])


def figures(campaign: Campaign | Path | str) -> CampaignFigures:
    """All numbers of a campaign, per task and overall, as tables and reports show them.

    Args:
        campaign: as `Results` holds it, or its folder or id.

    Raises:
        UsageError: there is no such campaign, or a file of it cannot be read.
    """
    return _campaign(campaign).figures


def compare(first: Campaign | Path | str, second: Campaign | Path | str, *, force: bool = False) -> Comparison:
    """Compare two campaigns as `agentcore compare` does; `first` is the baseline.

    Args:
        first: as `Results` holds it, or its folder or id; so is `second`.
        force: compare them although their suites differ.

    Raises:
        UsageError: they cannot be compared, or one of them cannot be read; says why.
    """
    return compare_campaigns(_campaign(first), _campaign(second), force=force)


def _campaign(given: Campaign | Path | str) -> Campaign:
    return given if isinstance(given, Campaign) else read_campaign(given)


def _frame(columns: Iterable[Column], rows: Sequence[Row]) -> pandas.DataFrame:
    return pandas.DataFrame(
        {column.name: pandas.Series([cell(column, row) for row in rows], dtype=column.dtype) for column in columns}
    )
