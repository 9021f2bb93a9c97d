"""The exceptions of the project.

AgentcoreError
├── UsageError                 bad input of the user; becomes `pytest.UsageError`
│   └── TaskDeclarationError   a task file that cannot be run; names file and field
├── InfrastructureError        the trial could not be completed; it stays unscored
│   ├── BackendError           the model's backend failed
│   ├── SandboxError           the sandbox failed
│   └── WorkerLost             the process elsewhere that ran the trial is gone
├── RecordError                the disk does not take the record; the session ends
├── NoWorkers                  nobody elsewhere is left to run trials; the session ends
├── EndOfTrial                 flow: the loop ended, and why
│   └── Cancelled              somebody ended the run
└── ToolError                  a tool refused or failed; its text goes back to the model
"""

from __future__ import annotations

import difflib
import signal
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from traceback import walk_tb

from pytest_agentcore.trial.modes import Cause, StopReason

_SHORT, _FEW = 3, 4
"""Fewer characters are a part of everything; more names than a few help nobody."""
_NEAR, _NEARER = 0.6, 0.8
"""difflib's own measure of a good match, and that of a match with a mere beginning."""


def instead(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Say how a refusal of an unknown name goes on: with the nearest that is known, or else with all of them.

    Args:
        word: the unknown name.
        known: those that are known, in the order to list them in.
        otherwise: what to say in place of a list that is too long, where none is near.
    """
    names, ratings = list(dict.fromkeys(known)), list[tuple[float, str]]()
    for name in names:
        rating = _alike(word, name)
        if len(word) >= _SHORT:
            # whoever writes task_5 means the task whose id begins with task_05
            begun = max(_alike(word, name[: len(word) + more]) for more in range(3))
            is_part = word.lower() in name.lower()
            rating = max(rating, begun if begun >= _NEARER else 0, _NEAR if is_part else 0)
        ratings.append((rating, name))
    best = max((rating for rating, _ in ratings), default=0.0)
    nearest = [name for rating, name in ratings if rating == best]
    if best >= _NEAR and (len(nearest) == 1 or len(nearest) < len(names)):
        return f"did you mean {' or '.join(map(repr, nearest[:_FEW]))}?"
    return otherwise or (f"there are {', '.join(names)}" if names else "there is none")


def _alike(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one.lower(), other.lower()).ratio()


class AgentcoreError(Exception):
    """Base of everything this project raises on purpose."""


class UsageError(AgentcoreError):
    """Input that cannot be used: one sentence that names the value and what would be right."""


class TaskDeclarationError(UsageError):
    """A task module declares something that cannot be run.

    The message reads `<file>: <field>: <what is wrong and what would be right>`.
    """

    def __init__(self, file: Path | str, field: str, problem: str) -> None:
        super().__init__(f"{file}: {field}: {problem}")
        self.file, self.field = Path(file), field


class InfrastructureError(AgentcoreError):
    """The trial could not be completed, through no fault of the model."""

    default_cause = Cause.backend_error

    def __init__(self, message: str, cause: Cause | None = None) -> None:
        super().__init__(message)
        self.cause = cause or self.default_cause


class BackendError(InfrastructureError):
    """The backend could not produce a reply: crashed, unreachable, refused."""

    def __init__(
        self, message: str, cause: Cause | None = None, *, transient: bool = False, retry_after: float | None = None
    ) -> None:
        """Say what failed.

        Args:
            message: one sentence, without secrets.
            cause: why; None is `backend_error`.
            transient: whether the same request may succeed later.
            retry_after: seconds that the backend asked to be left alone for.
        """
        super().__init__(message, cause)
        self.transient, self.retry_after = transient, retry_after


class SandboxError(InfrastructureError):
    """The sandbox could not be set up or did not start a process at all."""

    default_cause = Cause.sandbox_failed


class WorkerLost(InfrastructureError):
    """The process or machine that ran a trial is gone, or silent for so long that it counts as gone."""

    default_cause = Cause.backend_crashed


class NoWorkers(AgentcoreError):
    """There has been no worker for a while; what was recorded is whole, and the same command goes on from there."""


class RecordError(AgentcoreError):
    """The disk does not take what must be written; what was recorded before is whole."""

    def __init__(self, path: Path | str, error: OSError) -> None:
        super().__init__(
            f"{path}: cannot be written ({error.strerror or error}); what was recorded before is whole, and the same "
            "command goes on from there"
        )


class EndOfTrial(AgentcoreError):
    """Raised inside the agent loop to end it; carries the stop reason and one line of detail."""

    def __init__(self, stop_reason: StopReason, detail: str = "") -> None:
        super().__init__(detail or stop_reason.value)
        self.stop_reason, self.detail = stop_reason, detail


class Cancelled(EndOfTrial):
    """The user ended the run, or the trial's result is not wanted any more."""

    def __init__(self) -> None:
        super().__init__(StopReason.interrupted, "cancelled")


class ToolError(AgentcoreError):
    """A tool refused its arguments or failed; the sentence is what the model reads as the tool's result."""


def is_foreign(error: BaseException) -> bool:
    """Tell whether an exception is about the process, and not about the code that it happened to stop.

    That is what ends a session (Ctrl-C, `pytest.exit`), whatever a signal's handler raised (the limit of
    pytest-timeout), and base exceptions of others. It goes through every border: nobody is to blame for it here.
    """
    own: tuple[type[BaseException], ...] = (Exception, SystemExit)
    if pytest := sys.modules.get("pytest"):  # never imported for this: where it is not loaded it raises nothing
        if isinstance(error, pytest.exit.Exception):
            return True
        own += (pytest.fail.Exception, pytest.skip.Exception)
    if not isinstance(error, own):
        return True
    codes = set()
    for handler in map(signal.getsignal, signal.valid_signals()):
        function: object = handler.func if isinstance(handler, partial) else handler
        method = getattr(function, "__func__", function)
        codes.add(getattr(method, "__code__", None) or getattr(type(method).__call__, "__code__", None))
    return any(frame.f_code in codes for frame, _ in walk_tb(error.__traceback__))
