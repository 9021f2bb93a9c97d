"""A worker that serves requests about the model's code over two pipes, for the judge.

A request is `{"op": name, "args": [values]}`; the reply holds `value`, or `raised`, and what the call printed. Objects
that are no plain data stay here and are named by number.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .direct import extend_path, message_of
from .wire import BEHAVIOUR, Pipe, Silence, WireError, decode, encode

_MOST_PRINTED = 100_000
_MUTABLE = (list, dict, set, bytearray)


def main(read: str, write: str, workspace: str) -> None:
    """Serve until the judge closes its end."""
    os.set_inheritable(int(read), False)
    os.set_inheritable(int(write), False)
    pipe = Pipe(int(read), int(write))
    worker = Worker(pipe, workspace)
    try:
        while True:
            pipe.send(worker.answer(pipe.receive()))
    except Silence:
        os._exit(0)


class Worker:
    """The objects that the judge knows by number, and what may be done with them."""

    def __init__(self, pipe: Pipe, workspace: str) -> None:
        self._pipe, self._workspace = pipe, workspace
        self._objects: list[Any] = []
        self._callbacks: dict[int, int] = {}
        self._ops: dict[str, Callable[..., Any]] = {
            "import": self._import,
            "get": getattr,
            "set": setattr,
            "del": delattr,
            "call": lambda function, args, kwargs: function(*args, **kwargs),
            "getitem": lambda thing, key: thing[key],
            "setitem": lambda thing, key, value: type(thing).__setitem__(thing, key, value),
            "delitem": lambda thing, key: type(thing).__delitem__(thing, key),
            "len": len,
            "bool": bool,
            "iter": iter,
            "next": next,
            "str": str,
            "repr": repr,
            "isinstance": isinstance,
            "issubclass": issubclass,
            "enter": lambda thing: type(thing).__enter__(thing),
            "exit": lambda thing: type(thing).__exit__(thing, None, None, None),
            "names": lambda thing: [name for name in dir(thing) if not name.startswith("_")],
        }

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to one request."""
        printed = _Printed()
        sys.stdout, before = printed, sys.stdout
        try:
            args = decode(request["args"], self._known)
            value = self._encode(self._ops[request["op"]](*args))
            # The arguments that a call has changed, by position, as they are now.
            mutated: dict[str, Any] = {}
            if request["op"] == "call" and args[1]:
                sent = request["args"][1]["v"]
                after = {n: self._encode(arg) for n, arg in enumerate(args[1]) if type(arg) in _MUTABLE}
                mutated = {str(n): changed for n, changed in after.items() if changed != sent[n]}
            reply = {"value": value, "mutated": mutated}
        except Silence:
            raise
        except BaseException as error:  # noqa: BLE001 - the code under test may raise anything
            said = {**_described(type(error)), "v": self._keep(error)["v"], "message": message_of(error)}
            plain = error.args if isinstance(error.args, tuple) else ()
            reply = {"raised": {**said, "args": encode(plain, lambda _value: None, containers=True)}}
        finally:
            sys.stdout = before
        return {**reply, "printed": printed.getvalue()}

    def _import(self, name: str, folders: list[str]) -> ModuleType:
        extend_path(self._workspace, folders)
        return importlib.import_module(name)

    def _encode(self, value: Any) -> Any:
        return encode(value, self._keep, containers=False)

    def _keep(self, value: Any) -> dict[str, Any]:
        if id(value) in self._callbacks:
            return {"t": "local", "v": self._callbacks[id(value)]}
        self._objects.append(value)
        number = len(self._objects) - 1
        kind = type(value)
        fields = getattr(kind, "_fields", None)
        if issubclass(kind, tuple) and isinstance(fields, tuple):
            items = [self._encode(item) for item in tuple.__iter__(value)]
            return {"t": "namedtuple", "name": kind.__name__, "fields": list(fields), "v": items}
        if isinstance(value, type) and issubclass(value, BaseException):
            return {"t": "exception", "v": number, **_described(value)}
        # By the classes themselves: getattr would find the metaclass's own, too.
        can = [name for name in BEHAVIOUR if any(name in vars(base) for base in kind.__mro__)]
        return {"t": "object", "v": number, "type": kind.__name__, "can": can}

    def _known(self, data: Any) -> Any:
        if data["t"] == "object":
            return self._objects[data["v"]]
        if data["t"] == "local":
            return self._callback(data["v"])
        raise WireError("no value")

    def _callback(self, number: int) -> Callable[..., Any]:
        def callback(*args: Any, **kwargs: Any) -> Any:
            request = {"op": "call", "args": [number, self._encode(args), self._encode(kwargs)]}
            reply = self._pipe.exchange(request, self.answer)
            if "raised" in reply:
                # The same class where it can be found by name, else a RuntimeError.
                module, name, message = (reply["raised"][key] for key in ("module", "name", "message"))
                kind = getattr(sys.modules.get(module), name, None)
                if isinstance(kind, type) and issubclass(kind, BaseException):
                    raise kind(message)
                raise RuntimeError(f"{name}: {message}")
            return decode(reply["value"], self._known)

        self._objects.append(callback)  # kept alive, or its id could come to mean something else
        self._callbacks[id(callback)] = number
        return callback


class _Printed(io.StringIO):
    """Takes what the code prints during one call, up to a limit."""

    def write(self, text: str) -> int:
        super().write(text[: max(0, _MOST_PRINTED - self.tell())])
        return len(text)


def _described(kind: type) -> dict[str, Any]:
    """An exception class by name, with its bases down to the built-in ones."""
    described: dict[str, Any] = {"module": kind.__module__, "name": kind.__qualname__, "bases": []}
    if kind.__module__ != "builtins":
        described["bases"] = [_described(base) for base in kind.__bases__ if issubclass(base, BaseException)]
    return described
