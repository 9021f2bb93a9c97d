"""A backend whose replies come from a file or a function: for tests of suites, of CI and of this project itself.

docs/scripted.md shows the file's shape.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import runpy
import threading
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pytest_agentcore.backends.base import MIN_ROOM, FinishReason, Message, Reply, Request
from pytest_agentcore.backends.reading import read_text
from pytest_agentcore.catalogue.entry import EngineSettings, ModelEntry, Policy
from pytest_agentcore.dialects.choose import dialect_named
from pytest_agentcore.dialects.dialect import Dialect
from pytest_agentcore.dialects.families import HERMES
from pytest_agentcore.errors import BackendError, EndOfTrial, UsageError
from pytest_agentcore.tools.base import ToolSpec
from pytest_agentcore.trial.modes import Cause, StopReason
from pytest_agentcore.trial.result import TrialKey, Usage

ANY = "*"
"""Key for every task, or every run index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One scripted reply."""

    text: str = ""
    """Everything the model would write, markers included."""
    content: str = ""
    """Instead of `text`: what stands beside the calls."""
    reasoning: str = ""
    tool_calls: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    """Instead of `text`: name and arguments of each call, written in the script's dialect."""
    delay: float = 0.0
    """Seconds before the first word."""
    error: str = ""
    """Fail with this; `unreachable` and `crashed` have causes of their own."""
    times: int | None = None
    """Of an error: how often a trial meets it; None is always."""
    crash: bool = False
    """Abort the process, as a fault in native code would."""
    repeat: int = 1
    """For how many turns this line is said."""

    def as_text(self, dialect: Dialect) -> str:
        """The reply as a model of this dialect would write it.

        Raises:
            ValueError: the dialect has no way to write a call's arguments, or no reasoning.
        """
        if self.text:
            return self.text
        if self.reasoning and dialect.reasoning is None:
            raise ValueError("it has no reasoning")
        marks = dialect.reasoning
        thought = f"{marks.open}\n{self.reasoning}\n{marks.close}" if marks and self.reasoning else ""
        calls = dialect.render_calls(self.tool_calls)
        return "\n".join(part for part in (thought, self.content, calls) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script, read."""

    dialect: Dialect = HERMES
    context: int | None = None
    """Tokens of the pretended context; None has no end."""
    function: Callable[[Any], Any] | None = None
    """Of a `.py` file."""
    replies: Mapping[str, Mapping[str, tuple[Line, ...]]] = field(default_factory=dict)
    """Lines by task (id, a prefix of it, or `*`) and run index (as text, or `*`)."""

    def lines_for(self, trial: TrialKey) -> tuple[Line, ...] | None:
        """The lines of the longest key that fits the task, for the run or for all runs; None when there are none."""
        fitting = [key for key in self.replies if key != ANY and trial.task.startswith(key)]
        key = max(fitting, key=len, default=ANY)
        runs = self.replies.get(key, {})
        return runs.get(str(trial.run), runs.get(ANY))


def read_script(path: Path) -> Script:
    """A script from `.json`, `.toml` or `.py`.

    Raises:
        UsageError: it cannot be read or breaks the shape; says where.
    """
    if path.suffix == ".py":
        return _from_module(path)
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from error
    return _from_data(str(path), data)


def read_line(where: str, given: Mapping[str, Any]) -> Line:
    """One reply.

    Raises:
        UsageError: an unknown key or a value of the wrong type; says where.
    """
    for key, value in given.items():
        _check(where, key, value, _LINE)
    if "text" in given and {"content", "tool_calls", "reasoning"} & given.keys():
        raise UsageError(f"{where}: a reply has either text or content, reasoning and tool_calls")
    calls = tuple(_call(f"{where}: tool_calls[{i}]", call) for i, call in enumerate(given.get("tool_calls", ())))
    return Line(**{**given, "tool_calls": calls})


_LINE: Mapping[str, tuple[type, ...]] = {
    "text": (str,),
    "content": (str,),
    "reasoning": (str,),
    "tool_calls": (list, tuple),
    "delay": (int, float),
    "error": (str,),
    "times": (int,),
    "crash": (bool,),
    "repeat": (int,),
}
_TOP: Mapping[str, tuple[type, ...]] = {"dialect": (str,), "context": (int,), "replies": (dict,)}


def _check(where: str, key: str, value: Any, shape: Mapping[str, tuple[type, ...]]) -> None:
    if key not in shape:
        raise UsageError(f"{where}: unknown key {key!r}; known are {', '.join(shape)}")
    if not isinstance(value, shape[key]) or (isinstance(value, bool) and bool not in shape[key]):
        raise UsageError(f"{where}: {key} = {value!r} is no {' or '.join(kind.__name__ for kind in shape[key])}")


def _call(where: str, call: Any) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(call, Mapping) or not isinstance(call.get("name"), str):
        raise UsageError(f"{where}: a call is {{name, arguments}}")
    arguments = call.get("arguments", {})
    if not isinstance(arguments, Mapping) or call.keys() - {"name", "arguments"}:
        raise UsageError(f"{where}: a call is {{name, arguments}}, and its arguments are a table")
    return call["name"], arguments


def _from_data(where: str, data: Any) -> Script:
    if not isinstance(data, dict):
        raise UsageError(f"{where}: a script is a table with the keys {', '.join(_TOP)}")
    for key, value in data.items():
        _check(where, key, value, _TOP)
    if "replies" not in data:
        raise UsageError(f"{where}: replies is missing")
    return Script(
        dialect=_dialect(where, data.get("dialect", HERMES.name)),
        context=data.get("context"),
        replies={key: _runs(f"{where}: replies.{key}", runs) for key, runs in data["replies"].items()},
    )


def _runs(where: str, runs: Any) -> dict[str, tuple[Line, ...]]:
    if isinstance(runs, dict):
        if wrong := [key for key in runs if key != ANY and not key.isdecimal()]:
            raise UsageError(f"{where}: {wrong[0]!r} is no run index and not '*'")
        return {key: _lines(f"{where}.{key}", lines) for key, lines in runs.items()}
    return {ANY: _lines(where, runs)}


def _lines(where: str, lines: Any) -> tuple[Line, ...]:
    if not isinstance(lines, Sequence) or isinstance(lines, str):
        raise UsageError(f"{where}: a list of replies should stand here")
    return tuple(
        read_line(f"{where}[{i}]", {"text": line} if isinstance(line, str) else _table(f"{where}[{i}]", line))
        for i, line in enumerate(lines)
    )


def _table(where: str, line: Any) -> Mapping[str, Any]:
    if not isinstance(line, Mapping):
        raise UsageError(f"{where}: a reply is a text or a table")
    return line


def _from_module(path: Path) -> Script:
    try:
        names = runpy.run_path(str(path))
    except Exception as error:
        raise UsageError(f"{path}: {type(error).__name__}: {error}") from error
    function = names.get("reply")
    if not callable(function):
        raise UsageError(f"{path}: has no function reply(request)")
    settings = {key: names[key] for key in ("dialect", "context") if key in names}
    for key, value in settings.items():
        _check(str(path), key, value, _TOP)
    dialect = _dialect(str(path), settings.get("dialect", HERMES.name))
    return Script(dialect=dialect, context=settings.get("context"), function=function)


def _dialect(where: str, name: str) -> Dialect:
    try:
        return dialect_named(name)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error


Answer = Reply | Line | Mapping[str, Any] | str | None
"""What a reply function may return: a reply, a line of a script, its dict, a text, or None for an empty answer."""

_TOKEN = re.compile(r"\s*\S+|\s+")
_CAUSES = {"unreachable": Cause.backend_unreachable, "crashed": Cause.backend_crashed}


def open_backend(entry: ModelEntry, _engine: EngineSettings) -> ScriptedBackend:
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
        self._dialect = dialect
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
        read = read_text(text, request, self._dialect)
        return replace(read, finish=finish, usage=usage, seconds=time.monotonic() - began)

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
            text = line.as_text(self._dialect)
        except ValueError as error:
            raise BackendError(f"the dialect {self._dialect.name} cannot write this reply: {error}") from error
        limited = request.max_reply_tokens <= room
        at_limit = FinishReason.length if limited else FinishReason.context
        return _stream(text, request, min(request.max_reply_tokens, room), at_limit)

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
            "dialect": self._dialect.name,
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
    return request.cut_short()


def _stream(text: str, request: Request, limit: int, at_limit: FinishReason) -> tuple[str, FinishReason]:
    said = ""
    for count, found in enumerate(_TOKEN.finditer(text), 1):
        if count > limit:
            return said, at_limit
        said += found[0]
        if request.watch(found[0]):
            return said, FinishReason.watch
        if reason := request.cut_short():
            return said, reason
    return said, FinishReason.stop
