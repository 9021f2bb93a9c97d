"""A backend whose replies come from a file or a function: for tests of suites, of CI and of this project itself.

docs/scripted.md shows the file's shape.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_agentcore.errors import BackendError, EndOfTrial, UsageError
from pytest_agentcore.models.base import MIN_ROOM, FinishReason, Message, Policy, Reply, Request
from pytest_agentcore.models.dialects.base import Dialect
from pytest_agentcore.models.dialects.families import HERMES
from pytest_agentcore.models.entry import ModelEntry
from pytest_agentcore.models.generation import cut_short
from pytest_agentcore.models.reading import Reader
from pytest_agentcore.models.script import Line, Script, read_line, read_script
from pytest_agentcore.tools.base import ToolSpec
from pytest_agentcore.trial import TrialKey, Usage
from pytest_agentcore.verdict.modes import Cause, StopReason

Answer = Reply | Line | Mapping[str, Any] | str | None
"""What a reply function may return: a reply, a line of a script, its dict, a text, or None for an empty answer."""

_TOKEN = re.compile(r"\s*\S+|\s+")
_CAUSES = {"unreachable": Cause.backend_unreachable, "crashed": Cause.backend_crashed}


def open_backend(entry: ModelEntry, _engine: Mapping[str, str]) -> ScriptedBackend:
    """The backend behind `scripted:FILE`.

    Raises:
        UsageError: no such file, or it is no script; says where.
    """
    if entry.path is None:
        raise UsageError(f"{entry.name}: give the script as scripted:FILE")
    return ScriptedBackend.from_file(entry.path)


class ScriptedBackend:
    """Replies without a model. A word counts as a token.

    Texts are read like a model's: through a dialect, under the policy of the request, cut off at the reply's ceiling,
    at the end of the context, by `watch`, deadline or cancel.
    """

    name = "scripted"
    slots = 16

    def __init__(
        self,
        reply: Callable[[Request], Answer],
        *,
        dialect: Dialect = HERMES,
        context: int | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Answer by calling a function.

        Args:
            reply: called once per request, from the thread that asks.
            dialect: how texts are read and structured calls are written.
            context: tokens; None has no end.
            facts: what `describe` says besides.
        """
        self._reply, self._context, self._facts = reply, context, dict(facts or {})
        self._reader = Reader(dialect=dialect)
        self._seen: dict[TrialKey, int] = {}
        self._lock = threading.Lock()

    @classmethod
    def from_file(cls, path: Path) -> ScriptedBackend:
        """A script: `.json` or `.toml` lines, or a `.py` file with a function `reply(request)`.

        Raises:
            UsageError: it cannot be read; says where.
        """
        script = read_script(path)
        content = path.read_bytes()
        facts = {"file": path.name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        return cls(script.function or Playback(script), dialect=script.dialect, context=script.context, facts=facts)

    def complete(self, request: Request) -> Reply:
        """See `Backend.complete`."""
        began = time.monotonic()
        taken = self.count_tokens(request.messages, request.tools, request.policy)
        room = self._context - taken if self._context is not None else request.max_reply_tokens + MIN_ROOM
        if room < MIN_ROOM:
            left = f"{max(room, 0)} of {self._context} tokens are left in the context"
            raise EndOfTrial(StopReason.context_overflow, left)
        answer = self._answer(request)
        if isinstance(answer, Reply):
            return answer
        text, finish = self._say(answer, request, room)
        usage = self._count(request, taken, _tokens(text))
        return self._as_reply(request, text, finish, usage, time.monotonic() - began)

    def count_tokens(self, messages: Sequence[Message], _tools: Sequence[ToolSpec], _policy: Policy) -> int:
        """See `CountsTokens.count_tokens`; each message takes four tokens besides its words."""
        return sum(_tokens(message.content) + 4 for message in messages)

    def _answer(self, request: Request) -> Reply | Line:
        try:
            answer = self._reply(request)
        except BackendError:
            raise
        except Exception as error:
            raise BackendError(f"the script's reply function raised {type(error).__name__}: {error}") from error
        if isinstance(answer, Reply | Line):
            return answer
        given = answer if isinstance(answer, Mapping) else {"text": answer or ""}
        try:
            return read_line(f"reply to {request.trial} turn {request.turn}", given)
        except UsageError as error:
            raise BackendError(str(error)) from error

    def _say(self, line: Line, request: Request, room: int) -> tuple[str, FinishReason]:
        """The text as far as it gets."""
        if finish := _wait(line.delay, request):
            return "", finish
        if line.crash:
            os.abort()
        if line.error:
            raise BackendError(f"scripted error: {line.error}", _CAUSES.get(line.error))
        try:
            text = line.as_text(self._reader.dialect)
        except ValueError as error:
            raise BackendError(f"the dialect {self._reader.dialect.name} cannot write this reply: {error}") from error
        limited = request.max_reply_tokens <= room
        at_limit = FinishReason.length if limited else FinishReason.context
        return _stream(text, request, min(request.max_reply_tokens, room), at_limit)

    def _as_reply(self, request: Request, text: str, finish: FinishReason, usage: Usage, seconds: float) -> Reply:
        read = self._reader.read(text, policy=request.policy, tools=request.tools, turn=request.turn)
        return Reply(
            text=text,
            content=read.content,
            reasoning=read.reasoning,
            tool_calls=read.tool_calls,
            final=read.final,
            problems=read.problems,
            repairs=read.repairs,
            resembles=read.resembles,
            finish=finish,
            usage=usage,
            seconds=seconds,
        )

    def _count(self, request: Request, taken: int, said: int) -> Usage:
        """As if a cache held the trial's last prompt and reply."""
        with self._lock:
            held = self._seen.get(request.trial, 0) if request.turn > 1 else 0
            self._seen[request.trial] = taken + said
        return Usage(prompt_tokens=taken, cached_tokens=min(held, taken), reply_tokens=said)

    def describe(self) -> Mapping[str, Any]:
        """See `Backend.describe`."""
        return {
            "backend": self.name,
            "context": self._context,
            "dialect": self._reader.dialect.name,
            "device": "none",
            **self._facts,
        }

    def close(self) -> None:
        """See `Backend.close`."""


class Playback:
    """Plays a script's lines: the line of a turn follows from the trial and the turn alone, errors apart.

    An error with `times` is used up by a trial's attempts and then skipped, so that an attempt can fail and the next
    one pass.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self._raised: dict[tuple[TrialKey, int], int] = {}
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Line:
        """The line of this turn; behind the last one an empty final answer.

        Raises:
            BackendError: the script has nothing for this task.
        """
        lines = self._script.lines_for(request.trial)
        if lines is None:
            raise BackendError(f"the script has no replies for {request.trial.task}, nor for '*'")
        with self._lock:
            return self._line(lines, request)

    def _line(self, lines: tuple[Line, ...], request: Request) -> Line:
        turn = request.turn
        for index, line in enumerate(lines):
            used = (request.trial, index)
            if line.times is not None and self._raised.get(used, 0) >= line.times:
                continue
            if turn <= line.repeat:
                self._raised[used] = self._raised.get(used, 0) + 1
                return line
            turn -= line.repeat
        return Line()


def _tokens(text: str) -> int:
    return sum(1 for _ in _TOKEN.finditer(text))


def _wait(seconds: float, request: Request) -> FinishReason | None:
    """Sleep, but no longer than the request may take."""
    left = request.deadline - time.monotonic()
    if seconds > 0 and left > 0:
        request.cancel.wait(min(seconds, left))
    return cut_short(request)


def _stream(text: str, request: Request, limit: int, at_limit: FinishReason) -> tuple[str, FinishReason]:
    said = ""
    for count, found in enumerate(_TOKEN.finditer(text), 1):
        if count > limit:
            return said, at_limit
        said += found[0]
        if request.watch(found[0]):
            return said, FinishReason.watch
        if reason := cut_short(request):
            return said, reason
    return said, FinishReason.stop
