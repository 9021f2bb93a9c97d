"""A campaign's folder: its name, what lies where in it, and the lock of the process that writes it."""

from __future__ import annotations

import fcntl
import itertools
import os
import re
import time
from contextlib import suppress
from datetime import UTC, datetime
from io import BufferedWriter
from pathlib import Path

from pytest_agentcore.errors import RecordError, UsageError

RESULTS_FOLDER = "agentcore-results"
"""Where campaigns go unless the user says otherwise: relative to pytest's rootdir or the working folder."""

_ANOTHER_FOLDER = "give this run a results folder of its own with --results=DIR"


class CampaignFolder:
    """The places of a campaign's files. Only names: nothing here touches the disk, so workers may hold it too."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.name
        """The campaign's id is its folder's name."""
        self.manifest = path / "manifest.json"
        """What was run, and how."""
        self.results = path / "data" / "results.jsonl"
        """One line per trial."""
        self.digests = path / "data" / "digests.jsonl"
        """Digests of result lines and of every other file."""
        self.transcripts = path / "data" / "transcripts"
        """One file per trial: its last attempt."""
        self.attempts = path / "data" / "attempts"
        """Transcripts of attempts that a later one replaced."""
        self.workspaces = path / "data" / "workspaces"
        """Final workspaces, compressed."""
        self.verification = path / "verification"
        """The CSVs, all derived from results and manifest."""
        self.lock = path / ".lock"
        """Held with flock while a process writes the campaign."""

    def transcript(self, attempt: str) -> Path:
        """The transcript of one attempt, by its UUID."""
        return self.transcripts / f"{attempt}.jsonl"

    def workspace(self, attempt: str) -> Path:
        """The final workspace of one attempt, by its UUID."""
        return self.workspaces / f"{attempt}.tar.gz"

    def name_of(self, path: Path) -> str:
        """The name of a file inside the pack."""
        return path.relative_to(self.path).as_posix()


class GroupFolder:
    """The places of a group's files: what several campaigns of one model say together, beside their own folders."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.name
        """The group's id is its folder's name."""
        self.comparison = path / "group.json"
        """The comparison of the campaigns, in JSON."""
        self.page = path / "group.md"
        """The same comparison, to read."""


def lock_campaign(folder: CampaignFolder, or_else: str = _ANOTHER_FOLDER) -> BufferedWriter:
    """Hold a campaign for this process until the file is closed or the process ends, however it ends.

    The file stays on the disk: removing it would let two processes lock two files.

    Raises:
        UsageError: another process holds it; says what to do `or_else` than wait.
    """
    file = folder.lock.open("ab")
    for seconds in _GLANCES:  # whoever only looks whether it is held (`is_being_written`) holds it for an instant
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        time.sleep(seconds)
    file.close()
    raise UsageError(f"{folder.path}: another process is writing this campaign; wait until it ends, or {or_else}")


_GLANCES = (0.005, 0.02, 0.05)
"""Seconds between tries at a lock."""


def is_being_written(folder: CampaignFolder) -> bool:
    """Tell whether a process holds the campaign; nothing is written to find out."""
    try:
        with folder.lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no lock file: copied from elsewhere, or made by hand
        return False
    return False


def slug(text: str) -> str:
    """`[a-z0-9.-]` only, at most 80 characters, fit for a folder's name.

    Raises:
        UsageError: nothing is left of it.
    """
    made = re.sub(r"[^a-z0-9.]+", "-", text.lower())[:80].strip(".-")
    if not made:
        raise UsageError(f"{text!r} has no letter or digit to make a folder's name from; rename it")
    return made


def dated_name(started: datetime, *parts: str) -> str:
    """`YYYY-MM-DD-<part>-<part> …`: the UTC date of a moment that knows its time zone, and the parts as slugs."""
    # File systems end at 255 bytes, and a suffix must fit.
    return "-".join([started.astimezone(UTC).date().isoformat(), *map(slug, parts)])[:200]


def make_places(folder: CampaignFolder) -> None:
    """Make the folders inside; one that is there stays as it is.

    Raises:
        RecordError: one cannot be made.
    """
    try:
        for inner in (folder.transcripts, folder.workspaces, folder.verification):
            inner.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(folder.path, error) from error


def campaigns(results: Path) -> list[CampaignFolder]:
    """Every campaign in a results folder, by name."""
    return [CampaignFolder(path.parent) for path in sorted(results.glob("*/manifest.json"))]


def write_atomically(path: Path, content: bytes, *, sync: bool = False) -> None:
    """Replace a file so that readers see the old content or the new one, never a part of it.

    Raises:
        RecordError: the disk does not take it; the old content stands.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("wb") as file:
            file.write(content)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
        if sync:
            sync_folder(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise RecordError(path, error) from error


def sync_folder(path: Path) -> None:
    """Wait until the disk has the names in a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_first_free(results: Path, name: str) -> Path:
    """A new folder of that name, or of the name with `-2`, `-3` … behind it; no two processes get the same.

    Raises:
        UsageError: the results folder cannot be made or written.
    """
    try:
        results.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            path = results / (name if number == 1 else f"{name}-{number}")
            with suppress(FileExistsError):  # looking first would let two processes take one name
                path.mkdir()
                return path
    except OSError as error:
        raise UsageError(f"{results}: cannot be used as results folder: {error.strerror or error}") from error
    raise AssertionError("unreachable: count never ends")
