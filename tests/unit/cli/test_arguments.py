"""Numbers as they are typed."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import pytest

from pytest_agentcore.cli.arguments import chance, change, positive


@pytest.mark.parametrize(
    ("read", "text", "number"),
    [
        (positive, "1", 1),
        (change, "10pp", 0.1),
        (change, "10%", 0.1),
        (change, "0.1", 0.1),
        (chance, "0.8", 0.8),
        (chance, "80%", 0.8),
    ],
)
def test_numbers_are_read(read: Callable[[str], float], text: str, number: float) -> None:
    assert read(text) == number


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (positive, "0"),
        (change, "0"),
        (change, "100%"),
        (change, "-5pp"),
        (change, "p"),
        (change, "nan"),
        (chance, "50%"),
        (chance, "1"),
        (chance, "80pp"),
    ],
)
def test_other_numbers_are_refused(read: Callable[[str], float], text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="must"):
        read(text)
