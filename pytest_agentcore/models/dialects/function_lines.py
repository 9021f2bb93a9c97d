"""What looks like the call of a function, in lines and tags.

Lines are `fs_read(path="a")`, `call:fs_read{path: "a"}` or `x = fs_read(…)`, and `<function=fs_read>{"path": "a"}` has
the name in a tag.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from pytest_agentcore.models.dialects.characters import skip_space
from pytest_agentcore.models.dialects.families import GEMMA4
from pytest_agentcore.models.dialects.loose_json import LooseReader
from pytest_agentcore.models.dialects.values import MalformedCall

_KEYWORD = re.compile(r"\s{0,20}([A-Za-z_]\w{0,100})\s{0,20}[=:]\s{0,20}")
_TAG_END = re.compile(r"\s{0,20}</(?:[^\s<>]{1,20})>")
_COMMA = re.compile(r"\s{0,20},?\s{0,20}")


def function_lines(tool_names: Collection[str]) -> re.Pattern[str]:
    """A line that begins like the call of a function with a known tool's name; group 2 is the name."""
    names = "|".join(map(re.escape, tool_names)) or r"(?!)"
    before = r"[ \t>*`-]{0,8}(?:[A-Za-z_]\w{0,40} ?= ?)?(?:print\(|await |\[)?"
    return re.compile(rf"^{before}(call:[ \t]?)?({names})(?:\.call)?[ \t]?(?=[({{])", re.MULTILINE)


def function_tags(tool_names: Collection[str]) -> re.Pattern[str]:
    """A tag with a known tool's name before an object: `<function=fs_read>{` or `<invoke name="fs_read">{`."""
    names = "|".join(map(re.escape, tool_names)) or r"(?!)"
    return re.compile(rf"<(?:function|invoke|tool|tool_call)(?: name)?=[\"']?({names})[\"']?>\s{{0,20}}(?=\{{)")


def function_tag_end(text: str, at: int) -> int:
    """Index behind the tag that closes such a one; else `at`."""
    found = _TAG_END.match(text, at)
    return found.end() if found else at


def function_arguments(text: str, found: re.Match[str]) -> tuple[dict[str, Any], int]:
    """The arguments behind a match of `function_lines`, and the index behind them.

    Raises:
        MalformedCall: they cannot be read.
    """
    if not text.startswith("{", found.end()):
        return _keyword_arguments(text, found.end() + 1)
    if found[1]:
        try:
            decoded = GEMMA4.codec.decode(text, found.start(1))
        except MalformedCall:
            pass
        else:
            return dict(decoded.calls[0].arguments), decoded.end
    return LooseReader(text).read(found.end())


def _keyword_arguments(text: str, at: int) -> tuple[dict[str, Any], int]:
    """`path="a", lines=3)`. Raises MalformedCall."""
    reader, found = LooseReader(text), dict[str, Any]()
    at = skip_space(text, at)
    while not text.startswith(")", at):
        keyword = _KEYWORD.match(text, at)
        if not keyword:
            raise MalformedCall("a keyword argument is missing", at)
        found[keyword[1]], at = reader.read(keyword.end())
        if comma := _COMMA.match(text, at):
            at = comma.end()
    return found, at + 1
