"""Text that models write, at each place where it is shown."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from results import HOSTILE

from pytest_agentcore.untrusted import clip, clip_middle, columns, for_csv, for_xml, visible, visible_lines

ANY_TEXT = st.text(st.characters(exclude_categories=()))
"""Lone surrogates and noncharacters too."""


@pytest.mark.parametrize("text", HOSTILE)
def test_visible_text_is_one_printable_line(text: str) -> None:
    shown = visible(text)

    assert shown.isprintable()
    assert shown.encode("utf-8").decode() == shown
    assert len(shown.splitlines()) <= 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\u202eb", r"a\u202eb"),
        ("\ud800", r"\ud800"),
        ("one\ntwo\t", r"one\ntwo\t"),
        ("grüße 漢字", "grüße 漢字"),
    ],
)
def test_what_does_not_print_becomes_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_only_line_feeds_part_lines() -> None:
    assert visible_lines("a\r\nb\u2028c\n\x0cd") == ["a", r"b\u2028c", r"\x0cd"]


@given(ANY_TEXT, st.integers(1, 30))
def test_clipped_text_fits_and_says_that_it_was_clipped(text: str, width: int) -> None:
    shown = clip(text, width)

    assert columns(shown) <= width
    assert shown == visible(text) or shown.endswith("…")


def test_wide_characters_take_two_columns() -> None:
    assert columns("漢字") == 4
    assert clip("漢字漢字", 5) == "漢字…"


def test_the_middle_of_many_lines_is_left_out_and_counted() -> None:
    text = "\n".join(str(n) for n in range(100))

    assert clip_middle(text, 5) == ["0", "1", "… 96 lines left out", "98", "99"]
    assert clip_middle("a\nb", 5) == ["a", "b"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"])  # noqa: RUF001
def test_no_cell_begins_a_formula(start: str) -> None:
    assert for_csv(f"{start}cmd").startswith("'")


@pytest.mark.parametrize("text", ["a=b", "1-1", "plain", ""])
def test_harmless_cells_stay_as_they_are(text: str) -> None:
    assert for_csv(text) == text


@given(ANY_TEXT)
def test_text_for_xml_parses_in_text_and_attribute(text: str) -> None:
    element = ET.Element("failure", message=for_xml(text))
    element.text = for_xml(text)

    parsed = ET.fromstring(ET.tostring(element, encoding="utf-8"))

    assert (parsed.text or "") == for_xml(text)
    assert parsed.get("message") == for_xml(text)


def test_text_that_xml_can_hold_is_left_alone() -> None:
    assert for_xml("a\n\tb <&> 漢 \U0001f600") == "a\n\tb <&> 漢 \U0001f600"
    assert for_xml("\x00\ud800\ufffe\x85\r") == r"\x00\ud800\ufffe\x85\r"
