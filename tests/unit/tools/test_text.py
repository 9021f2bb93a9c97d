"""Results on their way to a model: decoded, inert, clipped."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentcore.tools.text import RESULT_CHARACTERS, clip, harmless

NOTE = re.compile(r"\n\[\.\.\. (\d+) characters left out here \(lines (\d+) to (\d+) of (\d+)\); (.*) \.\.\.\]\n")


@given(st.text(max_size=RESULT_CHARACTERS))
def test_a_short_text_is_left_alone(text: str) -> None:
    assert clip(text) == text


@given(st.text(alphabet="ab\n", min_size=300, max_size=3000), st.integers(150, 290))
def test_head_tail_and_note_add_up(text: str, limit: int) -> None:
    clipped = clip(text, limit)
    note = NOTE.search(clipped)
    assert note is not None
    head, tail = clipped[: note.start()], clipped[note.end() :]
    missing, first, last, total = (int(number) for number in note.groups()[:4])
    assert len(clipped) <= limit
    assert text.startswith(head)
    assert text.endswith(tail)
    assert len(head) + missing + len(tail) == len(text)
    assert total == len(text.removesuffix("\n").split("\n"))
    assert 1 <= first <= last <= total
    assert head
    assert tail


def test_the_note_says_which_lines_and_how_to_see_them() -> None:
    text = "\n".join(f"line {number}" for number in range(1, 1001))
    clipped = clip(text, see_more="read a part with `offset` and `lines`")
    note = NOTE.search(clipped)
    assert note is not None
    first, last = int(note[2]), int(note[3])
    assert clipped[: note.start()].endswith(f"line {first - 1}")
    assert clipped[note.end() :].startswith(f"line {last + 1}\n")
    assert note[4] == "1000"
    assert note[5] == "read a part with `offset` and `lines`"


def test_one_endless_line_is_cut_in_the_middle() -> None:
    clipped = clip("x" * 100_000)
    assert RESULT_CHARACTERS - 10 < len(clipped) <= RESULT_CHARACTERS
    assert clipped.startswith("x" * 1900)
    assert clipped.endswith("x" * 1900)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("dos\r\nlines\r\n", "dos\r\nlines\r\n"),
        ("a\rb", "a\\rb"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x00\x07\x08\x7f\x9b", "\\x00\\x07\\x08\\x7f\\x9b"),
        ("\u202eabc", "\\u202eabc"),
        ("\ud800", "\\ud800"),
        ("héllo 日本語 \u00a0 👩‍🚀", "héllo 日本語 \u00a0 👩‍🚀"),
    ],
)
def test_controls_become_visible_and_the_rest_stays(text: str, shown: str) -> None:
    assert harmless(text) == shown


@given(st.binary(max_size=200))
def test_any_bytes_decode_to_text_that_encodes_again(data: bytes) -> None:
    shown = harmless(data.decode(errors="replace"))
    assert shown.encode().decode() == shown
    assert all(character.isprintable() or character in "\t\n\r" or ord(character) > 0x9F for character in shown)
