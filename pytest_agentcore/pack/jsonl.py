"""JSON lines: how they are written and how they are read after anything happened to the writer.

A line is ASCII and strict JSON (RFC 8259), so it survives any string a model can make and shows safely in a terminal.
It counts once its newline is there: a last line without one was torn by a kill and is no line.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Any

from pytest_agentcore.errors import RecordError, UsageError

MAX_DEPTH = 100
"""Deeper values become a word: neither this reader nor others would get through a thousand levels."""


def to_line(value: Mapping[str, Any]) -> bytes:
    """One line, newline included. NaN and infinities become strings, and so does what is nested too deeply.

    Raises:
        TypeError: a value that JSON has no form for.
    """
    return json.dumps(_plain(value, 0), allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


def open_to_append(path: Path) -> FileIO:
    """For `append`. Without a buffer: what could not be written once is not tried again when the file is closed.

    Raises:
        RecordError: the file cannot be opened.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab", buffering=0)
    except OSError as error:
        raise RecordError(path, error) from error


def append(file: FileIO, value: Mapping[str, Any], *, sync: bool = False) -> None:
    """Write one line and hand it to the operating system, or with `sync` to the disk.

    Raises:
        RecordError: it cannot be written; a part of it may stand at the end of the file.
    """
    rest = memoryview(to_line(value))
    try:
        while rest:  # a full disk takes a part first, and only then says that it is full
            rest = rest[file.write(rest) :]
        if sync:
            os.fsync(file.fileno())
    except OSError as error:
        raise RecordError(file.name, error) from error


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file; a torn last line is left out, a missing file has none.

    Raises:
        UsageError: another line that is not a JSON object; names file and line.
    """
    for number, line in enumerate(whole_lines(path), 1):
        yield parse_line(line, path, number)


def whole_lines(path: Path, begin: int = 0) -> list[bytes]:
    """The lines of a file as they are, from a byte on; a torn last line is left out, a missing file has none.

    Raises:
        UsageError: there is something that cannot be read; names it.
    """
    try:
        with path.open("rb") as file:
            file.seek(begin)
            *lines, _torn = file.read().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    return lines


class Tail:
    """The lines of a file that grows: each is given once, a torn last one when it is whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._at = self._number = 0

    def new(self) -> Iterator[dict[str, Any]]:
        """Give what came since the last time; a missing file has nothing yet.

        Raises:
            UsageError: a line that is not a JSON object, or the file lost some; names file and line.
        """
        if self._at and self.path.stat().st_size < self._at:
            raise UsageError(f"{self.path}: is shorter than it was; somebody has replaced it")
        for line in whole_lines(self.path, self._at):
            self._at, self._number = self._at + len(line) + 1, self._number + 1
            yield parse_line(line, self.path, self._number)


def drop_torn_line(path: Path) -> None:
    """Cut off what a killed writer left behind the last newline, so that the next line starts on its own."""
    if path.is_file() and not (content := path.read_bytes()).endswith(b"\n"):
        os.truncate(path, content.rfind(b"\n") + 1)


def parse_line(line: bytes, path: Path, number: int) -> dict[str, Any]:
    """The object of one line.

    Raises:
        UsageError: it is none; names file and line.
    """
    try:
        value = json.loads(line.decode("utf-8"))  # bytes would be searched for their encoding, line by line
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UsageError(f"{path}: line {number} is not a JSON object; the file was edited or damaged")
    return value


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth > MAX_DEPTH:
        return f"nested deeper than {MAX_DEPTH} levels"
    if isinstance(value, Mapping):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    raise TypeError(f"{type(value).__name__} has no form in JSON")
