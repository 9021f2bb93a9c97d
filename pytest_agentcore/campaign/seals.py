"""Writes `data/digests.jsonl`: each line before what it speaks for, so that nothing is without."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from pytest_agentcore.campaign.digests import (
    TextDigest,
    chain_of,
    chained,
    files_line,
    manifest_line,
    read_digests,
    result_line,
)
from pytest_agentcore.campaign.folder import CampaignFolder, CampaignLock, write_atomically
from pytest_agentcore.campaign.jsonl import append, drop_torn_line, open_to_append, whole_lines
from pytest_agentcore.errors import RecordError, UsageError
from pytest_agentcore.trial import TrialResult

_END = b'{"end":'


class Seals:
    """Appends digests. Whoever has the campaign's lock has one."""

    def __init__(self, folder: CampaignFolder) -> None:
        self._folder = folder
        self._failed: RecordError | None = None
        drop_torn_line(folder.digests)
        self._file = open_to_append(folder.digests)
        last = (whole_lines(folder.digests) or [b""])[-1]
        self._chain = chain_of(last)
        if last and not last.startswith(_END):
            self._settle()

    def result(self, result: TrialResult) -> None:
        """Of a result line that is about to be written."""
        self._add(result_line(self._folder, result))

    def manifest(self, content: bytes) -> None:
        """Of a manifest that is about to be put in its place."""
        self._add(manifest_line(content))

    def files(self, files: Mapping[str, TextDigest | None]) -> None:
        """Of files, by name inside the pack, that are about to be put in their places; None: taken away."""
        if files:
            self._add(files_line(files))

    def attempts(self) -> None:
        """Of the replaced attempts that nothing speaks for yet: their processes died before they had a result."""
        there = sorted(self._folder.attempts.glob("*.jsonl"))
        known = read_digests(self._folder) if there else None
        if known:
            names = {path: path.relative_to(self._folder.path).as_posix() for path in there}
            left = {n: p for p, n in names.items() if n not in known.files and p.stem not in known.transcripts}
            self.files({name: TextDigest.of_file(path) for name, path in left.items()})

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Around the writing of what the last line promised: if that fails, no line may follow it.

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
        whole = chained(line, self._chain)
        with self.kept():
            append(self._file, whole, sync=True)
        self._chain = whole["chain"]

    def _settle(self) -> None:
        """Say of the last line what a kill kept from following it, for it is the last line no more after this."""
        found = read_digests(self._folder)
        if "result" in found.last:
            written = (whole_lines(self._folder.results) or [b""])[-1] + b"\n"
            if hashlib.sha256(written).hexdigest() != found.last["result"]:
                self._add({"prevented": found.last["result"]})
        stayed: dict[str, TextDigest | None] = {}
        for name in found.pending:
            state = state_of(self._folder, name)
            seals = found.files[name]
            if found.allows(name, state) and (state and state.sha256) != (seals[-1].digest and seals[-1].digest.sha256):
                stayed[name] = state
        self.files(stayed)


def state_of(folder: CampaignFolder, name: str) -> TextDigest | None:
    """Of a file of the pack as it is now; None where it is not."""
    path = folder.path / name
    return TextDigest.of_file(path) if path.is_file() else None


def put(folder: CampaignFolder, files: Mapping[str, bytes], seals: Seals | None) -> None:
    """Write small files, whole or not at all each, with their digests first."""
    if seals:
        seals.files({name: TextDigest(sha256=hashlib.sha256(content).hexdigest()) for name, content in files.items()})
    with seals.kept() if seals else nullcontext():
        for name, content in files.items():
            write_atomically(folder.path / name, content)


@contextmanager
def sealing(folder: CampaignFolder) -> Iterator[Seals | None]:
    """For who writes reports into a campaign that has ended; None for one without digests.

    Raises:
        UsageError: another process is writing the campaign.
    """
    if not whole_lines(folder.digests):
        yield None
        return
    try:
        lock = CampaignLock(folder)
    except UsageError as error:
        raise UsageError(
            f"{folder.path}: another process is writing this campaign; wait until it ends, or write the report "
            "elsewhere with -o DIR"
        ) from error
    try:
        seals = Seals(folder)
        try:
            yield seals
        except BaseException:
            seals.close()
            raise
        seals.close(end=True)
    finally:
        lock.release()
