"""How a model family writes tool calls in text: a dialect is data over an argument codec.

A new family is a new `Dialect` value, and a new codec only where its arguments are written in a new way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
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


class Framing(StrEnum):
    """What a reply is made of."""

    text = "text"
    """Text with marked stretches in it."""
    channels = "channels"
    """Messages with a header each, which names channel and recipient (OpenAI's harmony format)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a model family writes reasoning, calls and the end of its turn."""

    name: str
    codec: Codec
    call: Markers
    framing: Framing = Framing.text
    also_open: tuple[str, ...] = ()
    """Other markers that open a call; nothing closes it then but what closes every call."""
    also_close: tuple[str, ...] = ()
    """What may close calls without being needed for it; behind a call it is no text."""
    bare: str = ""
    """Pattern of a call that no marker opens, at the beginning of a line. Its first character is a literal."""
    listed: bool = False
    """All calls of a reply stand in one `[…]`, with commas between them."""
    pad: str = ""
    """Written between a call's markers and the call, e.g. a newline."""
    between: str = ""
    """Written between two calls."""
    section: Markers | None = None
    """Around all calls of a reply, where the family has such markers."""
    section_pad: str = ""
    """Written behind the section's opening marker and before its closing one."""
    traces: tuple[str, ...] = ()
    """What stands in a call of this dialect without opening it: a call was meant where a marker is missing."""
    reasoning: Markers | None = None
    reasoning_anywhere: bool = False
    """Whether reasoning may also follow content; otherwise only the start of a reply or another call may precede it."""
    thought: Markers | None = None
    """Around the thought before a constrained call, where a plain line will not do."""
    result_open: tuple[str, ...] = ()
    """What opens a tool's result: a model that writes one after its calls is inventing the result."""
    end_of_turn: tuple[str, ...] = ()
    """Tokens that end the model's turn."""
    goes_on: tuple[str, ...] = ()
    """Tokens that end the turns of other families, but not of this one."""
    taught_by: tuple[str, ...] = ()
    """Every one of these stands in a chat template that teaches this dialect; empty: no template does."""
    not_taught_by: tuple[str, ...] = ()
    """None of these does: they mark families that share a marker and write their arguments otherwise."""
    prompted_by: tuple[str, ...] = ()
    """Every one of these stands in a template that knows no tools, of a family that was taught this by prompts."""
    result_text: str = '<tool_result name="{name}">\n{content}\n</tool_result>'
    """How a result is shown, as a message of the user, where the template knows no tools."""

    def opens_reasoning(self, prompt: str) -> bool:
        """Whether a rendered prompt ends inside a reasoning block, as templates that force thinking do."""
        return self.reasoning is not None and prompt.rstrip().endswith(self.reasoning.open)

    def render_call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """One call with its markers, as `parse` reads it back.

        Raises:
            ValueError: the dialect has no way to write one of the values.
        """
        return self._marked([(name, arguments)])

    def render_calls(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
        """All calls of a reply, with the section's markers where the family has them.

        Raises:
            ValueError: the dialect has no way to write one of the values.
        """
        if not calls:
            return ""
        written = self._marked(calls) if self.listed else self.between.join(self.render_call(*call) for call in calls)
        if self.section is None:
            return written
        return f"{self.section.open}{self.section_pad}{written}{self.section_pad}{self.section.close}"

    def _marked(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
        written = ", ".join(self.codec.encode(name, arguments) for name, arguments in calls)
        inner = f"[{written}]" if self.listed else written
        return f"{self.call.open}{self.pad}{inner}{self.pad}{self.call.close}"

    @property
    def open_markers(self) -> tuple[str, ...]:
        """What opens a call in this dialect."""
        opening = (self.section.open if self.section else "", self.call.open, *self.also_open)
        return tuple(marker for marker in opening if marker)

    @property
    def signs(self) -> tuple[str, ...]:
        """What says that a call in this dialect was meant."""
        return self.open_markers + self.traces


_SPACE = re.compile(r"[ \t\r\n]*")


def skip_space(text: str, at: int) -> int:
    """Index of the first character from `at` on that is no white space."""
    if text[at : at + 1] > " ":  # nearly always, and far cheaper than the pattern
        return at
    found = _SPACE.match(text, at)
    return found.end() if found else at


def excerpt(text: str, at: int, length: int = 24) -> str:
    """A few characters from `at`, quoted and escaped so that they stay on one line; empty at the end of the text."""
    return repr(text[at : at + length]) if at < len(text) else ""
