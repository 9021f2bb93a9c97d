"""What running the workspace's code gives a checker: plain, frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from pytest_agentcore.checking.readers import excerpt
from pytest_agentcore.untrusted import clip

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Opaque:
    """A value that is no plain data. It equals nothing, itself included, and says nothing but what it looked like."""

    type_name: str
    repr: str

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return id(self)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one call of the code under test gave."""

    value: Any
    """Plain data, or an `Opaque`; also an `Opaque` when the call raised."""
    raised: str = ""
    """The exception's class name; empty when it returned."""
    message: str = ""
    """What the exception said."""

    def returned(self, kind: type[T]) -> T:
        """The value, which must be of this type, so that a checker can calculate with it.

        `float` takes integers too; `bool` is no integer.

        Raises:
            AssertionError: it raised, or returned something else.
        """
        if self.raised:
            raise AssertionError(f"raised {clip(self.raised, 40)} ({excerpt(self.message)})")
        fits = type(self.value) is kind or (kind is float and type(self.value) is int and abs(self.value) < 1 << 53)
        if not fits:
            raise AssertionError(f"returned {excerpt(repr(self.value))}, not {kind.__name__}")
        return kind(self.value)  # type: ignore[call-arg]


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished shell command. No verdict should rest on it alone: the code under test chose both."""

    exit_code: int
    output: str


@dataclass(frozen=True, slots=True)
class TestRun:
    """What became of the tests in given unittest files."""

    __test__ = False  # pytest collects by name

    passed: int
    failed: int
    """Those that could not be run or did not report included; skipped ones are in neither count."""
    names_passed: frozenset[str]
    """`test_price.TestTotal.test_none`: the file's stem, the class, the method."""
    report: str
    """A line per test that did not pass, and what it said, escaped."""
