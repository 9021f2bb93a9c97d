"""The data that a dialect is, and the contract of the codec under it, which reads and writes a call.

A new family is a new `Dialect` value, and a new codec only where its arguments are written in a new way.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Protocol

Schemas = Mapping[str, Mapping[str, Any]]
"""By tool, the JSON schema of its arguments."""
NO_SCHEMAS: Schemas = MappingProxyType({})
MAX_DEPTH = 64
"""Objects and lists inside each other, where the reader is ours."""
HOLE = "\0"
"""Stands in a text of a dialect for an id, an index or a type, which says nothing that is read."""


def pattern_of(text: str) -> str:
    """Pattern of a text in which anything short may stand in the holes."""
    return r"[^<>\"\s]{0,64}?".join(map(re.escape, text.split(HOLE)))


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
    beginning may be part of it, as long as the model goes on writing. `lost` says that what stands behind cannot be
    told from a value, so that no call may be read there.
    """

    def __init__(self, problem: str, at: int, *, unclosed: bool = False, lost: bool = False) -> None:
        super().__init__(problem)
        self.problem, self.at, self.unclosed, self.lost = problem, at, unclosed, lost or unclosed


class Decoded(NamedTuple):
    """Calls that a codec read; a tuple, as `Segment` is."""

    calls: tuple[RawCall, ...]
    end: int
    """Index of the first character that was not read."""
    untyped: bool = False
    """The arguments' values are the text as it was written; what they mean is for the tool's schema to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    """The form of a call's arguments where nested objects are written otherwise, e.g. as elements or keywords."""

    open: str
    close: str
    key: Callable[[str, bool], str]
    """A key and what parts it from its value; the flag says whether the value is raw text."""
    keys: re.Pattern[str]
    """Keys that can be written."""
    separator: str = ""
    tag: str = ""
    """Ends each value; strings stand before it without quotes or escapes. Empty: strings are quoted."""
    pad: str = ""
    """Around a value."""
    behind_tag: str = ""

    def begin(self, key: str, *, raw: bool) -> str:
        """A key and all that stands between it and its value, holes included."""
        if not self.keys.fullmatch(key):
            raise ValueError(f"not an argument's name in this dialect: {key!r}")
        return self.key(key, raw) + self.pad

    @property
    def end(self) -> str:
        """The text that ends an argument's value; raw text ends there, too."""
        return self.pad + self.tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Notation:
    """The form of a call and its values, which is both written and made into a grammar.

    The strings are literal text unless they are called rules. What there is no way to write raises a ValueError.
    """

    before_name: str = ""
    before_arguments: str = ""
    after_arguments: str = ""
    quote: str = '"'
    """Around a string."""
    string: Callable[[str], str]
    """A string with its quotes."""
    escapes: str = ""
    """GBNF body for one escape in a string; empty: all but the quote stands for itself."""
    key: Callable[[str], str]
    """A key of an object and what stands between it and its value."""
    any_key_rule: str
    """GBNF body for any key and what stands between it and its value; may use the rule `string`."""
    sorted_keys: bool = False
    """Pairs are written in the order of their keys, without regard to case, instead of the schema's."""
    separator: str = ", "
    """Between two pairs and between two items."""
    words: Mapping[bool | None, str]
    outer: Outer | None = None
    aside_name: str = ""
    """May stand behind the name, e.g. an id."""
    aside_arguments: str = ""
    """May stand behind the arguments."""
    python: bool = False
    """Values are read as Python prints them, and as JSON."""

    @property
    def last(self) -> str:
        """The text with which every call ends."""
        return self.outer.close if self.outer else self.after_arguments or "}"

    @property
    def ends_text(self) -> str:
        """Ends a value without escapes, and stands nowhere else: behind a call it shows that one was cut short."""
        return self.outer.tag if self.outer else "" if self.escapes else self.quote

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """A call, but for its markers."""
        if outer := self.outer:
            pairs = []
            for key, value in arguments.items():
                raw = bool(outer.tag) and isinstance(value, str)
                text = value if raw else self.write(value)
                if outer.tag and outer.tag in text:
                    raise ValueError(f"a value that holds {outer.tag} cannot be written in this dialect")
                begin = outer.begin(key, raw=raw).replace(HOLE, "json")
                pairs.append(f"{begin}{text}{outer.end}{outer.behind_tag}")
            written = f"{outer.open}{outer.separator.join(pairs)}{outer.close}"
        else:
            written = self.write(arguments)
        before, between = self.before_name.replace(HOLE, "0"), self.before_arguments.replace(HOLE, "0")
        return f"{before}{name}{between}{written}{self.after_arguments.replace(HOLE, '0')}"

    def write(self, value: Any) -> str:
        """Any plain value on one line."""
        if isinstance(value, str):
            return self.string(value)
        if value is None or isinstance(value, bool):
            return self.words[value]
        if isinstance(value, int | float) and math.isfinite(value):
            return repr(value)
        if isinstance(value, Mapping):
            pairs = sorted(value.items(), key=lambda pair: pair[0].lower()) if self.sorted_keys else value.items()
            return "{" + self.separator.join(f"{self.key(key)}{self.write(inner)}" for key, inner in pairs) + "}"
        if isinstance(value, list | tuple):
            return "[" + self.separator.join(map(self.write, value)) + "]"
        raise ValueError(f"cannot be written in this dialect: {value!r}")


class Codec(Protocol):
    """Reads and writes the name and the arguments of a call between its markers.

    Reading takes time linear in what is read, and raises MalformedCall and nothing else, whatever the text. Writing
    raises a ValueError where there is no way to write a name or a value.
    """

    names: ClassVar[re.Pattern[str]]
    """Names of tools that can be written."""

    @property
    def notation(self) -> Notation:
        """The form as a grammar needs it."""

    def decode(self, text: str, at: int) -> Decoded:
        """Read what begins at `at`."""

    def decode_list(self, text: str, at: int) -> Decoded:
        """Read `[call, call]`, at least one, as `decode` reads one."""
        at = skip_space(text, at)
        if not text.startswith("[", at):
            raise MalformedCall("a '[' should stand here", at)
        calls: list[RawCall] = []
        while True:
            decoded = self.decode(text, at + 1)
            calls += decoded.calls
            at = skip_space(text, decoded.end)
            if text.startswith("]", at):
                return Decoded(tuple(calls), at + 1)
            if not text.startswith(",", at):
                raise MalformedCall("a ',' or ']' is missing", at)

    def encode(self, name: str, arguments: Mapping[str, Any]) -> str:
        """The text that `decode` reads back as the same call."""
        if not self.names.fullmatch(name):
            raise ValueError(f"not a tool's name in this dialect: {name!r}")
        return self.notation.call(name, arguments)

    def bare_call(self, *, listed: bool) -> str:  # noqa: ARG002 - most forms need their marker
        """Pattern of how a call begins that is like nothing else, or a list of them; the first character is literal."""
        return ""

    def begins(self, names: str, close: str) -> str:  # noqa: ARG002 - most forms may be anything without their marker
        """Pattern of how a call begins that lacks its opening marker; empty where others write so too.

        `names` is a pattern of the tools' names, and `close` the call's closing marker.
        """
        return ""


class Markers(NamedTuple):
    """Text before and after a part of a reply."""

    open: str
    close: str = ""
    """Empty: nothing closes it but the end of what the codec reads."""


THINK = Markers(open="<think>", close="</think>")
"""Around the reasoning of most families."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The form in which a model family writes reasoning, calls and the end of its turn."""

    name: str
    codec: Codec
    call: Markers = Markers("")
    channels: bool = False
    """A reply is messages with a header each, which names channel and recipient (OpenAI's harmony format)."""
    also_open: tuple[str, ...] = ()
    """Other markers that open a call; nothing closes it then but what closes every call."""
    also_close: tuple[str, ...] = ()
    """Markers that may close calls without being needed for it; behind a call they are no text."""
    bare: bool = False
    """Whether a call need no marker at the beginning of a line."""
    listed: bool = False
    """All calls of a reply stand in one `[…]`, with commas between them."""
    several: bool = False
    """All calls of a reply follow each other between one pair of markers."""
    misspelled: str = ""
    """Pattern of markers that models also write with a blank or an underscore for each `▁`."""
    pad: str = ""
    """Written between a call's markers and the call, e.g. a newline."""
    between: str = ""
    """Written between two calls."""
    section: Markers | None = None
    """Around all calls of a reply, where the family has such markers."""
    section_pad: str = ""
    """Written behind the section's opening marker and before its closing one."""
    traces: tuple[str, ...] = ()
    """Text inside of calls that shows that one was meant where its opening marker is missing."""
    reasoning: Markers | None = THINK
    reasoning_anywhere: bool = False
    """Reasoning may also follow content; otherwise only the start of a reply or another call may precede it."""
    thought: Markers | None = None
    """Around the thought before a constrained call, where a plain line will not do."""
    around_text: tuple[str, ...] = ()
    """Markers around what a reply says or before it goes on, which are no part of it."""
    result_open: tuple[str, ...] = ()
    """Markers that open a tool's result: a model that writes one after its calls is inventing the result."""
    call_id: str = ""
    """Form of the ids that templates of the family print, with `{name}` and `{index}` in it; empty: any will do."""
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
    prompt: str = ""
    """Told where the template knows no tools, with `{tools}` and `{example}` in it; empty: the generic dialect's."""
    result_text: str = '<tool_result name="{name}">\n{content}\n</tool_result>'
    """A result as a message of the user, where the template knows no tools."""

    def opens_reasoning(self, prompt: str) -> bool:
        """Whether a rendered prompt ends inside a reasoning block, as templates that force thinking do."""
        return self.reasoning is not None and prompt.rstrip().endswith(self.reasoning.open)

    def render_call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """One call with its markers, as `parse` reads it back; see `render_calls`."""
        return self._marked([(name, arguments)])

    def render_calls(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
        """All calls of a reply, with the section's markers where the family has them.

        Raises:
            ValueError: the dialect has no way to write one of the values.
        """
        if not calls:
            return ""
        together = self.listed or self.several
        written = self._marked(calls) if together else self.between.join(self.render_call(*call) for call in calls)
        if self.section is None:
            return written
        return f"{self.section.open}{self.section_pad}{written}{self.section_pad}{self.section.close}"

    def _marked(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
        try:
            parted = self.between if self.several else ", "
            written = parted.join(self.codec.encode(name, arguments) for name, arguments in calls)
        except RecursionError as error:
            raise ValueError("the arguments are nested too deeply") from error
        inner = f"[{written}]" if self.listed else written
        return f"{self.call.open}{self.pad}{inner}{self.pad}{self.call.close}"

    @property
    def bare_call(self) -> str:
        """Pattern of how a call begins that no marker opens; empty where each has one."""
        return self.codec.bare_call(listed=self.listed) if self.bare else ""

    @property
    def open_markers(self) -> tuple[str, ...]:
        """Markers that open a call in this dialect."""
        opening = (self.section.open if self.section else "", self.call.open, *self.also_open)
        return tuple(marker for marker in opening if marker)

    @property
    def signs(self) -> tuple[str, ...]:
        """All texts that show that a call in this dialect was meant."""
        return self.open_markers + self.traces


_SPACE = re.compile(r"[ \t\r\n]*")


def skip_space(text: str, at: int) -> int:
    """Index of the first character from `at` on that is no white space."""
    if text[at : at + 1] > " ":  # nearly always, and far cheaper than the pattern
        return at
    found = _SPACE.match(text, at)
    return found.end() if found else at
