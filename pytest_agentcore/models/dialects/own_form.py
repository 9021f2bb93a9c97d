"""A dialect's own way to write a call, read with less than it has: without its opening marker, or not quite exactly."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pytest_agentcore.models.dialects.base import Dialect
from pytest_agentcore.models.dialects.loose_json import read_loosely
from pytest_agentcore.models.dialects.named_codec import NamedJsonCodec
from pytest_agentcore.models.dialects.values import Decoded, Decodes
from pytest_agentcore.models.dialects.xml_codec import XmlCodec

_LEAST = 4
"""Characters of an opening marker's end that are taken for what is left of it."""


def beginnings(dialect: Dialect, tool_names: Collection[str]) -> re.Pattern[str] | None:
    """How a call of a known tool begins without its opening marker; None where others write so too."""
    names = "|".join(map(re.escape, sorted(tool_names, key=len, reverse=True))) or r"(?!)"
    begins = dialect.codec.begins(names, dialect.call.close)
    return re.compile(begins) if begins else None


def behind_remains(text: str, start: int, marker: str) -> int:
    """Where the rest of an opening marker begins that stands before `start`; else `start`."""
    for length in range(len(marker), _LEAST - 1, -1):
        if text.endswith(marker[-length:], 0, start):
            return start - length
    return start


def tolerant(codec: Decodes, notes: dict[str, None]) -> Iterator[Decodes]:
    """The codec, and the same one forgiving what it can; `notes` then says what."""
    yield codec
    if isinstance(codec, XmlCodec) and codec.kinds:
        notes["a parameter without its kind"] = None
        yield replace(codec, kinds=None, after_key='">')
    elif isinstance(codec, XmlCodec) and codec.end:
        notes[f"a missing {codec.end}"] = None
        yield replace(codec, end="")
    if isinstance(codec, NamedJsonCodec):
        yield _Loosely(replace(codec, forgiving=True), notes)


def name_and_object(notes: dict[str, None]) -> Decodes:
    """A reader of a tool's name and an object behind it, which several models write between their markers."""
    notes["a name and then JSON"] = None
    return _Loosely(NamedJsonCodec(between="\n", loosely=r"[ \t\r\n:]{0,8}", forgiving=True), notes)


@dataclass(frozen=True, slots=True)
class _Loosely:
    """Reads arguments that are not quite JSON, and writes nothing."""

    codec: NamedJsonCodec
    notes: dict[str, None]

    def decode(self, text: str, at: int) -> Decoded:
        """See `Codec.decode`."""

        def read(text: str, at: int) -> tuple[Any, int]:
            value, end, notes = read_loosely(text, at, ends_open=True)
            self.notes.update(dict.fromkeys(notes))
            return value, end

        return self.codec.read(text, at, read)
