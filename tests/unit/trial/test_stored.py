"""JSON back to frozen values: what is taken, and what is refused by the field's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pytest

from pytest_agentcore.trial.stored import from_json


class Colour(StrEnum):
    red = "red"


@dataclass(frozen=True)
class Part:
    size: float


@dataclass(frozen=True)
class Whole:
    name: str
    count: int
    colour: Colour | None
    parts: tuple[Part, ...]
    weights: Mapping[str, float]
    anything: Mapping[str, Any]


GOOD: dict[str, Any] = {
    "name": "x",
    "count": 3,
    "colour": "red",
    "parts": [{"size": 1}],
    "weights": {"a": 0.5},
    "anything": {"b": [None]},
}


def test_a_value_comes_back() -> None:
    found = from_json(Whole, GOOD | {"from a later version": 1})
    assert found == Whole("x", 3, Colour.red, (Part(1),), {"a": 0.5}, {"b": [None]})
    assert from_json(Whole, GOOD | {"colour": None}).colour is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": None}, "name must be a text, not None"),
        ({"count": 1.5}, r"count must be a whole number, not 1\.5"),
        ({"colour": "blue"}, "'blue' is not a valid Colour"),
        ({"parts": {}}, "parts must be a list"),
        ({"parts": [1]}, "parts must be an object, not 1"),
        ({"parts": [{}]}, "`size` is missing"),
        ({"weights": {"a": "heavy"}}, "weights must be a number, not 'heavy'"),
        ({"anything": []}, "anything must be an object"),
    ],
)
def test_another_type_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        from_json(Whole, GOOD | change)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match="`count`, `parts` are missing"):
        from_json(Whole, {name: value for name, value in GOOD.items() if name not in ("count", "parts")})
