"""Readers over the final workspace: whatever a model left there, the outcome is a value or one readable assertion."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_agentcore.untrusted import clip

MOST_BYTES = 4 * 1024 * 1024
"""Of a file that is read as text."""
LONGEST_PATH = 1024
EXCERPT = 60
"""Columns of the model's text that an assertion quotes."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_WORDS = {dict: "an object", list: "a list", str: "a text", int: "an integer", float: "a number", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a frozen workspace, and why the copy lacks some: `a FIFO`, `a symbolic link` …"""

    root: Path
    skipped: Mapping[str, str] = field(default_factory=dict)


def read_bytes(files: Files, path: str, most: int = MOST_BYTES) -> bytes:
    """The content of a regular file of the workspace.

    Raises:
        AssertionError: missing, no regular file, reached through a link, unreadable, or longer than `most` bytes.
        ValueError: `path` is not a relative path inside the workspace: the checker's own mistake.
    """
    target = _inside(files, path)
    if kind := files.skipped.get(path) or kind_of(target):
        raise AssertionError(f"{path} is {kind}, not a file")
    try:
        with target.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > most:
                raise AssertionError(f"{path} is too big: {size} bytes, at most {most} are read")
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        raise AssertionError(f"{path} is missing") from None
    except OSError as error:
        raise AssertionError(f"{path} cannot be read: {error.strerror}") from None


def read_text(files: Files, path: str) -> str:
    """The content as UTF-8; a byte order mark at the start is dropped."""
    content = read_bytes(files, path)
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise AssertionError(f"{path} is not UTF-8 text: byte {error.start} cannot be decoded") from None


def read_line(files: Files, path: str) -> str:
    """The only line that is not blank, stripped."""
    lines = [line.strip() for line in read_text(files, path).split("\n") if line.strip()]
    if not lines:
        raise AssertionError(f"{path} is empty; one line was asked for")
    if len(lines) > 1:
        raise AssertionError(f"{path} has {len(lines)} lines, one was asked for; it begins {excerpt(lines[0])}")
    return lines[0]


def read_int(files: Files, path: str) -> int:
    """The only line as a decimal integer of at most 18 digits, with nothing around it."""
    line = read_line(files, path)
    if not _INTEGER.fullmatch(line):
        raise AssertionError(f"{path} holds {excerpt(line)}; one integer and nothing else was asked for")
    return int(line)


def read_json(files: Files, path: str, shape: Any = None) -> Any:
    """The content as JSON (RFC 8259, so no NaN) that has `shape`; see `require_shape`."""
    text = read_text(files, path)
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise AssertionError(f"{path} is no JSON that can be read: it is nested too deep") from None
    except ValueError as error:
        raise AssertionError(f"{path} is not JSON ({clip(str(error), EXCERPT)}): {excerpt(text)}") from None
    require_shape(value, shape, path)
    return value


def require_shape(value: Any, shape: Any, where: str) -> None:
    """Assert what a value is made of, so that a checker can go on without a TypeError or KeyError.

    A shape is None (anything), a type (`float` takes integers too), `[shape]` for a list of such items, or a dict of
    the keys that must be there and their shapes.
    """
    if shape is None:
        return
    if isinstance(shape, type):
        if not _is_a(value, shape):
            raise AssertionError(f"{where} is {excerpt(_dump(value))}, not {_WORDS.get(shape, shape.__name__)}")
    elif isinstance(shape, list):
        require_shape(value, list, where)
        for index, item in enumerate(value):
            require_shape(item, shape[0], f"{where}[{index}]")
    else:
        require_shape(value, dict, where)
        for key, inner in shape.items():
            if key not in value:
                raise AssertionError(f"{where} has no {key!r}")
            require_shape(value[key], inner, f"{where}[{key!r}]")


def read_csv(files: Files, path: str) -> list[list[str]]:
    """The rows of a comma-separated file (RFC 4180), blank lines left out."""
    text = read_text(files, path)
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise AssertionError(f"{path} is not CSV ({error}): {excerpt(text)}") from None


def exists(files: Files, path: str) -> bool:
    """Whether a regular file or a folder stands at the path, reached without a link."""
    try:
        found = os.lstat(_inside(files, path))
    except (OSError, AssertionError):
        return False
    return stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)


def kind_of(target: Path) -> str:
    """`a folder`, `a symbolic link` …; empty for a regular file and for nothing."""
    try:
        return _KINDS.get(stat.S_IFMT(os.lstat(target).st_mode), "")
    except OSError:
        return ""


def excerpt(text: str) -> str:
    """A short, quoted, escaped piece of the model's text."""
    return f"`{clip(text, EXCERPT)}`"


def _inside(files: Files, path: str) -> Path:
    parts = PurePosixPath(path).parts
    if not parts or PurePosixPath(path).is_absolute() or ".." in parts or "\0" in path or len(path) > LONGEST_PATH:
        raise ValueError(f"{path!r} is not a path inside the workspace")
    for depth in range(1, len(parts)):
        above = PurePosixPath(*parts[:depth])
        kind = files.skipped.get(str(above)) or kind_of(files.root / above)
        if kind and kind != "a folder":
            raise AssertionError(f"{path} is missing: {above} is {kind}")
    return files.root / path


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _is_a(value: Any, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _dump(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return type(value).__name__
