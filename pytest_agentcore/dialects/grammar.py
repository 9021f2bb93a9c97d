"""The grammar of the constrained policy: an optional short thought, then exactly one well-formed call.

GBNF is what llama.cpp reads (https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from pytest_agentcore.dialects.dialect import HOLE, Dialect, Notation
from pytest_agentcore.dialects.xml_codec import kinds_of
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
    notation, rules = dialect.codec.notation, _SchemaRules(dialect.codec.notation)
    # A thought may stand before the call, and the end of reasoning that is open must.
    thought, marks, close = "thought?" if thought_characters else "", dialect.thought, ""
    # A thought is one line that holds no first character of a marker, so that it can open nothing. Braces and backticks
    # are barred too: given the room, Qwen2.5-Coder writes the call it means as JSON into the thought, and then has to
    # make another one.
    opening = (*dialect.open_markers, dialect.reasoning and dialect.reasoning.open, dialect.bare[1:])  # after an escape
    barred = "".join(sorted(map(_in_class, {*"`{", *(text[0] for text in opening if text)})))
    line = rf"[^{barred}\x00-\x20\x7F] [^{barred}\x00-\x1F\x7F]{{0,{thought_characters - 1}}}"
    if reasoning_open and dialect.reasoning:
        close = marks.close if marks else f"\n{dialect.reasoning.close}\n\n"
    else:
        line = f"{_literal(marks.open)} {line} {_literal(marks.close)}" if marks else f'{line} "\\n"'
    rules.rules["root"] = _in_row(thought, _literal(close), "call")
    if thought:
        rules.rules["thought"] = line
    rules.rules["call"] = ""  # in place before the tools' rules, since one may be called `call`
    choices = []
    for spec in callable_specs:
        before = _with_aside(notation.before_name + spec.name, notation.aside_name, notation.before_arguments)
        if dialect.channels:  # the recipient may stand before the channel, as the template writes it
            before = _one_of(
                [
                    _in_row(_literal(dialect.call.open), before),
                    _literal(f" to=functions.{spec.name}<|channel|>commentary json<|message|>"),
                ]
            )
        arguments = rules.arguments(spec.parameters, f"{spec.name}-arguments")
        body = _in_row(before, arguments, _with_aside("", notation.aside_arguments, notation.after_arguments))
        choices.append(rules.add(f"tool-{spec.name}", body))
    # One of the calls, with the family's markers; one that ends the turn is left to the sampler's end of turn. White
    # space between markers is free, since templates of one dialect differ in it.
    close = "" if dialect.call.close in dialect.end_of_turn else dialect.call.close
    opens = ["" if dialect.channels else dialect.call.open, "[" * dialect.listed]
    closes = ["]" * dialect.listed, close]
    if dialect.section:
        opens, closes = [dialect.section.open, *opens], [*closes, dialect.section.close]
    rules.rules["space"] = "[ \\n]{0,2}"
    pad = _literal(dialect.pad)
    between = [part for text in opens if text for part in (_literal(text), "space" if text[-1] in ">][" else pad)]
    if between and dialect.bare and not close:  # the prompt may have opened the first call
        between = [f"({_in_row(*between)})?"] if not dialect.listed else between
    ends = f"({pad})?" if pad else ""
    closing = [part for text in closes if text for part in ("space" if text[0] in "<[]" else ends, _literal(text))]
    rules.rules["call"] = _in_row(*between, f"({' | '.join(choices)})", *closing)
    return "".join(f"{name} ::= {body}\n" for name, body in rules.rules.items())


MAX_DIGITS = 15
"""Digits of an integer, and of a fraction: as many as a floating-point number holds exactly."""
MAX_COUNTED = 256
"""Lengths up to this are counted; each character takes a rule, or twenty in raw text, read by llama.cpp in 35 ms."""


class _SchemaRules:
    """Collects the rules; each method returns an expression that may be used in another rule."""

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
        """The arguments of a call, as the notation writes them.

        Raises:
            ValueError: see `value`.
        """
        outer = self.notation.outer
        if outer is None:
            return self.value(schema, name)
        properties, needed = _properties(schema)
        pairs = []
        for key, inner in properties.items():
            kinds, ways = kinds_of(inner), []
            # Strings may stand raw, and so does what may be anything; of a union both ways are allowed.
            if outer.tag and ("string" in kinds or not kinds):
                raw: list[str] = []  # up to and with their tag
                for one in _string_schemas(inner) if kinds else ({},):
                    chosen = [text for text in _chosen(one) or () if isinstance(text, str)]
                    if any(outer.tag in text for text in chosen):
                        raise ValueError(f"text that holds {outer.tag} cannot be written in this dialect")
                    raw += [_literal(text + outer.end) for text in chosen] or [
                        self._up_to(outer.end, outer.tag, *_counts(one, "Length"))
                    ]
                begin, behind = self._begin(key, raw=True), _spaced(outer.behind_tag)
                ways.append(_in_row(begin, _one_of(raw), behind))
            if not ways or kinds - {"string"}:
                value = self.value(_without_strings(inner) if ways else inner, f"{name}-{key}")
                begin, behind = self._begin(key, raw=False), _spaced(outer.behind_tag)
                ways.append(_in_row(begin, value, _literal(outer.end), behind))
            pairs.append(self.add(f"{name}-{key}-pair", " | ".join(ways)))
        members = _members(pairs, needed, outer.separator)
        return self.add(name, _in_row(_spaced(outer.open), members, _literal(outer.close)))

    def _begin(self, key: str, *, raw: bool) -> str:
        """An argument up to its value; the line break before a value on lines of its own is no white space."""
        outer = self.notation.outer
        assert outer is not None
        begin = outer.begin(key, raw=raw)
        return _in_row(_spaced(begin.removesuffix(outer.pad)) if outer.tag else _literal(begin), _literal(outer.pad))

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
        """A value that the schema allows.

        Raises:
            ValueError: the schema uses `$ref` or `allOf`.
        """
        if refused := {"$ref", "allOf"} & set(schema):
            raise ValueError(f"a schema with {min(refused)} cannot be made into a grammar")
        if (chosen := _chosen(schema)) is not None:
            return _one_of(_literal(self.notation.write(value)) for value in chosen)
        if branches := schema.get("anyOf") or schema.get("oneOf"):
            return _one_of(self.value(branch, f"{name}-{n}") for n, branch in enumerate(branches))
        kinds = schema.get("type", "object" if "properties" in schema else "any")
        if isinstance(kinds, str):
            return self._kind(kinds, schema, name)
        return _one_of(self._kind(kind, schema, f"{name}-{kind}") for kind in kinds)

    def _kind(self, kind: str, schema: Mapping[str, Any], name: str) -> str:
        also = self.notation.either_words
        if kind == "boolean":
            words = [self.notation.true, self.notation.false, *(("true", "false", "True", "False") * also)]
            return _one_of(map(_literal, words))
        if kind == "null":
            return _one_of(map(_literal, [self.notation.null, *(("null", "None") * also)]))
        if kind in ("integer", "number"):
            return _number(schema, fraction=kind == "number")
        composed = {"string": self._string, "array": self._array, "object": self._object}
        return composed[kind](schema, name) if kind in composed else self._any()

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        quote, (least, most) = self.notation.quote, _counts(schema, "Length")
        if self.notation.character_rule:
            self.rules.setdefault("hex", "[0-9A-Fa-f]")
            self.rules.setdefault("character", self.notation.character_rule)
            body = f"{_literal(quote)} character{_repeat(least, most)} {_literal(quote)}"
        else:
            body = f"{_literal(quote)} {self._up_to(quote, quote, least, most)}"
        if (least, most) != (0, None):
            return self.add(name, body)
        self.rules.setdefault("string", body)  # which every schema shares
        return "string"

    def _array(self, schema: Mapping[str, Any], name: str) -> str:
        least, most = _counts(schema, "Items")
        if most == 0:
            return '"[]"'
        item = self.add(f"{name}-item", self.value(schema.get("items", {}), f"{name}-item"))
        items = f"{item} ({_literal(self.notation.separator)} {item})"
        items += _repeat(max(0, least - 1), None if most is None else most - 1)
        return self.add(name, f'"[" {items if least else f"({items})?"} "]"')

    def _object(self, schema: Mapping[str, Any], name: str) -> str:
        properties, needed = _properties(schema, in_order=self.notation.sorted_keys)
        if not properties:
            return '"{}"' if schema.get("additionalProperties") is False else self._any_object()
        pairs = [
            self.add(f"{name}-{key}-pair", f"{_literal(self.notation.key(key))} {self.value(inner, f'{name}-{key}')}")
            for key, inner in properties.items()
        ]
        return self.add(name, f'"{{" {_members(pairs, needed, self.notation.separator)} "}}"')

    def _any_object(self) -> str:
        self._string({}, "string")
        self.rules.setdefault("any-pair", f"{self.notation.any_key_rule} {self._any()}")
        self.rules.setdefault("any-object", f'"{{" (any-pair ({_literal(self.notation.separator)} any-pair)*)? "}}"')
        return "any-object"

    def _any(self) -> str:
        if "any" not in self.rules:
            self.rules["any"] = ""  # in place before the rules that come back to it
            parts = [self._kind(kind, {}, "any") for kind in ("string", "number", "boolean", "null")]
            self.rules.setdefault("any-list", f'"[" (any ({_literal(self.notation.separator)} any)*)? "]"')
            self.rules["any"] = " | ".join([*parts, "any-list", self._any_object()])
        return "any"


def _properties(schema: Mapping[str, Any], *, in_order: bool = False) -> tuple[dict[str, Any], list[bool]]:
    """The declared properties, and of each whether it is required."""
    required, declared = schema.get("required", ()), schema.get("properties", {})
    properties = {**declared, **{key: {} for key in required if key not in declared}}
    if in_order:
        properties = {key: properties[key] for key in sorted(properties, key=str.lower)}
    return properties, [key in required for key in properties]


def _members(pairs: Sequence[str], needed: Sequence[bool], separator: str) -> str:
    """The pairs in order; those not needed may be left out, and separators stand only between what is there."""
    tail, head = "", ""
    for pair, need in reversed(list(zip(pairs, needed, strict=True))):
        follows = _in_row(_literal(separator), pair)
        head = _in_row(pair, tail) if need else f"({_in_row(pair, tail)} | {head or _EMPTY})"
        tail = _in_row(follows if need else f"({follows})?", tail)
    return head


def _chosen(schema: Mapping[str, Any]) -> Sequence[Any] | None:
    """The values that the schema lists; None where it lists none."""
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _string_schemas(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The branches of a schema that allow strings."""
    branches = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if branches and _chosen(schema) is None:
        for branch in branches:
            yield from _string_schemas(branch)
    elif "string" in kinds_of(schema):
        yield schema


def _without_strings(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A union without its strings, which are written in another way."""
    if "enum" in schema:
        return {"enum": [value for value in schema["enum"] if not isinstance(value, str)]}
    if isinstance(kinds := schema.get("type"), list):
        return {**schema, "type": [kind for kind in kinds if kind != "string"]}
    unions = {key: schema[key] for key in ("anyOf", "oneOf") if key in schema}
    kept = {key: [one for one in union if kinds_of(one) != {"string"}] for key, union in unions.items()}
    return {**schema, **kept}


def _counts(schema: Mapping[str, Any], what: str) -> tuple[int, int | None]:
    """The least and the greatest length that the schema allows, as far as they are counted."""
    most = schema.get(f"max{what}")
    return min(schema.get(f"min{what}", 0), MAX_COUNTED), most if most is None or most <= MAX_COUNTED else None


def _repeat(least: int, most: int | None) -> str:
    if most is not None:
        return f"{{{least},{most}}}"
    return f"{{{least},}}" if least else "*"


_Bound = tuple[Decimal, bool]
"""The least number, and whether it is itself excluded."""


def _number(schema: Mapping[str, Any], *, fraction: bool) -> str:
    """A number within the schema's bounds, a negative one as a sign and its magnitude.

    Raises:
        ValueError: no number is.
    """
    least = _bound(schema, "minimum", "exclusiveMinimum", 1, fraction=fraction)
    least_negated = _bound(schema, "maximum", "exclusiveMaximum", -1, fraction=fraction)
    positive = _magnitude(least, least_negated, fraction=fraction)
    negative = _magnitude(least_negated, least, fraction=fraction) if least is None or least[0] < 0 else ""
    if not positive and not negative:
        raise ValueError(f"no number of {MAX_DIGITS} digits is what a schema asks for")
    if positive == negative:
        return f'"-"? ({positive})'
    return _one_of(filter(None, [negative and f'"-" ({negative})', positive]))


def _bound(schema: Mapping[str, Any], closed: str, open_: str, sign: int, *, fraction: bool) -> _Bound | None:
    found = [
        (sign * Decimal(str(schema[key])) + 0, key == open_)  # no negative zero
        for key in (closed, open_)
        if key in schema and not isinstance(schema[key], bool)  # as drafts before the sixth wrote the open one
    ]
    if not found:
        return None
    least, excluded = max(found)
    if fraction:
        return least, excluded
    return Decimal(math.floor(least) + 1 if excluded else math.ceil(least)), False


def _magnitude(low: _Bound | None, high_negated: _Bound | None, *, fraction: bool) -> str:
    """The numbers from zero on within two bounds, by how many digits stand before the point; empty for none."""
    low = max(low or (Decimal(0), False), (Decimal(0), False))
    high = None if high_negated is None else (-high_negated[0], high_negated[1])
    ways: list[str] = []
    for width in range(1, MAX_DIGITS + 1):
        shortest, beyond = (Decimal(10 ** (width - 1) if width > 1 else 0), False), Decimal(10**width)
        start = max(low, shortest)
        if high is not None and (high[0] < start[0] or (high[0] == start[0] and (high[1] or start[1]))):
            break
        if high is None and start in (shortest, (Decimal(1), False)):  # whatever digits follow
            more = f"[1-9] [0-9]{{{width - 1},{MAX_DIGITS - 1}}}"
            ways.append(_in_row(f'("0" | {more})' if start[0] == 0 else more, _FRACTION if fraction else ""))
            break
        if start[0] < beyond:
            stop = _aligned(high, width) if high is not None and high[0] < beyond else None
            ways.append(_digits(_aligned(start, width), stop, width, fraction=fraction))
    return " | ".join(filter(None, ways))


_EMPTY = '""'
_FRACTION = f'("." [0-9]{{1,{MAX_DIGITS}}})?'


def _aligned(bound: _Bound, width: int) -> tuple[str, bool]:
    """The bound's digits, with zeros before them up to `width` digits before the point, and without the point."""
    before, _, behind = f"{bound[0]:f}".partition(".")
    return before.zfill(width) + behind.rstrip("0"), bound[1]


def _digits(low: tuple[str, bool] | None, high: tuple[str, bool] | None, left: int, *, fraction: bool) -> str:
    """Digits that may follow those so far, which are as low as `low` or as high as `high` allows, or free of both.

    `left` digits are to come before the point; behind it, it counts on below zero. Empty: nothing that does may follow.
    """
    if low and not low[1] and not low[0].strip("0"):
        low = None
    if low is None and high is None:
        if left < 0:
            return f"[0-9]{{0,{MAX_DIGITS + left}}}"
        return _in_row(f"[0-9]{{{left}}}" if left else "", _FRACTION if fraction else "") or _EMPTY
    may_end = left <= 0 and low is None and not (high and high[1] and not high[0].strip("0"))
    if (left <= 0 and not fraction) or left == -MAX_DIGITS:
        return _EMPTY if may_end else ""
    ways: dict[str, str] = {}
    for digit in "0123456789":
        least, most = (low[0][:1] or "0") if low else "0", (high[0][:1] or "0") if high else "9"
        if least <= digit <= most:
            after = _digits(
                (low[0][1:], low[1]) if low and digit == least else None,
                (high[0][1:], high[1]) if high and digit == most else None,
                left - 1,
                fraction=fraction,
            )
            if after:
                ways[after] = ways.get(after, "") + digit
    point = '"." ' if left == 0 else ""
    rest = " | ".join(
        _in_row(
            f"{point}[{digits[0]}-{digits[-1]}]" if len(digits) > 1 else f'{point}"{digits}"',
            after.strip('"') and after,
        )
        for after, digits in ways.items()
    )
    if not may_end:
        return f"({rest})" if rest else ""
    return f"({rest})?" if rest else _EMPTY


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
