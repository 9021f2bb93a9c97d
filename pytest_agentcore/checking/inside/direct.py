"""A worker that calls one function of the model's code several times and prints what it gave.

Reads one JSON object from standard input: `token`, `workspace`, `file`, `name`, `calls` (each `[args, kwargs]`) and
`trace`. Prints a line per call, begun with the token. The code could print such lines itself; all it could say with
them is what it could have returned.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from .loading import Unusable, attribute, load_file, message_of
from .wire import WireError, decode, encode

_STDIO = (0, 1, 2)


def main() -> None:
    """Answer the order on standard input, then end at once, whatever threads the code has left."""
    order = json.loads(sys.stdin.buffer.read())
    out = silence_stdio()
    token = order["token"].encode()

    def answer(reply: dict[str, Any]) -> None:
        say(out, token + json.dumps(reply).encode())

    try:
        function = attribute(load_file(order["workspace"], order["file"]), order["file"], order["name"])
    except Unusable as problem:
        answer({"unusable": str(problem)})
    else:
        for number, (args, kwargs) in enumerate(order["calls"]):
            lines: set[tuple[str, int]] | None = set() if order["trace"] else None
            reply = call(function, decode(args, refuse), decode(kwargs, refuse), order["workspace"], lines)
            answer({"n": number, **reply, "lines": sorted(lines or ())})
    os._exit(0)


def say(out: int, line: bytes) -> None:
    """Write a line of its own, whatever was written before it."""
    rest = b"\n" + line + b"\n"
    while rest:
        rest = rest[os.write(out, rest) :]


def silence_stdio() -> int:
    """Point standard input, output and error at nothing; returns a descriptor of the former output."""
    out = os.dup(1)  # not inherited by child processes
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in _STDIO:
        os.dup2(nothing, descriptor)
    return out


def refuse(_data: Any) -> Any:
    """There are only plain values in an order."""
    raise WireError("no plain value")


def opaque(value: Any) -> dict[str, Any]:
    """What stands for a value that is no plain data: the name of its type and how it shows itself."""
    try:
        shown = str(repr(value))[:200]
    except BaseException:  # noqa: BLE001 - the code under test may raise anything
        shown = ""
    return {"t": "opaque", "type": str(type(value).__name__)[:200], "repr": shown}


def call(function: Any, args: Any, kwargs: Any, workspace: str, lines: set[tuple[str, int]] | None) -> dict[str, Any]:
    """The reply to one call."""
    try:
        value = traced(lambda: function(*args, **kwargs), workspace, lines)
        return {"value": encode(value, opaque, containers=True)}
    except BaseException as error:  # noqa: BLE001 - the code under test may raise anything
        return {"raised": str(type(error).__name__)[:200], "message": message_of(error)}


def traced(act: Callable[[], Any], workspace: str, lines: set[tuple[str, int]] | None) -> Any:
    """Act, and add the workspace lines that were executed to `lines` unless it is None."""
    if lines is None:
        return act()
    home = os.path.join(os.path.realpath(workspace), "")  # noqa: PTH118

    def trace(frame: FrameType, _event: str, _argument: Any) -> Any:
        place = os.path.realpath(frame.f_code.co_filename)
        if not place.startswith(home):
            return None
        path = place.removeprefix(home)

        def trace_lines(frame: FrameType, event: str, _argument: Any) -> Any:
            if event == "line":
                lines.add((path, frame.f_lineno))
            return trace_lines

        return trace_lines

    threading.settrace(trace)
    sys.settrace(trace)
    try:
        return act()
    finally:
        sys.settrace(None)
        threading.settrace(None)
