"""The text of a tool result on its way to a model: without control characters, clipped."""

from __future__ import annotations

import re

MESSAGE_CHARACTERS = 300
"""The length of an objection to a call, which quotes what was called."""
RESULT_CHARACTERS = 4000
"""The most that a model reads of one result, the same for every model."""

_HARMFUL = re.compile(
    "\r(?!\n)"  # alone it overwrites the line
    "|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"  # C0 and C1, escape among them
    "|[\u202a-\u202e\u2066-\u2069]"  # these turn the direction of text around
    "|[\ud800-\udfff]"
)


def harmless(text: str) -> str:
    r"""Control characters as what Python writes for them (`\x1b`); line ends and tabs stay."""
    return _HARMFUL.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def clip(
    text: str,
    limit: int = RESULT_CHARACTERS,
    see_more: str = "ask for less at once",
    *,
    begins: int = 1,
    of: int | None = None,
) -> str:
    """Head and tail of `text` within `limit` characters, the note between them included.

    The cuts are at line ends where that costs less than a quarter of a part.

    Args:
        begins: number of the first line, where `text` is a part of a whole that the reader knows the lines of.
        of: how many lines that whole has.
    """
    if len(text) <= limit:
        return text
    ended = text.endswith("\n")  # which begins no further line
    end = begins + text.count("\n") - ended
    total = of or end
    room = limit - len(_note(len(text), total, total, total, see_more))
    head = _whole_lines(text[: room // 2])
    tail = _whole_lines(text[-(room - room // 2) :][::-1])[::-1]
    first = begins + head.count("\n") + (text[len(head)] == "\n")
    last = end - tail.count("\n") + ended - (text[len(text) - len(tail) - 1] == "\n")
    return head + _note(len(text) - len(head) - len(tail), first, last, total, see_more) + tail


def _note(missing: int, first: int, last: int, total: int, see_more: str) -> str:
    return f"\n[... {missing} characters left out here (lines {first} to {last} of {total}); {see_more} ...]\n"


def _whole_lines(part: str) -> str:
    end = part.rfind("\n")
    return part[:end] if end > len(part) * 3 // 4 else part


def one_line(message: str) -> str:
    """Foreign words as one line, clipped and safe to show."""
    line = harmless(" ".join(message.split()))
    return line if len(line) <= MESSAGE_CHARACTERS else f"{line[:MESSAGE_CHARACTERS]} ..."
