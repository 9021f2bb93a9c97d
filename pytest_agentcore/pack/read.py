"""A campaign as reports read it: manifest and results of one folder, whatever state its writer left it in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from pytest_agentcore.errors import UsageError, instead
from pytest_agentcore.pack.figures import CampaignFigures, figures_of
from pytest_agentcore.pack.folder import RESULTS_FOLDER, CampaignFolder, GroupFolder, campaigns, is_being_written
from pytest_agentcore.pack.jsonl import read_lines
from pytest_agentcore.pack.manifest import Manifest, read_manifest
from pytest_agentcore.trial.result import TrialKey, TrialResult


class State(StrEnum):
    """How far a campaign has come."""

    complete = "complete"
    """Every planned trial is scored, and the last process came to its end."""
    incomplete = "incomplete"
    """The last process came to its end, and planned trials have no score."""
    running = "running"
    """A process is at work on it."""
    interrupted = "interrupted"
    """The last process was stopped or killed."""


_STOPPED = 2
"""pytest's exit status of a session that was interrupted."""


@dataclass(frozen=True, kw_only=True)  # no slots, which would leave `cached_property` no place for its value
class Campaign:
    """A data pack as it was read: manifest and results."""

    folder: CampaignFolder
    manifest: Manifest
    results: tuple[TrialResult, ...]
    """One per recorded trial, by task and run."""

    @cached_property
    def figures(self) -> CampaignFigures:
        """The numbers of the campaign, computed when somebody first asks: every table, report and gate reads these."""
        return figures_of(self.results, self.manifest.tasks, self.manifest.prices)

    @property
    def left(self) -> tuple[TrialKey, ...]:
        """Planned trials without a score, in the order of the plan: missing, interrupted, lost to infrastructure."""
        scored = {result.key for result in self.results if result.scored}
        return tuple(key for key in self.manifest.keys if key not in scored)

    @property
    def has_ended(self) -> bool:
        """Whether the plan is scored and the last process came to its end: tables and reports are of the whole."""
        return bool(self.manifest.planned) and not self.left and self.manifest.finished is not None

    @property
    def state(self) -> State:
        """How far it has come, as its folder tells now."""
        if self.has_ended:
            return State.complete
        if self.manifest.finished is None and is_being_written(self.folder):
            return State.running
        is_stopped = self.manifest.finished is None or self.manifest.exit_status == _STOPPED
        return State.interrupted if is_stopped else State.incomplete


def list_campaigns(results: Path) -> tuple[list[tuple[CampaignFolder, Manifest]], dict[str, str]]:
    """The folders and manifests of campaigns that count, the oldest first; and by id, why others cannot be read."""
    found, damaged = [], {}
    for folder in campaigns(results):
        try:
            found.append((folder, read_manifest(folder)))
        except UsageError as error:
            damaged[folder.id] = str(error)
    found.sort(key=lambda pair: (pair[1].started, len(pair[0].id), pair[0].id))
    return [pair for pair in found if pair[1].counts], damaged


def read_all(results: Path) -> tuple[list[Campaign], dict[str, str]]:
    """Every campaign of a results folder, the oldest first, and by id why others cannot be read."""
    found, damaged = list[Campaign](), dict[str, str]()
    for folder in campaigns(results):
        try:
            found.append(read_campaign(folder.path))
        except UsageError as error:
            damaged[folder.id] = str(error)
    return sorted(found, key=lambda campaign: (campaign.manifest.started, campaign.folder.id)), damaged


def read_results(folder: CampaignFolder) -> list[TrialResult]:
    """One result per trial, by task and run: the last line about the first attempt that was scored.

    Raises:
        UsageError: a line other than a torn last one is damaged; names file and line.
    """
    found: dict[TrialKey, TrialResult] = {}
    for result in read_every_result(folder):
        keep(found, result)
    return in_order(found.values())


def keep(found: dict[TrialKey, TrialResult], result: TrialResult) -> None:
    """Take the next line into the results that count: a trial's first score stands, and later verdicts on it."""
    first = found.setdefault(result.key, result)
    if not first.scored or first.attempt == result.attempt:
        found[result.key] = result


def read_every_result(folder: CampaignFolder) -> Iterator[TrialResult]:
    """Every line in the order of the file, also those that a later one about the same trial replaced.

    Raises:
        UsageError: a line other than a torn last one is damaged; names file and line.
    """
    for number, line in enumerate(read_lines(folder.results), 1):
        try:
            yield TrialResult.from_json(line)
        except (ValueError, TypeError) as error:
            raise UsageError(f"{folder.results}: line {number}: {error}") from error


def in_order(results: Iterable[TrialResult]) -> list[TrialResult]:
    """Sort results by task, then by run."""
    return sorted(results, key=lambda result: (result.task, result.run))


def read_campaign(place: Path | str | None, results: Path | None = None) -> Campaign:
    """A campaign by its folder, or by its id below a results folder.

    Args:
        place: the folder, its `manifest.json`, or the campaign's id; None is the newest in the results folder.
        results: the results folder; by default `agentcore-results` in the working folder.

    Raises:
        UsageError: there is no such campaign, or a file of it cannot be read; names the file and the line.
    """
    folder = find_campaign(place, results)
    return Campaign(folder=folder, manifest=read_manifest(folder), results=tuple(read_results(folder)))


def find_campaign(place: Path | str | None, results: Path | None = None) -> CampaignFolder:
    """Find a campaign's folder; arguments as of `read_campaign`.

    Raises:
        UsageError: nowhere; says where it was looked for and what lies there.
    """
    results = results or Path(RESULTS_FOLDER)
    if place is None:
        return newest(results, 1)[0]
    path = Path(place).expanduser()
    path = path.parent if path.name == "manifest.json" else path
    for candidate in (path, results / path):
        if (candidate / "manifest.json").is_file():
            return CampaignFolder(candidate.resolve())
    known = [folder.id for folder in campaigns(path if path.is_dir() else results)]
    latest = ", ".join(known[-3:])
    if path.is_dir():
        lies = f"it holds {len(known)} campaigns, name one: {latest}" if known else "nor any below it"
        raise UsageError(f"no campaign {str(place)!r}: the folder has no manifest.json; {lies}")
    lies = (
        instead(path.name, known, f"the newest there: {latest}") if known else "which has none; --results names another"
    )
    raise UsageError(
        f"no campaign {str(place)!r}: it is neither a campaign's folder nor the id of one in {results}, {lies}"
    )


def newest(results: Path, number: int) -> list[CampaignFolder]:
    """The campaigns of a results folder that were begun or continued last, the newest last.

    Raises:
        UsageError: there are fewer than `number`.
    """
    found = []
    for folder in campaigns(results):
        try:
            manifest = read_manifest(folder)
        except UsageError:  # who wants a damaged one has to name it
            continue
        found.append((max([manifest.started, *(one.started for one in manifest.resumed)]), folder))
    if len(found) < number:
        there = f"{len(found)} of the {number}" if found else "none"
        raise UsageError(
            f"no campaign was named, and of those in {results} the newest is meant: there is {there}; "
            "name a campaign's folder, or a results folder with --results"
        )
    found.sort(key=lambda pair: (pair[0], len(pair[1].id), pair[1].id))
    return [folder for _, folder in found[-number:]]


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
        said = "no campaign of a group with this name lies beside it; name a folder with group.json, or two campaigns"
        raise UsageError(f"{folder.path}: {said}")
    return mine


_TASK_RUN = re.compile(r"(?P<task>[^\s:\[\]]+)(?::|\[.*run|-run)(?P<run>\d+)\]?")
_NODE = re.compile(r"(?:.*/)?test_(?P<task>[^/:]+)\.py::.*run(?P<run>\d+)\]")
_UUID = re.compile(r"[0-9a-f-]{4,36}")


def find_trial(campaign: Campaign, word: str) -> TrialResult:
    """Find a trial by attempt (a UUID or its first characters), by `task_05:2`, or by pytest's id of the item.

    Raises:
        UsageError: no recorded trial is meant, or more than one.
    """
    found: list[TrialResult] = []
    if _UUID.fullmatch(word.lower()):
        found = [result for result in campaign.results if result.attempt.startswith(word.lower())]
    if not found and (match := _NODE.fullmatch(word) or _TASK_RUN.fullmatch(word)):
        of_run = [result for result in campaign.results if result.run == int(match["run"])]
        # An exact id before a beginning, so that `task_1:1` is not `task_10:1` when both exist.
        found = [result for result in of_run if result.task == match["task"]]
        found = found or [result for result in of_run if result.task.startswith(match["task"])]
    if len(found) == 1:
        return found[0]
    if found:
        named = ", ".join(f"{result.task}:{result.run} ({result.attempt[:8]})" for result in found[:5])
        raise UsageError(f"{word!r} means {len(found)} trials of {campaign.folder.id}: {named}")
    raise UsageError(f"{word!r} is no recorded trial of {campaign.folder.id}: {_trials_like(campaign, word)}")


def _trials_like(campaign: Campaign, word: str) -> str:
    """Name the runs of the task that a word begins with, or the nearest task's."""
    match = _NODE.fullmatch(word) or _TASK_RUN.fullmatch(word)
    begun = match["task"] if match else word
    of_task: dict[str, list[str]] = {}
    for result in campaign.results:
        of_task.setdefault(result.task, []).append(f"{result.task}:{result.run}")
    meant = [task for task in of_task if task == begun] or [task for task in of_task if task.startswith(begun)]
    if meant and begun:
        return f"the runs there are {', '.join(trial for task in meant for trial in of_task[task])}"
    ways = "give an attempt's first characters, TASK:RUN such as {}, or pytest's id of the item"
    example = next((trials[0] for trials in of_task.values()), "task_05:2")
    return f"{instead(begun, of_task)} ({ways.format(example)})"
