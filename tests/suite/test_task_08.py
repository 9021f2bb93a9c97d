"""What task 08 rests on: the readings of a length."""

from __future__ import annotations

from contextlib import closing

import pytest
from suite_modules import RUNS, Call, instance, played, write


@pytest.mark.parametrize("run", RUNS)
def test_every_reading_of_the_length_is_another_number(run: int) -> None:
    drawn = instance(8, run)
    text, readings = str(drawn.files["data.txt"]), drawn.facts["readings"]

    assert text.endswith("\n")
    assert text.count("\n") == 1
    assert readings["bytes"] == len(text.encode())
    assert [name for name, value in readings.items() if value == readings["bytes"]] == ["bytes"]
    assert readings["published"] == 35


def test_lengths_spread() -> None:
    lengths = [instance(8, run).facts["readings"]["bytes"] for run in RUNS]

    assert max(lengths.count(length) for length in lengths) <= 4


FAULT = "stale file handle"
LOOKS: dict[str, Call] = {
    "read": ("fs_read", {"path": "data.txt"}),
    "read by an absolute path": ("fs_read", {"path": "/workspace/data.txt"}),
    "write": write("data.txt", "mine"),
    "script": write("count.py", "print(len(open('data.txt', 'rb').read()))"),
    "command": ("shell", {"command": "wc -c < ./data.txt"}),
    "quoted": ("shell", {"command": 'wc -c "data.txt"'}),
}


@pytest.mark.parametrize("look", LOOKS)
def test_the_first_call_that_names_the_file_fails_whatever_the_tool(look: str) -> None:
    turns = [[("fs_read", {"path": "."})], [LOOKS[look]], [LOOKS["read"]], [LOOKS[look]]]
    with closing(played(8, 1, turns)) as finished:
        results = [call.result for call in finished.attempt.calls]
    assert [FAULT in result for result in results] == [False, True, False, False]
