"""What task 08 rests on: the readings of a length."""

from __future__ import annotations

import pytest
from suite_modules import RUNS, instance


@pytest.mark.parametrize("run", RUNS)
def test_every_reading_of_the_length_is_another_number(run: int) -> None:
    drawn = instance(8, run)
    text, readings = str(drawn.files["data.txt"]), drawn.facts["readings"]

    assert text.endswith("\n")
    assert text.count("\n") == 1
    assert readings["bytes"] == len(text.encode())
    assert len(set(readings.values())) == len(readings)
    assert readings["published"] == 35


def test_lengths_spread() -> None:
    lengths = [instance(8, run).facts["readings"]["bytes"] for run in RUNS]

    assert max(lengths.count(length) for length in lengths) <= 4
