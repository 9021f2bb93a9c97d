"""Calls of the code under test: what is asked, the outcome, and whether it is the one that a reference gives."""

from __future__ import annotations

import ast
import copy
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from pytest_agentcore.checking.inside.direct import PARAMETERS, qualified
from pytest_agentcore.checking.inside.wire import WireError, decode, encode
from pytest_agentcore.checking.readers import excerpt
from pytest_agentcore.untrusted import clip

T = TypeVar("T")
SHOWN = 200
"""Columns that a sentence spends on a call, and on a value."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call, or the question how a function is declared and which value a constant has."""

    target: str
    """`path/in/workspace.py:name`"""
    args: Sequence[Any] | None = None
    """None where nothing is called."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def order(self) -> list[Any]:
        """The form in which it is sent: file, name, arguments.

        Raises:
            TypeError: an argument is no plain data.
            ValueError: the target has another form.
        """
        file, colon, name = self.target.partition(":")
        if not colon or not name or not file.endswith(".py") or file.startswith("/") or ".." in file.split("/"):
            raise ValueError(f"{self.target!r} is not `path/in/workspace.py:function`")
        return [file, name, self.args if self.args is None else _plain(list(self.args)), _plain(dict(self.kwargs))]

    def __str__(self) -> str:
        file, _colon, name = self.target.partition(":")
        if self.args is None:
            return f"{file}: {name}"
        given = [*map(repr, self.args), *(f"{key}={value!r}" for key, value in self.kwargs.items())]
        return f"{file}: {name}({clip(', '.join(given), SHOWN)})"


def _plain(value: Any) -> Any:
    def refuse(value: Any) -> Any:
        raise TypeError(f"{type(value).__name__} cannot be passed to code under test: arguments are plain data")

    return encode(value, refuse, containers=True)


@dataclass(frozen=True, slots=True, eq=False)
class Opaque:
    """A value that is no plain data. It equals nothing, itself included, and says nothing but what it looked like."""

    type_name: str
    repr: str

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return id(self)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one call of the code under test: a value or an exception."""

    value: Any
    """Plain data, or an `Opaque`; also an `Opaque` when the call raised."""
    raised: str = ""
    """The exception's class name; empty when it returned."""
    message: str = ""
    """The exception's own text."""
    kinds: tuple[str, ...] = ()
    """The exception's class and its bases, each with its module's name unless it is built in."""
    left: Any = None
    """The positional and the named arguments as the call left them; None when it did not change them."""

    @classmethod
    def read(cls, message: Mapping[str, Any]) -> Outcome:
        """The outcome in a worker's reply, which the code under test may have written itself."""
        left = _decoded(message["left"]) if "left" in message else None
        if "raised" not in message:
            return cls(_decoded(message.get("value")), left=left)
        name, kinds = str(message["raised"]), message.get("kinds")
        return cls(
            Opaque("exception", name),
            name or "unnamed",
            str(message.get("message", "")),
            tuple(map(str, kinds)) if isinstance(kinds, list) else (),
            left,
        )

    def __str__(self) -> str:
        if self.raised:
            return f"raises {clip(self.raised, 40)} ({excerpt(self.message)})"
        return f"gives {clip(repr(self.value), SHOWN)}"

    def raises(self, kind: type[BaseException]) -> bool:
        """Whether it raised an exception of this class, or of a subclass."""
        return qualified(kind) in self.kinds

    def returned(self, kind: type[T]) -> T:
        """The value, which must be of this type, so that a checker can calculate with it.

        `float` takes integers too; `bool` is no integer.

        Raises:
            AssertionError: it raised, or returned something else.
        """
        if self.raised:
            raise AssertionError(f"raised {clip(self.raised, 40)} ({excerpt(self.message)})")
        # Beyond 53 bits a float no longer holds every integer.
        fits = type(self.value) is kind or (kind is float and type(self.value) is int and abs(self.value) < 1 << 53)
        if not fits:
            raise AssertionError(f"returned {excerpt(repr(self.value))}, not {kind.__name__}")
        return kind(self.value)  # type: ignore[call-arg]


def _decoded(data: Any) -> Any:
    try:
        return decode(data, lambda other: Opaque(str(other.get("type", ""))[:200], str(other.get("repr", ""))[:200]))
    except WireError:
        return Opaque("unreadable", "")


# The behaviour of a reference: what it is asked, and what differs.

BY_NAME = 4
"""Each so many-th call names its arguments."""


def questions(texts: Mapping[str, str], calls: Mapping[str, Iterable[Sequence[Any]]]) -> list[Call]:
    """Ask for everything public in the modules that are called, then make the calls, some of them by name.

    Raises:
        ValueError: a function has no calls, or a module is not among the reference's files.
    """
    asked, made = [], []
    for path in dict.fromkeys(target.partition(":")[0] for target in calls):
        if path not in texts:
            raise ValueError(f"{path} is not among the reference's files")
        functions, others = _public(texts[path])
        if missing := [name for name in functions if f"{path}:{name}" not in calls]:
            raise ValueError(f"{path}: every public function must be called, {', '.join(missing)} too")
        asked += [Call(f"{path}:{name}") for name in (*functions, *others)]
        for name, parameters in functions.items():
            for number, args in enumerate(calls[f"{path}:{name}"]):
                named = dict(zip(parameters, args, strict=False)) if number % BY_NAME == BY_NAME - 1 else {}
                made.append(Call(f"{path}:{name}", args[len(named) :], named))
    return asked + made


def _public(source: str) -> tuple[dict[str, list[str]], list[str]]:
    """A module's public functions, each with the parameters that can be named in order, and its other public names."""
    functions, others = dict[str, list[str]](), list[str]()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            functions[node.name] = [] if node.args.posonlyargs else [arg.arg for arg in node.args.args]
        elif isinstance(node, ast.ClassDef):
            others.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            stored = (part for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store))
            others += [name.id for name in stored]
    return functions, [name for name in others if not name.startswith("_")]


def difference(call: Call, wanted: Outcome, found: Outcome, *, exact: bool) -> str:
    """Say how an outcome differs from the reference's; empty where it does not."""
    if isinstance(wanted.value, Opaque) and not wanted.raised:
        raise ValueError(f"{call} {wanted} in the reference, which is no plain data")
    if call.args is None:
        if alike(wanted.value, _required(found.value, wanted.value), exact=True):
            return ""
        return f"{call} is {clip(repr(found.value), SHOWN)}; it must be {clip(repr(wanted.value), SHOWN)}"
    if wanted.raised:
        same = bool(found.raised) and wanted.kinds[0] in found.kinds
    else:
        same = not found.raised and alike(wanted.value, found.value, exact=exact)
    if not same:
        must = f"raise {wanted.raised}" if wanted.raised else f"give {clip(repr(wanted.value), SHOWN)}"
        return f"{call} {found}; it must {must}"
    if not alike(wanted.left, found.left, exact=True):
        return f"{call} leaves its arguments changed: {clip(repr(found.left), SHOWN)}"
    return ""


def _required(found: Any, wanted: Any) -> Any:
    """Parameters without those that were added, keyword-only and optional; anything else as it is."""
    if not (type(found) is type(wanted) is tuple and wanted[:1] == found[:1] == (PARAMETERS,)):
        return found
    known = {name for name, *_ in wanted[1:]}
    return tuple(
        part for part in found if part == PARAMETERS or part[0] in known or part[1:3] != ["KEYWORD_ONLY", True]
    )


def alike(one: Any, other: Any, *, exact: bool) -> bool:
    """Whether two plain values are the same; see `Trial.compare` for `exact`."""
    if not exact and {type(one), type(other)} == {int, float}:
        # An integer may be larger than any float.
        one, other = (float(number) if abs(number) < 1 << 1000 else number for number in (one, other))
    if not exact and type(one) is type(other) is float:
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9) or repr(one) == repr(other)
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(alike(a, b, exact=exact) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key], exact=exact) for key in one)
    return repr(one) == repr(other) if type(one) is float else bool(one == other)


# Inputs: changed copies of examples, as a property-based test would try them.

ITEM = "an item of a list"
TRIES = 10
"""Copies made for each that is wanted: a small example has few that differ."""


def varied(examples: Sequence[tuple[Any, ...]], random: Random, count: int) -> list[tuple[Any, ...]]:
    """The examples and changed copies of them; see `Trial.vary`."""
    seen: dict[Any, list[Any]] = {}
    for key, value in _parts(examples):
        seen.setdefault(key, []).append(value)
    made = {repr(example): example for example in examples}
    wanted = len(made) + count
    for _ in range(TRIES * count):
        arguments = [*copy.deepcopy(random.choice(examples))]
        for _ in range(random.randint(1, 3)):
            at = random.randrange(len(arguments))
            others = [example[at] for example in examples if len(example) > at]
            whole = random.randrange(4) == 0
            arguments[at] = copy.deepcopy(random.choice(others)) if whole else _changed(arguments[at], seen, random)
        made.setdefault(repr(tuple(arguments)), tuple(arguments))
        if len(made) == wanted:
            break
    return list(made.values())


def _parts(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every part of a value, with the key of a dict that it stands at, or `ITEM`."""
    pairs = value.items() if isinstance(value, dict) else ((ITEM, item) for item in value)
    for key, part in pairs:
        yield key, part
        if isinstance(part, dict | list | tuple):
            yield from _parts(part)


def _changed(value: Any, seen: Mapping[Any, list[Any]], random: Random) -> Any:
    """A copy with one part changed."""
    if isinstance(value, dict) and value:
        key = random.choice(list(value))
        if random.randrange(5) == 0:
            return {other: value[other] for other in value if other != key}
        return {**value, key: _exchanged(value[key], key, seen, random)}
    if isinstance(value, list | tuple):
        items = list(value)
        if items and random.randrange(3):
            at = random.randrange(len(items))
            items[at] = _exchanged(items[at], ITEM, seen, random)
        else:
            items = random.choice([[], items * 2, items[::-1], items[1:], items[:-1]])
        return type(value)(items)
    return random.choice(_near(value, random))


def _exchanged(value: Any, place: Any, seen: Mapping[Any, list[Any]], random: Random) -> Any:
    """Another value that was seen in such a place, or the value changed."""
    nested = isinstance(value, dict | list | tuple)
    others = [other for other in seen.get(place, ()) if not nested or type(other) is type(value)]
    return copy.deepcopy(random.choice(others)) if others and random.randrange(2) else _changed(value, seen, random)


def _near(value: Any, random: Random) -> list[Any]:
    """Values of the same type that code is likely to treat otherwise; of most types only the value itself."""
    match value:
        case bool():
            return [not value]
        case int():
            return [0, 1, -1, value + 1, value - 1, -value, value * 10, value // 2]
        case float():
            return [0.0, round(value + 0.01, 6), value - 1, -value, value * 10, value / 2, float(round(value))]
        case str():
            at = random.randrange(len(value)) if value else 0
            other = random.choice("0123456789" if value[at : at + 1].isdigit() else "abcdefgh")
            spelt = value[:at] + other + value[at + 1 :] if value[at : at + 1].isalnum() else value
            return ["", f" {value} ", value.swapcase(), value[:-1], value + value[-1:], spelt, spelt]
    return [value]
