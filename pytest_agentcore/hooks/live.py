"""The line below pytest's own output while trials work: drawn past pytest's writer, and gone before pytest goes on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TextIO, cast

import pytest

_ROOM = "\x1bD\x1bM"
"""One line down and up again in the same column: where the cursor stood on the last line, everything moves up one."""
_SAVE, _RESTORE, _DOWN, _ERASE = "\x1b7", "\x1b8", "\x1bD\r", "\x1b[J"
_CUT, _WRAP = "\x1b[?7l", "\x1b[?7h"
"""A text wider than the terminal (COLUMNS says what it likes) is cut off at its edge rather than wrapped."""
_NEXT_ROW = " \r"
"""Where pytest filled a row to its last column, its next character begins a new one: begin it, and leave it empty."""


class LiveLine:
    """At most one line. pytest's writer adds up what it is given to know its column, so it is not given this."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._shown = False

    def show(self, terminal: pytest.TerminalReporter, line: Callable[[int], str]) -> None:
        """Draw the line in place of the one before; `line` is asked for it with the columns there are.

        The cursor goes back to where pytest left it.
        """
        with self._uncaptured():  # where standard output is captured it has no columns
            writer = terminal._tw
            column, width = writer.width_of_current_line, writer.fullwidth
            wrapping = _NEXT_ROW if column and column % width == 0 and not self._shown else ""
            begin, end = f"{wrapping}{_ROOM}{_SAVE}{_DOWN}{_ERASE}{_CUT}", f"{_WRAP}{_RESTORE}"
            _write(writer._file, f"{begin}{line(width - 1)}{end}")
        self._shown = True

    def erase(self, terminal: pytest.TerminalReporter | None) -> None:
        """Remove the line, if one is there."""
        if self._shown and terminal:
            self._shown = False
            with self._uncaptured():
                _write(terminal._tw._file, _ERASE)

    def _uncaptured(self) -> AbstractContextManager[None]:
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        return cast("AbstractContextManager[None]", capture.global_and_fixture_disabled()) if capture else nullcontext()


def _write(file: TextIO, text: str) -> None:
    encoding = file.encoding or "utf-8"
    file.write(text.encode(encoding, "replace").decode(encoding))
    file.flush()
