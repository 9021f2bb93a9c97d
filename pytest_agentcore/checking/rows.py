"""Reading a SQLite file that a model made: a private copy, read-only statements, bounded time and size."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_agentcore.checking.readers import Files, exists, read_bytes
from pytest_agentcore.sandbox.scratch import scratch
from pytest_agentcore.untrusted import clip

MOST_BYTES = 64 * 1024 * 1024
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
            copy.write_bytes(read_bytes(self.files, self.path, MOST_BYTES))
            if exists(self.files, f"{self.path}-wal"):
                copy.with_name("copy.sqlite-wal").write_bytes(read_bytes(self.files, f"{self.path}-wal", MOST_BYTES))
            return self._rows(copy, sql, parameters)

    def _rows(self, copy: Path, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(copy)
        # A text cell need not be UTF-8; the default would make that an error of the checker.
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        deadline = time.monotonic() + MOST_SECONDS
        try:
            connection.execute("PRAGMA schema_version")  # reads the header before the authorizer forbids pragmas
            connection.set_authorizer(_authorize)
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
            rows = connection.execute(sql, parameters).fetchmany(MOST_ROWS + 1)
        except (sqlite3.Error, OverflowError) as error:
            raise AssertionError(f"{self.path} cannot be queried: {clip(str(error), 200)}") from None
        finally:
            connection.close()
        if len(rows) > MOST_ROWS:
            raise AssertionError(f"{self.path}: a query gives more than {MOST_ROWS} rows")
        return rows


def _authorize(action: int, *_details: object) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY
