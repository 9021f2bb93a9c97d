"""Where detectors cite, and what they do at the edges; what fires is tested from docs/detectors.md."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from results import reply_event, result, start_event, tool_event

from pytest_agentcore.trial.detectors import DETECTORS, diagnosis_reversed, examine, long_tail, redundant_calls

START = start_event(result())


def calls(*commands: str) -> list[dict[str, Any]]:
    """A turn per command."""
    return [START, *(tool_event(turn, 0, {"command": command}, "") for turn, command in enumerate(commands, 1))]


def test_a_row_of_equal_calls_is_one_hit_cited_at_its_first_turn_and_a_later_row_is_another() -> None:
    found = redundant_calls(calls("ls", "test", "test", "test", "ls", "test", "test"))

    assert [(hit.turn, hit.last_turn) for hit in found.hits] == [(2, 4), (6, 7)]
    assert found.hits[0].note == 'shell {"command": "test"} in turns 2 to 4'


def test_a_turn_that_made_no_call_breaks_the_row() -> None:
    found = redundant_calls([START, tool_event(1, 0, {"command": "ls"}, ""), tool_event(3, 0, {"command": "ls"}, "")])

    assert found.hits == ()


@pytest.mark.parametrize(("turns", "hit"), [(12, None), (13, (13, 13)), (15, (13, 15))])
def test_the_tail_begins_at_turn_13_of_15(turns: int, hit: tuple[int, int] | None) -> None:
    found = long_tail([START, *(reply_event(turn) for turn in range(1, turns + 1))])

    assert [(h.turn, h.last_turn) for h in found.hits] == ([hit] if hit else [])


def test_the_turn_that_reverses_is_cited_with_both_sentences() -> None:
    found = diagnosis_reversed(
        [
            START,
            reply_event(1, content="I looked around.\nThe bug is in price.py. I will fix it."),
            reply_event(2, content="", reasoning="Hmm. I was wrong about that!"),
        ]
    )

    (hit,) = found.hits
    assert (hit.turn, hit.note) == (
        2,
        'turn 1 said "The bug is in price.py.", turn 2 said "I was wrong about that!"',
    )


def test_one_diagnosis_is_reversed_once() -> None:
    turns = ["The bug is in price.py.", "I was wrong.", "I was wrong.", "The bug is in tax.py.", "I was mistaken."]
    found = diagnosis_reversed([START, *(reply_event(n, content=text) for n, text in enumerate(turns, 1))])

    assert [hit.turn for hit in found.hits] == [2, 5]


def test_without_anything_to_look_at_nothing_is_claimed() -> None:
    found = examine([START])

    assert {name: (finding.hits, finding.applicable) for name, finding in found.items()} == {
        detector.name: ((), False) for detector in DETECTORS
    }


@given(st.lists(st.text(max_size=60), max_size=6))
def test_no_text_of_a_model_stops_a_detector(texts: list[str]) -> None:
    events = [START]
    for turn, text in enumerate(texts, 1):
        events += [reply_event(turn, {"command": text}, content=text), tool_event(turn, 0, {"command": text}, text)]

    assert set(examine(events)) == {detector.name for detector in DETECTORS}
