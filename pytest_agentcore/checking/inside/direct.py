"""A worker that calls functions of the model's code and prints what they gave.

Reads one JSON object from standard input: `token`, `workspace`, `calls` (each `[file, name, args, kwargs]`) and
`trace`. Where `args` is null, what has the name is described instead: its parameters, or its value. Prints a line per
call, begun with the token. The code could print such lines itself; all it could say with them is what it could have
returned, how it could have been written, and that it left its arguments alone, which a copy of them would have done.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import json
import os
import sys
import threading
from collections.abc import Sequence
from importlib.machinery import PathFinder
from types import FrameType, ModuleType
from typing import Any

from .wire import WireError, decode, encode, say, silence_stdio

PARAMETERS = "parameters"
"""Begins the description of a callable."""


def main() -> None:
    """Answer the order on standard input, then end at once, whatever threads the code has left."""
    order = json.loads(sys.stdin.buffer.read())
    out = silence_stdio()
    token = order["token"].encode()

    def answer(reply: dict[str, Any]) -> None:
        say(out, token + json.dumps(reply).encode())

    try:
        wanted = dict.fromkeys((file, name) for file, name, _args, _kwargs in order["calls"])
        modules = {file: load_file(order["workspace"], file) for file, _name in wanted}
        things = {(file, name): find(modules[file], file, name) for file, name in wanted}
    except Unusable as problem:
        answer({"unusable": str(problem)})
    else:
        for number, (file, name, args, kwargs) in enumerate(order["calls"]):
            thing = things[file, name]
            reply = describe(thing) if args is None else call(thing, args, kwargs, order["workspace"], order["trace"])
            answer({"n": number, **reply})
    os._exit(0)


def find(module: ModuleType, file: str, name: str) -> Any:
    """Look up a dotted name in a module.

    Raises:
        Unusable: it is not there.
    """
    try:
        return functools.reduce(getattr, name.split("."), module)
    except BaseException as error:
        raise Unusable(f"{file} has no {name}") from error


def refuse(_data: Any) -> Any:
    """There are only plain values in an order."""
    raise WireError("no plain value")


def describe(thing: Any) -> dict[str, Any]:
    """The reply that tells a callable's parameters (name, kind, whether it may be left out, default), or a value."""
    try:
        if not callable(thing):
            return {"value": encode(thing, opaque, containers=True)}
        parameters = inspect.signature(thing).parameters.values()
        told = [
            [str(p.name), p.kind.name, p.default is not p.empty, None if p.default is p.empty else p.default]
            for p in parameters
        ]
        return {"value": encode((PARAMETERS, *told), opaque, containers=True)}
    except BaseException as error:  # noqa: BLE001 - the code under test may raise anything
        return {"value": encode((PARAMETERS, message_of(error)), opaque, containers=True)}


def call(function: Any, sent_args: Any, sent_kwargs: Any, workspace: str, trace: bool) -> dict[str, Any]:
    """The reply to one call: what it gave, how it left its arguments if it changed them, and the lines it executed."""
    args, kwargs = decode(sent_args, refuse), decode(sent_kwargs, refuse)
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
        kinds = type.__getattribute__(type(error), "__mro__")
        reply = {"raised": str(type(error).__name__)[:200], "message": message_of(error)}
        reply["kinds"] = [qualified(kind) for kind in kinds]
    left = [encode(part, opaque, containers=True) for part in (args, kwargs)]
    if json.dumps(left) != json.dumps([sent_args, sent_kwargs]):
        reply["left"] = left
    return {**reply, "lines": sorted(lines)}


def qualified(kind: type) -> str:
    """A class's name, with its module's unless it is built in."""
    module, name = str(kind.__module__)[:200], str(kind.__qualname__)[:200]
    return name if module == "builtins" else f"{module}.{name}"


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
            package = ".".join(parts[:-1])
            found = PathFinder.find_spec(
                ".".join(parts), importlib.import_module(package).__path__ if package else None
            )
            if found is not None and os.path.realpath(found.origin or "") == os.path.realpath(place):
                # Whatever it gives: a module may put something else in its place, and its users get that.
                return importlib.import_module(".".join(parts))
        # A name that belongs to another file (it is called like a standard module), or that is none: the file alone.
        name = "workspace_" + "".join(c if c.isalnum() else "_" for c in stem)
        spec = importlib.util.spec_from_file_location(name, place)
        if spec is None or spec.loader is None:
            raise Unusable(f"{place} is no Python module")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return sys.modules[name]
    except BaseException as error:
        raise Unusable(f"{file} cannot be imported: {type(error).__name__}: {message_of(error)}") from error


def extend_path(workspace: str, folders: Sequence[str]) -> None:
    """Append workspace folders to `sys.path`: behind everything else, so that they shadow nothing."""
    for folder in folders:
        place = os.path.normpath(os.path.join(workspace, folder))  # noqa: PTH118 - pathlib stays out of the way here
        if place not in sys.path:
            sys.path.append(place)
