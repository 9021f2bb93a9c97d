"""The line below pytest's own output while trials work: drawn past pytest's writer, and gone before pytest goes on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

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
        writer = terminal._tw
        column, width = writer.width_of_current_line, writer.fullwidth
        wrapping = _NEXT_ROW if column and column % width == 0 and not self._shown else ""
        self._draw(terminal, f"{wrapping}{_ROOM}{_SAVE}{_DOWN}{_ERASE}{_CUT}", line(width - 1), f"{_WRAP}{_RESTORE}")
        self._shown = True

    def erase(self, terminal: pytest.TerminalReporter | None) -> None:
        """Remove the line, if one is there."""
        if self._shown and terminal:
            self._shown = False
            self._draw(terminal, _ERASE)

    def _draw(self, terminal: pytest.TerminalReporter, *parts: str) -> None:
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        file = terminal._tw._file
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            file.write("".join(parts).encode(file.encoding or "utf-8", "replace").decode(file.encoding or "utf-8"))
            file.flush()
