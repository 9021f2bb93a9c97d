"""The grammar of the constrained policy: an optional short thought, then exactly one well-formed call.

GBNF is what llama.cpp reads (https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from pytest_agentcore.dialects.dialect import HOLE, Dialect, Notation, Outer
from pytest_agentcore.tools.base import ToolSpec, object_schema

FINISH = ToolSpec(
    name="finish",
    description="End the task. Call this once, when the work is done, with your final answer.",
    parameters=object_schema(["answer"], answer={"type": "string", "description": "Your final answer."}),
)
"""The tool that ends a trial under the constrained policy."""

THOUGHT_CHARACTERS = 240
"""Room for a thought before the call, unless the caller says otherwise."""


def call_grammar(
    specs: Sequence[ToolSpec],
    *,
    dialect: Dialect,
    allow_finish: bool,
    thought_characters: int = THOUGHT_CHARACTERS,
    reasoning_open: bool = False,
) -> str:
    """GBNF whose every sentence `parse` reads as one valid call of one of `specs`, without a problem.

    Args:
        specs: the tools; `finish` need not be among them.
        allow_finish: whether `finish` may be called; the first reply of a trial cannot choose it.
        thought_characters: longest thought, a single line before the call; 0 for none.
        reasoning_open: the prompt ends inside a reasoning block, which the reply must close before it can call.

    Raises:
        ValueError: there is nothing to call, or a schema cannot be made into a grammar.
    """
    callable_specs = [spec for spec in specs if spec.name != FINISH.name] + ([FINISH] if allow_finish else [])
    if not callable_specs:
        raise ValueError("a grammar needs at least one tool to call")
    rules = _SchemaRules(dialect.codec.notation)
    marks, closes = dialect.thought, ""
    if reasoning_open and dialect.reasoning:  # which must end before the call
        closes = marks.close if marks else f"\n{dialect.reasoning.close}\n\n"
    rules.rules["root"] = _in_row("thought?" if thought_characters else "", _literal(closes), "call")
    if thought_characters:
        line = _thought_line(dialect, thought_characters)
        alone = f"{_literal(marks.open)} {line} {_literal(marks.close)}" if marks else f'{line} "\\n"'
        rules.rules["thought"] = line if closes else alone
    rules.rules["call"] = ""  # in place before the tools' rules, since one may be called `call`
    choices = [rules.add(f"tool-{spec.name}", _unmarked_call(spec, dialect, rules)) for spec in callable_specs]
    rules.rules["space"] = "[ \\n]{0,2}"
    rules.rules["call"] = _between_markers(dialect, f"({' | '.join(choices)})")
    return "".join(f"{name} ::= {body}\n" for name, body in rules.rules.items())


def _thought_line(dialect: Dialect, characters: int) -> str:
    """One line that holds no first character of a marker, so that it can open nothing.

    Braces and backticks are barred too: given the room, Qwen2.5-Coder writes the call it means as JSON into the
    thought, and then has to make another one.
    """
    bare = dialect.bare_call[1:]  # behind an escape
    opening = (*dialect.open_markers, dialect.reasoning and dialect.reasoning.open, bare)
    barred = "".join(sorted(map(_in_class, {*"`{", *(text[0] for text in opening if text)})))
    return rf"[^{barred}\x00-\x20\x7F] [^{barred}\x00-\x1F\x7F]{{0,{characters - 1}}}"


def _unmarked_call(spec: ToolSpec, dialect: Dialect, rules: _SchemaRules) -> str:
    """A call of one tool, without the markers around it."""
    notation = dialect.codec.notation
    before = _with_aside(notation.before_name + spec.name, notation.aside_name, notation.before_arguments)
    if dialect.channels:  # the recipient may stand before the channel, as the template writes it
        turned = _literal(f" to=functions.{spec.name}<|channel|>commentary json<|message|>")
        before = _one_of([_in_row(_literal(dialect.call.open), before), turned])
    arguments = rules.arguments(spec.parameters, f"{spec.name}-arguments")
    return _in_row(before, arguments, _with_aside("", notation.aside_arguments, notation.after_arguments))


def _between_markers(dialect: Dialect, call: str) -> str:
    """A call with its family's markers; one that ends the turn is left to the sampler's end of turn.

    White space between markers is free, since templates of one dialect differ in it.
    """
    close = "" if dialect.call.close in dialect.end_of_turn else dialect.call.close
    opens = ["" if dialect.channels else dialect.call.open, "[" * dialect.listed]
    closes = ["]" * dialect.listed, close]
    if dialect.section:
        opens, closes = [dialect.section.open, *opens], [*closes, dialect.section.close]
    pad = _literal(dialect.pad)
    between = [part for text in opens if text for part in (_literal(text), "space" if text[-1] in ">][" else pad)]
    if between and dialect.bare and not close:  # the prompt may have opened the first call
        between = [f"({_in_row(*between)})?"] if not dialect.listed else between
    ends = f"({pad})?" if pad else ""
    closing = [part for text in closes if text for part in ("space" if text[0] in "<[]" else ends, _literal(text))]
    return _in_row(*between, call, *closing)


MAX_DIGITS = 15
"""Digits of an integer, and of a fraction: as many as a floating-point number holds exactly."""
MAX_COUNTED = 256
"""Lengths up to this are counted; each character takes a rule, or twenty in raw text, read by llama.cpp in 35 ms."""


class _SchemaRules:
    """Collects the rules; each method returns an expression for use in another rule, or raises a ValueError."""

    def __init__(self, notation: Notation) -> None:
        self.notation = notation
        self.rules: dict[str, str] = {}

    def add(self, name: str, body: str) -> str:
        """Add a rule under a free name close to `name`, and give that name."""
        wanted = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "rule"
        free, number = wanted, 1
        while free in self.rules:
            number += 1
            free = f"{wanted}-{number}"
        self.rules[free] = body
        return free

    def arguments(self, schema: Mapping[str, Any], name: str) -> str:
        """The arguments of a call, as the notation writes them."""
        outer = self.notation.outer
        if outer is None:
            return self.value(schema, name)

        def pair(key: str, inner: Mapping[str, Any]) -> str:
            # Strings may stand raw, and so does what may be anything; of a union both ways are allowed.
            raw, other = self._raw(inner, outer) if outer.tag else ([], [inner])
            ways, behind = [], _spaced(outer.behind_tag)
            if raw:
                ways.append(_in_row(_begin(outer, key, raw=True), _one_of(raw), behind))
            if other:
                value = self.value({"anyOf": other}, f"{name}-{key}")
                ways.append(_in_row(_begin(outer, key, raw=False), value, _literal(outer.end), behind))
            return " | ".join(ways)

        members = self._members(schema, name, pair, outer.separator)
        return self.add(name, _in_row(_spaced(outer.open), members, _literal(outer.close)))

    def _members(self, schema: Mapping[str, Any], name: str, pair: Callable[[str, Any], str], separator: str) -> str:
        """The declared pairs in order; those not required may be left out, and separators stand only between others."""
        required, declared = schema.get("required", ()), schema.get("properties", {})
        keys = [*declared, *(key for key in required if key not in declared)]
        keys = sorted(keys, key=str.lower) if self.notation.sorted_keys else keys
        pairs = [(key in required, self.add(f"{name}-{key}-pair", pair(key, declared.get(key, {})))) for key in keys]
        tail, head = "", '""'
        for needed, one in reversed(pairs):
            follows = _in_row(_literal(separator), one)
            head = _in_row(one, tail) if needed else f"({_in_row(one, tail)} | {head})"
            tail = _in_row(follows if needed else f"({follows})?", tail)
        return head if pairs else ""

    def _raw(self, schema: Mapping[str, Any], outer: Outer) -> tuple[list[str], list[Mapping[str, Any]]]:
        """The strings that a schema allows as raw text up to and with its tag, and the other branches of it."""
        raw: list[str] = []
        other: list[Mapping[str, Any]] = []
        for branch in _branches(schema):
            if isinstance(text := branch.get("const"), str):
                if outer.tag in text:
                    raise ValueError(f"text that holds {outer.tag} cannot be written in this dialect")
                raw.append(_literal(text + outer.end))
            elif "const" not in branch and branch["type"] in ("string", "any"):
                raw.append(self._up_to(outer.end, outer.tag, *_counts(branch, "Length")))
            else:
                other.append(branch)
        return raw, other

    def _up_to(self, end: str, mark: str, least: int, most: int | None) -> str:
        """Text of so many characters and then `end`; `mark`, with which `end` closes, stands nowhere in the text.

        A rule stands for what was just read, where that is a beginning of `end` or `mark` (the automaton of Aho and
        Corasick), and for how many characters are to come. Those of a beginning count once it turns out to be none.
        """
        beginnings = {text[:length] for text in (end, mark) for length in range(1, len(text))}

        def rule(begun: str, least: int, most: int | None) -> str:
            name = f"{'up-to' if end.startswith(begun) else 'bare'}-{len(begun)}"
            return name + (f"-{least}" if least or most is not None else "") + ("" if most is None else f"-{most}")

        start = ("", least, most)
        todo: list[tuple[str, int, int | None]] = [start]
        while todo:
            begun, least, most = state = todo.pop()
            if rule(*state) in self.rules:
                continue
            # By the next character, the empty one for all others: the beginning that is then the last thing read.
            follows, closes = {"": ""}, ""
            for char in sorted(set(end)):
                read = begun + char
                if read.endswith(mark):
                    closes = char
                elif begins := next((read[at:] for at in range(len(read)) if read[at:] in beginnings), ""):
                    follows[char] = begins
            barred = "".join(map(_in_class, sorted({*follows, closes} - {""})))
            ways = []
            for char, begins in follows.items():
                text = len(begun) + 1 - len(begins)  # characters that are text for certain now
                need, room = max(0, least - text), None if most is None else most - text
                # A way on leads neither to text that is too long, nor to a beginning that must be text and is too long.
                may_end = need == 0 and end.startswith(begins)
                if room is None or room >= (0 if may_end else len(begins)):
                    todo.append((begins, need, room))
                    one = _literal(char) or rf"[^{barred}\x00-\x08\x0B\x0C\x0E-\x1F\x7F]"
                    ways.append(f"{one} {rule(begins, need, room)}")
            if closes and begun + closes == end and least == 0:
                ways.append(_literal(closes))
            self.rules[rule(*state)] = " | ".join(ways)
        return rule(*start)

    def value(self, schema: Mapping[str, Any], name: str) -> str:
        """A value that the schema allows."""
        branches = _branches(schema)
        ways = [self._branch(one, f"{name}-{n}" if len(branches) > 1 else name) for n, one in enumerate(branches)]
        return _one_of(ways) if len(ways) > 1 else ways[0]

    def _branch(self, schema: Mapping[str, Any], name: str) -> str:
        kind = schema.get("type", "")
        if "const" in schema:
            return self._written(schema["const"])
        if kind == "boolean":
            return _one_of([self._written(True), self._written(False)])
        if kind == "null":
            return self._written(None)
        if kind in ("integer", "number"):
            return _number(schema, fraction=kind == "number")
        composed = {"string": self._string, "array": self._array, "object": self._object}
        return composed[kind](schema, name) if kind in composed else self._any()

    def _written(self, value: Any) -> str:
        """One value, also as JSON and as Python prints it where both are read."""
        also = (repr(value), json.dumps(value, ensure_ascii=False)) if self.notation.python else ()
        return _one_of(map(_literal, (self.notation.write(value), *also)))

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        quote, (least, most) = self.notation.quote, _counts(schema, "Length")
        if self.notation.escapes:
            body = self._escaped(quote, _repeat(least, most))
        else:
            body = f"{_literal(quote)} {self._up_to(quote, quote, least, most)}"
        if (least, most) != (0, None):
            return self.add(name, body)
        self.rules.setdefault("string", body)  # which every schema shares
        return "string"

    def _escaped(self, quote: str, times: str) -> str:
        """A string with escapes; Python puts either quote around one."""
        self.rules.setdefault("hex", "[0-9A-Fa-f]")
        python = self.notation.python
        plain, more = (r"[^\"'\\\x00-\x1F\x7F]", f" | {_PYTHON_ESCAPES}") if python else (r'[^"\\\x00-\x1F\x7F]', "")
        self.rules.setdefault("character", f"{plain} | {self.notation.escapes}{more}")
        if not python:
            return f"{_literal(quote)} character{times} {_literal(quote)}"
        return " | ".join(
            f"{_literal(one)} (character | {_literal(other)}){times} {_literal(one)}" for one, other in ("\"'", "'\"")
        )

    def _array(self, schema: Mapping[str, Any], name: str) -> str:
        least, most = _counts(schema, "Items")
        if most == 0:
            return '"[]"'
        item = self.add(f"{name}-item", self.value(schema.get("items", {}), f"{name}-item"))
        items = f"{item} ({_literal(self.notation.separator)} {item})"
        items += _repeat(max(0, least - 1), None if most is None else most - 1)
        return self.add(name, f'"[" {items if least else f"({items})?"} "]"')

    def _object(self, schema: Mapping[str, Any], name: str) -> str:
        if not schema.get("properties") and not schema.get("required"):
            return '"{}"' if schema.get("additionalProperties") is False else self._any_object()

        def pair(key: str, inner: Mapping[str, Any]) -> str:
            written = [self.notation.key(key), *([f"{key!r}: "] if self.notation.python else ())]
            before = _one_of(map(_literal, written)) if len(written) > 1 else _literal(*written)
            return f"{before} {self.value(inner, f'{name}-{key}')}"

        return self.add(name, f'"{{" {self._members(schema, name, pair, self.notation.separator)} "}}"')

    def _any_object(self) -> str:
        self._string({}, "string")
        self.rules.setdefault("any-pair", f"{self.notation.any_key_rule} {self._any()}")
        self.rules.setdefault("any-object", f'"{{" (any-pair ({_literal(self.notation.separator)} any-pair)*)? "}}"')
        return "any-object"

    def _any(self) -> str:
        if "any" not in self.rules:
            self.rules["any"] = ""  # in place before the rules that come back to it
            plain = self.value({"type": ["string", "number", "boolean", "null"]}, "any")
            self.rules.setdefault("any-list", f'"[" (any ({_literal(self.notation.separator)} any)*)? "]"')
            self.rules["any"] = f"{plain} | any-list | {self._any_object()}"
        return "any"


_PYTHON_ESCAPES = r""""\\" ("'" | "x" hex hex | "U" ("000" hex | "0010") hex hex hex hex)"""
"""Escapes that Python writes and JSON knows not."""


def _begin(outer: Outer, key: str, *, raw: bool) -> str:
    """An argument up to its value; the line break before a value on lines of its own is no white space."""
    begin = outer.begin(key, raw=raw)
    return _in_row(_spaced(begin.removesuffix(outer.pad)) if outer.tag else _literal(begin), _literal(outer.pad))


def _branches(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The schema as a choice between such as list one value or have one type, which may be `any`."""
    if refused := {"$ref", "allOf"} & set(schema):
        raise ValueError(f"a schema with {min(refused)} cannot be made into a grammar")
    if "const" in schema:
        return [schema]
    if "enum" in schema:
        return [{"const": value} for value in schema["enum"]]
    if union := schema.get("anyOf") or schema.get("oneOf"):
        return [one for branch in union for one in _branches(branch)]
    kinds = schema.get("type", "object" if "properties" in schema else "any")
    return [{**schema, "type": kind} for kind in ([kinds] if isinstance(kinds, str) else kinds)]


def _counts(schema: Mapping[str, Any], what: str) -> tuple[int, int | None]:
    """The least and the greatest length that the schema allows, as far as they are counted."""
    most = schema.get(f"max{what}")
    return min(schema.get(f"min{what}", 0), MAX_COUNTED), most if most is None or most <= MAX_COUNTED else None


def _repeat(least: int, most: int | None) -> str:
    return f"{{{least},{'' if most is None else most}}}" if least or most is not None else "*"


def _number(schema: Mapping[str, Any], *, fraction: bool) -> str:
    """A number within the schema's bounds, a negative one as a sign and its magnitude.

    Bounds are counted in the last digit that may be written, so that one that is itself excluded is the next number.
    """
    places = MAX_DIGITS if fraction else 0
    least, most = -(10 ** (MAX_DIGITS + places)) + 1, 10 ** (MAX_DIGITS + places) - 1
    for key, lower, excluded in _BOUNDS:
        if key in schema and not isinstance(schema[key], bool):  # as drafts before the sixth wrote the open ones
            bound = Decimal(str(schema[key])).scaleb(places)
            if lower:
                least = max(least, math.floor(bound) + 1 if excluded else math.ceil(bound))
            else:
                most = min(most, math.ceil(bound) - 1 if excluded else math.floor(bound))
    positive = _magnitude(max(least, 0), most, places)
    negative = _magnitude(max(-most, 0), -least, places) if least < 0 else ""
    if not positive and not negative:
        raise ValueError(f"no number of {MAX_DIGITS} digits is what a schema asks for")
    return _one_of(filter(None, [negative and f'"-" ({negative})', positive]))


_BOUNDS = (
    ("minimum", True, False),
    ("exclusiveMinimum", True, True),
    ("maximum", False, False),
    ("exclusiveMaximum", False, True),
)
"""Keys of a schema, whether they bound numbers from below, and whether the bound is excluded."""
_FRACTION = f'("." [0-9]{{1,{MAX_DIGITS}}})?'


def _magnitude(least: int, most: int, places: int) -> str:
    """The numbers from `least` to `most`, the last `places` of whose digits stand behind the point; empty for none."""
    ways: list[str] = []
    for width in range(1, MAX_DIGITS + 1):  # digits before the point
        first, last = 10 ** (width + places - 1) if width > 1 else 0, 10 ** (width + places) - 1
        low, high, length = max(least, first), min(most, last), width + places
        if low in (first, 10**places) and most == 10 ** (MAX_DIGITS + places) - 1:  # whatever digits follow
            more = f"[1-9] [0-9]{{{width - 1},{MAX_DIGITS - 1}}}"
            ways.append(_in_row(f'("0" | {more})' if low == 0 else more, _FRACTION if places else ""))
            break
        if low <= high:
            ways.append(_digits(f"{low:0{length}}", f"{high:0{length}}", width))
    return " | ".join(ways)


def _digits(low: str, high: str, left: int) -> str:
    """Digits from `low` to `high`, `left` of them before the point; zeros at the end behind it may be left out."""
    if not low.strip("0") and not high.strip("9"):
        if left < 0:
            return f"[0-9]{{0,{len(low)}}}"
        return _in_row(f"[0-9]{{{left}}}" if left else "", _FRACTION if len(low) > left else "")
    ways: dict[str, str] = {}
    for digit in map(str, range(int(low[0]), int(high[0]) + 1)):
        rest = (
            low[1:] if digit == low[0] else "0" * len(low[1:]),
            high[1:] if digit == high[0] else "9" * len(low[1:]),
        )
        after = _digits(*rest, left - 1)
        ways[after] = ways.get(after, "") + digit
    point = '"." ' if left == 0 else ""
    each = (_in_row(f"{point}[{digits[0]}-{digits[-1]}]", after) for after, digits in ways.items())
    return f"({' | '.join(each)})" + ("?" if left <= 0 and not low.strip("0") else "")


def _one_of(expressions: Iterable[str]) -> str:
    return "(" + " | ".join(dict.fromkeys(expressions)) + ")"


def _in_row(*expressions: str) -> str:
    return " ".join(filter(None, expressions))


def _with_aside(before: str, aside: str, after: str) -> str:
    """Two texts, with one between them that may be left out."""
    return _in_row(_literal(before), f"({_literal(aside)})?", _literal(after)) if aside else _literal(before + after)


def _spaced(text: str) -> str:
    """A text in which line breaks may be there or not."""
    return " space ".join(map(_literal, text.split("\n"))).strip() if text else ""


def _literal(text: str) -> str:
    """`text` as a GBNF string literal, with anything short in its holes; empty for no text."""
    parts = ('"' + "".join(map(_escaped, part)) + '"' if part else "" for part in text.split(HOLE))
    return " [0-9A-Za-z_-]{1,40} ".join(parts).strip()


def _in_class(character: str) -> str:
    """A character as it stands in `[…]`."""
    return f"\\{character}" if character in "[]\\^-" else _escaped(character)


def _escaped(character: str) -> str:
    if character in '\\"':
        return "\\" + character
    return f"\\x{ord(character):02X}" if ord(character) < 32 else character  # noqa: PLR2004 - the last control character
