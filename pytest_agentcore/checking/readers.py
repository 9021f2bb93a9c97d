"""Readers over the final workspace: whatever a model left there, the outcome is a value or one readable assertion."""

from __future__ import annotations

import csv
import difflib
import io
import json
import os
import re
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_agentcore.checking.plain import plain_lines
from pytest_agentcore.sandbox.base import Workspace
from pytest_agentcore.sandbox.tree import Kind, kind_of, walk
from pytest_agentcore.sandbox.workspace import clear, scratch
from pytest_agentcore.tasks.task import IGNORED, LONGEST_PATH
from pytest_agentcore.untrusted import clip

MOST_BYTES = 4 * 1024 * 1024
"""The largest file that is read as text."""
LONGEST_PROSE = 20_000
"""Characters of the longest text that is taken for something to read."""
EXCERPT = 60
"""Columns of the model's text that an assertion quotes."""

Size = int
"""For annotations where a reader is called `int`."""

_INTEGER = re.compile(r"[+-]?(?:[0-9]{1,18}|[0-9]{1,3}(?:([, ])[0-9]{3})(?:\1[0-9]{3}){0,4})")
"""Groups of three may be separated, all alike."""
LONGEST_ANSWER = 300
"""Characters of a line that is taken apart."""
_WORDS = {dict: "an object", list: "a list", str: "a text", int: "an integer", float: "a number", bool: "true or false"}


@dataclass(frozen=True, kw_only=True, repr=False)
class Files:
    """Readers of a frozen workspace.

    A reader raises AssertionError, with one sentence, for whatever a model may have left at a path, and ValueError for
    a path that is not inside the workspace: the checker's own mistake.
    """

    _frozen: Workspace
    _skipped: Mapping[str, str]
    """Why the frozen copy lacks something, by path: `a FIFO`, `a symbolic link` …"""

    def exists(self, path: str) -> bool:
        """Whether a regular file or a folder is at the path, reached without a link."""
        try:
            return _kind(self._inside(path)) in (Kind.file, Kind.folder)
        except AssertionError:
            return False

    def text(self, path: str) -> str:
        """The content of a UTF-8 file of at most 4 MiB; a byte order mark at the start is dropped."""
        content = self._bytes(path)
        try:
            return content.decode("utf-8").removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            raise AssertionError(f"{path} is not UTF-8 text: byte {error.start} cannot be decoded") from None

    def plain_lines(self, path: str) -> list[str]:
        """The lines of a text of at most 20 000 characters that are not blank, without Markdown, HTML and typography.

        For what they are, see `pytest_agentcore.plain_lines`, the same function over any text.
        """
        return _plain_lines(path, self.text(path))

    def line(self, path: str) -> str:
        """The one line of a file that has exactly one which is not blank, stripped."""
        return _only([line.strip() for line in self.text(path).split("\n") if line.strip()], path)

    def int(self, path: str) -> int:
        """The decimal integer, of at most 18 digits, that is all a file holds, in any form of `plain_lines`.

        Quotes around it, a full stop behind it and groups of three are of no account.
        """
        line = _only(self.plain_lines(path), path)
        found = _INTEGER.fullmatch(_unquoted(line))
        if not found:
            raise AssertionError(f"{path} holds {excerpt(line)}; one integer and nothing else was asked for")
        return int(found[0].replace(found[1] or ",", ""))

    def fields(self, path: str, form: str) -> tuple[str, ...]:
        """The text in place of each `{}` in a file's one line: `trial.fields("answer.txt", "cause={}")`.

        A field has no white space in it. Of no account are forms of `plain_lines`, quotes around the line or a field, a
        full stop at the end, capitals in the form, and white space beside its punctuation.
        """
        literals = (re.sub(r"\W", lambda mark: rf"\s*{re.escape(mark[0])}\s*", part) for part in form.split("{}"))
        pattern, text = re.compile(r"(\S+)".join(literals), re.IGNORECASE), self.text(path)
        # An underscore is a letter of a name, as in `__init__.py`, and emphasis only where it can be nothing else.
        for reading in (re.sub(r"\\?_", r"\\_", text), text):
            line = _only(_plain_lines(path, reading), path)
            answer = _unquoted(line)
            if len(answer) <= LONGEST_ANSWER and (found := pattern.fullmatch(answer)):
                return tuple(_unquoted(field) for field in found.groups())
        raise AssertionError(f"{path} holds {excerpt(line)}; one line {form.replace('{}', '…')} was asked for")

    def json(self, path: str, shape: Any = None) -> Any:
        """The JSON in a file (RFC 8259, so no NaN), of a shape.

        A shape is None (anything), a type (`float` takes integers too), `[shape]` for a list of such items, or a dict
        of the keys that must be there and their shapes.
        """
        text = self.text(path)
        try:
            value = json.loads(text, parse_constant=_refuse_constant)
        except RecursionError:
            raise AssertionError(f"{path} is no JSON that can be read: it is nested too deep") from None
        except ValueError as error:
            raise AssertionError(f"{path} is not JSON ({clip(str(error), EXCERPT)}): {excerpt(text)}") from None
        _require_shape(value, shape, path)
        return value

    def csv(self, path: str) -> list[list[str]]:
        """The rows of a comma-separated file (RFC 4180), blank lines left out."""
        text = self.text(path)
        try:
            return [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
        except csv.Error as error:
            raise AssertionError(f"{path} is not CSV ({error}): {excerpt(text)}") from None

    def sqlite(self, path: str) -> Database:
        """A SQLite file; `query(sql, *parameters)` gives the rows of one SELECT."""
        return Database(self, path)

    def _bytes(self, path: str, most: Size = MOST_BYTES) -> bytes:
        target = self._inside(path)
        kind = self._skipped.get(path) or _kind(target)
        if kind not in (None, Kind.file):
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

    def _inside(self, path: str) -> Path:
        parts = PurePosixPath(path).parts
        if not parts or PurePosixPath(path).is_absolute() or ".." in parts or "\0" in path or len(path) > LONGEST_PATH:
            raise ValueError(f"{path!r} is not a path inside the workspace")
        for depth in range(1, len(parts)):
            above = PurePosixPath(*parts[:depth])
            kind = self._skipped.get(str(above)) or _kind(self._frozen.root / above)
            if kind not in (None, Kind.folder):
                raise AssertionError(f"{path} is missing: {above} is {kind}")
        return self._frozen.root / path


def _plain_lines(path: str, text: str) -> list[str]:
    if len(text) > LONGEST_PROSE:
        raise AssertionError(f"{path} has {len(text)} characters: nobody reads that")
    return plain_lines(text)


def _only(lines: Sequence[str], path: str) -> str:
    if not lines:
        raise AssertionError(f"{path} is empty; one line was asked for")
    if len(lines) > 1:
        raise AssertionError(f"{path} has {len(lines)} lines, one was asked for; it begins {excerpt(lines[0])}")
    return lines[0]


def _unquoted(text: str) -> str:
    """A plain line without quotes around all of it and a full stop at its end."""
    found = re.fullmatch(r"""(["']?)\s*([^"']*?)\s*\.?\s*\1\s*\.?""", text)
    return found[2] if found else text


def _require_shape(value: Any, shape: Any, where: str) -> None:
    """Assert what a value is made of, so that a checker can go on without a TypeError or KeyError."""
    if shape is None:
        return
    if isinstance(shape, type):
        fits = isinstance(value, (int, float) if shape is float else shape)
        if not fits or (isinstance(value, bool) and shape is not bool):
            try:
                shown = json.dumps(value, ensure_ascii=False)
            except RecursionError:
                shown = type(value).__name__
            raise AssertionError(f"{where} is {excerpt(shown)}, not {_WORDS.get(shape, shape.__name__)}")
    elif isinstance(shape, list):
        _require_shape(value, list, where)
        for index, item in enumerate(value):
            _require_shape(item, shape[0], f"{where}[{index}]")
    else:
        _require_shape(value, dict, where)
        for key, inner in shape.items():
            if key not in value:
                raise AssertionError(f"{where} has no {key!r}")
            _require_shape(value[key], inner, f"{where}[{key!r}]")


def excerpt(text: str) -> str:
    """A short, quoted, escaped piece of the model's text."""
    return f"`{clip(text, EXCERPT)}`"


def _kind(target: Path) -> Kind | None:
    """None where nothing is, or where the path leads nowhere."""
    try:
        return kind_of(os.lstat(target).st_mode)
    except OSError:
        return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


MOST_LINES = 20_000
"""A longer text is not compared line by line: all of it counts as rewritten."""


@dataclass(frozen=True, slots=True)
class Diff:
    """Lines added and removed. A changed line is one of each, so are a changed line end and a lost final newline."""

    added: int
    removed: int
    text: str
    """Unified diff."""

    @property
    def changed_lines(self) -> int:
        """Added and removed together."""
        return self.added + self.removed


def diff(before: str, after: str) -> Diff:
    """Compare two texts by lines, where only `\\n` ends a line."""
    old, new = _lines(before), _lines(after)
    if max(len(old), len(new)) > MOST_LINES:
        return Diff(len(new), len(old), f"a rewrite: {len(old)} lines became {len(new)}")
    added = removed = 0
    # Not the default's junk heuristic: it overlooks lines that a file repeats, and finds larger changes then.
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            removed += i2 - i1
            added += j2 - j1
    lines = difflib.unified_diff(old, new, "given", "final", n=1)
    shown = (line if line.endswith("\n") else f"{line}\n\\ no newline at the end\n" for line in lines)
    return Diff(added, removed, "".join(shown))


def _lines(text: str) -> list[str]:
    # str.splitlines also splits at form feeds and at separators that no diff tool knows.
    *whole, rest = text.split("\n")
    return [f"{line}\n" for line in whole] + ([rest] if rest else [])


MOST_DATABASE_BYTES = 64 * 1024 * 1024
MOST_RESULT_BYTES = 256 * 1024 * 1024
MOST_ROWS = 100_000
MOST_SECONDS = 10.0
_STEPS = 10_000
"""Virtual machine instructions between two looks at the clock."""

_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})


@dataclass(frozen=True, slots=True)
class Database:
    """A SQLite file of the final workspace."""

    files: Files
    path: str

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """All rows of one SELECT.

        Raises:
            AssertionError: the file is no database, lacks what the query names, or the query does not end in time.
        """
        with scratch("sqlite") as folder:
            copy = Path(folder) / "copy.sqlite"
            copy.write_bytes(self.files._bytes(self.path, MOST_DATABASE_BYTES))
            if self.files.exists(f"{self.path}-wal"):
                log = self.files._bytes(f"{self.path}-wal", MOST_DATABASE_BYTES)
                copy.with_name("copy.sqlite-wal").write_bytes(log)
            connection = sqlite3.connect(copy)
            try:
                # A text cell need not be UTF-8; the default would make that an error of the checker.
                connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
                connection.execute("PRAGMA schema_version")  # reads the header before the authorizer forbids pragmas
                # Only reading, for a while, and no huge values: a table of the model's may be a view that makes them.
                connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_DATABASE_BYTES)
                connection.set_authorizer(lambda act, *_: sqlite3.SQLITE_OK if act in _ALLOWED else sqlite3.SQLITE_DENY)
                deadline = time.monotonic() + MOST_SECONDS
                connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
                rows, size = [], 0
                for row in connection.execute(sql, parameters):
                    rows.append(row)
                    size += sum(len(cell) for cell in row if isinstance(cell, str | bytes))
                    if len(rows) > MOST_ROWS:
                        raise AssertionError(f"{self.path}: a query gives more than {MOST_ROWS} rows")
                    if size > MOST_RESULT_BYTES:
                        raise AssertionError(f"{self.path}: a query gives more than {MOST_RESULT_BYTES} bytes")
                return rows
            except (sqlite3.Error, OverflowError) as error:
                raise AssertionError(f"{self.path} cannot be queried: {clip(str(error), 200)}") from None
            finally:
                connection.close()


# The frozen workspace is compared with what was given; protected files are restored, caches dropped.


def regular_files(root: Path) -> dict[str, int]:
    """Size by path of the regular files, in order of their paths."""
    return dict(sorted((entry.path, entry.stat.st_size) for entry in walk(root) if entry.kind is Kind.file))


def changed(root: Path, given: Mapping[str, bytes], skipped: Mapping[str, str]) -> frozenset[str]:
    """Paths of files added, removed or modified against `given`; what the frozen copy had to skip counts too."""
    sizes = regular_files(root)
    sized = (path for path, content in given.items() if sizes.get(path) == len(content))
    same = {path for path in sized if (root / path).read_bytes() == given[path]}
    return frozenset({*given, *(path for path in (*sizes, *skipped) if not is_cache(path))} - same)


def is_cache(path: str) -> bool:
    """Whether the path is a by-product of running Python."""
    return path.endswith(".pyc") or bool(IGNORED & set(path.split("/")))


def matches(path: str, patterns: Sequence[str]) -> bool:
    """Whether a glob pattern covers the path; `*` crosses folders, and a folder's name covers all below it."""
    return any(
        fnmatchcase(path, pattern)
        or path.startswith(pattern.rstrip("/") + "/")
        or (pattern.startswith("**/") and fnmatchcase(path, pattern[3:]))
        for pattern in patterns
    )


def restore(root: Path, given: Mapping[str, bytes], patterns: Sequence[str]) -> None:
    """Give every file that a pattern covers its given content; remove those that were added, and by-products."""
    for entry in list(walk(root)):
        if is_cache(entry.path):  # compiled code is not what the checker reads in the source
            clear(root / entry.path)
    for path in regular_files(root):
        if matches(path, patterns):
            (root / path).unlink()
    for path, content in given.items():
        if matches(path, patterns):
            put(root, path, content)


def put(root: Path, path: str, content: bytes) -> None:
    """Write a file, whatever stands at its path or in the place of a folder above it."""
    *folders, name = path.split("/")
    folder = root
    for part in folders:
        folder = folder / part
        if not folder.is_dir():
            clear(folder)
            folder.mkdir()
    clear(folder / name)
    (folder / name).write_bytes(content)
