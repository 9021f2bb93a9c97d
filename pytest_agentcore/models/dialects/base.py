"""How a model family writes tool calls in text: a dialect is data over an argument codec.

A new family is a new `Dialect` value, and a new codec only where its arguments are written in a new way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_agentcore.models.dialects import scan
from pytest_agentcore.models.dialects.values import Codec, Markers, Parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a model family writes reasoning, calls and the end of its turn."""

    name: str
    codec: Codec
    call: Markers
    pad: str = ""
    """Written between a call's markers and the call, e.g. a newline."""
    between: str = ""
    """Written between two calls."""
    section: Markers | None = None
    """Around all calls of a reply, where the family has such markers."""
    reasoning: Markers | None = None
    reasoning_anywhere: bool = False
    """Whether reasoning may also follow content; otherwise only the start of a reply or another call may precede it."""
    result_open: tuple[str, ...] = ()
    """What opens a tool's result: a model that writes one after its calls is inventing the result."""
    end_of_turn: tuple[str, ...] = ()
    """Tokens that end the model's turn."""
    taught_by: tuple[str, ...] = ()
    """Every one of these stands in a chat template that teaches this dialect; empty: no template does."""
    not_taught_by: tuple[str, ...] = ()
    """None of these does: they mark families that share a marker and write their arguments otherwise."""

    def parse(self, text: str, *, reasoning_open: bool = False) -> Parsed:
        """Read a whole reply strictly; never raises, and takes time linear in the text.

        Args:
            text: what the model wrote, markers included.
            reasoning_open: the prompt itself ended inside a reasoning block (see `opens_reasoning`).
        """
        return scan.parse(self, text, reasoning_open=reasoning_open)

    def is_complete(self, text: str, *, single: bool = False) -> bool:
        """Whether generation can stop: nothing that belongs to the reply can follow `text`.

        That is so when the section of calls was closed, or when an invented tool result is opened after a call; with
        `single`, when the first call was closed. Cheap enough to be asked after every token.
        """
        return scan.is_complete(self, text, single=single)

    def opens_reasoning(self, prompt: str) -> bool:
        """Whether a rendered prompt ends inside a reasoning block, as templates that force thinking do."""
        return self.reasoning is not None and prompt.rstrip().endswith(self.reasoning.open)

    def render_call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """One call with its markers, as `parse` reads it back.

        Raises:
            ValueError: the dialect has no way to write one of the values.
        """
        return f"{self.call.open}{self.pad}{self.codec.encode(name, arguments)}{self.pad}{self.call.close}"

    def render_calls(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
        """All calls of a reply, with the section's markers where the family has them.

        Raises:
            ValueError: the dialect has no way to write one of the values.
        """
        written = self.between.join(self.render_call(name, arguments) for name, arguments in calls)
        return f"{self.section.open}{written}{self.section.close}" if self.section and calls else written

    @property
    def open_markers(self) -> tuple[str, ...]:
        """What opens a call in this dialect."""
        return tuple(marker for marker in (self.section.open if self.section else "", self.call.open) if marker)
