"""What dialects and codecs hand to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class RawCall:
    """A call as it was written: whether the tool exists and takes these arguments is not known here."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """One reply, taken apart."""

    content: str
    """Stripped text without reasoning and parsed calls; calls that do not parse stay in it as they were written."""
    reasoning: str = ""
    calls: tuple[RawCall, ...] = ()
    """In the order of the text."""
    problems: tuple[str, ...] = ()
    """One sentence per call that was opened and does not parse, fit for feeding back to the model."""
    repairs: tuple[str, ...] = ()
    """One sentence per near miss that was accepted; only the lenient reader gives any."""


class MalformedCall(ValueError):
    """Raised by a codec: what was expected, and where.

    `at` is an index into the whole reply.
    """

    def __init__(self, problem: str, at: int) -> None:
        super().__init__(problem)
        self.problem, self.at = problem, at


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What a codec read between two markers."""

    calls: tuple[RawCall, ...]
    end: int
    """Index of the first character that was not read."""


class Codec(Protocol):
    """How name and arguments of a call are written between the markers."""

    @property
    def example(self) -> str:
        """The shape, as it is shown to a model that got it wrong."""

    def decode(self, text: str, at: int) -> Decoded:
        """Read from `at` in time linear in what is read.

        Raises:
            MalformedCall: and nothing else, whatever the text.
        """

    def encode(self, name: str, arguments: Mapping[str, Any]) -> str:
        """The text that `decode` reads back as the same call.

        Raises:
            ValueError: the dialect has no way to write one of the values.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Markers:
    """What stands before and after a part of a reply."""

    open: str
    close: str = ""
    """Empty: nothing closes it but the end of what the codec reads."""
