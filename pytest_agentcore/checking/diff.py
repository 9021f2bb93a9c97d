"""How much of a file was changed, counted as a reviewer's line diff counts it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

MOST_LINES = 20_000
"""A longer text is not compared line by line: all of it counts as rewritten."""


@dataclass(frozen=True, slots=True)
class Diff:
    """Lines added and removed. A changed line is one of each, so are a changed line end and a lost final newline."""

    added: int
    removed: int
    text: str
    """Unified diff."""

    @property
    def changed_lines(self) -> int:
        """Added and removed together."""
        return self.added + self.removed


def diff(before: str, after: str) -> Diff:
    """Compare two texts by lines, where only `\\n` ends a line."""
    old, new = _lines(before), _lines(after)
    if max(len(old), len(new)) > MOST_LINES:
        return Diff(len(new), len(old), f"a rewrite: {len(old)} lines became {len(new)}")
    added = removed = 0
    for _tag, i1, i2, j1, j2 in _edits(old, new):
        removed += i2 - i1
        added += j2 - j1
    shown = (line if line.endswith("\n") else f"{line}\n\\ no newline at the end\n" for line in _unified(old, new))
    return Diff(added, removed, "".join(shown))


def _lines(text: str) -> list[str]:
    # str.splitlines also splits at form feeds and at separators that no diff tool knows.
    *whole, rest = text.split("\n")
    return [f"{line}\n" for line in whole] + ([rest] if rest else [])


def _edits(old: list[str], new: list[str]) -> list[tuple[str, int, int, int, int]]:
    opcodes = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [opcode for opcode in opcodes if opcode[0] != "equal"]


def _unified(old: list[str], new: list[str]) -> list[str]:
    return list(difflib.unified_diff(old, new, "given", "final", n=1))
