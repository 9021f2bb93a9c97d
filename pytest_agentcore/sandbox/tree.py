"""Walk a folder that a hostile process has filled: no symlink is followed, nothing blocks, depth is bounded."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

MAX_DEPTH = 64
"""Folders below each other; one file descriptor is held per level, and beyond PATH_MAX nothing else could read them."""

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
REGULAR = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Kind(StrEnum):
    """The kind of thing at a path; the value completes the sentence `<path> is …`."""

    file = "a regular file"
    folder = "a folder"
    symlink = "a symbolic link"
    fifo = "a FIFO"
    socket = "a socket"
    device = "a device"
    unreadable = "a folder that cannot be opened"
    too_deep = "nested too deeply"


@dataclass(frozen=True, slots=True)
class Entry:
    """One name of the tree. `folder_fd` is open only until the next entry is asked for."""

    path: str
    """Posix, relative to the walked folder; undecodable bytes are surrogate-escaped."""
    kind: Kind
    stat: os.stat_result
    folder_fd: int

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    def open(self) -> int:
        """A descriptor of a regular file, which is still the one that was seen.

        Raises:
            OSError: it has gone, may not be read, or has become something else.
        """
        fd = os.open(self.name, REGULAR, dir_fd=self.folder_fd)
        now = os.fstat(fd)
        if not stat.S_ISREG(now.st_mode) or now.st_ino != self.stat.st_ino:
            os.close(fd)
            raise OSError(f"{self.path} was replaced while it was read")
        return fd


_KINDS = {
    stat.S_IFREG: Kind.file,
    stat.S_IFDIR: Kind.folder,
    stat.S_IFLNK: Kind.symlink,
    stat.S_IFIFO: Kind.fifo,
    stat.S_IFSOCK: Kind.socket,
}


def kind_of(mode: int) -> Kind:
    """The kind that a `st_mode` says."""
    return _KINDS.get(stat.S_IFMT(mode), Kind.device)


def walk(root: Path) -> Iterator[Entry]:
    """Every name below `root`, a folder before what lies in it, names of one folder in sorted order.

    Raises:
        OSError: `root` itself is no folder or cannot be opened.
    """
    fd = os.open(root, DIRECTORY)
    try:
        yield from _walk(fd, "", 1)
    finally:
        os.close(fd)


def _walk(fd: int, prefix: str, depth: int) -> Iterator[Entry]:
    found = {}
    with os.scandir(fd) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # it has vanished since it was listed
                found[entry.name] = entry.stat(follow_symlinks=False)
    for name, status in sorted(found.items()):
        path, kind = prefix + name, kind_of(status.st_mode)
        if kind is not Kind.folder or depth >= MAX_DEPTH:
            yield Entry(path, Kind.too_deep if kind is Kind.folder else kind, status, fd)
            continue
        try:
            inner = os.open(name, DIRECTORY, dir_fd=fd)
        except OSError:
            yield Entry(path, Kind.unreadable, status, fd)
            continue
        try:
            yield Entry(path, kind, status, fd)
            yield from _walk(inner, f"{path}/", depth + 1)
        finally:
            os.close(inner)
