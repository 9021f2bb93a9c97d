"""Asking a checker about a finished trial: it accepts, rejects by an assertion, or is broken."""

from __future__ import annotations

import linecache
import re
import sys
import traceback
from dataclasses import dataclass
from enum import StrEnum

import pytest

from pytest_agentcore.checking.trial import Trial
from pytest_agentcore.errors import InfrastructureError, UsageError, is_foreign
from pytest_agentcore.tasks.task import Task
from pytest_agentcore.untrusted import clip

SHOWN = 300
"""Columns of a checker's words."""


COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""Colours that pytest puts into its explanation of an assertion where the terminal shows them."""


class Said(StrEnum):
    """The three answers of a checker."""

    accepted = "accepted"
    rejected = "rejected"
    broken = "broke the checker"


@dataclass(frozen=True, slots=True)
class Opinion:
    """A checker's answer about one trial, and its words for it."""

    said: Said
    words: str = ""

    def __str__(self) -> str:
        return f"{self.said}: {one_line(self.words)}" if self.words else self.said.value


def one_line(words: str) -> str:
    """A checker's words fit for one line: an assertion's message, or pytest's explanation of one without a message."""
    message = words.partition("\nassert ")[0]  # pytest puts its explanation behind a message
    return clip(" ".join(message.split()), SHOWN)


def require_assertions() -> None:
    """Refuse to judge where Python runs without assertions.

    pytest keeps those of test modules that it rewrites, which `--assert=plain` leaves out, and never those of a module
    that a checker imports: what such a checker says of a wrong answer is that it is right.

    Raises:
        UsageError: it does.
    """
    if sys.flags.optimize:
        raise UsageError(
            "Python runs without assertions here (-O or PYTHONOPTIMIZE), and a checker could let a wrong answer pass; "
            "nothing is judged like that, run the same command without"
        )


def ask(task: Task, trial: Trial) -> Opinion:
    """Ask the task's checker. Anything but an assertion (or `pytest.fail`) that it raises is a broken checker.

    Raises:
        InfrastructureError: it could not do its work, so that it has no opinion.
    """
    try:
        task.refuse_verdict(task.checker(trial))  # type: ignore[func-returns-value]
    except InfrastructureError:
        raise
    except BaseException as error:  # a checker may raise anything, and that is its answer
        if is_foreign(error):
            raise
        return Opinion(Said.rejected if is_rejection(error) else Said.broken, describe(task, error))
    return Opinion(Said.accepted)


def is_rejection(error: BaseException) -> bool:
    """Whether a checker's exception speaks about the trial; any other is a mistake of the checker."""
    return isinstance(error, AssertionError | pytest.fail.Exception)


def describe(task: Task, error: BaseException) -> str:
    """An assertion's message; without one, and for any other exception, the line of the module that raised it too."""
    if is_rejection(error) and str(error):
        return COLOUR.sub("", str(error))
    text = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
    ours = task.checker.__code__.co_filename
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == ours]
    if not frames:
        return text
    line = frames[-1].lineno or 0
    return f"{text} at line {line}: {linecache.getline(str(task.module), line).strip()}".strip()
