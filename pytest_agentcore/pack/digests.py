"""Digests of what a campaign holds, so that a change by hand or by a broken disk is found, and where.

`data/digests.jsonl` has a line for each recorded result and for each set of files that are written together, the
manifest among them; each line comes before what it speaks for, so that a kill between the two is no tampering. Each
line ends in a check of itself and all lines before it. They are no signature: whoever wants to forge a campaign can
forge them too.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Self

from pytest_agentcore.errors import RecordError, UsageError
from pytest_agentcore.pack.folder import CampaignFolder, lock_campaign, write_atomically
from pytest_agentcore.pack.jsonl import append, drop_torn_line, open_to_append, parse_line, to_line, whole_lines
from pytest_agentcore.trial.result import TrialResult

MANIFEST = "manifest.json"

_CHAIN = re.compile(rb',"chain":"([0-9a-f]{16})"}\Z')
_FILES = re.compile(
    r"manifest\.json|report\.(md|html)|predictions\.md|verification/\w+\.csv|data/attempts/[\w.-]+\.jsonl"
)
"""The only files that a line may name: a pack that somebody sent must not have others read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDigest:
    """The digest of a text file: as a whole, and line by line."""

    sha256: str
    lines: tuple[str, ...] = ()
    """The first 8 digits of each line's sha256, newline included: they find the line once the whole does not fit."""

    @classmethod
    def of(cls, content: Iterable[bytes]) -> Self:
        """Digest lines, newlines included: an open file, or bytes as one."""
        sha, lines = hashlib.sha256(), []
        for line in content:
            sha.update(line)
            lines.append(hashlib.sha256(line).hexdigest()[:8])
        return cls(sha256=sha.hexdigest(), lines=tuple(lines))

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """Digest a file as it is now."""
        with path.open("rb") as file:
            return cls.of(file)


@dataclass(slots=True, kw_only=True)
class Digests:
    """Everything that `data/digests.jsonl` says."""

    results: list[tuple[str, str]] = field(default_factory=list)
    """sha256 of each result line, newline included, and its attempt; in the order of writing."""
    transcripts: dict[str, TextDigest] = field(default_factory=dict)
    """By attempt."""
    workspaces: dict[str, str] = field(default_factory=dict)
    """sha256 by attempt."""
    files: dict[str, list[tuple[TextDigest | None, int]]] = field(default_factory=dict)
    """By name inside the pack, each digest (None: taken away) with the number of its line, the newest last."""
    lines: int = 0
    damaged: list[int] = field(default_factory=list)
    """Lines, counted from 1, that are no digests, or that do not fit those before them."""
    last: Mapping[str, Any] = field(default_factory=dict)
    """The last line, if it is not damaged."""

    @property
    def pending(self) -> frozenset[str]:
        """Files whose writing a kill may have prevented: their digests stand in the last line. Attempts come first."""
        return frozenset(name for name, _ in _sealed_by(self.last) if not name.startswith("data/attempts/"))

    def allows(self, name: str, found: TextDigest | None) -> bool:
        """Whether a file may be as it was found; None: it was not."""
        was, is_now = [None, *(digest and digest.sha256 for digest, _ in self.files[name])][-2:]
        return (found and found.sha256) in ({was, is_now} if name in self.pending else {is_now})


def _check(before: str, body: bytes) -> str:
    """The check of a line: of its text and, through the check of the line before, of all lines before it."""
    return hashlib.sha256(before.encode("ascii") + body).hexdigest()[:16]


def read_digests(folder: CampaignFolder) -> Digests:
    """Read all digests of a campaign; a damaged line counts for nothing."""
    found, before = Digests(), ""
    for number, raw in enumerate(whole_lines(folder.digests), 1):
        chain = _CHAIN.search(raw)
        found.lines, found.last = number, {}
        try:
            if not chain or chain[1].decode("ascii") != _check(before, raw[: chain.start()]):
                raise ValueError("it does not fit what stands before it")
            line = parse_line(raw, folder.digests, number)
            _take(found, line, number)
            found.last = line
        except (UsageError, KeyError, TypeError, ValueError):
            found.damaged.append(number)
        # The next line is held to the check that stands here, right or wrong: one edit is one damaged line.
        before = chain[1].decode("ascii") if chain else ""
    return found


def _take(found: Digests, line: Mapping[str, Any], number: int) -> None:
    for name, digest in _sealed_by(line):
        found.files.setdefault(name, []).append((digest, number))
    if "result" in line:
        found.results.append((str(line["result"]), str(line["attempt"])))
        if line["transcript"]:
            found.transcripts[line["attempt"]] = _text(line["transcript"])
        if line["workspace"]:
            found.workspaces[line["attempt"]] = str(line["workspace"])
    elif "prevented" in line:
        if not found.results or found.results.pop()[0] != line["prevented"]:
            raise ValueError("prevented is not the last result")
    elif not {"files", "end"} & line.keys():
        raise KeyError("result")


def _sealed_by(line: Mapping[str, Any]) -> Sequence[tuple[str, TextDigest | None]]:
    """The files that a line speaks for."""
    entries = line.get("files", ())
    for entry in entries:
        if not _FILES.fullmatch(entry["file"]):
            raise ValueError(f"{entry['file']} is no file of a pack")
    return [(entry["file"], _text(entry) if entry["sha256"] else None) for entry in entries]


def _text(data: Mapping[str, Any]) -> TextDigest:
    return TextDigest(sha256=str(data["sha256"]), lines=tuple(map(str, data["lines"])))


class Seals:
    """Appends digests. Whoever has the campaign's lock has one."""

    def __init__(self, folder: CampaignFolder) -> None:
        self._folder = folder
        self._failed: RecordError | None = None
        drop_torn_line(folder.digests)
        self._file = open_to_append(folder.digests)
        last = (whole_lines(folder.digests) or [b""])[-1]
        chain = _CHAIN.search(last)
        self._chain = chain[1].decode("ascii") if chain else ""
        if not last or last.startswith(b'{"end":'):
            return
        # A kill may have kept something from following the last line: say so, for more lines come after it now.
        found = read_digests(folder)
        if "result" in found.last:
            written = (whole_lines(folder.results) or [b""])[-1] + b"\n"
            if hashlib.sha256(written).hexdigest() != found.last["result"]:
                self._add({"prevented": found.last["result"]})
        states = {name: state_of(folder, name) for name in found.pending}
        stayed = {name: state for name, state in states.items() if found.allows(name, state)}
        self.files({name: state for name, state in stayed.items() if state != found.files[name][-1][0]})

    def result(self, result: TrialResult) -> None:
        """Seal a result line that is about to be written; its evidence is on the disk when this returns."""
        transcript, workspace = self._folder.transcript(result.attempt), self._folder.workspace(result.attempt)
        events = None
        if transcript.is_file():
            with transcript.open("rb") as file:
                os.fsync(file.fileno())  # a result must not outlive its evidence when the power fails
                events = asdict(TextDigest.of(file))
        self._add(
            {
                "attempt": result.attempt,
                "result": hashlib.sha256(to_line(result.to_json())).hexdigest(),
                "transcript": events,
                "workspace": hashlib.sha256(workspace.read_bytes()).hexdigest() if workspace.is_file() else None,
            }
        )

    def files(self, files: Mapping[str, TextDigest | None]) -> None:
        """Seal files, by name inside the pack, that are about to be put in their places; None: taken away."""
        gone: dict[str, Any] = {"sha256": None, "lines": []}
        if lines := [{"file": name, **(asdict(digest) if digest else gone)} for name, digest in files.items()]:
            self._add({"files": lines})

    def attempts(self) -> None:
        """Seal the replaced attempts that have no digest yet: their processes died before they had a result."""
        if there := sorted(self._folder.attempts.glob("*.jsonl")):
            known = read_digests(self._folder)
            left = {self._folder.name_of(path): path for path in there if path.stem not in known.transcripts}
            self.files({name: TextDigest.of_file(path) for name, path in left.items() if name not in known.files})

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Guard the writing of what the last line promised: if that fails, no line may follow it.

        Raises:
            RecordError: it failed.
        """
        try:
            yield
        except RecordError as error:
            self._failed = error
            raise

    def close(self, *, end: bool = False) -> None:
        """No line comes after this; with `end` the last one says that nothing was left undone."""
        if end and not self._file.closed:
            self._add({"end": True})
        self._file.close()

    def _add(self, line: Mapping[str, Any]) -> None:
        if self._failed:
            raise self._failed
        self._chain = _check(self._chain, to_line(line)[:-2])
        with self.kept():
            append(self._file, {**line, "chain": self._chain}, sync=True)


def state_of(folder: CampaignFolder, name: str) -> TextDigest | None:
    """Digest a file of the pack as it is now; None where it is missing."""
    path = folder.path / name
    return TextDigest.of_file(path) if path.is_file() else None


def put(folder: CampaignFolder, files: Mapping[str, bytes], seals: Seals | None, *, sync: bool = False) -> None:
    """Write small files, whole or not at all each, with their digests first."""
    if seals:
        seals.files({name: TextDigest.of(BytesIO(content)) for name, content in files.items()})
    with seals.kept() if seals else nullcontext():
        for name, content in files.items():
            write_atomically(folder.path / name, content, sync=sync)


@contextmanager
def sealing(folder: CampaignFolder) -> Iterator[Seals | None]:
    """Lock a campaign that has ended and seal the reports that are written into it; None for one without digests.

    Raises:
        UsageError: another process is writing the campaign.
    """
    if not whole_lines(folder.digests):
        yield None
        return
    with lock_campaign(folder, "write the report elsewhere with -o DIR"), closing(Seals(folder)) as seals:
        yield seals
        seals.close(end=True)
