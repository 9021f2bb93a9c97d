"""What a checker says about a trial: accepted, rejected by an assertion, or broken."""

from __future__ import annotations

import linecache
import sys
import traceback
from dataclasses import dataclass
from enum import StrEnum

from pytest_agentcore.checking.trial import Trial
from pytest_agentcore.tasks.task import Task
from pytest_agentcore.untrusted import clip

SHOWN = 300
"""Columns of what a checker said."""


class Said(StrEnum):
    """What a checker makes of a trial."""

    accepted = "accepted"
    rejected = "rejected"
    broken = "broke the checker"


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a checker said about one trial, and in which words."""

    said: Said
    words: str = ""

    def __str__(self) -> str:
        return f"{self.said}: {clip(self.words, SHOWN)}" if self.words else self.said.value


def ask(task: Task, trial: Trial) -> Opinion:
    """What the task's checker says. Anything but an assertion (or `pytest.fail`) is a broken checker."""
    try:
        task.check(trial)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - what a checker raises is what is being examined
        said = Said.rejected if isinstance(error, (AssertionError, _pytest_fail())) else Said.broken
        return Opinion(said, describe(task, error))
    return Opinion(Said.accepted)


def describe(task: Task, error: BaseException) -> str:
    """An assertion's message; without one, and for any other exception, the line of the module that raised it too."""
    if isinstance(error, (AssertionError, _pytest_fail())) and str(error):
        return str(error)
    text = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(task.module)]
    if not frames:
        return text
    line = frames[-1].lineno or 0
    return f"{text} at line {line}: {linecache.getline(str(task.module), line).strip()}".strip()


def _pytest_fail() -> type[BaseException]:
    """What `pytest.fail` raises, if the task module or anybody else has loaded pytest."""
    fail = getattr(sys.modules.get("pytest"), "fail", None)
    kind: type[BaseException] = getattr(fail, "Exception", AssertionError)
    return kind
