"""How a refusal of an unknown name goes on."""

from __future__ import annotations

import pytest

from pytest_agentcore.errors import instead

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
