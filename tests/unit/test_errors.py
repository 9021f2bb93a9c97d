"""How a refusal of an unknown name goes on, and what is nobody's fault."""

from __future__ import annotations

import os
import signal
from functools import partial
from types import FrameType

import pytest

from pytest_agentcore.errors import instead, is_foreign

TASKS = ("task_01_fix_test", "task_05_minimal_fix", "task_10_sql")


@pytest.mark.parametrize(
    ("word", "known", "says"),
    [
        ("artefacts", ("files", "artifacts"), "did you mean 'artifacts'?"),
        ("BUBBLEWRAP", ("bubblewrap", "process"), "did you mean 'bubblewrap'?"),
        ("task5", TASKS, "did you mean 'task_05_minimal_fix'?"),
        ("minimal", TASKS, "did you mean 'task_05_minimal_fix'?"),
        ("gemma", ("gemma-4", "gemma-3", "qwen"), "did you mean 'gemma-4' or 'gemma-3'?"),
        ("task_3", ("task_01", "task_02"), "there are task_01, task_02"),
        ("x", TASKS, "there are task_01_fix_test, task_05_minimal_fix, task_10_sql"),
        ("", TASKS, "there are task_01_fix_test, task_05_minimal_fix, task_10_sql"),
        ("anything", (), "there is none"),
    ],
)
def test_the_nearest_name_or_all(word: str, known: tuple[str, ...], says: str) -> None:
    assert instead(word, known) == says


def test_a_list_that_is_too_long_is_not_given() -> None:
    assert instead("zzz", ("a", "b"), "a command lists them") == "a command lists them"


class Gone(BaseException):
    """Somebody else's."""


class Handlers:
    """Signal handlers of the kinds that there are."""

    def method(self, number: int, frame: FrameType | None) -> None:
        """A bound method."""
        raise TimeoutError

    def __call__(self, number: int, frame: FrameType | None) -> None:
        raise TimeoutError


@pytest.mark.parametrize(
    ("error", "foreign"),
    [
        (KeyboardInterrupt(), True),
        (pytest.exit.Exception("x"), True),
        (Gone(), True),
        (GeneratorExit(), True),
        (TimeoutError(), False),
        (SystemExit(1), False),
        (pytest.fail.Exception("x"), False),
        (pytest.skip.Exception("x"), False),
    ],
    ids=repr,
)
def test_what_code_raises_for_itself_is_its_own(error: BaseException, foreign: bool) -> None:
    assert is_foreign(error) is foreign


@pytest.mark.parametrize("handler", [Handlers().method, Handlers(), partial(Handlers().method)], ids=["a", "b", "c"])
def test_what_a_signals_handler_raises_is_foreign(handler: object) -> None:
    before = signal.signal(signal.SIGUSR1, handler)  # type: ignore[arg-type]
    try:
        with pytest.raises(TimeoutError) as caught:
            os.kill(os.getpid(), signal.SIGUSR1)
        assert is_foreign(caught.value)
    finally:
        signal.signal(signal.SIGUSR1, before)
