"""Which campaign a command continues, and what must be put in order before its writer goes on.

Only trials without a score are ever run again: a scored one that was run twice would be the better of two.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path

from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.digests import MANIFEST
from pytest_agentcore.pack.folder import CampaignFolder, lock_campaign
from pytest_agentcore.pack.identity import differences, summarise
from pytest_agentcore.pack.manifest import Manifest, name_for
from pytest_agentcore.pack.read import Campaign, list_campaigns, read_campaign
from pytest_agentcore.pack.transcript import read_transcript
from pytest_agentcore.pack.validate import Pack
from pytest_agentcore.trial.fold import read_attempt
from pytest_agentcore.trial.result import TrialKey, TrialResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Whether a campaign is continued or a new one starts, and why."""

    why: str = ""
    """For the header: what is continued, or what the newest campaign lacks for that; empty where there is none."""
    earlier: Campaign | None = None
    """The one to continue, as it was when the lock was taken."""
    lock: BufferedWriter | None = None
    """Held on `earlier`."""

    def release(self) -> None:
        """Give back what was not used after all."""
        if self.lock:
            self.lock.close()


def choose(results: Path, wanted: Mapping[str, Manifest]) -> dict[str, Choice]:
    """For a command that names no campaign: the newest of the same identity and plan, if that one is incomplete.

    One that was killed after its last trial is not complete either: its tables and reports are not.

    A command that begins several campaigns goes on with all that it began, the complete ones included, as long as one
    of them is incomplete.

    Args:
        results: where campaigns lie.
        wanted: by label, the campaigns that the command asks for.

    Raises:
        UsageError: another process is writing a campaign that would be continued, or its manifest was changed.
    """
    known, damaged = list_campaigns(results)
    newest: dict[str, Campaign] = {}
    for label, manifest in wanted.items():
        if same := [folder for folder, old in known if not _differences(old, manifest)]:
            newest[label] = read_campaign(same[-1].path)
    unfinished = {label for label, found in newest.items() if not found.has_ended}
    sessions = {newest[label].manifest.session for label in unfinished} - {""}
    choices: dict[str, Choice] = {}
    try:
        for label, manifest in wanted.items():
            found = newest.get(label)
            if found and (label in unfinished or found.manifest.session in sessions):
                choices[label] = _continue(found.folder)
                continue
            # Why the newest campaign of the same model and suite is not continued; of others nobody expects it.
            said, about = [], (manifest.model, manifest.suite.name)
            like = [old for _, old in known if (old.model, old.suite.name) == about]
            if found:
                said = [f"new: {found.folder.id} is complete"]
            elif like:
                said = [f"new: differs from {like[-1].campaign} in {summarise(_differences(like[-1], manifest))}"]
            # By their names, the date apart, these could have been continued, and by their manifests they cannot.
            date = len("2026-06-10")
            name = re.compile(re.escape(name_for(manifest)[date:]) + r"(-\d+)?")
            said += [f"{each} was passed over: {why}" for each, why in damaged.items() if name.fullmatch(each[date:])]
            choices[label] = Choice(why="; ".join(said))
    except UsageError:
        for choice in choices.values():
            choice.release()
        raise
    return choices


def resume(place: Path | str, results: Path, manifest: Manifest) -> Choice:
    """For a command that names the campaign to continue; its plan may be larger or smaller.

    Raises:
        UsageError: there is no such campaign, it is another experiment, a selection, written by another process, or
            its manifest was changed.
    """
    earlier = read_campaign(place, results)
    if not earlier.manifest.counts:
        raise UsageError(f"{earlier.folder.path}: is a selection of trials to look at; such a campaign is not resumed")
    if found := differences(earlier.manifest, manifest):
        raise UsageError(
            f"{earlier.folder.path}: cannot be resumed, this command asks for another experiment "
            f"(that campaign → this command): {'; '.join(found)}"
        )
    return _continue(earlier.folder)


def leftovers(campaign: Campaign) -> tuple[Counter[TrialKey], list[TrialResult], list[Path]]:
    """Look through a campaign whose lock is held for work that its last writer left undone. Only reads.

    Returns:
        how many attempts each trial had, whatever became of them; results of trials that were judged and scored, but
        whose result line a kill prevented; and transcripts of attempts that no result cites.

    Raises:
        UsageError: a transcript is damaged before its last line.
    """
    folder, attempts = campaign.folder, Counter[TrialKey]()
    verdicts, replaced = list[TrialResult](), list[Path]()
    cited = {result.attempt for result in campaign.results}
    scored = {result.key for result in campaign.results if result.scored}
    for path in [*sorted(folder.transcripts.glob("*.jsonl")), *folder.attempts.glob("*.jsonl")]:
        events = read_transcript(path)
        attempt = read_attempt(events) if events else None  # a kill may leave less than the first line
        if attempt:
            attempts[attempt.key] += 1
        if path.parent == folder.attempts or path.stem in cited:
            continue
        verdict = attempt.result() if attempt and attempt.verdict else None
        if verdict and verdict.scored and verdict.key not in scored:
            verdicts.append(verdict)
            scored.add(verdict.key)
        else:
            replaced.append(path)
    return attempts, verdicts, replaced


def _differences(old: Manifest, new: Manifest) -> tuple[str, ...]:
    found = differences(old, new)
    # Where both plans are known they tell the same trials from others, however these were asked for.
    same = {*old.planned} == {*new.planned} if old.planned and new.planned else old.scope == new.scope
    if not same or str(old.shard) != str(new.shard):
        asked = f"{' '.join(old.scope) or 'unknown'} → {' '.join(new.scope)}"
        found += (f"trials asked for: {asked}" if old.scope != new.scope else "trials that plugins selected",)
    if bool(old.group) != bool(new.group):
        found += ("one of a group: " + ("yes → no" if old.group else "no → yes"),)
    return found + ((f"runs: {old.runs} → {new.runs}",) if old.runs != new.runs else ())


def _continue(folder: CampaignFolder) -> Choice:
    """Take the lock, then read: what was read before may be old."""
    lock = lock_campaign(folder)
    try:
        earlier = read_campaign(folder.path)
        problems = Pack(folder, earlier.manifest).file_problems()
        if problem := next((found for found in problems if found.file == MANIFEST), None):
            raise UsageError(
                f"{folder.path}: {problem}: a campaign whose manifest was changed is not continued; put it back, or "
                "start anew in another results folder with --results=DIR"
            )
    except UsageError:
        lock.close()
        raise
    scored = sum(result.scored for result in earlier.results)
    planned = f"{scored} of {len(earlier.manifest.planned)} trials are scored" if scored else "no trial is scored yet"
    return Choice(why=f"continues {folder.id}: {planned}", earlier=earlier, lock=lock)
