"""Control characters and escape codes on their way to a model, a terminal, a report."""

from __future__ import annotations

import pytest
from confined import BOTH, Cell

from pytest_agentcore.tools.text import RESULT_CHARACTERS

HARMFUL = {chr(code) for code in (*range(32), *range(0x7F, 0xA0))} - {"\n", "\t"}
TURNING = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

SEQUENCES = {
    "colour": b"\x1b[31mred\x1b[0m",
    "title": b"\x1b]0;title\x07",
    "clear": b"\x1b[2J\x1b[H",
    "clipboard": b"\x1b]52;c;ZWNobw==\x07",
    "8-bit": "\u009b31mred".encode(),
    "overwrite": b"failed\rpassed",
    "erase": b"failed\x08\x08\x08\x08\x08\x08passed",
    "no utf-8": b"\xff\xfe\x80 \xed\xa0\x80",
    "right to left": "\u202edelrow".encode(),
    "vertical": b"\x0b\x0c\x0e",
    "shift": b"\x0f\x7f",
}


def inert(text: str) -> bool:
    return not set(text) & (HARMFUL | TURNING) and text.encode().decode() == text


@BOTH
@pytest.mark.parametrize("sequence", SEQUENCES)
def test_output_and_files_show_controls_instead_of_sending_them(cell: Cell, sequence: str) -> None:
    (cell.root / "raw.txt").write_bytes(SEQUENCES[sequence])
    assert inert(cell.shell("cat raw.txt"))
    assert inert(cell.call("fs_read", path="raw.txt").result)


@BOTH
def test_names_of_files_are_shown_too(cell: Cell) -> None:
    for name in (b"\x1b[31mred", b"\xff", b"two\nlines"):
        (cell.root / name.decode(errors="surrogateescape")).write_bytes(b"")
    shown = cell.call("fs_read", path=".").result
    assert inert(shown)
    assert "\\x1b[31mred" in shown


@BOTH
def test_arguments_come_back_inert(cell: Cell) -> None:
    assert inert(cell.call("fs_read", path="\x1b[31m\x07\u202e").result)
    assert inert(cell.call("\x1b[31m\x07").result)
    assert inert(cell.call("fs_read", path=["\x1b[31m"]).result)


@BOTH
def test_a_flood_leaves_head_and_tail(cell: Cell) -> None:
    shown = cell.shell("echo first; seq 1 100000; echo last")
    assert len(shown) <= RESULT_CHARACTERS
    assert shown.startswith("first\n")
    assert shown.endswith("last\nexit code 0")
    assert "characters left out" in shown
