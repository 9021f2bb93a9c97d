"""Asking a checker about a finished trial: it accepts, rejects by an assertion, or is broken."""

from __future__ import annotations

import ast
import gc
import linecache
import re
import reprlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import FrameType

import pytest

from pytest_agentcore.checking.trial import Trial
from pytest_agentcore.errors import InfrastructureError, UsageError, is_foreign
from pytest_agentcore.tasks.task import Task
from pytest_agentcore.trial.modes import Cause
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


@contextmanager
def parsing_in_threads() -> Iterator[None]:
    """Let no garbage be collected unasked, so that checkers can be asked, and sources parsed, in several threads.

    A collection in the middle of `ast.parse` may let another thread in, and Python 3.11 counts how deep a tree is for
    all threads together: a SystemError (cpython issue 106905).
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def ask(task: Task, trial: Trial) -> Opinion:
    """Ask the task's checker. Anything but an assertion (or `pytest.fail`) that it raises is a broken checker.

    Raises:
        InfrastructureError: it could not do its work, so that it has no opinion.
    """
    try:
        task.refuse_verdict(task.checker(trial))  # type: ignore[func-returns-value]
    except InfrastructureError as error:
        if error.cause is not Cause.checker_broken:
            raise
        return Opinion(Said.broken, inert(task, str(error)))
    except BaseException as error:  # a checker may raise anything, and that is its answer
        if is_foreign(error):
            raise
        # where tasks are only examined, pytest's explanation of a comparison begins with what `compared` made of it
        comparison = COLOUR.sub("", str(error)).partition("\n")[0].removeprefix("assert ")
        return Opinion(Said.rejected if is_rejection(error) else Said.broken, describe(task, error, comparison))
    return Opinion(Said.accepted)


def is_rejection(error: BaseException) -> bool:
    """Whether a checker's exception speaks about the trial; any other is a mistake of the checker."""
    return isinstance(error, AssertionError | pytest.fail.Exception)


def describe(task: Task, error: BaseException, comparison: str = "") -> str:
    """An assertion's message; without one what it compared, or its line, as it is for any other exception too.

    The words are the same whatever pytest was told to show: its own explanation depends on `-v`, on CI, on colours, on
    other plugins, and in sets on the process.
    """
    said = COLOUR.sub("", str(error))
    innermost = next(iter([*traceback.walk_tb(error.__traceback__)][::-1]), None)
    if is_rejection(error) and said:
        asserted = _assertion(*innermost) if innermost and isinstance(error, AssertionError) else None
        message, explained, _ = said.rpartition("\nassert ")
        if asserted and asserted.msg and explained:
            said = _message(asserted.msg, innermost[0], message) if innermost else message
        elif asserted and not asserted.msg and said.startswith("assert "):
            is_comparison = isinstance(asserted.test, ast.Compare)
            said = f"assert {ast.unparse(asserted.test)}"
            said = f"assert {comparison}" if comparison and is_comparison else said
        return inert(task, said)
    text = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
    ours = task.checker.__code__.co_filename
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == ours]
    if frames:
        line = frames[-1].lineno or 0
        text = f"{text} at line {line}: {linecache.getline(str(task.module), line).strip()}".strip()
    return inert(task, text)


def compared(op: str, left: object, right: object) -> str:
    """The line that stands for a comparison which failed, the same in every process."""
    return f"{_shown(left)} {op} {_shown(right)}"


def inert(task: Task, words: str) -> str:
    """Words without what another run of the same would say otherwise: places on this machine, addresses in memory."""
    home = f"{task.module.parent}/"
    return _ADDRESS.sub("", _SCRATCH.sub("/workspace", words)).replace(home, "")


_SCRATCH = re.compile(r"[^\s'\"`(=]*/agentcore-process-[^/\s]+(?:/[^/\s]+)*?/workspace\b")
"""A trial's workspace as the checker's process sees it."""
_ADDRESS = re.compile(r"(?<=\w) at 0x[0-9a-f]+(?=>)")


_SIDE = 200
"""Characters of one side of a comparison."""


class _Shown(reprlib.Repr):
    """Values in a bounded length, sets in order."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = 120
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = 10

    def repr_instance(self, x: object, level: int) -> str:  # noqa: ARG002 - its signature
        try:
            text = repr(x)
        except Exception:  # noqa: BLE001 - a checker's own class
            return f"<{type(x).__name__}>"
        return text if len(text) <= self.maxother else f"{text[: self.maxother]}..."


def _shown(value: object) -> str:
    text = _Shown().repr(value)
    text = " ".join(text.split()) if "\n" in text else text
    return text if len(text) <= _SIDE else f"{text[: _SIDE // 2]}...{text[-_SIDE // 2 :]}"


def _assertion(frame: FrameType, line: int) -> ast.Assert | None:
    """The assert statement that a frame stands at."""
    try:
        tree = ast.parse("".join(linecache.getlines(frame.f_code.co_filename)))
    except SyntaxError:
        return None
    asserts = (node for node in ast.walk(tree) if isinstance(node, ast.Assert))
    return next((node for node in asserts if node.lineno <= line <= (node.end_lineno or 0)), None)


_PURE = frozenset({"dict", "len", "list", "repr", "set", "sorted", "str", "tuple"})


def _message(expression: ast.expr, frame: FrameType, said: str) -> str:
    """An assertion's message; one that is no text is shown anew, since pytest cuts it where `-v` is not given."""
    calls = (node for node in ast.walk(expression) if isinstance(node, ast.Call))
    if any(not isinstance(call.func, ast.Name) or call.func.id not in _PURE for call in calls):
        return said
    try:
        code = compile(ast.Expression(expression), "<message>", "eval")
        value = eval(code, {**frame.f_globals, **frame.f_locals})  # noqa: S307 - the checker's own words
    except Exception:  # noqa: BLE001
        return said
    return said if isinstance(value, str) else _shown(value)
