"""What a result line rests on: transcript and workspace, held against their digests and against each other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_agentcore.campaign.digests import Digests, TextDigest
from pytest_agentcore.campaign.folder import CampaignFolder
from pytest_agentcore.campaign.jsonl import read_lines
from pytest_agentcore.campaign.schema import first_violation
from pytest_agentcore.errors import UsageError
from pytest_agentcore.trial import TrialResult


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it should be."""

    file: str
    """Inside the campaign's folder."""
    line: int | None
    """Counted from 1; None where the problem is not in one line."""
    sentence: str
    attempt: str = ""
    """The attempt whose evidence is in doubt; empty where it is not about one."""

    def __str__(self) -> str:
        where = f"{self.file}: line {self.line}" if self.line else self.file
        return f"{where}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class Line:
    """A result line, and where it stands."""

    number: int
    """Counted from 1."""
    result: TrialResult
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Transcript and workspace of one attempt."""

    folder: CampaignFolder
    digests: Digests
    line: Line
    replaced: bool = False
    """Whether a later attempt at the trial took its place, so that its transcript lies with the other attempts."""

    def problems(self) -> Iterator[Problem]:
        """What is wrong with them."""
        for problem in (*self._transcript(), *self._workspace()):
            yield replace(problem, attempt=self.line.result.attempt)

    def _transcript(self) -> Iterator[Problem]:
        attempt = self.line.result.attempt
        path = self.folder.transcript(attempt)
        path = path if path.is_file() else self.folder.attempts / path.name
        name = path.relative_to(self.folder.path).as_posix()
        if not path.is_file():
            place = self.folder.attempts if self.replaced else self.folder.transcripts
            missing = (place / path.name).relative_to(self.folder.path)
            yield Problem(
                missing.as_posix(), None, f"is missing; line {self.line.number} of data/results.jsonl rests on it"
            )
            return
        sealed = self.digests.transcripts.get(attempt)
        if sealed and sealed.sha256 != (found := TextDigest.of_file(path)).sha256:
            yield changed(name, sealed, found)
        elif not sealed:
            with suppress(UsageError):  # `_verdict` says it
                yield from _events(name, path)
        yield from self._verdict(name, path)

    def _verdict(self, name: str, path: Path) -> Iterator[Problem]:
        try:
            events = list(read_lines(path))
        except UsageError as error:
            yield Problem(name, None, str(error).partition(": ")[2])
            return
        last = events[-1] if events else {}
        if last.get("event") != "verdict":
            return
        here = sorted(key for key in last.keys() & self.line.data.keys() if last[key] != self.line.data[key])
        if here:
            yield Problem(
                "data/results.jsonl", self.line.number, f"says otherwise than the verdict in {name}: {', '.join(here)}"
            )

    def _workspace(self) -> Iterator[Problem]:
        path = self.folder.workspace(self.line.result.attempt)
        name = path.relative_to(self.folder.path).as_posix()
        sealed = self.digests.workspaces.get(self.line.result.attempt)
        if not path.is_file():
            if sealed or self.line.result.scored:
                yield Problem(name, None, f"is missing; line {self.line.number} of data/results.jsonl rests on it")
        elif sealed and hashlib.sha256(path.read_bytes()).hexdigest() != sealed:
            yield Problem(name, None, "was changed after it was written")


def changed(name: str, sealed: TextDigest, found: TextDigest) -> Problem:
    """A file that is not what its digest says, with the first line that differs where lines were kept."""
    left = f": {len(found.lines)} lines of {len(sealed.lines)} are left" if len(found.lines) < len(sealed.lines) else ""
    return Problem(name, sealed.first_difference(found), f"was changed after it was written{left}")


def open_problems(folder: CampaignFolder, cited: frozenset[str]) -> Iterator[Problem]:
    """Of transcripts without a result: a kill came first, so no digest speaks for them yet."""
    for path in sorted(folder.transcripts.glob("*.jsonl")):
        if path.stem not in cited:
            name = path.relative_to(folder.path).as_posix()
            try:
                yield from _events(name, path)
            except UsageError as error:
                yield Problem(name, None, str(error).partition(": ")[2])


def _events(name: str, path: Path) -> Iterator[Problem]:
    """Of a transcript that no digest speaks for."""
    for number, event in enumerate(read_lines(path), 1):
        if problem := first_violation("transcript", event):
            yield Problem(name, number, problem)
