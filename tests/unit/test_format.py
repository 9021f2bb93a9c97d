"""The rounding rules, as rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentcore.format import (
    average,
    count,
    duration,
    estimate,
    fraction,
    latency,
    odds,
    p_is,
    p_value,
    percent,
    points,
    threshold,
)
from pytest_agentcore.pack.csv import to_micro_dollars, to_milliseconds, to_ratio


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        (None, "-"),
        (0.0, "0.0%"),
        (1.0, "100.0%"),
        (22 / 30, "73.3%"),
        (22 / 24, "91.7%"),
        (9999 / 10000, "99.9%"),
        (1 / 10000, "0.1%"),
    ],
)
def test_percent(rate: float | None, shown: str) -> None:
    assert percent(rate) == shown


@given(st.integers(1, 10**6), st.data())
def test_only_all_reads_100_and_only_none_reads_0(whole: int, data: st.DataObject) -> None:
    part = data.draw(st.integers(0, whole))

    assert (percent(part / whole) == "100.0%") == (part == whole)
    assert (percent(part / whole) == "0.0%") == (part == 0)


@pytest.mark.parametrize(("value", "shown"), [(None, "-"), (0, "0.0"), (13 / 3, "4.3"), (15, "15.0")])
def test_average(value: float | None, shown: str) -> None:
    assert average(value) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(None, "-"), (0.0, "0.0s"), (14.58, "14.6s"), (146.8, "146.8s")])
def test_latency(seconds: float | None, shown: str) -> None:
    assert latency(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (59.4, "59s"), (59.6, "1m00s"), (192, "3m12s"), (3599.6, "1h00m"), (3840, "1h04m"), (90000, "25h00m")],
)
def test_duration(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "~10s"), (44, "~40s"), (61, "~1m"), (360, "~6m"), (7199, "~120m"), (7200, "~2h")]
)
def test_estimate_never_looks_exact(seconds: float, shown: str) -> None:
    assert estimate(seconds) == shown


def test_counts() -> None:
    assert (fraction(22, 30), count(1, "trial"), count(0, "trial")) == ("22/30", "1 trial", "0 trials")


def test_digits_of_the_tables() -> None:
    assert (to_milliseconds(1.23456), to_ratio(2 / 3), to_micro_dollars(1.23456789e-4)) == (1.235, 0.6667, 0.000123)
    assert (to_milliseconds(None), to_ratio(None), to_micro_dollars(None)) == (None, None, None)


@pytest.mark.parametrize(
    ("p", "shown"),
    [
        (None, "-"),
        (0.4000000000000001, "0.40"),
        (0.1, "0.10"),
        (1.0, "1.00"),
        (0.0504, "0.051"),
        (0.05, "0.05"),
        (0.0476, "0.048"),
        (0.00501, "0.0051"),
        (0.005, "0.005"),
        (0.0009, "<0.001"),
        (0.0, "<0.001"),
    ],
)
def test_p_never_looks_smaller_than_it_is(p: float | None, shown: str) -> None:
    assert p_value(p) == shown


@pytest.mark.parametrize(("p", "said"), [(0.4, "p = 0.40"), (0.001, "p = 0.001"), (0.0009, "p < 0.001")])
def test_a_sentence_never_says_that_p_equals_less(p: float, said: str) -> None:
    assert p_is(p) == said


@given(st.floats(0.001, 1))
def test_p_is_rounded_up(p: float) -> None:
    assert p - 1e-6 <= float(p_value(p)) <= p * 1.11 + 1e-6


@pytest.mark.parametrize(("p", "shown"), [(0.05, "0.05"), (0.05 / 8, "0.0062"), (0.005, "0.005"), (0.05 / 3, "0.016")])
def test_a_threshold_is_rounded_down(p: float, shown: str) -> None:
    assert threshold(p) == shown


@pytest.mark.parametrize(
    ("p", "shown"),
    [
        (1.0, "100 of 100"),
        (0.63, "63 of 100"),
        (0.021, "3 of 100"),
        (0.0151, "16 of 1000"),
        (0.00195, "at most 2 of 1000"),
        (0.001, "at most 2 of 1000"),
        (0.0009, "fewer than 1 of 1000"),
        (0.0, "fewer than 1 of 1000"),
    ],
)
def test_odds(p: float, shown: str) -> None:
    assert odds(p) == shown


@pytest.mark.parametrize(
    ("change", "shown"),
    [(None, "-"), (0.0, "0.0"), (-0.0, "0.0"), (1e-12, "0.0"), (-0.0833, "-8.3"), (0.2, "+20.0"), (-1e-5, "-0.1")],
)
def test_points_have_their_sign_and_only_nothing_is_nothing(change: float | None, shown: str) -> None:
    assert points(change) == shown
