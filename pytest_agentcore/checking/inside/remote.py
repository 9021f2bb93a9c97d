"""The judge's side of a worker: stand-ins for the modules, classes, objects and exceptions of the model's code.

A stand-in equals nothing but itself and has no arithmetic and no order, so that no method of the model's code takes
part in a comparison: tests compare plain data. Two values of the code are never the same stand-in. Built-in exceptions
are raised as themselves, the code's own as classes made here, with the same names and bases.
"""

from __future__ import annotations

import builtins
import sys
import types
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from types import ModuleType
from typing import Any

from .wire import BEHAVIOUR, Pipe, Silence, WireError, decode, encode

_RUNS_TESTS = frozenset({"unittest", "pytest", "_pytest"})
"""Modules whose exceptions steer a test run (SkipTest): the code under test cannot raise theirs."""
_NOT_RAISED = frozenset({"KeyboardInterrupt", "GeneratorExit"})
"""Built-in ones that would stop the run instead of failing a test."""


class Link:
    """The judge's end of the pipe to a worker."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._local: list[Any] = []
        self._made: dict[tuple[str, str], type[BaseException]] = {}
        """The code's own exception classes, those that it has named so far."""
        self.silence = ""
        """Why the worker no longer answers; empty while it does."""

    def ask(self, op: str, *args: Any) -> Any:
        """The value that an operation gives in the worker; raises what it raised there.

        Raises:
            Silence: the worker has ended, sent garbage or did not answer in time; from now on always.
            TypeError: an argument cannot be given to the code under test.
        """
        request = {"op": op, "args": [self._encode(arg) for arg in args]}
        try:
            if self.silence:
                raise Silence(self.silence)
            reply = self._pipe.exchange(request, self._answer)
            sys.stdout.write(str(reply.get("printed", "")))
            error = self._exception(reply["raised"]) if "raised" in reply else None
            # Do to a call's own arguments what the code under test did to its copies.
            for number, data in (reply["mutated"] if error is None else {}).items():
                old, new = args[1][int(number)], self._decode(data)
                if type(old) is not type(new):
                    raise WireError("an argument changed its type")
                _REFILL[type(old)](old, new)
            value = None if error is not None else self._decode(reply["value"])
        except (Silence, LookupError, TypeError, ValueError, AttributeError, RecursionError) as problem:
            said = str(problem) if isinstance(problem, Silence) else "the code under test sent no value"
            self.silence = self.silence or said
            raise Silence(self.silence) from None
        # Raised out here: in there, what the code has raised would be taken for a message that cannot be read.
        if error is not None:
            raise error
        return value

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Serve a request of the worker: calling a function that a test handed over."""
        try:
            number, args, kwargs = (self._decode(arg) for arg in request["args"])
            return {"value": self._encode(self._local[number](*args, **kwargs)), "mutated": {}}
        except Exception as error:  # noqa: BLE001 - goes to the caller, as if the function had been called there
            return {"raised": {"module": type(error).__module__, "name": type(error).__name__, "message": str(error)}}

    def _encode(self, value: Any) -> Any:
        return encode(value, self._reference, containers=False)

    def _decode(self, data: Any) -> Any:
        return decode(data, self._stand_in)

    def _reference(self, value: Any) -> dict[str, Any]:
        kind, number = value if isinstance(value, type) else type(value), None
        if isinstance(value, Remote):
            number = value._agentcore_number
        elif issubclass(kind, BaseException) and "_agentcore_made" in vars(kind):
            number = getattr(value, "_agentcore_number", None)
        if number is not None:
            return {"t": "object", "v": number}
        if callable(value):
            self._local.append(value)
            return {"t": "local", "v": len(self._local) - 1}
        raise TypeError(
            f"{type(value).__name__} cannot be given to the code under test; give it plain data or a function"
        )

    def _stand_in(self, data: dict[str, Any]) -> Any:
        if data["t"] == "object":
            can = frozenset(name for name in data["can"] if name in BEHAVIOUR)
            return _remote_class(can)(self, int(data["v"]), str(data["type"]))
        if data["t"] == "exception":
            return self._exception_class(data)
        if data["t"] == "local":
            return self._local[int(data["v"])]
        if data["t"] == "namedtuple":
            kind = namedtuple(str(data["name"]), [str(name) for name in data["fields"]])  # type: ignore[misc]
            return kind(*self._decode(data["v"]))
        raise WireError("no value")

    def _exception_class(self, data: dict[str, Any]) -> type[BaseException]:
        """The class that a description means; classes of the workspace are made, each once."""
        module, name = str(data["module"]), str(data["name"])
        known, root = self._made.get((module, name)), module.partition(".")[0]
        if known is None and root in sys.stdlib_module_names and root not in _RUNS_TESTS:
            found = getattr(builtins if module == "builtins" else sys.modules.get(module), name, None)
            known = found if isinstance(found, type) and issubclass(found, BaseException) else None
            if module == "builtins" and (known is None or name in _NOT_RAISED):
                known = RuntimeError
        if known is None:
            bases = tuple(self._exception_class(base) for base in data["bases"]) or (Exception,)
            known = self._made[module, name] = self._make(module, name, bases)
        if "v" in data and "_agentcore_made" in vars(known):
            known._agentcore_number = int(data["v"])  # type: ignore[attr-defined]
        return known

    def _exception(self, data: dict[str, Any]) -> BaseException:
        """The exception to raise."""
        number, message = int(data["v"]), str(data["message"])
        kind = self._exception_class({key: value for key, value in data.items() if key != "v"})
        args = decode(data["args"], lambda _data: None)
        error: BaseException = RuntimeError(f"{kind.__name__}: {message}")
        for given in (args if isinstance(args, tuple) else (message,), (message,)):
            with suppress(Exception):  # a class of the standard library may want other arguments than it keeps
                error = kind(*given)
                break
        if "_agentcore_made" in vars(kind):
            vars(error).update(_agentcore_number=number, _agentcore_message=message)
        return error

    def _make(self, module: str, name: str, bases: tuple[type[BaseException], ...]) -> type[BaseException]:
        def show(error: Any) -> str:
            return str(vars(error).get("_agentcore_message", ""))

        def attribute(error: Any, attribute_name: str) -> Any:
            if attribute_name.startswith("_"):
                raise AttributeError(attribute_name)
            there = Remote(self, vars(error)["_agentcore_number"], "exception")
            return self.ask("get", there, attribute_name)

        body = {"__module__": module, "__str__": show, "__getattr__": attribute, "_agentcore_made": True}
        try:
            return types.new_class(name, bases, exec_body=lambda namespace: namespace.update(body))
        except TypeError:  # bases that do not go together here
            return types.new_class(name, (Exception,), exec_body=lambda namespace: namespace.update(body))


_REFILL: dict[type, Callable[[Any, Any], object]] = {
    list: lambda old, new: old.__setitem__(slice(None), new),
    bytearray: lambda old, new: old.__setitem__(slice(None), new),
    dict: lambda old, new: (old.clear(), old.update(new)),
    set: lambda old, new: (old.clear(), old.update(new)),
}


class Remote:
    """Stands for an object of the model's code."""

    __slots__ = ("_agentcore_link", "_agentcore_number", "_agentcore_type")

    _agentcore_link: Link
    _agentcore_number: int
    _agentcore_type: str

    def __init__(self, link: Link, number: int, kind: str) -> None:
        object.__setattr__(self, "_agentcore_link", link)
        object.__setattr__(self, "_agentcore_number", number)
        object.__setattr__(self, "_agentcore_type", kind)

    def __repr__(self) -> str:
        return f"<{self._agentcore_type[:80]} of the code under test>"

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __str__(self) -> str:
        return str(self._agentcore_link.ask("str", self))

    def __bool__(self) -> bool:
        return self._agentcore_link.ask("bool", self) is True

    def __getattr__(self, name: str) -> Any:
        return self._agentcore_link.ask("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._agentcore_link.ask("set", self, name, value)

    def __delattr__(self, name: str) -> None:
        self._agentcore_link.ask("del", self, name)

    def __instancecheck__(self, instance: Any) -> bool:
        return self._agentcore_link.ask("isinstance", instance, self) is True

    def __subclasscheck__(self, subclass: Any) -> bool:
        return self._agentcore_link.ask("issubclass", subclass, self) is True


def _iterate(self: Remote) -> Iterator[Any]:
    iterator = self._agentcore_link.ask("iter", self)
    while True:
        try:
            item = self._agentcore_link.ask("next", iterator)
        except StopIteration:
            return
        yield item


def _leave(self: Remote, *_error: object) -> None:  # nothing that the code answers may swallow a test's failure
    self._agentcore_link.ask("exit", self)


_METHODS: dict[str, Callable[..., Any]] = {
    "__call__": lambda self, *args, **kwargs: self._agentcore_link.ask("call", self, args, kwargs),
    "__len__": lambda self: self._agentcore_link.ask("len", self),
    "__iter__": _iterate,
    "__next__": lambda self: self._agentcore_link.ask("next", self),
    "__getitem__": lambda self, key: self._agentcore_link.ask("getitem", self, key),
    "__setitem__": lambda self, key, value: self._agentcore_link.ask("setitem", self, key, value),
    "__delitem__": lambda self, key: self._agentcore_link.ask("delitem", self, key),
    "__enter__": lambda self: self._agentcore_link.ask("enter", self),
    "__exit__": _leave,
}
"""All that a stand-in may be able to do besides, see `BEHAVIOUR`; each one gets what its object can do."""


@cache
def _remote_class(can: frozenset[str]) -> type[Remote]:
    """A class of stand-ins with these methods, so that `callable`, `len` and `isinstance` say what they should."""
    methods = {name: _METHODS[name] for name in BEHAVIOUR if name in can}
    return type("Remote", (Remote,), {"__slots__": (), **methods})


class RemoteModule(ModuleType):
    """Stands for a module of the model's code; what the import system itself keeps on a module stays here."""

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return self._agentcore_link.ask("names", self._agentcore_module)
        if name.startswith("__") or "_agentcore_module" not in vars(self):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(self._agentcore_module, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__") or isinstance(value, ModuleType):
            super().__setattr__(name, value)
        else:
            setattr(self._agentcore_module, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._agentcore_module, name)
