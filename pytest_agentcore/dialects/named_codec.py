"""Calls as a name and then the arguments as JSON: Mistral, DeepSeek V3 and V3.1, Kimi K2, gpt-oss."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from pytest_agentcore.dialects.dialect import Codec, Decoded, MalformedCall, Notation, RawCall, skip_space
from pytest_agentcore.dialects.json_codec import JSON, read_json

_FENCE = re.compile(r"[ \t\r\n]{0,8}```")
_NAME = r"[^\s<>{}\[\]\"'=,:]{1,200}?"


@dataclass(frozen=True, kw_only=True)
class NamedJsonCodec(Codec):
    """A name and an object, with the texts around them as they are written and as they are read."""

    before_name: str = ""
    between: str
    """Between name and arguments."""
    behind: str = ""
    """Behind the arguments, before the call's closing marker."""
    between_pattern: str = ""
    """Pattern that is read as `between`; empty: exactly that."""
    loosely: str = ""
    """Pattern that a forgiving reader takes for `between` besides."""
    read_loosely: Callable[[str, int], tuple[Any, int]] | None = None
    """Reads arguments that are not quite JSON. `before_name` and `behind` may then be missing, too, and `between` need
    not be exact."""

    names = re.compile(_NAME)

    @cached_property
    def notation(self) -> Notation:
        """See `Codec.notation`."""
        return replace(JSON, before_name=self.before_name, before_arguments=self.between, after_arguments=self.behind)

    def decode(self, text: str, at: int) -> Decoded:
        """See `Codec.decode`."""
        head = self._head.match(text, at)
        if not head:
            shown = f"{self.before_name}<tool>{self.between}".replace("\n", "\\n")
            raise MalformedCall(f"{shown} should stand here", skip_space(text, at))
        if not text.startswith("{", head.end()):
            raise MalformedCall("the arguments should be a JSON object", head.end())
        arguments, end = (self.read_loosely or read_json)(text, head.end())
        if self.behind:
            wanted, after = self.behind.strip(), skip_space(text, end)
            if text.startswith(wanted, after):
                end = after + len(wanted)
            elif not self.read_loosely:
                raise MalformedCall(f"{wanted} should follow the arguments", after)
        elif self.read_loosely and (fence := _FENCE.match(text, end)):
            end = fence.end()
        return Decoded((RawCall(head[1], arguments),), end)

    @cached_property
    def _head(self) -> re.Pattern[str]:
        before = re.escape(self.before_name)
        if self.read_loosely:
            return re.compile(rf"[ \t\r\n]*(?:{before})?({_NAME}){self._between_loosely}[ \t\r\n]*(?=\{{)")
        between = self.between_pattern or re.escape(self.between)
        return re.compile(rf"[ \t\r\n]*{before}({_NAME}){between}[ \t\r\n]*")

    @property
    def _between_loosely(self) -> str:
        between = self.between_pattern or re.escape(self.between)
        return f"(?:{between}|{self.loosely})" if self.loosely else between

    def begins(self, names: str, close: str) -> str:  # noqa: ARG002 - the object ends it
        """See `Codec.begins`."""
        before, follows = re.escape(self.before_name), rf"(?={self._between_loosely}[ \t\r\n]{{0,20}}\{{)"
        named = [rf"{before}(?:{names}){follows}"] if before else []
        if any(mark in self.between for mark in "<["):  # else nothing but `before_name` tells it from other text
            named.append(rf"(?:{names}){follows}")
        return "|".join(named)
