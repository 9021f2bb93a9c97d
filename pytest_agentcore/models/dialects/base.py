"""How a model family writes tool calls in text: a dialect is data over an argument codec.

A new family is a new `Dialect` value, and a new codec only where its arguments are written in a new way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pytest_agentcore.models.dialects import scan
from pytest_agentcore.models.dialects.values import NO_SCHEMAS, Codec, Markers, Parsed, Schemas


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

    def parse(self, text: str, *, reasoning_open: bool = False, schemas: Schemas = NO_SCHEMAS) -> Parsed:
        """Read a whole reply strictly; never raises, and takes time linear in the text.

        Args:
            text: what the model wrote, markers included.
            reasoning_open: the prompt itself ended inside a reasoning block (see `opens_reasoning`).
            schemas: of the tools; dialects that write strings without quotes need them to tell `42` from `"42"`.
        """
        return scan.parse(self, text, reasoning_open=reasoning_open, schemas=schemas)

    def is_complete(self, text: str, *, single: bool = False, reasoning_open: bool = False) -> bool:
        """Whether generation can stop: nothing that belongs to the reply can follow `text`.

        That is so when the section or the list of calls was closed, or when an invented tool result is opened after a
        call; with `single`, when the first call was closed. What stands inside a string that is not closed does not
        count. Cheap enough to be asked after every token.
        """
        return scan.is_complete(self, text, single=single, reasoning_open=reasoning_open)

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
