"""The process in which `witness` lets a checker be asked again: a JSON object per line comes in, and one goes out.

What the checker's own code consults is seen by a profile function, so one that reads the clock or draws by chance is
found for certain, and not only where it happens to say something else. Sets that the suite's code writes down, and
folders, are gone through in a given direction, so one that takes the first of them says something else for certain.
"""

from __future__ import annotations

import ast
import builtins
import importlib.util
import json
import linecache
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Self

import _pytest

import pytest_agentcore
from pytest_agentcore.checking.trial import Trial
from pytest_agentcore.checks.ask import Said, is_rejection
from pytest_agentcore.checks.witness import command_key
from pytest_agentcore.sandbox.base import Command, Completed, Sandbox, Workspace
from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.tasks.task import Instance, Task
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import CallRecord
from pytest_agentcore.trial.stored import from_json

CLOCKS = frozenset({"now", "utcnow", "today"})
"""Class methods of dates."""
CHANCE = {
    "time": None,  # all of it, but for waiting
    "posix": frozenset({"urandom", "getrandom", "getpid", "getppid", "getloadavg", "times", "cpu_count"}),
    "_uuid": None,
    "_random": None,
}
"""C functions whose results differ between runs, by module; None means all of them."""
NOT_ASKED = ("tempfile.py", "subprocess.py", "threading.py", "selectors.py", "queue.py", "logging/__init__.py")
"""Parts of the library that consult a clock or chance for purposes of their own."""
OURS = (os.path.dirname(pytest_agentcore.__file__), os.path.dirname(_pytest.__file__), "<frozen importlib")  # noqa: PTH120


def main() -> None:
    """Answer orders until there are no more."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a checker may print
    sys.dont_write_bytecode = True
    in_any_order, entries = os.listdir, os.scandir
    os.listdir = lambda *place: Order.of(in_any_order(*place))
    os.scandir = lambda *place: _Entries(entries(*place))  # type: ignore[assignment]
    known: dict[tuple[str, bool, int], tuple[Task, Instance]] = {}
    for line in sys.stdin.buffer:
        try:
            reply = _answer(json.loads(line), known)
        except Exception as error:  # noqa: BLE001 - a task's module, and its functions
            reply = {"problem": f"{type(error).__name__}: {error}"}
        out.write(f"{json.dumps(reply)}\n")
        out.flush()


def _answer(order: Mapping[str, Any], known: dict[tuple[str, bool, int], tuple[Task, Instance]]) -> dict[str, Any]:
    """Open the trial that the order tells of and ask its checker, more than once where it may count how often."""
    Order.backwards = backwards = order["backwards"]
    module, run, watch = order["module"], order["run"], Watch(order["suite"])
    if (module, backwards, run) not in known:
        with watch:
            loaded = (task for at, (task, _) in known.items() if at[:2] == (module, backwards))
            task = next(loaded, None) or _load(module, order["name"], order["suite"])
            known[module, backwards, run] = task, task.instance(order["version"], run)
    task, instance = known[module, backwards, run]
    root, tmp = map(Path, order["workspace"])
    seconds = 1000.0 if backwards else 0.0
    trial = Trial.open(
        task=task,
        instance=instance,
        run=run,
        frozen=Workspace(root, tmp),
        sandbox=_Replay(order["sandbox"], order["image"], order["taken"]),
        calls=[replace(from_json(CallRecord, call), seconds=seconds) for call in order["calls"]],
        answer=order["answer"],
        stop_reason=StopReason(order["stop_reason"]),
        skipped=order["skipped"],
    )
    # what was changed can no longer be seen in a copy whose protected files are restored
    again = replace(trial, _changed=FrozenInOrder(order["changed"]))
    said = [_verdict(task, again, watch) for _ in range(order["times"])]
    return {"said": said, "consulted": sorted(watch.consulted), "instance": instance.digest()}


def _verdict(task: Task, trial: Trial, watch: Watch) -> str:
    """The checker's verdict, without the words."""
    try:
        with watch:
            returned: object = task.checker(trial)  # type: ignore[func-returns-value]
    except BaseException as error:  # noqa: BLE001 - a checker may raise anything, and that is its answer
        return Said.rejected if is_rejection(error) else Said.broken
    return Said.accepted if returned is None else Said.broken


@dataclass
class _Replay(Sandbox):
    """A sandbox that gives what was given for the same command before; anything else it runs."""

    facts: Mapping[str, Any]
    """What the sandbox said of itself."""
    image: str
    taken: Mapping[str, list[dict[str, Any]]]
    times: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.facts["name"])

    def run(self, workspace: Workspace, command: Command) -> Completed:
        """See `Sandbox`, here and below."""
        key = command_key(workspace, command)
        if not (done := self.taken.get(key)):
            return self._opened.run(workspace, command)
        number = self.times[key] = self.times.get(key, -1) + 1
        facts = done[min(number, len(done) - 1)]
        return Completed(**{**facts, "output": facts["output"].encode("latin-1")})

    def path(self, workspace: Workspace, inside: str) -> str:
        return self._opened.path(workspace, inside) if self.name == "process" else inside

    def describe(self) -> Mapping[str, Any]:
        return self.facts

    @property
    def _opened(self) -> Sandbox:
        return _open(self.facts["name"], self.facts.get("engine", ""), self.image)


_open = cache(lambda kind, engine, image: open_sandbox(kind, engine=engine, images={"": image} if image else {}))
"""The sandbox, opened once."""


class Watch:
    """Takes down which sources of chance the code of a suite consults while it is entered."""

    def __init__(self, suite: str) -> None:
        self.consulted: set[str] = set()
        self._suite, self._seeded = os.path.join(suite, ""), False  # noqa: PTH118

    def __enter__(self) -> Self:
        self._seeded = False
        threading.setprofile(self._look)
        sys.setprofile(self._look)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _look(self, frame: FrameType, event: str, called: Any) -> None:
        source = ""
        if event == "c_call":
            source = self._source(frame, called)
        elif event == "call" and frame.f_code is random.Random.seed.__code__:
            given = frame.f_locals.get("a")
            source = "random.Random() without a seed" if given is None else ""
            # the module's own generator may be seeded, too, each time that the checker is asked
            self._seeded |= given is not None and frame.f_locals.get("self") is random._inst
        if source and (where := self._asked_by(frame)):
            self.consulted.add(f"{source} ({where})")

    def _source(self, frame: FrameType, called: Any) -> str:
        name, owner = called.__name__, getattr(called, "__self__", None)
        module = getattr(called, "__module__", None)
        if owner is random._inst and name in ("random", "getrandbits"):
            return "" if self._seeded else "the random module"
        if name in CLOCKS and isinstance(owner, type):
            return f"{owner.__name__}.{name}()"
        if name in ("hash", "id") and module == "builtins":  # of a class's own __hash__ nothing but sets depends
            direct = frame.f_code.co_filename.startswith(self._suite) and frame.f_code.co_name != "__hash__"
            return f"{name}()" if direct else ""
        names = CHANCE.get(str(module), frozenset[str]())
        if (names is None or name in names) and name not in ("sleep", "strptime", "mktime"):
            return f"{str(module).replace('posix', 'os')}.{name}()"
        return ""

    def _asked_by(self, frame: FrameType | None) -> str:
        """The line of the suite for which something is consulted; nothing where it is not for the suite."""
        while frame:
            file = frame.f_code.co_filename
            if file.startswith(self._suite) and "site-packages" not in file:
                line = linecache.getline(file, frame.f_lineno).strip()
                return f"line {frame.f_lineno}: {line}"
            if file.startswith(OURS) or file.endswith(NOT_ASKED):
                return ""
            frame = frame.f_back
        return ""


class Order:
    """The direction in which sets and folders are gone through."""

    backwards = False

    @classmethod
    def of(cls, values: Any, key: Callable[[Any], Any] = repr) -> list[Any]:
        """The values in it."""
        return sorted(values, key=key, reverse=cls.backwards)


class _Entries:
    """The entries of a folder, in order, as `os.scandir` gives them."""

    def __init__(self, entries: Any) -> None:
        with entries:
            self._left = iter(Order.of(entries, lambda entry: entry.name))

    def __iter__(self) -> Iterator[Any]:
        return self._left

    def __next__(self) -> Any:
        return next(self._left)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is open any more."""


def _in_order(base: type[Any]) -> type[Any]:
    """A kind of set that is gone through in order, as are those that are made of it."""

    def kept(method: Callable[..., Any]) -> Callable[..., Any]:
        def same(self: Any, *others: Any) -> Any:
            made = method(self, *others)
            return type(self)(made) if isinstance(made, base) else made

        return same

    def pop(self: Any) -> Any:
        first = next(iter(self))
        self.remove(first)
        return first

    own: dict[str, Any] = {
        "__iter__": lambda self: iter(Order.of(base.__iter__(self))),
        "__repr__": lambda self: f"{base.__name__}({[*self]!r})",
        "pop": pop,
    }
    words = ("and", "or", "sub", "xor")
    operators = [f"__{reflected}{word}__" for word in words for reflected in ("", "r")]
    for name in (*operators, "union", "intersection", "difference", "symmetric_difference", "copy"):
        own[name] = kept(getattr(base, name))
    return type(base.__name__, (base,), own)


InOrder, FrozenInOrder = _in_order(set), _in_order(frozenset)


class _Ordered(ast.NodeTransformer):
    """Lets the sets that a module writes down be gone through in order."""

    def visit_Set(self, node: ast.Set) -> ast.AST:
        self.generic_visit(node)
        return self._made("set", ast.List(elts=node.elts, ctx=ast.Load()), node)

    def visit_SetComp(self, node: ast.SetComp) -> ast.AST:
        self.generic_visit(node)
        return self._made("set", ast.GeneratorExp(elt=node.elt, generators=node.generators), node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in ("set", "frozenset"):
            node.func.id = f"__agentcore_{node.func.id}__"
        return node

    def _made(self, kind: str, content: ast.expr, node: ast.expr) -> ast.AST:
        call = ast.Call(func=ast.Name(id=f"__agentcore_{kind}__", ctx=ast.Load()), args=[content], keywords=[])
        return ast.fix_missing_locations(ast.copy_location(call, node))


class _Loader(SourceFileLoader):
    """Loads a module of the suite from its source, sets in order."""

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - its signature
        tree = _Ordered().visit(ast.parse(self.get_data(self.path)))
        return compile(tree, self.path, "exec", dont_inherit=True)


@dataclass
class _Finder:
    """Finds the modules of a suite that its task modules import."""

    suite: str

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        """See MetaPathFinder."""
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.origin and spec.origin.startswith(self.suite) and spec.origin.endswith(".py"):
            spec.loader = _Loader(name, spec.origin)
            return spec
        return None


def _load(module: str, name: str, suite: str) -> Task:
    """Load a task module anew, with all of its suite that it imports.

    Raises:
        ImportError: it cannot be found, or declares no task any more.
    """
    vars(builtins).update(__agentcore_set__=InOrder, __agentcore_frozenset__=FrozenInOrder)
    for known, loaded in [*sys.modules.items()]:
        if str(getattr(loaded, "__file__", "")).startswith(os.path.join(suite, "")):  # noqa: PTH118
            del sys.modules[known]
    sys.meta_path.insert(0, _Finder(os.path.join(suite, "")))  # noqa: PTH118
    spec = importlib.util.spec_from_file_location(name, module, loader=_Loader(name, module))
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    spec.loader.exec_module(made)
    declared = (getattr(value, "agentcore", None) for value in vars(made).values())
    found = next((task for task in declared if isinstance(task, Task) and str(task.module) == module), None)
    if found is None:
        raise ImportError(f"{module} declares no task")
    return found


if __name__ == "__main__":
    main()
