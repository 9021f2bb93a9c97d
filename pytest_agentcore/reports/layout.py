"""Lines on a terminal: wrapped, labelled, in columns. Everything that goes in comes out visible and inert."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from pytest_agentcore.untrusted import columns, visible

LABEL = 11
"""Columns of a label and the space behind it."""


def labelled(label: str, text: str, width: int) -> list[str]:
    """`label   text`, wrapped between words with the text hanging behind the label; words are never broken."""
    return textwrap.wrap(
        visible(text),
        width,
        initial_indent=f"{label:<{LABEL}}",
        subsequent_indent=" " * LABEL,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [label]


def joined(parts: Iterable[object]) -> str:
    """`a · b`, empty parts left out."""
    return " · ".join(text for part in parts if (text := str(part)))


def table(rows: Sequence[Sequence[str]], notes: Sequence[str], width: int) -> list[str]:
    """Rows in columns, the first to the left and the others to the right, each with a note.

    A note that does not fit behind its row goes below it. The first row is the header and its note the notes' header.
    """
    shown = [[visible(cell) for cell in row] for row in rows]
    widths = [max(columns(row[i]) for row in shown) for i in range(len(shown[0]))]
    lines: list[str] = []
    for row, note in zip(shown, notes, strict=True):
        line = "  ".join(
            _padded(cell, width, left=i == 0) for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines += _with_note(line, visible(note), width)
    return lines


def _padded(cell: str, width: int, *, left: bool) -> str:
    space = " " * (width - columns(cell))
    return cell + space if left else space + cell


def _with_note(line: str, note: str, width: int) -> list[str]:
    if not note:
        return [line]
    if columns(line) + 2 + columns(note) <= width:
        return [f"{line}  {note}"]
    below = textwrap.wrap(note, width, initial_indent="    ", subsequent_indent="    ", break_long_words=False)
    return [line, *below]
