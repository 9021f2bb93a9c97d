"""A worker that calls one function of the model's code several times and prints what it gave.

Reads one JSON object from standard input: `token`, `workspace`, `file`, `name`, `calls` (each `[args, kwargs]`) and
`trace`. Prints a line per call, begun with the token. The code could print such lines itself; all it could say with
them is what it could have returned.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import os
import sys
import threading
from collections.abc import Sequence
from types import FrameType, ModuleType
from typing import Any

from .wire import WireError, decode, encode, say, silence_stdio


def main() -> None:
    """Answer the order on standard input, then end at once, whatever threads the code has left."""
    order = json.loads(sys.stdin.buffer.read())
    out = silence_stdio()
    token = order["token"].encode()

    def answer(reply: dict[str, Any]) -> None:
        say(out, token + json.dumps(reply).encode())

    try:
        function = functools.reduce(getattr, order["name"].split("."), load_file(order["workspace"], order["file"]))
    except Unusable as problem:
        answer({"unusable": str(problem)})
    except AttributeError:
        answer({"unusable": f"{order['file']} has no {order['name']}"})
    else:
        for number, (args, kwargs) in enumerate(order["calls"]):
            given = decode(args, refuse), decode(kwargs, refuse)
            answer({"n": number, **call(function, *given, order["workspace"], trace=order["trace"])})
    os._exit(0)


def refuse(_data: Any) -> Any:
    """There are only plain values in an order."""
    raise WireError("no plain value")


def call(function: Any, args: Any, kwargs: Any, workspace: str, *, trace: bool) -> dict[str, Any]:
    """The reply to one call, with the workspace lines that it executed if they are to be traced."""
    lines: set[tuple[str, int]] = set()
    home = os.path.join(os.path.realpath(workspace), "")  # noqa: PTH118

    def enter(frame: FrameType, _event: str, _argument: Any) -> Any:
        place = os.path.realpath(frame.f_code.co_filename)
        if not place.startswith(home):
            return None
        path = place.removeprefix(home)

        def step(frame: FrameType, event: str, _argument: Any) -> Any:
            if event == "line":
                lines.add((path, frame.f_lineno))
            return step

        return step

    try:
        if trace:
            threading.settrace(enter)  # for threads that the call starts
            sys.settrace(enter)
        try:
            value = function(*args, **kwargs)
        finally:
            sys.settrace(None)
            threading.settrace(None)
        reply = {"value": encode(value, opaque, containers=True)}
    except BaseException as error:  # noqa: BLE001 - the code under test may raise anything
        reply = {"raised": str(type(error).__name__)[:200], "message": message_of(error)}
    return {**reply, "lines": sorted(lines)}


def opaque(value: Any) -> dict[str, Any]:
    """The stand-in for a value that is no plain data: the name of its type and how it shows itself."""
    try:
        shown = str(repr(value))[:200]
    except BaseException:  # noqa: BLE001 - the code under test may raise anything
        shown = ""
    return {"t": "opaque", "type": str(type(value).__name__)[:200], "repr": shown}


def message_of(error: BaseException) -> str:
    """At most 300 characters of what an exception says, whatever its own methods do."""
    try:
        return str(error)[:300]
    except BaseException:  # noqa: BLE001 - the code under test may raise anything
        return "an exception that cannot be shown"


class Unusable(Exception):
    """The code cannot be loaded; one sentence says why."""


def load_file(workspace: str, file: str) -> ModuleType:
    """Import a module by its workspace path, as the package module it is.

    Raises:
        Unusable: there is none, or importing it fails, in whatever way.
    """
    place = os.path.join(workspace, file)  # noqa: PTH118
    if not os.path.isfile(place):  # noqa: PTH113
        raise Unusable(f"{file} is missing")
    stem = file.removesuffix(".py")
    extend_path(workspace, ("", os.path.dirname(file)))  # noqa: PTH120
    try:
        parts = stem.removesuffix("/__init__").split("/")
        if parts[0] not in sys.stdlib_module_names and all(part.isidentifier() for part in parts):
            module = importlib.import_module(".".join(parts))
            if os.path.realpath(getattr(module, "__file__", None) or "") == os.path.realpath(place):
                return module
        # A name that belongs to another file (it is called like a standard module), or that is none: the file alone.
        name = "workspace_" + "".join(c if c.isalnum() else "_" for c in stem)
        spec = importlib.util.spec_from_file_location(name, place)
        if spec is None or spec.loader is None:
            raise Unusable(f"{place} is no Python module")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module
    except BaseException as error:
        raise Unusable(f"{file} cannot be imported: {type(error).__name__}: {message_of(error)}") from error


def extend_path(workspace: str, folders: Sequence[str]) -> None:
    """Append workspace folders to `sys.path`: behind everything else, so that they shadow nothing."""
    for folder in folders:
        place = os.path.normpath(os.path.join(workspace, folder))  # noqa: PTH118 - pathlib stays out of the way here
        if place not in sys.path:
            sys.path.append(place)
