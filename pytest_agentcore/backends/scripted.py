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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_agentcore.backends.base import MIN_ROOM, FinishReason, Message, Reply, Request
from pytest_agentcore.backends.reading import read_text
from pytest_agentcore.catalogue.entry import SCRIPTED, EngineSettings, ModelEntry, Policy
from pytest_agentcore.dialects.dialect import Dialect
from pytest_agentcore.dialects.families import HERMES, dialect_named
from pytest_agentcore.errors import BackendError, EndOfTrial, UsageError, instead, is_foreign
from pytest_agentcore.tools.base import ToolSpec
from pytest_agentcore.trial.modes import Cause, StopReason
from pytest_agentcore.trial.result import TrialKey, Usage

ANY = "*"
"""Key for every task, or every run index."""
_TOKEN = re.compile(r"\s*\S+|\s+")
_CAUSES = {"unreachable": Cause.backend_unreachable, "crashed": Cause.backend_crashed}


def open_backend(entry: ModelEntry, _settings: EngineSettings) -> ScriptedBackend:
    """The backend behind `scripted:FILE`.

    Raises:
        UsageError: no such file, or it is no script; says where.
    """
    if entry.path is None:
        raise UsageError(f"{entry.name}: give the script as scripted:FILE")
    return ScriptedBackend.from_file(entry.path)


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


Answer = Reply | Line | Mapping[str, Any] | str | None
"""What a reply function may return: a reply, a line of a script, its dict, a text, or None for an empty answer."""


class ScriptedBackend:
    """Replies without a model. A word counts as a token.

    Texts are read like a model's: through a dialect, under the policy of the request, cut off at the reply's ceiling,
    at the end of the context, by `watch`, deadline or cancel.
    """

    name = SCRIPTED
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
        data: Any
        where, reply = str(path), None
        if path.suffix == ".py":
            try:
                names = runpy.run_path(where)
            except Exception as error:
                raise UsageError(f"{path}: {type(error).__name__}: {error}") from error
            data, reply = {key: names[key] for key in ("dialect", "context") if key in names}, names.get("reply")
            if not callable(reply):
                raise UsageError(f"{path}: has no function reply(request)")
        else:
            try:
                text = path.read_text(encoding="utf-8")
                data = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
            except (OSError, ValueError) as error:
                raise UsageError(f"{path}: {error}") from error
            if not isinstance(data, dict):
                raise UsageError(f"{where}: a script is a table with the keys {', '.join(_TOP)}")
        _check(where, data, _TOP)
        try:
            dialect = dialect_named(data.get("dialect", HERMES.name))
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from error
        if reply is None and "replies" not in data:
            raise UsageError(f"{where}: replies is missing")
        content = path.read_bytes()
        facts = {"file": path.name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        answer = reply or _playback(where, data["replies"])
        return cls(answer, dialect=dialect, context=data.get("context"), facts=facts)

    def complete(self, request: Request) -> Reply:
        """See `Backend.complete`."""
        began = time.monotonic()
        taken = self.count_tokens(request.messages, request.tools, request.policy)
        room = self._context - taken if self._context is not None else request.max_reply_tokens + MIN_ROOM
        if room < MIN_ROOM:
            left = f"{max(room, 0)} of {self._context} tokens are left in the context"
            raise EndOfTrial(StopReason.context_overflow, left)
        try:
            answer = self._reply(request)
        except BackendError:
            raise
        except Exception as error:
            if is_foreign(error):
                raise
            raise BackendError(f"the script's reply function raised {type(error).__name__}: {error}") from error
        if isinstance(answer, Reply):
            return answer
        if not isinstance(answer, Line):
            given = answer if isinstance(answer, Mapping) else {"text": answer or ""}
            try:
                answer = read_line(f"reply to {request.trial} turn {request.turn}", given)
            except UsageError as error:
                raise BackendError(str(error)) from error
        text, finish = self._say(answer, request, room)
        said = len(_TOKEN.findall(text))
        with self._lock:  # as if a cache held the trial's last prompt and reply
            held = self._seen.get(request.trial, 0) if request.turn > 1 else 0
            self._seen[request.trial] = taken + said
        usage = Usage(prompt_tokens=taken, cached_tokens=min(held, taken), reply_tokens=said)
        read = read_text(text, request, self._dialect)
        return replace(read, finish=finish, usage=usage, seconds=time.monotonic() - began)

    def count_tokens(self, messages: Sequence[Message], _tools: Sequence[ToolSpec], _policy: Policy) -> int:
        """See `CountsTokens.count_tokens`; each message takes four tokens besides its words."""
        return sum(len(_TOKEN.findall(message.content)) + 4 for message in messages)

    def _say(self, line: Line, request: Request, room: int) -> tuple[str, FinishReason]:
        """The text as far as it gets, word by word, and what ended it."""
        if line.delay > 0:
            request.cancel.wait(max(0.0, min(line.delay, request.deadline - time.monotonic())))
        if finish := request.cut_short():
            return "", finish
        if line.crash:
            os.abort()
        if line.error:
            raise BackendError(f"scripted error: {line.error}", _CAUSES.get(line.error))
        try:
            words = _TOKEN.findall(line.as_text(self._dialect))
        except ValueError as error:
            raise BackendError(f"the dialect {self._dialect.name} cannot write this reply: {error}") from error
        said, limit = "", min(request.max_reply_tokens, room)
        for word in words[:limit]:
            said += word
            if finish := FinishReason.watch if request.watch(word) else request.cut_short():
                return said, finish
        if len(words) <= limit:
            return said, FinishReason.stop
        return said, FinishReason.length if limit == request.max_reply_tokens else FinishReason.context

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


def _playback(where: str, given: Mapping[str, Any]) -> Callable[[Request], Line]:
    """Play a script's lines: the line of a turn follows from the trial and the turn alone, errors apart.

    An error with `times` is used up by a trial's attempts and then skipped, so that an attempt can fail and the next
    one pass. Behind the last line comes an empty final answer.

    Args:
        where: the script.
        given: replies by task (id, a prefix of it, or `*`) and, where they differ, run index (as text, or `*`).
    """
    replies: dict[str, dict[str, tuple[Line, ...]]] = {}
    for task, runs in given.items():
        here, replies[task] = f"{where}: replies.{task}", {}
        by_run = runs if isinstance(runs, dict) else {ANY: runs}
        if wrong := [key for key in by_run if key != ANY and not key.isdecimal()]:
            raise UsageError(f"{here}: {wrong[0]!r} is no run index and not '*'")
        for key, lines in by_run.items():
            there = f"{here}.{key}" if by_run is runs else here
            if not isinstance(lines, Sequence) or isinstance(lines, str):
                raise UsageError(f"{there}: a list of replies should stand here")
            tables = [{"text": line} if isinstance(line, str) else line for line in lines]
            replies[task][key] = tuple(read_line(f"{there}[{i}]", table) for i, table in enumerate(tables))
    raised: dict[tuple[TrialKey, int], int] = {}
    lock = threading.Lock()

    def reply(request: Request) -> Line:
        trial, turn = request.trial, request.turn
        fitting = [key for key in replies if key != ANY and trial.task.startswith(key)]
        runs = replies.get(max(fitting, key=len, default=ANY), {})
        lines = runs.get(str(trial.run), runs.get(ANY))
        if lines is None:
            raise BackendError(f"the script has no replies for {trial.task}, nor for '*'")
        with lock:
            for index, line in enumerate(lines):
                met = raised.get((trial, index), 0)
                if line.times is not None and met >= line.times:
                    continue
                if turn <= line.repeat:
                    raised[trial, index] = met + 1
                    return line
                turn -= line.repeat
        return Line()

    return reply


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


def _check(where: str, given: Mapping[str, Any], shape: Mapping[str, tuple[type, ...]]) -> None:
    for key, value in given.items():
        if key not in shape:
            raise UsageError(f"{where}: unknown key {key!r}; {instead(key, shape)}")
        if not isinstance(value, shape[key]) or (isinstance(value, bool) and bool not in shape[key]):
            raise UsageError(f"{where}: {key} = {value!r} is no {' or '.join(kind.__name__ for kind in shape[key])}")


def read_line(where: str, given: Any) -> Line:
    """One reply, from its table.

    Raises:
        UsageError: no table, an unknown key or a value of the wrong type; says where.
    """
    if not isinstance(given, Mapping):
        raise UsageError(f"{where}: a reply is a text or a table")
    _check(where, given, _LINE)
    if "text" in given and {"content", "tool_calls", "reasoning"} & given.keys():
        raise UsageError(f"{where}: a reply has either text or content, reasoning and tool_calls")
    calls: list[tuple[str, Mapping[str, Any]]] = []
    for index, call in enumerate(given.get("tool_calls", ())):
        if not isinstance(call, Mapping) or not isinstance(call.get("name"), str):
            raise UsageError(f"{where}: tool_calls[{index}]: a call is {{name, arguments}}")
        arguments = call.get("arguments", {})
        if not isinstance(arguments, Mapping) or call.keys() - {"name", "arguments"}:
            raise UsageError(
                f"{where}: tool_calls[{index}]: a call is {{name, arguments}}, and its arguments are a table"
            )
        calls.append((call["name"], arguments))
    return Line(**{**given, "tool_calls": tuple(calls)})
