"""Where detectors cite, what they do at the edges (docs/detectors.md tests what fires), and when a reply is a loop."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Hashable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from results import reply_event, result, start_event, tool_event

from pytest_agentcore.trial.detectors import (
    DETECTORS,
    MIN_REPEATS,
    MIN_TOKENS,
    DegenerateWatch,
    diagnosis_reversed,
    examine,
    long_tail,
    redundant_calls,
)

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


def test_arguments_are_compared_as_json_and_equal_calls_of_one_turn_are_none_of_two() -> None:
    first = [tool_event(1, 0, {"path": "a.py", "lines": 5}, ""), tool_event(1, 1, {"path": "b.py"}, "")]
    assert redundant_calls([START, *first, tool_event(2, 0, {"lines": 5, "path": "a.py"}, "")]).hits

    twice = [tool_event(1, 0, {"command": "ls"}, ""), tool_event(1, 1, {"command": "ls"}, "")]
    assert not redundant_calls([START, *twice, tool_event(2, 0, {"command": "ls -a"}, "")]).hits


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


@pytest.mark.parametrize(
    ("turns", "cited"),
    [
        (("The root cause is a missing index.", "Let me see.", "Actually, the problem is the join."), 3),
        (("The failure is caused by the rounding in total().", "That was not the cause."), 2),
        (("I was wrong about the path.", "The bug is in report.py."), None),
        (("The problem is not in the tests.", "That is not the cause either."), None),
    ],
    ids=["another cause", "not the cause", "wrong about something else", "never stated"],
)
def test_which_sentences_take_a_diagnosis_back(turns: Sequence[str], cited: int | None) -> None:
    found = diagnosis_reversed([START, *(reply_event(n, content=text) for n, text in enumerate(turns, 1))])

    assert [hit.turn for hit in found.hits] == ([cited] if cited else [])


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


# When a reply counts as a loop: both sides of the boundary, the seed's leaked reply, and honest repetition.


def pieces(text: str) -> list[str]:
    """About what a vocabulary makes of text: words with their leading space, single other characters."""
    return re.findall(r" ?\w+|\s|[^\w\s]", text)


def block(length: int) -> list[int]:
    return list(range(1000, 1000 + length))


def by_the_rule(tokens: Sequence[Hashable]) -> bool:
    """The rule spelled out, quadratically: does some tail of these tokens satisfy it?"""
    for period in range(1, len(tokens) // MIN_REPEATS + 1):
        run = 0
        while run + period < len(tokens) and tokens[-1 - run] == tokens[-1 - run - period]:
            run += 1
        if run + period >= max(MIN_TOKENS, MIN_REPEATS * period):
            return True
    return False


def first_by_the_rule(tokens: Sequence[Hashable]) -> int | None:
    return next((end for end in range(1, len(tokens) + 1) if by_the_rule(tokens[:end])), None)


def first_noticed(tokens: Sequence[Hashable]) -> int | None:
    watch = DegenerateWatch()
    return next((end for end, token in enumerate(tokens, 1) if watch(token)), None)


def find_loop(tokens: Sequence[Hashable]) -> tuple[int, int] | None:
    watch = DegenerateWatch()
    any(map(watch, tokens))
    return watch.loop


@pytest.mark.parametrize("before", [0, 1, 95, 96, 97, 300])
@pytest.mark.parametrize(
    ("period", "closes_at"),
    [(1, 128), (2, 128), (3, 128), (16, 128), (31, 128), (32, 128), (33, 132), (40, 160), (100, 400), (500, 2000)],
)
def test_the_token_that_closes_a_loop_is_the_first_noticed(period: int, closes_at: int, before: int) -> None:
    prefix = list(range(before))
    tokens = prefix + (block(period) * (closes_at // period + 1))[:closes_at]
    assert first_noticed(tokens) == before + closes_at


@pytest.mark.parametrize("period", [1, 2, 4, 8, 16, 32])
def test_127_tokens_are_not_a_loop_and_128_are(period: int) -> None:
    tokens = block(period) * (128 // period)
    assert find_loop(tokens[:-1]) is None
    assert find_loop(tokens) == (period, 128)


@pytest.mark.parametrize("period", [33, 64, 128, 700])
def test_three_repeats_are_not_a_loop_and_four_are(period: int) -> None:
    assert find_loop(block(period) * 3) is None
    assert find_loop((block(period) * 4)[:-1]) is None
    found = find_loop(block(period) * 4)
    assert found is not None
    assert found[1] // found[0] == 4


def test_one_differing_token_ends_a_run() -> None:
    tokens = [7] * 127 + [8] + [7] * 127
    assert find_loop(tokens) is None


def test_once_noticed_it_stays_noticed() -> None:
    watch = DegenerateWatch()
    noticed = [watch("x") for _ in range(130)]
    assert noticed == [False] * 127 + [True] * 3
    assert watch.loop == (1, 128)
    assert watch("y")


LEAKED = (
    "<|channel>fs_read{file: src/price.py}\n<|channel>fs_read{file: tests/test_price.py}\n"
    + "<|channel>shell{command: python3 -m unittest tests/test_price.py}\n" * 203
)


def test_the_leaked_reply_of_the_seed_is_cut_off_early() -> None:
    tokens = pieces(LEAKED)
    cut = first_noticed(tokens)
    assert cut is not None
    assert cut < len(tokens) / 10


def test_a_loop_inside_an_argument_is_noticed() -> None:
    call = '<tool_call>{"name": "fs_write", "arguments": {"path": "a", "content": "' + "x = 1\\n" * 60
    assert find_loop(pieces(call)) is not None


def _csv() -> str:
    sheet = io.StringIO()
    csv.writer(sheet).writerows([("id", "name", "price"), *((n, f"item {n}", n * 3) for n in range(300))])
    return sheet.getvalue()


HONEST = {
    "csv": _csv(),
    "table": "\n".join(f"| {n:>3} | open | {n % 7} |" for n in range(200)),
    "tests": "\n".join(
        f"    def test_total_{n}(self):\n        self.assertEqual(total([{n}]), {n * 2})\n" for n in range(100)
    ),
    "flags": ",".join("01"[bin(n).count("1") % 2] for n in range(3000)),
    "rule": "-" * 120,
}


@pytest.mark.parametrize("text", HONEST.values(), ids=HONEST.keys())
def test_honest_repetition_is_left_alone(text: str) -> None:
    assert find_loop(pieces(text)) is None


@given(
    st.lists(st.integers(0, 1), max_size=40),
    st.lists(st.integers(0, 1), min_size=1, max_size=60),
    st.integers(2, 12),
    st.lists(st.integers(0, 1), max_size=10),
)
@settings(max_examples=60, deadline=None)
def test_it_notices_exactly_what_the_rule_says(
    before: list[int], repeated: list[int], times: int, after: list[int]
) -> None:
    tokens = before + repeated * times + after
    assert first_noticed(tokens) == first_by_the_rule(tokens)
