"""The text rules of tasks 06 and 09: what they accept and what they reject, in the wordings models use."""

from __future__ import annotations

import pytest
from sample_notes import NOT_TOLD, TOLD
from sample_reports import LIMIT_NOT_TOLD, LIMIT_TOLD
from suite_modules import task_module

TASK_06 = task_module(6)
TASK_09 = task_module(9)


@pytest.mark.parametrize(("shown", "note"), TOLD.values(), ids=TOLD)
def test_note_that_tells_the_behaviour_is_accepted(shown: str, note: str) -> None:
    assert TASK_06.tells(note, shown)


@pytest.mark.parametrize(("shown", "note"), NOT_TOLD.values(), ids=NOT_TOLD)
def test_note_that_does_not_tell_the_behaviour_is_rejected(shown: str, note: str) -> None:
    assert not TASK_06.tells(note, shown)


@pytest.mark.parametrize("report", LIMIT_TOLD.values(), ids=LIMIT_TOLD)
def test_report_that_tells_the_limit_is_accepted(report: str) -> None:
    assert TASK_09.tells_the_limit(report)


@pytest.mark.parametrize("report", LIMIT_NOT_TOLD.values(), ids=LIMIT_NOT_TOLD)
def test_report_that_does_not_tell_the_limit_is_rejected(report: str) -> None:
    assert not TASK_09.tells_the_limit(report)
