"""Replies that are messages with headers: OpenAI's harmony format, as gpt-oss writes it.

A header names a channel (`analysis` is reasoning, `commentary` and `final` are said to the user) and may name a
recipient, before the channel or behind it: `to=functions.NAME` makes the message a call whose body is JSON.
Format: https://developers.openai.com/cookbook/articles/openai-harmony
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pytest_agentcore.models.dialects.characters import skip_space
from pytest_agentcore.models.dialects.json_codec import read_json
from pytest_agentcore.models.dialects.scanner import MAX_PROBLEMS, Part, Scanner, Segment
from pytest_agentcore.models.dialects.values import MalformedCall, RawCall

_RECIPIENT = r"to=([^\s<]{1,200})"
_HEADER = re.compile(
    rf"(?:<\|start\|>)?(?:assistant)?\s{{0,4}}(?:{_RECIPIENT})?\s{{0,4}}<\|channel\|>([a-z]{{1,20}})"
    rf"\s{{0,4}}(?:{_RECIPIENT})?\s{{0,4}}(?:<\|constrain\|>)?(?:[a-z]{{1,20}})?\s{{0,4}}<\|message\|>"
)
_BEGINS = re.compile(r"<\|(?:start|channel)\|>")
_ENDS = re.compile(r"<\|(?:end|call|return|start)\|>")
_ADDRESSED = re.compile(
    rf"(?:<\|start\|>)?(?:assistant)?\s{{0,4}}(?:<\|channel\|>)?(?:[a-z]{{1,20}})?\s{{0,4}}{_RECIPIENT}"
)
_FUNCTIONS = "functions."


class HarmonyScanner(Scanner):
    """The messages of a reply; text outside of them is content."""

    def run(self, *, reasoning_open: bool) -> Iterator[Segment]:
        """The segments, once."""
        at = 0
        if reasoning_open:
            yield (first := self._said(0, 0, Part.reasoning))
            at = first.end
        while found := self._next(at):
            if found.start() > at:
                yield Segment(Part.content, at, found.start())
            for part in self._message(found) if found.re is _HEADER else self._headless(found):
                yield part
                at = part.end
        yield from self._rest(at)

    def _next(self, at: int) -> re.Match[str] | None:
        """The next header, or the beginning of one that names a recipient; none where an invented result begins."""
        if self.problems >= MAX_PROBLEMS:
            return None
        header = _HEADER.match(self.text, at, self.end)
        while not header and (begins := _BEGINS.search(self.text, at, self.end)):
            if self.called and self.text.startswith(self.dialect.result_open, begins.start()):
                return None
            at = begins.start()
            header = _HEADER.match(self.text, at, self.end) or _ADDRESSED.match(self.text, at, self.end)
            at = begins.end()
        return header

    def _headless(self, found: re.Match[str]) -> Iterator[Segment]:
        self.called = True
        error = MalformedCall("<|channel|> and <|message|> should follow the recipient", found.end())
        again = self.text.startswith("<|channel|>", found.end())  # gpt-oss may name the channel a second time
        ends = _BEGINS.search(self.text, found.end() + again, self.end)
        yield self._broken(found.start(), found.start(), error, end=ends.start() if ends else self.end)

    def _message(self, header: re.Match[str]) -> Iterator[Segment]:
        recipient = header[1] or header[3] or ""
        start, inside = header.span()
        if recipient and recipient not in ("assistant", "user"):
            part = self._addressed(start, inside, recipient.removeprefix(_FUNCTIONS))
        elif header[2] == "analysis":
            part = self._said(start, inside, Part.reasoning)
        else:
            yield Segment(part=Part.structure, start=start, end=inside)
            part = self._said(inside, inside, Part.content)
        if part.end > part.start:
            yield part
        if (ends := _ENDS.match(self.text, part.end, self.end)) and ends.group() != "<|start|>":
            yield Segment(part=Part.structure, start=part.end, end=ends.end())

    def _said(self, start: int, inside: int, part: Part) -> Segment:
        ends = _ENDS.search(self.text, inside, self.end)
        end = ends.start() if ends else self.end
        inner = self.text[inside:end].strip() if part is Part.reasoning else ""
        return Segment(part=part, start=start, end=end, inner=inner)

    def _addressed(self, start: int, inside: int, tool: str) -> Segment:
        self.called = True
        try:
            arguments, end = self._arguments(inside)
        except MalformedCall as error:
            ends = _ENDS.search(self.text, inside, self.end)
            return self._broken(start, inside, error, end=ends.start() if ends else self.end, tool=tool)
        return Segment(part=Part.calls, start=start, end=end, calls=(RawCall(name=tool, arguments=arguments),))

    def _arguments(self, at: int) -> tuple[dict[str, Any], int]:
        at = skip_space(self.text, at)
        if not self.text.startswith("{", at):
            raise MalformedCall("the arguments should be a JSON object", at)
        arguments, end = read_json(self.text, at)
        end = skip_space(self.text, end)
        if end < self.end and not _ENDS.match(self.text, end):
            raise MalformedCall("the message should end behind its arguments", end)
        return arguments, end

    def _rest(self, at: int) -> Iterator[Segment]:
        results = (self.text.find(marker, at, self.end) for marker in self.dialect.result_open if self.called)
        invented = min((found for found in results if found >= 0), default=self.end)
        if invented > at:
            yield Segment(part=Part.content, start=at, end=invented)
        if self.end > invented:
            yield Segment(part=Part.invented, start=invented, end=self.end)
        if self.end < len(self.text):
            yield Segment(part=Part.structure, start=self.end, end=len(self.text))
