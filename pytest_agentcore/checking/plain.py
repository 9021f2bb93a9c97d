"""One form for texts that say the same: for rules over text, to which Markdown, HTML and typography must not matter."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable

_TYPOGRAPHY = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4\u2039\u203a", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2192\u27f6\u2794\u279c\u279e\u27a1", "->"),
        **dict.fromkeys("\u21d2\u27f9", "=>"),
        **dict.fromkeys("\u2212\u2043\u02d7", "-"),
        "\u3002": ".",
        "\u3001": ",",
        **dict.fromkeys("\r\v\f\x85\u2028\u2029", "\n"),
        **dict.fromkeys(map(chr, range(0xFE00, 0xFE10)), ""),  # variation selectors, which choose a glyph
        "\t": " ",
    }
)
_CATEGORIES = {"Pd": "-", "Zs": " ", "Cc": "", "Cf": ""}
"""Dashes, spaces, and characters that are not seen, by their Unicode category."""

_WITHDRAWN = re.compile(
    r"<!--.*?(?:-->|\Z)|~~(?=[^\s~])[^\n]{1,1000}?~~|<(del|s|strike|script|style)\b[^<>]*>.{0,1000}?</\1\s*>",
    re.S | re.I,
)
_CELL = re.compile(r"</t[dh]\s*>\s*(?=<t[dh]\b)", re.IGNORECASE)
_BREAK = re.compile(r"</?(?:br|hr|p|div|li|tr|h[1-6]|d[dt]|pre|blockquote|table|[uo]l)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:a|abbr|b|big|body|center|code|details|em|font|head|html|i|ins|kbd|main|mark|samp|section|small|span|strong"
    r"|su[bp]|summary|tbody|t[dht]|thead|u|var)\b[^<>]*>",
    re.IGNORECASE,
)
_FENCE = re.compile(r"(?:`{3,}|~{3,}) ?[\w+.-]*$")
_MARK = re.compile(r"(?:>+|\d\u20e3|(?:#{1,6}|[-*+\u2022\u2023\u00b7]|\(?(?:\d{1,3}|[a-zA-Z])[.)]|\[[ xX]?\])(?= )) ?")
"""Begins a quotation, a heading, an item or a task, also one within another. Pictures do too: see `_unmarked`."""
_LATEX_ARROW = re.compile(r"\$?\\(?:[Rr]ightarrow|to)\b\$?")
_LINK = re.compile(r"!?\[([^\[\]]{1,500})\]\([^()\s]{1,500}\)")
_EMPHASIS = re.compile(
    r"(?<![\w*\\])(\*{1,3})(?=[^\s*])(.{1,500}?)(?<=[^\s*\\])\1"
    r"|(?<![\w\\])(_{1,3})(?=[^\s_])(.{1,500}?)(?<=[^\s_\\])\3(?!\w)"
)
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")


def plain_lines(text: str) -> list[str]:
    """The lines of a Markdown, HTML or plain text that are not blank, each in its plainest form.

    The same lines come out whichever compatible characters (NFKC), spaces, dashes, quotation marks and arrows are used,
    with or without invisible characters, headings, quotations, list marks (pictures too), rules, emphasis, code spans
    and fences, links, escapes, tags and entities. A table's row becomes its cells that are not blank, with ` | `
    between them. Text that is struck out or in a comment is withdrawn. Letters keep their case, which code has;
    `str.casefold` is left to the caller.
    """
    text = _CELL.sub(" | ", _WITHDRAWN.sub("", _plain_characters(text)))
    text = _plain_characters(html.unescape(_TAG.sub("", _BREAK.sub("\n", text))))
    return [plain for line in text.split("\n") if (plain := _plain_line(" ".join(line.split())))]


def _plain_characters(text: str) -> str:
    # Typography first: NFKC would take some of it apart, a prime of two strokes or an acute accent.
    text = unicodedata.normalize("NFKC", text.translate(_TYPOGRAPHY)).translate(_TYPOGRAPHY)
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c == "\n" else _CATEGORIES.get(unicodedata.category(c), c) for c in text)


def _plain_line(line: str) -> str:
    if _FENCE.match(line) or not line.strip("|:+=_*- "):  # a fence, a rule, the line below a heading or a table's head
        return ""
    line = _unmarked(line)
    if line.startswith("|"):
        cells = (_unmarked(cell.strip()) for cell in line.split("|"))
        line = " | ".join(cell for cell in cells if cell)
    line = _LATEX_ARROW.sub("->", line)
    line = _LINK.sub(r"\1", re.sub(r"(?<!\\)`+", "", line))
    before = ""
    while line != before:  # emphasis within emphasis
        before, line = line, _EMPHASIS.sub(lambda found: found[2] or found[4], line)
    return " ".join(_ESCAPE.sub(r"\1", line).split())


def _unmarked(line: str) -> str:
    while line:
        mark = _MARK.match(line)
        picture = unicodedata.category(line[0]) == "So" or "\U0001f3fb" <= line[0] <= "\U0001f3ff"
        if not mark and not picture:
            break
        line = line[mark.end() if mark else 1 :].lstrip()
    return line


def stated(lines: Iterable[str], label: str) -> list[str]:
    """Collect what plain lines state behind a label, which may be written in any letter case.

    That is the rest of each line, or of a table's row from a cell on, that begins `Label: …`, or `Label 2: …`.
    A cell that is the label states the cells beside it.
    """
    begins = re.compile(rf"{re.escape(label)} ?#?\d{{0,3}} ?: ?(?=\S)", re.IGNORECASE)
    found = []
    for line in lines:
        cells = line.split(" | ")
        for at, cell in enumerate(cells):
            if start := begins.match(cell):
                found.append(" | ".join([cell[start.end() :], *cells[at + 1 :]]))
                break
            if cell.rstrip(": ").casefold() == label.casefold() and cells[at + 1 :]:
                found.append(" | ".join(cells[at + 1 :]))
                break
    return found
