"""Mutants of a right result: one small change each, by which it becomes wrong. A good checker rejects them all.

The operators are the usual ones of mutation testing (Jia and Harman, IEEE TSE 2011): relational, arithmetic and logical
operators replaced, constants changed, statements deleted. They edit the text, so that all else stays as it was written.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import PurePosixPath
from random import Random

Edit = tuple[str, int, int, str]
"""The kind of change, where it begins and ends, in characters, and the text that comes there."""

OPERATORS: dict[type[ast.AST], str] = {
    kind: new
    for kinds, news in (
        ((ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq), ("<=", "<", ">=", ">", "!=", "==")),
        ((ast.Is, ast.IsNot, ast.In, ast.NotIn, ast.And, ast.Or), ("is not", "is", "not in", "in", "or", "and")),
        ((ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow), ("-", "+", "+", "*", "/", "*", "*")),
    )
    for kind, new in zip(kinds, news, strict=True)
}
"""What comes in the place of each operator."""
SYMBOL = re.compile(r"not in|is not|and|or|in|is|[<>=!]=?|//|\*\*|[-+*/%]")
IDEMPOTENT = frozenset({"sort", "add", "discard", "clear", "update", "setdefault"})
"""Methods whose second call in a row does nothing more."""
DROPPED = (ast.Assign, ast.AugAssign, ast.Expr, ast.Raise, ast.Continue, ast.Break)
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.]\w)")
LIKE_CODE = re.compile(r"(?<!\w)[\w./:=-]*(?:[a-z_]\w*[_/=:.]\w+|[A-Z]{2,})[\w./:=-]*\w")
"""Paths, names and settings: words of a text that have one right spelling."""
TURNS = re.compile(r"\b(?:not|no|never|only|cannot|fewer|less|without) ", re.IGNORECASE)
"""Words by whose loss a sentence comes to say something else."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A file with one change."""

    path: str
    text: str
    line: int
    """Where it was changed, counted from 1."""
    changed: str
    """That line as it is now."""

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.changed or 'dropped'}"


def mutants(path: str, text: str, random: Random) -> list[Mutant]:
    """All mutants of a file, in an order in which the first few are of every kind.

    Those that mean the same to Python (comments, docstrings, annotations, the words of an exception) are none.
    """
    kinds: dict[str, list[Mutant]] = {}
    same = {_meaning(path, text)}
    for kind, start, end, new in sorted({*(_in_code(text) if path.endswith(".py") else _in_text(path, text))}):
        changed = f"{text[:start]}{new}{text[end:]}"
        if (meaning := _meaning(path, changed)) not in same:
            same.add(meaning)
            line = text.count("\n", 0, start)
            lines = changed.split("\n")
            kinds.setdefault(kind, []).append(Mutant(path, changed, line + 1, lines[line].strip()))
    for found in kinds.values():
        random.shuffle(found)
    ranked = [(rank, kind, mutant) for kind, found in kinds.items() for rank, mutant in enumerate(found)]
    return [mutant for _rank, _kind, mutant in sorted(ranked, key=lambda each: each[:2])]


def _meaning(path: str, text: str) -> str:
    if not path.endswith(".py"):
        return text
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.dump(ast.parse(text))
    except (SyntaxError, ValueError):
        return text


def _in_code(text: str) -> Iterator[Edit]:
    """Changes of a Python module, by its syntax tree."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    source = _Source(text)
    for node in _that_matter(tree):
        yield from source.statement(node) if isinstance(node, ast.stmt) else source.expression(node)


class _Source:
    """The text of a module, in which nodes of its tree are found and changed."""

    def __init__(self, text: str) -> None:
        self._text, self._lines = text, text.split("\n")
        self._starts = [0, *accumulate(len(line) + 1 for line in self._lines)]

    def expression(self, node: ast.AST) -> Iterator[Edit]:
        """Operators replaced, conditions turned round, other constants."""
        if isinstance(node, ast.Compare):
            for left, right, operator in zip((node.left, *node.comparators), node.comparators, node.ops, strict=False):
                yield from self._operator(left, right, operator)
        elif isinstance(node, ast.BoolOp):
            yield from self._operator(node.values[0], node.values[1], node.op)
        elif isinstance(node, ast.BinOp):
            yield from self._operator(node.left, node.right, node.op)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield "condition", self._span(node)[0], self._span(node.operand)[0], ""
        elif isinstance(node, ast.IfExp):
            yield "condition", *self._span(node.test), f"(not ({self._segment(node.test)}))"
        elif isinstance(node, ast.Constant) and (new := _other(node.value)):
            yield "constant", *self._span(node), new

    def statement(self, node: ast.stmt) -> Iterator[Edit]:
        """Statements dropped and doubled, conditions turned round, nothing returned."""
        if isinstance(node, ast.If | ast.While):
            yield "condition", *self._span(node.test), f"(not ({self._segment(node.test)}))"
        elif isinstance(node, ast.Return) and node.value and ast.unparse(node.value) != "None":
            yield "return", *self._span(node.value), "None"
        elif isinstance(node, DROPPED):
            yield "statement", *self._span(node), "pass"
        called = node.value.func if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) else None
        if isinstance(node, ast.AugAssign) or (called and getattr(called, "attr", "") not in IDEMPOTENT):
            yield "twice", *self._span(node), f"{self._segment(node)}; {self._segment(node)}"

    def _operator(self, left: ast.expr, right: ast.expr, operator: ast.AST) -> Iterator[Edit]:
        start, end = self._span(left)[1], self._span(right)[0]
        symbol, new = SYMBOL.search(self._text[start:end]), OPERATORS.get(type(operator))
        if symbol and new:
            yield "operator", start + symbol.start(), start + symbol.end(), new

    def _segment(self, node: ast.expr | ast.stmt) -> str:
        return self._text[slice(*self._span(node))]

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        return (
            self._at(node.lineno, node.col_offset),
            self._at(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset),
        )

    def _at(self, line: int, column: int) -> int:
        """The place in the text; Python counts columns in bytes of UTF-8."""
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())


def _that_matter(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes below one, but for those whose change is none of the code's behaviour, or cannot be placed in the text."""
    for child in ast.iter_child_nodes(node):
        is_main = isinstance(child, ast.If) and "__name__" in ast.unparse(child.test)
        is_text = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
        hint = isinstance(child, ast.expr) and child in (
            getattr(node, "annotation", None),
            getattr(node, "returns", None),
        )
        words = isinstance(node, ast.Raise) and child is node.exc
        if not (is_main or is_text or hint):
            yield child
            if not words and not isinstance(child, ast.JoinedStr | ast.Import | ast.ImportFrom):
                yield from _that_matter(child)


def _other(value: object) -> str:
    """Another constant of the same type, as source."""
    if isinstance(value, bool):
        return repr(not value)
    if isinstance(value, int | float):
        return repr(value + 1)
    return repr(f"{value}x") if isinstance(value, str) else ""


def _in_text(path: str, text: str) -> Iterator[Edit]:
    """Changes of any other text, by its tokens; headings of prose say nothing that could be wrong."""
    is_prose = PurePosixPath(path).suffix in (".md", ".rst", ".adoc")
    lines = text.split("\n")
    filled = [line for line in lines if line.strip()]
    start = 0
    for line in lines:
        if line.strip() and not (is_prose and line.lstrip().startswith("#")):
            yield "line", start, start + len(line), ""
            if len(filled) == 1 and not is_prose:
                yield "twice", start, start + len(line), f"{line}\n{line}"
            for found in NUMBER.finditer(line):
                number = found[0]
                value = int(number) if "." not in number else float(number)
                decimals = len(number.partition(".")[2])
                for kind, new in (("number", value + 1), ("less", value - 1), ("tenfold", 10 * value + 1)):
                    yield kind, start + found.start(), start + found.end(), f"{new:.{decimals}f}"
            for found in () if is_prose else LIKE_CODE.finditer(line):
                yield "name", start + found.end() - 1, start + found.end(), ""
                yield "name", start + found.start(), start + found.start() + 1, ""
            for found in TURNS.finditer(line) if is_prose else ():
                yield "turn", start + found.start(), start + found.end(), ""
        start += len(line) + 1
