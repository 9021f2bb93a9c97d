"""Exceptions of the model's code, raised again in the judge: built-in ones as themselves, its own ones by name."""

from __future__ import annotations

import builtins
import sys
import types
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .wire import decode

_RUNS_TESTS = frozenset({"unittest", "pytest", "_pytest"})
"""Modules whose exceptions steer a test run (SkipTest): the code under test cannot raise theirs."""
_NOT_RAISED = frozenset({"KeyboardInterrupt", "GeneratorExit"})
"""Built-in ones that would stop the run instead of failing a test."""


class Exceptions:
    """The exception classes that a worker has named so far."""

    def __init__(self, attribute: Callable[[int, str], Any]) -> None:
        """`attribute` gives an attribute of the exception that has this number in the worker."""
        self._attribute = attribute
        self._made: dict[tuple[str, str], type[BaseException]] = {}

    def kind(self, data: dict[str, Any]) -> type[BaseException]:
        """The class that a description means; classes of the workspace are made, each once."""
        module, name = str(data["module"]), str(data["name"])
        known = self._made.get((module, name)) or _builtin(module, name)
        if known is None:
            bases = tuple(self.kind(base) for base in data["bases"]) or (Exception,)
            known = self._made[module, name] = self._make(module, name, bases)
        if "v" in data and "_agentcore_made" in vars(known):
            known._agentcore_number = int(data["v"])  # type: ignore[attr-defined]
        return known

    def instance(self, data: dict[str, Any]) -> BaseException:
        """The exception to raise."""
        number, message = int(data["v"]), str(data["message"])
        kind = self.kind({key: value for key, value in data.items() if key != "v"})
        args = decode(data["args"], lambda _data: None)
        error = _constructed(kind, args if isinstance(args, tuple) else (message,), message)
        if "_agentcore_made" in vars(kind):
            vars(error).update(_agentcore_number=number, _agentcore_message=message)
        return error

    def _make(self, module: str, name: str, bases: tuple[type[BaseException], ...]) -> type[BaseException]:
        def show(error: Any) -> str:
            return str(vars(error).get("_agentcore_message", ""))

        def attribute(error: Any, attribute_name: str) -> Any:
            if attribute_name.startswith("_"):
                raise AttributeError(attribute_name)
            return self._attribute(vars(error)["_agentcore_number"], attribute_name)

        body = {"__module__": module, "__str__": show, "__getattr__": attribute, "_agentcore_made": True}
        try:
            return types.new_class(name, bases, exec_body=lambda namespace: namespace.update(body))
        except TypeError:  # bases that do not go together here
            return types.new_class(name, (Exception,), exec_body=lambda namespace: namespace.update(body))


def number_of(value: Any) -> int | None:
    """The number that a made exception, or its class, has in the worker."""
    known = value if isinstance(value, type) else type(value)
    if issubclass(known, BaseException) and "_agentcore_made" in vars(known):
        return getattr(value, "_agentcore_number", None)
    return None


def _builtin(module: str, name: str) -> type[BaseException] | None:
    if module == "builtins":
        found = getattr(builtins, name, None)
        return RuntimeError if name in _NOT_RAISED or not _is_exception(found) else found
    root = module.partition(".")[0]
    if root in _RUNS_TESTS or root not in sys.stdlib_module_names:
        return None
    found = getattr(sys.modules.get(module), name, None)
    return found if _is_exception(found) else None


def _is_exception(found: Any) -> bool:
    return isinstance(found, type) and issubclass(found, BaseException)


def _constructed(kind: type[BaseException], args: tuple[Any, ...], message: str) -> BaseException:
    with suppress(Exception):  # a class of the standard library may want other arguments than it keeps
        return kind(*args)
    with suppress(Exception):
        return kind(message)
    return RuntimeError(f"{kind.__name__}: {message}")
