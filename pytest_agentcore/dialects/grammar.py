"""The grammar of the constrained policy: an optional short thought, then exactly one well-formed call."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_agentcore.dialects.dialect import Dialect, Notation, Outer
from pytest_agentcore.dialects.parse import kinds_of
from pytest_agentcore.tools.base import ToolSpec

MAX_DIGITS = 15
"""Digits of an integer, and of a fraction."""
MAX_COUNTED = 64
"""Repetitions up to this are counted; llama.cpp unrolls a counted repetition, so longer ones are left open."""

_FRACTION = f' ("." [0-9]{{1,{MAX_DIGITS}}})?'


class SchemaRules:
    """Collects the rules; each method returns an expression that may be used in another rule."""

    def __init__(self, notation: Notation) -> None:
        self.notation = notation
        self.rules: dict[str, str] = {}

    def text(self) -> str:
        """All rules, one a line."""
        return "".join(f"{name} ::= {body}\n" for name, body in self.rules.items())

    def add(self, name: str, body: str) -> str:
        """Add a rule under a free name close to `name`, and give that name."""
        wanted = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "rule"
        free, number = wanted, 1
        while free in self.rules:
            number += 1
            free = f"{wanted}-{number}"
        self.rules[free] = body
        return free

    def once(self, name: str, body: str) -> str:
        """A rule that every schema shares."""
        self.rules.setdefault(name, body)
        return name

    def arguments(self, schema: Mapping[str, Any], name: str) -> str:
        """The arguments of a call, as the notation writes them.

        Raises:
            ValueError: see `value`.
        """
        outer = self.notation.outer
        if outer is None:
            return self.value(schema, name)
        properties: Mapping[str, Any] = schema.get("properties", {})
        pairs = [self._outer_pair(outer, key, properties[key], f"{name}-{key}") for key in properties]
        needed = [key in schema.get("required", ()) for key in properties]
        members = self._members(pairs, needed, outer.separator)
        return self.add(name, _in_row(literal(outer.open), members, literal(outer.close)))

    def _outer_pair(self, outer: Outer, key: str, schema: Mapping[str, Any], name: str) -> str:
        """Strings may stand raw; values of other types never do, and of a union both ways are allowed."""
        kinds = kinds_of(schema)
        ways = []
        if outer.raw_close and "string" in kinds:
            head = literal(outer.key(key, True))
            ways.append(_in_row(head, self._raw(outer, schema), literal(outer.after_raw) if outer.after_raw else ""))
        if not ways or kinds - {"string"}:
            value = self.value(_without_strings(schema) if ways else schema, name)
            after = literal(outer.after_value) if outer.after_value else ""
            ways.append(_in_row(literal(outer.key(key, False)), value, after))
        return self.add(f"{name}-pair", " | ".join(ways))

    def _raw(self, outer: Outer, schema: Mapping[str, Any]) -> str:
        """Text up to and with `raw_close`. How long it is, is left to the validation of the arguments."""
        chosen = [value for value in schema.get("enum", (schema.get("const"),)) if isinstance(value, str)]
        if chosen:
            pad = outer.after_value.removesuffix(outer.after_raw).removesuffix(outer.raw_close)
            return self._one_of(literal(f"{value}{pad}{outer.raw_close}") for value in chosen)
        return self._up_to(outer.raw_close)

    def _up_to(self, close: str) -> str:
        """One rule per character of `close` that was just read (the automaton of Knuth, Morris and Pratt)."""
        if "up-to-0" not in self.rules:
            for read in range(len(close)):
                goes = {char: _borders(close, close[:read] + char) for char in sorted(set(close))}
                known = [
                    literal(char) + ("" if length == len(close) else f" up-to-{length}")
                    for char, length in goes.items()
                    if length
                ]
                barred = "".join(in_class(char) for char, length in goes.items() if length)
                self.rules[f"up-to-{read}"] = " | ".join([f"[^{barred}\\x00-\\x08\\x0B-\\x1F\\x7F] up-to-0", *known])
        return "up-to-0"

    def value(self, schema: Mapping[str, Any], name: str) -> str:
        """What the schema allows.

        Raises:
            ValueError: the schema uses `$ref` or `allOf`.
        """
        if refused := {"$ref", "allOf"} & set(schema):
            raise ValueError(f"a schema with {min(refused)} cannot be made into a grammar")
        if "const" in schema or "enum" in schema:
            return self._one_of(literal(self.notation.literal(v)) for v in schema.get("enum", (schema.get("const"),)))
        if branches := schema.get("anyOf") or schema.get("oneOf"):
            return self._one_of(self.value(branch, f"{name}-{n}") for n, branch in enumerate(branches))
        kinds = schema.get("type", "object" if "properties" in schema else "any")
        if isinstance(kinds, str):
            return self._kind(kinds, schema, name)
        return self._one_of(self._kind(kind, schema, f"{name}-{kind}") for kind in kinds)

    def _one_of(self, expressions: Any) -> str:
        return "(" + " | ".join(dict.fromkeys(expressions)) + ")"

    def _kind(self, kind: str, schema: Mapping[str, Any], name: str) -> str:
        if kind == "boolean":
            return f"({literal(self.notation.true)} | {literal(self.notation.false)})"
        if kind == "null":
            return literal(self.notation.null)
        if kind in ("integer", "number"):
            return _integer(schema) + (_FRACTION if kind == "number" else "")
        composed = {"string": self._string, "array": self._array, "object": self._object}
        return composed[kind](schema, name) if kind in composed else self._any()

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        self.once("hex", "[0-9A-Fa-f]")
        self.once("character", self.notation.string_character_rule)
        quote = literal(self.notation.string_quote)
        least, most = schema.get("minLength", 0), schema.get("maxLength")
        if least == 0 and (most is None or most > MAX_COUNTED):
            return self.once("string", f"{quote} character* {quote}")
        return self.add(name, f"{quote} character{_counted(least, most)} {quote}")

    def _array(self, schema: Mapping[str, Any], name: str) -> str:
        item = self.add(f"{name}-item", self.value(schema.get("items", {}), f"{name}-item"))
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        if most == 0:
            return '"[]"'
        more = _counted(max(0, least - 1), None if most is None else most - 1)
        items = f"{item} ({literal(self.notation.separator)} {item}){more}"
        return self.add(name, f'"[" {items if least else f"({items})?"} "]"')

    def _object(self, schema: Mapping[str, Any], name: str) -> str:
        properties: Mapping[str, Any] = schema.get("properties", {})
        if not properties:
            return '"{}"' if schema.get("additionalProperties") is False else self._any_object()
        keys = sorted(properties, key=str.lower) if self.notation.sorted_keys else list(properties)
        pairs = [self._pair(key, properties[key], f"{name}-{key}") for key in keys]
        needed = [key in schema.get("required", ()) for key in keys]
        return self.add(name, f'"{{" {self._members(pairs, needed, self.notation.separator)} "}}"')

    def _pair(self, key: str, schema: Mapping[str, Any], name: str) -> str:
        return self.add(f"{name}-pair", f"{literal(self.notation.key(key))} {self.value(schema, name)}")

    def _members(self, pairs: Sequence[str], needed: Sequence[bool], separator: str) -> str:
        """The pairs in order; those not needed may be left out, and separators stand only between what is there."""
        tail, head = "", ""
        for pair, need in reversed(list(zip(pairs, needed, strict=True))):
            follows = _in_row(literal(separator) if separator else "", pair)
            head = _in_row(pair, tail) if need else f"({_in_row(pair, tail)} | {head or literal('')})"
            tail = _in_row(follows if need else f"({follows})?", tail)
        return head

    def _any_object(self) -> str:
        self._string({}, "string")
        self.once("any-pair", f"{self.notation.any_key_rule} {self._any()}")
        return self.once("any-object", f'"{{" (any-pair ({literal(self.notation.separator)} any-pair)*)? "}}"')

    def _any(self) -> str:
        if "any" not in self.rules:
            self.rules["any"] = ""  # in place before the rules that come back to it
            parts = [self._kind(kind, {}, "any") for kind in ("string", "number", "boolean", "null")]
            separator = literal(self.notation.separator)
            self.once("any-list", f'"[" (any ({separator} any)*)? "]"')
            self.rules["any"] = " | ".join([*parts, "any-list", self._any_object()])
        return "any"


def literal(text: str) -> str:
    """`text` as a GBNF string literal."""
    return '"' + "".join(map(_escaped, text)) + '"'


def in_class(character: str) -> str:
    """A character as it stands in `[…]`."""
    return f"\\{character}" if character in "[]\\^-" else _escaped(character)


def _borders(close: str, text: str) -> int:
    """How many first characters of `close` `text` ends with."""
    return next((length for length in range(len(text), 0, -1) if text.endswith(close[:length])), 0)


def _without_strings(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What is left of a union when strings are written in another way."""
    if "enum" in schema:
        return {"enum": [value for value in schema["enum"] if not isinstance(value, str)]}
    if isinstance(kinds := schema.get("type"), list):
        return {**schema, "type": [kind for kind in kinds if kind != "string"]}
    unions = {key: schema[key] for key in ("anyOf", "oneOf") if key in schema}
    kept = {key: [one for one in union if kinds_of(one) != {"string"}] for key, union in unions.items()}
    return {**schema, **kept}


def _escaped(character: str) -> str:
    if character in '\\"':
        return "\\" + character
    return f"\\x{ord(character):02X}" if ord(character) < 32 else character  # noqa: PLR2004 - the last control character


def _in_row(*expressions: str) -> str:
    return " ".join(filter(None, expressions))


def _counted(least: int, most: int | None) -> str:
    least = min(least, MAX_COUNTED)
    if most is not None and most <= MAX_COUNTED:
        return f"{{{least},{most}}}"
    return f"{{{least},}}" if least else "*"


def _integer(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if isinstance(least, int) and isinstance(most, int) and 0 <= most - least <= MAX_COUNTED:
        return "(" + " | ".join(literal(str(number)) for number in range(least, most + 1)) + ")"
    digits = f"[1-9] [0-9]{{0,{MAX_DIGITS - 1}}}"
    if least is not None and least >= 1:
        return f"({digits})"
    sign = "" if least is not None and least >= 0 else '"-"? '
    return f'{sign}("0" | {digits})'


FINISH = ToolSpec(
    name="finish",
    description="End the task. Call this once, when the work is done, with your final answer.",
    parameters={
        "type": "object",
        "properties": {"answer": {"type": "string", "description": "Your final answer."}},
        "required": ["answer"],
        "additionalProperties": False,
    },
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
    """GBNF whose every sentence `parse` reads as one call of one of `specs`, without a problem.

    Args:
        specs: the tools; `finish` need not be among them.
        dialect: whose markers and notation are written.
        allow_finish: whether `finish` may be called; the first reply of a trial cannot choose it.
        thought_characters: longest thought, a single line before the call; 0 for none.
        reasoning_open: the prompt ends inside a reasoning block, which the reply must close before it can call.

    Raises:
        ValueError: there is nothing to call, or a schema cannot be made into a grammar.
    """
    callable_specs = [spec for spec in specs if spec.name != FINISH.name] + ([FINISH] if allow_finish else [])
    if not callable_specs:
        raise ValueError("a grammar needs at least one tool to call")
    rules = SchemaRules(dialect.codec.notation)
    root = [*_opening(rules, dialect, thought_characters, reasoning_open=reasoning_open), "call"]
    rules.rules = {"root": " ".join(root), **rules.rules, "call": ""}  # a tool may be called `call`
    choices = [_tool(rules, spec) for spec in callable_specs]
    rules.rules["call"] = _marked(dialect, " | ".join(choices))
    return rules.text()


def _opening(rules: SchemaRules, dialect: Dialect, characters: int, *, reasoning_open: bool) -> list[str]:
    """What may or must stand before the call."""
    if reasoning_open and dialect.reasoning:
        close = dialect.thought.close if dialect.thought else f"\n{dialect.reasoning.close}\n\n"
        if characters:
            rules.add("thought", _line(dialect, characters))
        return ["thought?", literal(close)] if characters else [literal(close)]
    if not characters:
        return []
    line = _line(dialect, characters)
    marks = dialect.thought
    rules.add("thought", f"{literal(marks.open)} {line} {literal(marks.close)}" if marks else f'{line} "\\n"')
    return ["thought?"]


def _marked(dialect: Dialect, choice: str) -> str:
    """One of the calls, with the family's markers; a marker that ends the turn is left to the sampler's end of turn."""
    section, opened = dialect.section, "[" if dialect.listed else ""
    before = f"{dialect.call.open}{dialect.pad}{opened}"
    close = "" if dialect.call.close in dialect.end_of_turn else dialect.call.close
    after = f"{']' if dialect.listed else ''}{dialect.pad}{close}"
    if section:
        before = f"{section.open}{dialect.section_pad}{before}"
        after = f"{after}{dialect.section_pad}{section.close}"
    parts = (literal(before) if before else "", f"({choice})", literal(after) if after else "")
    return " ".join(filter(None, parts))


def _tool(rules: SchemaRules, spec: ToolSpec) -> str:
    notation = rules.notation
    arguments = rules.arguments(spec.parameters, f"{spec.name}-arguments")
    before = literal(notation.before_name + spec.name + notation.before_arguments)
    after = f" {literal(notation.after_arguments)}" if notation.after_arguments else ""
    return rules.add(f"tool-{spec.name}", f"{before} {arguments}{after}")


def _line(dialect: Dialect, characters: int) -> str:
    """One line of text that holds no first character of a marker, so that it can open nothing.

    Braces and backticks are barred too: given the room, Qwen2.5-Coder writes the call it means as JSON into the
    thought, and then has to make another one.
    """
    markers = [*dialect.open_markers, dialect.reasoning.open if dialect.reasoning else ""]
    barred = "".join(sorted({in_class(marker[0]) for marker in markers if marker} | set("`{") | _bare(dialect)))
    return rf"[^{barred}\x00-\x20\x7F] [^{barred}\x00-\x1F\x7F]{{0,{characters - 1}}}"


def _bare(dialect: Dialect) -> set[str]:
    """The first character of a call that no marker opens."""
    return {in_class(dialect.bare[1])} if dialect.bare else set()
