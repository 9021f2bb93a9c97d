"""What a row keeps of a prompt, and what rows share."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_agentcore.backends.llama.prompt import Prompt
from pytest_agentcore.backends.llama.rows import Prefixes, Row
from pytest_agentcore.errors import BackendError
from pytest_agentcore.trial.result import TrialKey


class Cells:
    """A context that only remembers which tokens its rows hold, and what it was asked to evaluate."""

    n_batch = 4

    def __init__(self, rows: int = 1, *, forgets_only_all: bool = False, fails_at: int = -1) -> None:
        self.rows, self.model = rows, SimpleNamespace(forgets_only_all=forgets_only_all)
        self.cells: list[list[int]] = [[] for _ in range(rows)]
        self.calls: list[list[int]] = []
        self._fails_at = fails_at

    def evaluate(self, row: int, tokens: Sequence[int], at: int, *, logits: bool) -> None:
        assert at == len(self.cells[row])
        if len(self.calls) == self._fails_at:
            raise BackendError("llama_decode returned -3")
        self.calls.append(list(tokens))
        self.cells[row] += tokens
        self.asked = logits

    def cut(self, row: int, length: int, held: int) -> bool:
        kept = length == held > 0 or (length > 0 and not self.model.forgets_only_all)
        del self.cells[row][length if kept else 0 :]
        return kept

    def save(self, row: int) -> bytes:
        return bytes(self.cells[row])

    def restore(self, row: int, saved: bytes) -> None:
        self.cells[row] = list(saved)


def rows(context: Any, room: int = 1000) -> list[Row]:
    prefixes = Prefixes(room)
    return [Row(context, prefixes, index) for index in range(context.rows)]


def read(row: Row, prompt: Prompt) -> None:
    row.begin(prompt)
    if not row.is_ready(prompt):
        row.take_over(prompt)
    while not row.is_ready(prompt):
        row.evaluate(prompt)


def first(*tokens: int, forks: tuple[int, ...] = (2,)) -> Prompt:
    return Prompt(text="", tokens=list(tokens), forks=forks)


def test_a_prompt_is_cut_by_itself_alone() -> None:
    context = Cells()
    (row,) = rows(context)
    read(row, first(1, 2, 3, 4, 5, 6, 7, 8))
    assert context.calls == [[1, 2], [3, 4, 5, 6], [7, 8]]
    assert context.asked


def test_the_last_token_is_left_to_be_decoded_among_several_rows() -> None:
    context = Cells(2)
    read(rows(context)[1], first(1, 2, 3, 4))
    assert context.calls == [[1, 2], [3]]
    assert not context.asked


def test_what_tasks_and_runs_share_is_evaluated_once() -> None:
    context = Cells(3)
    one, two, three = rows(context)
    read(one, first(1, 2, 3, 4))
    read(two, first(1, 2, 3, 4))
    read(three, first(1, 2, 9, 9))
    assert context.calls == [[1, 2], [3], [9]]
    assert context.cells == [[1, 2, 3], [1, 2, 3], [1, 2, 9]]
    assert (one.prefixes.evaluated, one.prefixes.distinct) == (4, 6)  # last tokens are counted when they are decoded


def test_tasks_with_fewer_tools_share_what_is_before_them() -> None:
    context = Cells(3)
    one, two, three = rows(context)
    read(one, first(1, 2, 3, 4, 5, forks=(1, 2, 3)))
    read(two, first(1, 2, 8, 9, forks=(1, 2, 3)))
    # what was not evaluated in the calls that this one is evaluated in is not taken over
    read(three, first(1, 2, 8, 7, forks=(2, 3)))
    assert context.calls == [[1], [2], [3], [4], [8], [1, 2], [8]]
    assert context.cells == [[1, 2, 3, 4], [1, 2, 8], [1, 2, 8]]


def test_a_state_that_cannot_be_cut_is_shared_as_it_is() -> None:
    context = Cells(2, forgets_only_all=True)
    one, two = rows(context)
    read(one, first(1, 2, 3, 4, forks=(1, 2)))
    read(two, first(1, 9, 9, forks=(1, 2)))
    assert context.calls == [[1], [2], [3], [1], [9]]
    read(two, first(1, 2, 5, 5, forks=(1, 2)))
    assert context.calls[5:] == [[5]]


def test_prefixes_that_were_not_asked_for_make_room() -> None:
    prefixes = Prefixes(room=5)

    def found(*tokens: int) -> object:
        return prefixes.find(tokens, [len(tokens)], whole=False)[1]

    prefixes.keep([1, 2], [2], b"12")
    prefixes.keep([3, 4], [2], b"34")
    assert found(1, 2) == b"12"
    prefixes.keep([5, 6], [2], b"56")
    assert found(3, 4) is None
    assert found(1, 2) == b"12"
    prefixes.keep([7], [1], b"more than there is room for")
    assert found(7) is None


def test_a_trial_goes_on_from_its_own_history() -> None:
    context = Cells()
    (row,) = rows(context)
    read(row, first(1, 2, 3))
    read(row, Prompt(text="", tokens=[1, 2, 3, 4, 5], forks=None))
    read(row, Prompt(text="", tokens=[1, 2, 3, 9], forks=None))
    assert context.calls == [[1, 2], [3], [4, 5], [9]]


def test_nothing_is_reused_after_a_failure_of_the_engine() -> None:
    context = Cells(fails_at=1)
    (row,) = rows(context)
    with pytest.raises(BackendError):
        read(row, Prompt(text="", tokens=[1, 2, 3, 4, 5, 6], forks=(0,)))
    assert row.held == context.cells[0] == []


def test_a_state_that_cannot_be_cut_is_put_aside_between_replies() -> None:
    context = Cells(2, forgets_only_all=True)
    row, other = rows(context)
    row.trial = TrialKey("m", "t", 1)
    read(row, first(1, 2, 3))
    row.park()
    assert context.cells[0] == []
    row.move_to(other)
    assert [each.trial for each in (row, other)] == [None, TrialKey("m", "t", 1)]
    read(other, Prompt(text="", tokens=[1, 2, 3, 4], forks=None))
    assert context.cells[1] == [1, 2, 3]
    assert context.calls == [[1, 2], [3]]
