"""What dialects and codecs hand to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, runtime_checkable

Schemas = Mapping[str, Mapping[str, Any]]
"""By tool, the JSON schema of its arguments."""
NO_SCHEMAS: Schemas = MappingProxyType({})


class RawCall(NamedTuple):
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

    `at` is an index into the whole reply. `unclosed` says that a string runs to the end of the text: markers behind its
    beginning may be part of it, as long as the model goes on writing.
    """

    def __init__(self, problem: str, at: int, *, unclosed: bool = False) -> None:
        super().__init__(problem)
        self.problem, self.at, self.unclosed = problem, at, unclosed


class Decoded(NamedTuple):
    """What a codec read between two markers; a tuple, as `Segment` is."""

    calls: tuple[RawCall, ...]
    end: int
    """Index of the first character that was not read."""
    untyped: bool = False
    """The arguments' values are the text as it was written; what they mean is for the tool's schema to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    """How a codec writes the arguments themselves, where that is not one of its objects."""

    open: str
    close: str
    key: Callable[[str, bool], str]
    """A key and what stands before its value; the flag says whether the value is raw text."""
    after_value: str
    """Behind a value; behind raw text `raw_close` stands instead, without what pads other values."""
    separator: str = ""
    raw_close: str = ""
    """Ends a string that stands as it is, without quotes or escapes; empty where strings are quoted."""
    after_raw: str = ""
    """Written behind `raw_close`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notation:
    """How a codec writes values, as a grammar needs it; the strings are literal text unless they are called rules."""

    before_name: str
    before_arguments: str
    after_arguments: str
    key: Callable[[str], str]
    """A key and what stands between it and its value."""
    separator: str
    """Between two pairs and between two items."""
    literal: Callable[[Any], str]
    """Any plain value."""
    null: str
    string_quote: str
    string_character_rule: str
    """GBNF body: one character of a string; nothing that ends the string or that the codec refuses."""
    any_key_rule: str
    """GBNF body: any key and what stands between it and its value; may use the rule `string`."""
    sorted_keys: bool = False
    """Whether pairs are written in the order of their keys instead of the schema's."""
    true: str = "true"
    false: str = "false"
    outer: Outer | None = None


class Decodes(Protocol):
    """The reading half of a codec."""

    def decode(self, text: str, at: int) -> Decoded:
        """Read from `at` in time linear in what is read.

        Raises:
            MalformedCall: and nothing else, whatever the text.
        """


@runtime_checkable
class DecodesList(Protocol):
    """A codec with a way of its own to write a list of calls; others write `[call, call]` and nothing else."""

    def decode_list(self, text: str, at: int) -> Decoded:
        """Read a list of at least one call, as `decode` reads one.

        Raises:
            MalformedCall: and nothing else, whatever the text.
        """


class Codec(Decodes, Protocol):
    """How name and arguments of a call are written between the markers."""

    @property
    def notation(self) -> Notation:
        """The same form as a grammar needs it."""

    @property
    def example(self) -> str:
        """The shape, as it is shown to a model that got it wrong."""

    @property
    def last(self) -> str:
        """How every call ends, as far as the codec writes it; may be empty."""

    def begins(self, names: str, close: str) -> str:
        """Pattern of how a call begins that lacks its opening marker; empty where others write so too.

        Args:
            names: pattern of the tools' names.
            close: the call's closing marker.
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
