"""JSON lines survive what models write and what happens to the writer."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from results import HOSTILE

from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.jsonl import MAX_DEPTH, append, drop_torn_line, open_to_append, read_lines, to_line


@pytest.mark.parametrize("text", HOSTILE)
def test_any_string_comes_back_exactly_from_one_ascii_line(text: str) -> None:
    line = to_line({"text": text})

    assert line.isascii()
    assert line.count(b"\n") == 1
    assert json.loads(line) == {"text": text}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_lacks_become_strings(number: float) -> None:
    line = to_line({"arguments": {"n": [number, 1.5]}})

    assert json.loads(line, parse_constant=pytest.fail) == {"arguments": {"n": [str(number), 1.5]}}


def test_values_nested_too_deeply_become_a_word_and_the_line_stays_readable(tmp_path: Path) -> None:
    deep: Any = "bottom"
    for _ in range(800):
        deep = [deep]
    path = tmp_path / "x.jsonl"
    path.write_bytes(to_line({"arguments": deep}))

    (read,) = read_lines(path)

    assert f"deeper than {MAX_DEPTH}" in json.dumps(read)


def test_a_value_without_a_form_in_json_is_an_error_of_the_caller() -> None:
    with pytest.raises(TypeError, match="set has no form in JSON"):
        to_line({"tools": {"a"}})


@given(st.integers(0, 60))
def test_a_file_cut_at_any_byte_gives_the_whole_lines(tmp_path_factory: pytest.TempPathFactory, kept: int) -> None:
    path = tmp_path_factory.mktemp("cut") / "x.jsonl"
    lines = [to_line({"n": n, "text": "\u202e\n"}) for n in range(2)]
    path.write_bytes(b"".join(lines)[:kept])

    whole = sum(kept >= len(b"".join(lines[: n + 1])) for n in range(2))

    assert [line["n"] for line in read_lines(path)] == list(range(whole))


def test_a_torn_line_is_cut_off_before_the_next_is_written(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"n":0}\n{"n":1')
    drop_torn_line(path)
    with open_to_append(path) as file:
        append(file, {"n": 2}, sync=True)

    assert [line["n"] for line in read_lines(path)] == [0, 2]


@pytest.mark.parametrize("damage", [b'{"n":1', b"[1]", b"", b"\xff\xfe", b"[" * 5000])
def test_damage_before_the_last_line_names_file_and_line(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"n":0}\n' + damage + b'\n{"n":2}\n')

    with pytest.raises(UsageError, match=r"x\.jsonl: line 2 is not a JSON object"):
        list(read_lines(path))


def test_a_missing_file_has_no_lines(tmp_path: Path) -> None:
    assert list(read_lines(tmp_path / "none.jsonl")) == []
