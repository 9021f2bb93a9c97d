"""Folders that live as long as what needs them; what a killed process left behind is removed by the next one.

Each process has one folder below the system's temporary one, locked (`flock(2)`) while it lives, and all others in it.
Locks, unlike process numbers, tell the living from the dead across containers, and systemd-tmpfiles honours them too.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from pytest_agentcore.sandbox.workspace import open_closed_folders

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
