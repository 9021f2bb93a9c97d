"""What task 07 rests on: its chain of numbers, and the order of writes."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from suite_modules import RUNS, Call, declared, instance, played, task_module, verdict, write

STEPS = task_module(7).STEPS


def chain(lines: list[str], ending: str, size: Any) -> list[int]:
    """The numbers of steps 2 to 4, if each line ends so and `size` measures."""
    sizes: list[int] = []
    for line in lines[:3]:
        sizes.append(size(line + (f" {sizes[-1]}" if sizes else "") + ending))
    return sizes


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("ending", ["", "\n"])
def test_no_number_of_the_step_chain_is_what_counting_characters_gives(run: int, ending: str) -> None:
    lines = instance(7, run).facts["lines"]
    right = chain(lines, ending, lambda text: len(text.encode()))
    by_eye = chain(lines, ending, len)

    assert all(a != b for a, b in zip(right, by_eye, strict=True))
    assert all(len(line) < 60 for line in lines)


def test_the_step_chain_cannot_be_known_beforehand() -> None:
    chains = [tuple(chain(instance(7, run).facts["lines"], "", lambda text: len(text.encode()))) for run in RUNS]

    assert len(set(chains)) == len(chains)
    for position in zip(*chains, strict=True):
        assert max(position.count(size) for size in position) <= len(chains) // 4


def script(run: int, *turns: str) -> list[list[Call]]:
    """Calls from words: `1` is the right content of step 1, `2x` is no content of step 2, `3-` empties step 3."""
    lines = instance(7, run).facts["lines"]
    texts = [lines[0]]
    for line in lines[1:]:
        texts.append(f"{line} {len(texts[-1].encode())}")

    def call(step: str, what: str = "") -> Call:
        text = texts[int(step) - 1]
        return write(STEPS[int(step) - 1], {"": text, "x": f"something else for {step}", "-": ""}[what])

    return [[call(*word) for word in turn.split()] for turn in turns]


@pytest.mark.parametrize(
    "turns",
    [
        ("1", "2", "3", "4"),
        ("1x", "1", "2", "3", "4"),
        ("1", "2x", "2", "3x", "3", "4"),
        ("1", "2", "3", "4x", "4"),
        ("1", "2", "3x", "4x", "3", "4"),
        ("1x", "2x", "3x", "4x", "1", "2", "3", "4"),
        ("4-", "3-", "2-", "1-", "1", "2", "3", "4"),
        ("1- 2- 3- 4-", "1", "2", "3", "4"),
        ("1", "2", "3", "4", "1"),
        ("1", "2", "3", "4", "4", "3", "2", "1"),
        ("1", "1", "2", "2", "3", "1", "4"),
        ("1 1x 1", "2", "3", "4"),
    ],
)
def test_contents_that_came_in_order_are_accepted(turns: tuple[str, ...]) -> None:
    assert verdict(7, 1, script(1, *turns)) == ""


@pytest.mark.parametrize(
    "turns",
    [
        ("1 2 3 4",),
        ("1", "2 3 4"),
        ("1 2", "3 4"),
        ("1", "2", "3 4"),
        ("4", "3", "2", "1"),
        ("1", "3", "2", "4"),
        ("1-", "2-", "3-", "4-", "4", "3", "2", "1"),
        ("1-", "2-", "3-", "4-", "1", "3", "2", "4"),
        ("1x", "2x", "3x", "4x", "1 2 3 4"),
        ("1x", "2", "3", "4", "1"),
        ("1", "2", "3", "4", "2x", "2"),
        ("1", "2", "3", "4", "1-", "1"),
        ("4 3 2 1", "1", "2", "3", "4"),
        ("1 2 3 4", "1", "2", "3", "4"),
        ("1", "2", "3", "4x"),
        ("1", "2", "3", "4", "4-"),
        ("1", "2", "3"),
        ("1x", "2", "3", "4"),
    ],
)
def test_contents_that_came_otherwise_are_rejected(turns: tuple[str, ...]) -> None:
    assert verdict(7, 1, script(1, *turns)) != ""


@pytest.mark.parametrize("around", ["{}\n", "\ufeff{}", "{}\r\n", " {} ", "\n{}\n\n", "`{}`", '"{}"\n'])
def test_the_number_is_what_was_reported_for_the_file_as_it_is(around: str) -> None:
    lines, turns, size = instance(7, 1).facts["lines"], [], 0
    for step, line in zip(STEPS, lines, strict=True):
        content = around.format(f"{line} {size}" if size else line)
        turns.append([write(f"/workspace/./{step}", content)])
        size = len(content.encode())

    assert verdict(7, 1, turns) == ""


@pytest.mark.parametrize("tool", ["shell", "sql_query"])
def test_nothing_but_fs_write_can_write(tool: str) -> None:
    assert tool not in declared(task_module(7)).tools


def test_contents_that_came_by_another_way_than_fs_write_are_rejected() -> None:
    """Placeholders in order, and then what a shell would leave, if a tool of somebody's were one."""
    with closing(played(7, 1, script(1, "1-", "2-", "3-", "4-"))) as finished:
        trial = finished.trial
        for _, arguments in script(1, "1 2 3 4")[0]:
            (finished.frozen.workspace.root / arguments["path"]).write_text(arguments["content"], encoding="utf-8")
        with pytest.raises(AssertionError, match=r"step1\.txt is not what fs_write wrote"):
            finished.job.task.checker(trial)
