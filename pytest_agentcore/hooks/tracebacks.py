"""What pytest shows of a failed checker: the checker's own frames, in text that no terminal obeys."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

import pytest_agentcore
from pytest_agentcore.untrusted import visible_lines

_HARNESS = Path(pytest_agentcore.__file__).parent
_SHIPPED = _HARNESS / "suites"


def hide_harness(error: BaseException, checker: Path) -> None:
    """End the traceback where the checker calls into us: which reader said no is said by its sentence."""
    entry, inside = error.__traceback__, False
    while entry and entry.tb_next:
        inside = inside or _path(entry) == checker
        if inside and _is_ours(_path(entry.tb_next)):
            entry.tb_next = None
        entry = entry.tb_next


def _path(entry: TracebackType) -> Path:
    return Path(entry.tb_frame.f_code.co_filename)


def _is_ours(path: Path) -> bool:
    return path.is_relative_to(_HARNESS) and not path.is_relative_to(_SHIPPED)


def make_inert(report: pytest.TestReport) -> None:
    """An assertion quotes what a model wrote, and a checker may print it: show controls instead of sending them."""
    report.longrepr = _inert(report.longrepr)
    report.sections = [(name, _inert(text)) for name, text in report.sections]


def _inert(shown: Any) -> Any:
    """Strings line by line; pytest's own representations keep their form, and with it colours and junit's message."""
    if isinstance(shown, str):
        return "\n".join(visible_lines(shown))
    if isinstance(shown, list | tuple):
        return type(shown)(_inert(part) for part in shown)
    if hasattr(shown, "toterminal"):
        for name, part in vars(shown).items():
            setattr(shown, name, _inert(part))
    return shown
