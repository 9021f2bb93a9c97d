"""Text that a model or its code wrote, made inert for the place where it is shown.

The exact text stays in transcripts and result lines, which are ASCII-only JSON; everything else shows it through here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

_NOT_FOR_XML = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Outside `Char` of XML 1.0 (section 2.2), and DEL, CR and the C1 controls, which it allows but discourages."""

_NOT_PLAIN = re.compile("[^\x20-\x7e]")
"""Characters that may not be printable; the rest of ASCII is."""

_FORMULA = tuple("=+-@\t\r＝＋－＠")  # noqa: RUF001 - spreadsheets take the wide forms for formulas too
"""Starts that make a spreadsheet read a cell as a formula (OWASP, CSV injection)."""

_MARKDOWN = re.compile(r"([\\`*{}\[\]<>#|~!&@$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//)|(?<=www)\.)")
"""Characters to which CommonMark, or a code host's tables, links, mentions and formulas, give a meaning in a line."""

ELLIPSIS = "…"


def visible(text: str) -> str:
    r"""One line in which every character shows: controls, surrogates, bidi marks and line breaks as `\n`, `\x1b` …"""
    if text.isprintable():
        return text
    return _NOT_PLAIN.sub(lambda found: found[0] if found[0].isprintable() else _escape(found[0]), text)


def visible_lines(text: str) -> list[str]:
    """`visible` per line, where only LF and CRLF end a line."""
    return [visible(line.removesuffix("\r")) for line in text.split("\n")]


def columns(text: str) -> int:
    """Terminal columns that `visible` text takes: wide characters two, others one (combining marks too, to be safe)."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def clip(text: str, width: int) -> str:
    """`visible` text in at most `width` columns; what was cut off leaves an ellipsis. `width` is 1 or more."""
    shown = visible(text[: width + 1])
    if columns(shown) <= width and len(text) <= width:
        return shown
    while shown and columns(shown) > width - 1:
        shown = shown[:-1]
    return shown + ELLIPSIS


def clip_middle(text: str, lines: int) -> list[str]:
    """`visible_lines`, at most `lines` of them: the first and the last, with a line that says how many are missing."""
    shown = visible_lines(text)
    if len(shown) <= lines:
        return shown
    head = (lines - 1) // 2
    tail = lines - 1 - head
    return [*shown[:head], f"{ELLIPSIS} {len(shown) - head - tail} lines left out", *shown[len(shown) - tail :]]


def for_csv(text: str) -> str:
    """A cell that is one line and that no spreadsheet takes for a formula: such a start gets a `'` before it."""
    return ("'" if text.startswith(_FORMULA) else "") + visible(text)


def for_markdown(text: str) -> str:
    """One line of plain text for a paragraph or a table's cell: no markup, link, mention or formula comes of it."""
    return _MARKDOWN.sub(r"\\\1", visible(text))


def markdown_code(text: str) -> str:
    """One line as a code span, fit for a table's cell too; nothing for an empty text.

    A backtick or a pipe cannot stand in a span that is to survive both places, so those show as their escapes.
    """
    shown = visible(text).replace("`", r"\x60").replace("|", r"\x7c").strip()
    return f"`{shown}`" if shown else ""


def markdown_fence(text: str) -> list[str]:
    """Lines of a fenced block that no line of the text can close."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", *visible_lines(text), fence]


def for_xml(text: str) -> str:
    """Text valid in XML 1.0 once markup is escaped: what is not a `Char` becomes a visible escape."""
    return _NOT_FOR_XML.sub(lambda match: _escape(match[0]), text)


def encodable(value: Any) -> Any:
    r"""The same text, or JSON with the same texts, in which half a surrogate pair shows as `\ud800`: UTF-8 has none."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, Mapping):
        return {encodable(key): encodable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encodable(item) for item in value]
    return value


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
