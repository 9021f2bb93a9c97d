"""The folders of a trial: create, freeze for the checker, pack into an archive, unpack, remove."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pytest_agentcore.errors import SandboxError
from pytest_agentcore.sandbox.base import MIB, Workspace
from pytest_agentcore.sandbox.tree import MAX_DEPTH, Entry, Kind, walk

FROZEN_BYTES = 256 * MIB
"""What a frozen copy holds at most; the sandbox's cap on disk is the same."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """A copy of a workspace that its agent can no longer touch."""

    workspace: Workspace
    """Regular files and folders of the original; an empty `tmp`."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Why each name that is not in the copy was left out, by path: `a FIFO`, `a symbolic link` …"""


def create_workspace(folder: Path, files: Mapping[str, str | bytes] = {}) -> Workspace:
    """A fresh workspace below `folder` (created, readable by its owner only) that holds `files`, contents by path.

    Raises:
        FileExistsError: `folder` already holds a workspace.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    workspace = Workspace(root=folder / "workspace", tmp=folder / "tmp")
    workspace.root.mkdir(mode=0o755)
    workspace.tmp.mkdir(mode=0o700)
    write_files(workspace.root, files)
    return workspace


def write_files(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Create each file below `root`, text as UTF-8."""
    for path, content in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)


def freeze(workspace: Workspace, folder: Path, *, max_bytes: int = FROZEN_BYTES) -> Frozen:
    """Copy the workspace's regular files into a fresh workspace below `folder`.

    Symlinks, FIFOs, sockets, devices, hard links to files outside, unreadable names and whatever comes after
    `max_bytes` are skipped and named. Nothing is followed and nothing blocks.
    """
    copy = create_workspace(folder)
    outside = linked_outside(workspace.root)
    skipped: dict[str, str] = {}
    room = max_bytes
    for entry in walk(workspace.root):
        reason = why_left_out(entry, outside, room)
        if reason is None:
            reason = _copy_entry(entry, copy.root)
        if reason is not None:
            skipped[entry.path] = reason
        elif entry.kind is Kind.file:
            room -= entry.stat.st_size
    return Frozen(copy, skipped)


def require(workspace: Workspace) -> None:
    """Check before a run that both folders are there.

    Raises:
        SandboxError: one is not.
    """
    for folder in (workspace.root, workspace.tmp):
        if not folder.is_dir():
            raise SandboxError(f"there is no folder {folder} to run in")


def mend(workspace: Workspace) -> None:
    """Give back both folders themselves when a process deleted, replaced or closed them.

    Otherwise deleting the workspace would look like a failure of the harness, and the trial would not be scored.
    """
    for folder in (workspace.root, workspace.tmp):
        try:
            mode = folder.lstat().st_mode
        except FileNotFoundError:
            mode = 0
        if mode and not stat.S_ISDIR(mode):
            folder.unlink()
        if not stat.S_ISDIR(mode):
            folder.mkdir(mode=0o755)
        elif mode & stat.S_IRWXU != stat.S_IRWXU:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IRWXU)


def linked_outside(root: Path) -> frozenset[tuple[int, int]]:
    """Device and inode of the files below `root` that also have a name elsewhere."""
    names: Counter[tuple[int, int]] = Counter()
    links: dict[tuple[int, int], int] = {}
    for entry in walk(root):
        if entry.kind is Kind.file and entry.stat.st_nlink > 1:
            names[_identity(entry)] += 1
            links[_identity(entry)] = entry.stat.st_nlink
    return frozenset(identity for identity, seen in names.items() if seen < links[identity])


def remove_workspace(workspace: Workspace) -> None:
    """Delete both folders, those that the agent made unreadable included."""
    for folder in (workspace.root, workspace.tmp):
        if not folder.is_dir():
            continue
        open_closed_folders(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _identity(entry: Entry) -> tuple[int, int]:
    return entry.stat.st_dev, entry.stat.st_ino


def why_left_out(entry: Entry, outside: frozenset[tuple[int, int]], room: int) -> str | None:
    """None for what may be copied: a folder, or a regular file of at most `room` bytes with no name `outside`."""
    if entry.kind is Kind.folder:
        return None
    if entry.kind is not Kind.file:
        return str(entry.kind)
    if _identity(entry) in outside:
        return "a hard link to a file outside the workspace"
    if entry.stat.st_size > room:
        return "beyond what a frozen copy may hold"
    return None


def _copy_entry(entry: Entry, root: Path) -> str | None:
    """None when copied, else the reason; a path that is too long for the host is one."""
    target = root / entry.path
    try:
        if entry.kind is Kind.folder:
            target.mkdir()
        else:
            _copy_file(entry, target)
    except OSError as error:
        return error.strerror or str(error)
    return None


def _copy_file(entry: Entry, target: Path) -> None:
    left = entry.stat.st_size  # not to the end: a file that still grows would outgrow the bound
    with os.fdopen(entry.open(), "rb") as reading, target.open("xb") as writing:
        while left and (block := reading.read(min(left, MIB))):
            writing.write(block)
            left -= len(block)
        os.fchmod(writing.fileno(), 0o755 if entry.stat.st_mode & stat.S_IXUSR else 0o644)


def open_closed_folders(root: Path) -> None:
    """Let their owner into all folders below `root`, level by level, for an opened one may hold closed ones."""
    for _ in range(MAX_DEPTH):
        closed = [entry.path for entry in walk(root) if entry.kind is Kind.unreadable]
        for path in closed:
            (root / path).chmod(0o700)
        if not closed:
            return


PREFIX = "agentcore-process-"


def scratch(purpose: str) -> tempfile.TemporaryDirectory[str]:
    """A fresh folder for its owner only, removed at the end of a `with` block, whatever lies in it."""
    home = _home(tempfile.gettempdir())
    if not home.is_dir():  # somebody cleaned up by hand
        _home.cache_clear()
        home = _home(tempfile.gettempdir())
    return tempfile.TemporaryDirectory(prefix=f"{purpose}-", dir=home, ignore_cleanup_errors=True)


def sweep() -> None:
    """Remove what processes of this user left that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.lstat().st_uid == os.geteuid() and (lock := _lock(folder)) is not None:
                try:
                    open_closed_folders(folder)
                    shutil.rmtree(folder, ignore_errors=True)
                finally:
                    os.close(lock)


@cache
def _home(temporary: str) -> Path:
    """Of this process, below `temporary`."""
    while True:
        home = Path(tempfile.mkdtemp(prefix=PREFIX, dir=temporary))
        lock = _lock(home)  # never closed: it goes with the process
        if lock is not None and home.is_dir():
            atexit.register(shutil.rmtree, home, ignore_errors=True)
            return home


def _lock(folder: Path) -> int | None:
    """A descriptor that holds the lock on a folder; None where another process has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
