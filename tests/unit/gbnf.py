"""Reads GBNF, says whether a text is a sentence of a grammar, and makes up random sentences.

As https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md describes it, as far as our grammars use it; the
tests marked `model` hold it against llama.cpp itself.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

_TOKEN = re.compile(
    r"""[ ]*(?:"(?P<text>(?:[^"\\]|\\.)*)"|\[(?P<not>\^?)(?P<members>(?:[^\]\\]|\\.)*)\]|(?P<rule>[A-Za-z0-9-]+)"""
    r"""|(?P<mark>[()|?*+])|\{(?P<least>[0-9]+)(?P<comma>,?)(?P<most>[0-9]*)\})"""
)
_CHARACTER = re.compile(r"\\x([0-9A-Fa-f]{2})|\\([nrt])|\\(.)|([^\\])", re.DOTALL)
_NAMED = {"n": "\n", "r": "\r", "t": "\t"}
_TRIED = "aZ09 _-+.,:;=<>|/\\\"'`{}[]()é✓😀\n\t"
"""Characters that stand for all others when a class is made a character of."""


@dataclass(frozen=True, eq=False)
class Class:
    """One character."""

    members: frozenset[str]
    ranges: tuple[tuple[str, str], ...] = ()
    negated: bool = False

    def matches(self, char: str) -> bool:
        return self.negated != (char in self.members or any(low <= char <= high for low, high in self.ranges))

    @cached_property
    def examples(self) -> list[str]:
        ends = {end for pair in self.ranges for end in pair}
        return [char for char in sorted({*_TRIED, *self.members, *ends}) if self.matches(char)]


@dataclass(frozen=True, eq=False)
class Rule:
    """The rule of that name."""

    name: str


@dataclass(frozen=True, eq=False)
class Repeat:
    """One of the ways, so many times."""

    ways: Ways
    least: int = 1
    most: int | None = 1

    @cached_property
    def again(self) -> Repeat:
        """What is left of it after one time."""
        return Repeat(self.ways, max(0, self.least - 1), None if self.most is None else self.most - 1)


Element = Class | Rule | Repeat
Ways = list[list[Element]]
Stack = tuple[Element, "Stack"] | None


class Grammar:
    """The rules by name."""

    def __init__(self, text: str) -> None:
        self.rules: dict[str, Ways] = {}
        for line in text.splitlines():
            name, _, body = line.partition(" ::= ")
            tokens = list(_TOKEN.finditer(body))
            assert "".join(token.group() for token in tokens) == body, f"not GBNF: {line}"
            assert name not in self.rules, f"twice: {name}"
            self.rules[name] = self._ways(iter(tokens))
        self._shortest = self._lengths()

    def _ways(self, tokens: Iterator[re.Match[str]]) -> Ways:
        """Alternatives up to a closing bracket or the end."""
        found: Ways = [[]]
        for token in tokens:
            way, mark = found[-1], token["mark"]
            if mark == ")":
                break
            if mark == "|":
                found.append([])
            elif mark == "(":
                way.append(Repeat(self._ways(tokens)))
            elif token["text"] is not None:
                way.append(Repeat([[Class(frozenset(char)) for char in _characters(token["text"])]]))
            elif token["members"] is not None:
                way.append(_class(token))
            elif token["rule"]:
                way.append(Rule(token["rule"]))
            elif mark:
                least, most = {"?": (0, 1), "*": (0, None), "+": (1, None)}[mark]
                way.append(Repeat([[way.pop()]], least, most))
            else:
                least = int(token["least"])
                most = int(token["most"]) if token["most"] else None if token["comma"] else least
                way.append(Repeat([[way.pop()]], least, most))
        return found

    def accepts(self, text: str) -> bool:
        """Whether `text` is a sentence: follows all ways to read it at once, each as a stack of what is to come."""
        stacks = self._expanded({(Rule("root"), None)})
        for char in text:
            stacks = self._expanded({rest for one, rest in filter(None, stacks) if _matches(one, char)})
        return None in stacks

    def _expanded(self, stacks: set[Stack]) -> set[Stack]:
        """Stacks with a class of characters on top; None is the end of the sentence."""
        found, todo, seen = set(), list(stacks), set(stacks)
        while todo:
            stack = todo.pop()
            if stack is None or isinstance(stack[0], Class):
                found.add(stack)
                continue
            after = {*self._steps(*stack)} - seen
            seen |= after
            todo += after
        return found

    def _steps(self, top: Element, rest: Stack) -> Iterator[Stack]:
        if isinstance(top, Repeat):
            if top.least == 0:
                yield rest
            if top.most == 0:
                return
            rest = rest if top.most == 1 else (top.again, rest)
        for way in self._choices(top):
            stack = rest
            for element in reversed(way):
                stack = (element, stack)
            yield stack

    def _choices(self, element: Element) -> Ways:
        if isinstance(element, Rule):
            return self.rules[element.name]
        return element.ways if isinstance(element, Repeat) else []

    def sentence(self, chance: random.Random) -> str:
        """A random sentence; the longer it gets, the more it hurries to its end."""
        pieces: list[str] = []
        hurry = chance.choice((0.02, 0.2, 0.6))
        todo: list[Element] = [Rule("root")]
        while todo:
            element = todo.pop()
            hurry = min(1, hurry + 0.001)
            if isinstance(element, Class):
                pieces.append(chance.choice(element.examples))
                continue
            ways, times = self._choices(element), 1
            if isinstance(element, Repeat):
                most = element.least + chance.choice((0, 1, 5)) if element.most is None else element.most
                # The bounds themselves are where a wrong grammar shows.
                times = chance.choice((element.least, most, chance.randint(element.least, most)))
                times = element.least if chance.random() < hurry else times
            for _ in range(times):
                hurries = len(ways) > 1 and chance.random() < hurry
                way = min(ways, key=self._length) if hurries else chance.choice(ways)
                todo += way[::-1]
        return "".join(pieces)

    def _lengths(self) -> dict[str, float]:
        """By rule, the length of its shortest sentence."""
        self._shortest = dict.fromkeys(self.rules, math.inf)
        changed = True
        while changed:
            changed = False
            for name in reversed(self.rules):  # rules mostly use those behind them
                found = min(map(self._length, self.rules[name]))
                changed = changed or found != self._shortest[name]
                self._shortest[name] = found
        assert math.inf not in self._shortest.values(), "some rule has no sentence"
        return self._shortest

    def _length(self, way: list[Element]) -> float:
        total: float = 0
        for element in way:
            if isinstance(element, Class):
                total += 1
            elif isinstance(element, Rule):
                total += self._shortest[element.name]
            elif element.least:
                total += element.least * min(map(self._length, element.ways))
        return total


def _characters(text: str) -> list[str]:
    return [
        chr(int(code, 16)) if code else _NAMED[named] if named else escaped or plain
        for code, named, escaped, plain in _CHARACTER.findall(text)
    ]


def _matches(element: Element, char: str) -> bool:
    return isinstance(element, Class) and element.matches(char)


def _class(token: re.Match[str]) -> Class:
    written = [found.group() for found in _CHARACTER.finditer(token["members"])]
    chars = _characters(token["members"])
    members, ranges = set(), []
    while chars:
        char = chars.pop(0)
        written.pop(0)
        if written[:1] == ["-"] and len(chars) > 1:
            ranges.append((char, chars[1]))
            del chars[:2], written[:2]
        else:
            members.add(char)
    return Class(frozenset(members), tuple(ranges), bool(token["not"]))
