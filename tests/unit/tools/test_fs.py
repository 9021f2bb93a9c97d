"""`fs_read` and `fs_write`."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from confined import Cell, make_cell

from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.tasks.task import Instance
from pytest_agentcore.tools.text import RESULT_CHARACTERS
from pytest_agentcore.trial.result import CallOutcome

TEN = "".join(f"line {number}\n" for number in range(1, 11))


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    """The plain sandbox: the file tools start no process."""
    files: dict[str, str | bytes] = {"ten.txt": TEN, "src/a.py": "a = 1\n", "empty": "", "raw.bin": b"\0\1\2"}
    return make_cell(open_sandbox("process"), tmp_path / "trial", Instance(files))


@pytest.mark.parametrize(
    "path", ["ten.txt", "./ten.txt", "/workspace/ten.txt", "src/.././ten.txt", "//workspace/ten.txt"]
)
def test_a_file_has_several_spellings_and_some_are_refused(cell: Cell, path: str) -> None:
    done = cell.call("fs_read", path=path)
    if ".." in path or path.startswith("//"):
        assert done.outcome is CallOutcome.refused
        assert "is outside /workspace" in done.result
    else:
        assert (done.outcome, done.result) == (CallOutcome.ok, TEN)


def test_the_path_that_a_process_sees_is_understood(cell: Cell) -> None:
    assert cell.call("fs_read", path=f"{cell.root}/ten.txt").result == TEN


@pytest.mark.parametrize(
    ("paging", "shown"),
    [
        ({"offset": 9}, "line 9\nline 10\n[lines 9 to 10 of 10]"),
        ({"lines": 2}, "line 1\nline 2\n[lines 1 to 2 of 10]"),
        ({"offset": 4, "lines": 1}, "line 4\n[lines 4 to 4 of 10]"),
        ({"offset": 10, "lines": 99}, "line 10\n[lines 10 to 10 of 10]"),
        ({"offset": 11}, "ten.txt has 10 lines; there is no line 11"),
    ],
)
def test_paging_by_lines(cell: Cell, paging: dict[str, int], shown: str) -> None:
    assert cell.call("fs_read", **{"path": "ten.txt", **paging}).result == shown  # type: ignore[arg-type]


@pytest.mark.parametrize("path", [".", "", "/workspace", "/workspace/"])
def test_a_folder_is_listed(cell: Cell, path: str) -> None:
    assert cell.call("fs_read", path=path).result == "empty  0 bytes\nraw.bin  3 bytes\nsrc/\nten.txt  71 bytes"


def test_what_cannot_be_read_is_a_sentence(cell: Cell) -> None:
    (cell.root / "folder").mkdir()
    said = {
        path: cell.call("fs_read", path=path).result
        for path in ("empty", "raw.bin", "none", "no/x", "ten.txt/x", "folder")
    }
    assert said == {
        "empty": "(empty is empty)",
        "raw.bin": "raw.bin is a binary file of 3 bytes, not text",
        "none": "none: there is no such file",
        "no/x": "no: there is no such folder",
        "ten.txt/x": "ten.txt is a regular file, not a folder of the workspace",
        "folder": "(folder is an empty folder)",
    }


def test_writing_states_bytes_and_makes_folders(cell: Cell) -> None:
    done = cell.call("fs_write", path="new/deep/é.txt", content="größe\n")
    assert (done.outcome, done.result) == (CallOutcome.ok, "wrote 8 bytes to new/deep/é.txt")
    assert (cell.root / "new/deep/é.txt").read_bytes() == "größe\n".encode()


def test_writing_replaces_the_whole_content_and_keeps_the_file(cell: Cell) -> None:
    path = cell.root / "ten.txt"
    path.chmod(0o755)
    cell.call("fs_write", path="ten.txt", content="x")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("x", 0o755)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (".", "the path names the workspace itself, not a file in it"),
        ("src", "src is a folder, not a regular file"),
        ("ten.txt/x", "ten.txt is a regular file, not a folder of the workspace"),
        ("x" * 300, f"{'x' * 300}: file name too long"),
        ("a\0b", "a path cannot contain a NUL character"),
        ("../x", "'../x' is outside /workspace; use a path below it, without `..`"),
        ("/etc/x", "'/etc/x' is outside /workspace; use a path below it, without `..`"),
        ("~/x", "wrote 1 bytes to ~/x"),
    ],
)
def test_where_writing_is_refused(cell: Cell, path: str, said: str) -> None:
    assert cell.call("fs_write", path=path, content="x").result == said


def test_a_hard_link_within_the_workspace_is_fine(cell: Cell) -> None:
    (cell.root / "twin").hardlink_to(cell.root / "ten.txt")
    assert cell.call("fs_write", path="twin", content="x").outcome is CallOutcome.ok
    assert (cell.root / "ten.txt").read_text() == "x"


def test_a_lone_surrogate_in_the_content_does_not_break_the_tool(cell: Cell) -> None:
    assert cell.call("fs_write", path="a", content="\ud800").outcome is CallOutcome.ok
    assert (cell.root / "a").read_bytes() == b"?"


def test_a_lone_surrogate_in_the_path_does_not_break_the_tool(cell: Cell) -> None:
    assert cell.call("fs_write", path="\ud800", content="x").outcome is CallOutcome.refused


def test_a_long_file_is_clipped_and_the_rest_can_be_read(cell: Cell) -> None:
    (cell.root / "long.txt").write_text("".join(f"row {number}\n" for number in range(1, 5001)))
    first = cell.call("fs_read", path="long.txt").result
    assert "read a part with `offset` and `lines`" in first
    assert "row 2500" not in first
    assert (
        cell.call("fs_read", path="long.txt", offset=2500, lines=1).result == "row 2500\n[lines 2500 to 2500 of 5000]"
    )


@pytest.mark.parametrize(
    ("arguments", "begins", "ends"),
    [
        ({"offset": 1000, "lines": 500}, 1000, 1499),
        ({"lines": 600}, 1, 600),
        ({"offset": 900}, 900, 2000),
        ({}, 1, 2000),
    ],
    ids=["offset and lines", "lines", "offset", "whole"],
)
@pytest.mark.parametrize("text", ["row {}", "row \x1b[3{}m"], ids=["plain", "controls"])
def test_a_clipped_part_is_told_in_lines_of_the_file(
    cell: Cell, arguments: dict[str, int], begins: int, ends: int, text: str
) -> None:
    (cell.root / "long.txt").write_text("".join(f"{text.format(number)} of many rows\n" for number in range(1, 2001)))
    shown = cell.call("fs_read", path="long.txt", **arguments).result
    note = re.search(r"\(lines (\d+) to (\d+) of 2000\); read a part", shown)
    assert note is not None
    first, last = int(note[1]), int(note[2])
    numbers = [int(number) for number in re.findall(r"(\d+)m? of many", shown)]
    if text == "row {}":
        assert numbers == [*range(begins, first), *range(last + 1, ends + 1)]
    assert begins < first < last < ends
    assert len(shown) <= RESULT_CHARACTERS
    assert not arguments or shown.endswith(f"\n[lines {begins} to {ends} of 2000]")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_closed_file_is_a_sentence(cell: Cell) -> None:
    (cell.root / "ten.txt").chmod(0)
    assert cell.call("fs_read", path="ten.txt").result == "ten.txt: permission denied"
