"""Calls as Python writes them: `shell(command="ls -l", seconds=3)`; keyword arguments and literals only.

Gemma 3 writes one call a line, also inside `print(…)` or a list; Llama 3.2 and 4 may be asked for a list of calls. The
calls themselves are found here, since names such as `fs-read` and keywords such as `from` are no Python; a value is
stepped over token by token, which finds its end inside running text, and then read by Python's own parser.
"""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass, replace
from typing import Any

from pytest_agentcore.dialects.dialect import (
    MAX_DEPTH,
    Codec,
    Decoded,
    MalformedCall,
    Outer,
    RawCall,
    joined_surrogates,
)
from pytest_agentcore.dialects.json_codec import JSON

_NAME = r"[A-Za-z_][\w.-]{0,199}"
_KEYWORD = r"[^\W\d]\w{0,199}"
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_HEAD = re.compile(rf"({_NAME}?)(?:\.call)?[ \t]{{0,8}}\(")
_PRINT = re.compile(rf"print[ \t]{{0,8}}\(\s{{0,20}}(?={_NAME}[ \t]{{0,8}}\()")
_ARGUMENT = re.compile(rf"({_KEYWORD})[ \t\r\n]*=[ \t\r\n]*")


@dataclass(frozen=True, kw_only=True)
class PythonicCodec(Codec):
    """One call, or with `several` as many as stand there: on lines of their own, printed, or in a list."""

    several: bool = False

    example = 'tool(key="text", number=1)'
    notation = replace(
        JSON,
        null="None",
        true="True",
        false="False",
        either_words=True,
        outer=Outer(open="(", close=")", key=lambda key, _raw: f"{key}=", keys=re.compile(_KEYWORD), separator=", "),
    )
    names = re.compile(rf"(?!print\Z)(?!.*\.call\Z){_NAME}")

    def decode(self, text: str, at: int) -> Decoded:
        """See `Codec.decode`."""
        if self.several and (plain := _plain(_FENCED_CALL, text, at)):
            return Decoded((plain[0],), plain[1])
        at = _skip(text, at)
        if not self.several:
            call, end = _call(text, at)
            return Decoded((call,), end)
        calls, end = _statement(text, at)
        # A semicolon or nothing at all may part statements; a comment is one only where another statement follows.
        while (at := _skip(text, end)) < len(text):
            at = _skip(text, at + 1) if text[at] == ";" else at
            if not (text.startswith("[", at) or _HEAD.match(text, at)):
                break
            more, end = _statement(text, at)
            calls += more
        return Decoded(tuple(calls), at if text.startswith("```", at) else end)

    def begins(self, names: str, close: str) -> str:
        """See `Codec.begins`."""
        return rf"\[[ \t\r\n]{{0,20}}(?:{names})\(" if close and not self.several else ""

    def decode_list(self, text: str, at: int) -> Decoded:
        """See `Codec.decode_list`."""
        at = _skip(text, at)
        if not text.startswith("[", at):
            raise MalformedCall("a '[' should stand here", at)
        calls, end = _calls(text, at)
        return Decoded(tuple(calls), end)


def _statement(text: str, at: int) -> tuple[list[RawCall], int]:
    """A call, a printed call, or a list of calls, and the index behind it."""
    if text.startswith("[", at):
        return _calls(text, at)
    printed = text.startswith("print", at) and _PRINT.match(text, at)
    call, end = _call(text, printed.end() if printed else at)
    if printed:
        end = _skip(text, end)
        if not text.startswith(")", end):
            raise MalformedCall("a ')' is missing", end)
        end += 1
    return [call], end


def _calls(text: str, at: int) -> tuple[list[RawCall], int]:
    """The list of calls, at least one, whose bracket stands at `at`, and the index behind it."""
    found: list[RawCall] = []
    at = _skip(text, at + 1)
    while not found or not text.startswith("]", at):
        call, at = _call(text, at)
        found.append(call)
        at = _next("]", text, at)
    return found, at + 1


_VALUE = r"""(?:"[^"\\\n]{0,200}"(?!")|'[^'\\\n]{0,200}'(?!')|-?[0-9]{1,18}|True|False|None)"""
_PLAIN_CALL = re.compile(rf"({_NAME})\(((?:{_KEYWORD}={_VALUE}(?:, (?=\w)|(?=\))))*)\)")
"""A call as models nearly always write it: two patterns read it five times as fast as Python's parser would."""
_FENCED_CALL = re.compile(rf"[ \t\r\n]*{_PLAIN_CALL.pattern}[ \t\r\n]*(?=```)")
"""One such call alone in its fence."""
_PLAIN_ARGUMENT = re.compile(rf"""({_KEYWORD})=(?:"([^"]*)"|'([^']*)'|([^,"')]*))""")
_WORDS = {"True": True, "False": False, "None": None}


def _plain(pattern: re.Pattern[str], text: str, at: int) -> tuple[RawCall, int] | None:
    found = pattern.match(text, at)
    if not found or found[1].endswith(".call"):
        return None
    pairs = _PLAIN_ARGUMENT.findall(text, *found.span(2))
    arguments = {
        key: double or single if not bare else _WORDS[bare] if bare in _WORDS else int(bare)
        for key, double, single, bare in pairs
    }
    return (RawCall(found[1], arguments), found.end()) if len(arguments) == len(pairs) else None


def _call(text: str, at: int) -> tuple[RawCall, int]:
    """The call that begins at `at`, and the index behind it."""
    if plain := _plain(_PLAIN_CALL, text, at):
        return plain
    head = _HEAD.match(text, at)
    if not head:
        raise MalformedCall("tool(key=value) should stand here", at)
    found: dict[str, Any] = {}
    at = _skip(text, head.end())
    while not text.startswith(")", at):
        argument = _ARGUMENT.match(text, at)
        if not argument:
            raise MalformedCall("a keyword argument should stand here (key=value)", at)
        if argument[1] in found:
            raise MalformedCall(f"the argument {argument[1][:40]!r} stands twice", at)
        begins = _skip(text, argument.end())
        source, end = _source(text, begins)
        try:
            found[argument[1]] = _evaluated(ast.parse(source, mode="eval").body)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            problem = str(error) if type(error) is ValueError else "the value is no literal of Python"
            raise MalformedCall(problem, begins) from error
        at = _next(")", text, end)
    return RawCall(head[1], found), at + 1


def _next(closing: str, text: str, at: int) -> int:
    """Behind a comma, or at the closing bracket."""
    at = _skip(text, at)
    if text.startswith(",", at):
        return _skip(text, at + 1)
    if not text.startswith(closing, at):
        raise MalformedCall(f"a ',' or '{closing}' is missing", at)
    return at


def _skip(text: str, at: int) -> int:
    """Index behind white space and comments."""
    if text[at : at + 1] not in " \t\r\n#":  # cheaper than the pattern; the empty text at the end is in every other
        return at
    found = _BLANK.match(text, at)
    return found.end() if found else at


_DIGITS = r"[0-9](?:_?[0-9]){0,999}"
_NUMBER = (
    rf"[-+]?(?:0[xX](?:_?[0-9a-fA-F]){{1,250}}|0[oO](?:_?[0-7]){{1,330}}|0[bB](?:_?[01]){{1,1000}}"
    rf"|(?:{_DIGITS}(?:\.[0-9]{{0,1000}})?|\.[0-9]{{1,1000}})(?:[eE][-+]?[0-9]{{1,4}})?)"
)
_TOKEN = re.compile(
    rf"(?P<open>[(\[{{])|(?P<close>[)\]}}])|(?P<mark>[,:])|(?P<string>[rR]?(\"\"\"|'''|\"|'))"
    rf"|(?P<scalar>(?:{_NUMBER}|True|False|None|true|false|null)(?![\w.]))"
)
_ZEROS = re.compile(r"^([-+]?)0[0_]*(?=[1-9])")
"""Zeros before a number, which Python refuses and models write in dates and times."""
_MISSING = "a literal is missing (strings stand in quotes)"
_SPELLED = {"true": "True", "false": "False", "null": "None"}


def _source(text: str, at: int) -> tuple[str, int]:
    """The literal that begins at `at`, as Python reads it without a warning, and the index behind it."""
    tokens, depth, previous = ["("], 0, ""
    while token := _TOKEN.match(text, at):
        kind, written, end = token.lastgroup or "", token.group(), token.end()
        if kind in ("close", "mark"):
            if depth == 0:
                break
        elif previous in ("close", "scalar", "string") and not previous == kind == "string":
            break  # two values side by side; only strings Python joins
        if kind == "string":
            written, end = _string_token(text, token)
        elif kind == "scalar":
            written = _SPELLED.get(written) or _ZEROS.sub(r"\1", written)
        depth += {"open": 1, "close": -1}.get(kind, 0)
        if depth > MAX_DEPTH:
            raise MalformedCall("the value is nested too deeply", at)
        tokens.append(written)
        at, previous = _skip(text, end), kind
    if depth and previous not in ("open", "mark"):
        raise MalformedCall("a ',', a ':' or a closing bracket is missing", at)
    if depth or not previous:
        raise MalformedCall(_MISSING, at)
    return " ".join([*tokens, ")"]), at


# Atomic groups, since possessive repeats of alternatives match wrongly before Python 3.11.5 (python/cpython#106052).
_BODY = {quote: re.compile(rf"(?>(?:[^\\\n{quote}]+|\\[\s\S])*){quote}") for quote in "\"'"}
_BODY |= {
    quote * 3: re.compile(rf"(?>(?:[^\\{quote}]+|{quote}(?!{quote}{quote})|\\[\s\S])*){quote * 3}") for quote in "\"'"
}
_ESCAPE = (
    r"\\(?:[\\'\"abfnrtv\n]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U(?:000[0-9a-fA-F]|0010)[0-9a-fA-F]{4}|[0-3][0-7]{2}"
    r"|[0-7]{1,2}(?![0-7]))"
)
_ONLY_ESCAPES = re.compile(rf"(?>(?:[^\\\r\0]+|{_ESCAPE})*)")
_ESCAPE_OR_ODD = re.compile(rf"{_ESCAPE}|[\\\r\0]")
_AS_ESCAPE = {"\\": "\\\\", "\r": "\\r", "\0": "\\x00"}


def _string_token(text: str, opening: re.Match[str]) -> tuple[str, int]:
    """The string behind its opening quote, as source that Python reads without a warning or a change."""
    quote = opening[5]
    found = _BODY[quote].match(text, opening.end())
    if not found:
        unclosed = len(quote) > 1 or "\n" not in text[opening.end() :]
        raise MalformedCall(f"a string is not closed by {quote}", opening.start(), unclosed=unclosed)
    if opening.group() != quote:  # raw
        return text[opening.start() : found.end()], found.end()
    body = found.group()
    if not _ONLY_ESCAPES.fullmatch(body):
        # A backslash that begins no escape stands for itself, of which Python warns; a raw \r would become \n.
        body = _ESCAPE_OR_ODD.sub(lambda escape: _AS_ESCAPE.get(escape.group(), escape.group()), body)
    return quote + body, found.end()


def _evaluated(node: ast.expr | None) -> Any:  # noqa: C901, PLR0911 - one case for each kind of literal
    """The value of a tree of literals; raises ValueError for any other tree."""
    match node:
        case ast.Constant(value=str() as text):
            return joined_surrogates(text)
        case ast.Constant(value=bool() | int() | None as value):
            return value
        case ast.Constant(value=float() as value):
            if math.isfinite(value):
                return value
            raise ValueError("a number is too large")
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float())):
            return -_evaluated(node.operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=ast.Constant(value=int() | float())):
            return _evaluated(node.operand)
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_evaluated(item) for item in items]
        case ast.Dict():
            keys = [_evaluated(key) for key in node.keys]
            if not all(isinstance(key, str) for key in keys):
                raise ValueError("a key in quotes is missing")
            if len(set(keys)) < len(keys):
                raise ValueError("a dictionary has the same key twice")
            return dict(zip(keys, map(_evaluated, node.values), strict=True))
    raise ValueError(_MISSING)
