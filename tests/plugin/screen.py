"""What somebody sees who runs a command on a terminal: a pseudo-terminal, and an emulator that renders it."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Sequence
from pathlib import Path

import pyte

RESTORE = "\x1b8"
"""Ends each drawing of the live line: a moment at which somebody may look."""


def watch(command: Sequence[str], folder: Path, *, columns: int, rows: int = 12) -> list[list[str]]:
    """The lines at each such moment, and at the end: those that scrolled away and those on the screen."""
    screen = pyte.HistoryScreen(columns, rows, history=10_000)
    stream = pyte.Stream(screen)
    seen = []
    *moments, rest = written(command, folder, columns, rows).split(RESTORE)
    for part in moments:
        stream.feed(part + RESTORE)
        seen.append(_lines(screen))
    stream.feed(rest)
    return [*seen, _lines(screen)]


def _lines(screen: pyte.HistoryScreen) -> list[str]:
    gone = ["".join(row[column].data for column in range(screen.columns)) for row in screen.history.top]
    return [line.rstrip() for line in (*gone, *screen.display)]


def written(command: Sequence[str], folder: Path, columns: int, rows: int) -> str:
    """All that the command writes to a terminal."""
    main, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "PY_COLORS"}}
    with subprocess.Popen(
        command, cwd=folder, env={**environment, "TERM": "xterm"}, stdout=other, stderr=other, close_fds=True
    ):
        os.close(other)
        said = b""
        while part := _read(main):
            said += part
    os.close(main)
    return said.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end was closed
        return b""
