"""Reads random calls of every dialect, whole and cut anywhere, and counts those that were read as others than written.

Run `python benchmarks/dialect_cuts.py [CASES] [SEED]` from the repository root; 100,000 cases take some minutes. A case
is a reply: one to three calls with values that show calls, markers and code of all dialects, in prose, behind thoughts
or in a fence, whole or cut at a random place. What comes out, strictly, leniently and under another dialect, must be
the first of the calls that went in, or a problem. A tenth as many are calls inside of a form that nobody knows, half of
them made up at random, of which nothing may come out leniently. Prints failures, and how many cases and calls there
were.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from pytest_agentcore.dialects.dialect import Dialect, Parsed, Schemas
from pytest_agentcore.dialects.families import DIALECTS
from pytest_agentcore.dialects.lenient import parse_leniently
from pytest_agentcore.dialects.parse import parse

TYPES: Mapping[str, Any] = {
    "path": {"type": "string"},
    "content": {"type": "string"},
    "note": {"type": ["string", "null"]},
    "lines": {"type": "integer"},
    "share": {"type": "number"},
    "flag": {"type": "boolean"},
    "items": {"type": "array"},
    "deep": {"type": "object"},
}
SCHEMAS: Schemas = {name: {"type": "object", "properties": TYPES} for name in ("fs_read", "fs_write", "shell")}
_ONE = ("fs_read", {"path": "b", "lines": 1})
PIECES: Sequence[str] = [
    *dict.fromkeys(mark for d in DIALECTS for mark in (*d.signs, d.call.close, *d.result_open) if mark),
    *(d.render_calls([_ONE]) for d in DIALECTS),
    *(d.codec.encode(*_ONE) for d in DIALECTS),
    *("\nfs_read(path='b')\n", "\n[shell(path='b')]\n", '\n{"name": "shell", "parameters": {}}', '\n{"shell": {}}\n'),
    *(
        "\nshell\n{}",
        "```json\n",
        "```\n",
        "```tool_code\n",
        '"',
        "'",
        "\\",
        "\n",
        "\r\n",
        " ",
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
    ),
    *("<", ">", "<|", "|>", "0.25", "null", "True", "é😀", "x = 1", "import os", "call:shell{}", "<think>", "</think>"),
]
FORMS = (
    '<call tool="fs_write">\n<arg name="content">{}</arg>\n</call>',
    "<F>fs_write</F><K>content</K><V>{}</V>",
    "Action: fs_write\nAction Input: {}",
    "tool: fs_write\ncontent: |\n  {}\n",
    "fs_write <- {{content: {}}}",
    "@fs_write{{content={}}}",
    "fs_write(content=`{}`)",
    '[[fs_write]] {{content="{}"}}',
    "<|act|>fs_write<|with|>content<|is|>{}<|done|>",
    "CALL fs_write WITH content = <<{}>>",
    'fs_write --content "{}"',
    '(fs_write (content "{}"))',
)
"""Forms in which nobody here writes calls."""
BRACKETS = (("(", ")"), ("[", "]"), ("{", "}"), ("{{", "}}"), ("<<", ">>"), ("<|", "|>"), ("{%", "%}"), ("~~", "~~"))
QUOTES = ("", '"', "'", "`", '"""', "\u201c")
PROSE = ("", "I look.\n", "Let me see: is it 3 < 4?\n\n", "- one\n- {two}\n")


@dataclass(frozen=True, slots=True)
class Case:
    """One reply, and the calls that were written into it."""

    dialect: Dialect
    calls: list[tuple[str, dict[str, Any]]]
    text: str
    other: Dialect
    """Of the model that is thought to have written it."""


def cases(count: int, seed: int, dialects: Sequence[Dialect] = DIALECTS) -> Iterator[Case]:
    """So many cases, each dialect in turn."""
    random = Random(seed)
    made = 0
    while made < count:
        dialect = dialects[made % len(dialects)]
        calls = [(random.choice(list(SCHEMAS)), arguments(random)) for _ in range(random.randint(1, 3))]
        try:
            written = dialect.render_calls(calls)
        except ValueError:  # a value that the dialect cannot write
            continue
        made += 1
        thought = dialect.reasoning if random.random() < 0.3 else None
        text = f"{thought.open}\nHm.\n{thought.close}\n" if thought else ""
        text += random.choice(PROSE)
        text += f"```json\n{written}\n```" if random.random() < 0.15 else written
        text += random.choice(("", "", "\n", "\nThen I wait."))
        cut = text[: random.randint(0, len(text))] if random.random() < 0.8 else text
        yield Case(dialect, calls, cut, random.choice(DIALECTS))


def arguments(random: Random) -> dict[str, Any]:
    """Arguments of the types above, in any order."""
    values = {
        "path": text(random),
        "content": text(random),
        "note": random.choice([None, "a", f"x{text(random)}"]),
        "lines": random.randint(-1000, 10**6),
        "share": random.randint(-1000, 1000) / 8,
        "flag": random.random() < 0.5,
        "items": [text(random), 1, [None, 2.5]],
        "deep": {"x": {"y": text(random)}, "z": True},
    }
    return {key: values[key] for key in random.sample(list(values), random.randint(0, 4))}


def text(random: Random) -> str:
    """A text in which something may look like a call."""
    return "".join(random.choice(PIECES) for _ in range(random.randint(0, 5)))


def wrong(case: Case) -> Iterator[tuple[str, Parsed]]:
    """The readers that read something else than the first calls of a case, and find no problem."""
    for name, parsed in (
        ("strict", parse(case.dialect, case.text, schemas=SCHEMAS)),
        ("lenient", parse_leniently(case.text, case.dialect, list(SCHEMAS), schemas=SCHEMAS)),
        (f"as {case.other.name}", parse_leniently(case.text, case.other, list(SCHEMAS), schemas=SCHEMAS)),
    ):
        read = [json.dumps(call, sort_keys=True) for call in parsed.calls]
        if not parsed.problems and read != [json.dumps(call, sort_keys=True) for call in case.calls][: len(read)]:
            yield name, parsed


def form(random: Random) -> tuple[str, str]:
    """A call in a form made up at random, up to a value and from there on."""
    name, key = random.choice(("fs_write", "shell")), random.choice(("content", "text", "arg_1", "0", "the-file"))
    (opens, closes), quote = random.choice(BRACKETS), random.choice(QUOTES)
    lead = random.choice(("", "@", "/", "$ ", "> ", "- ", "## ", "CALL ", "run ", "Tool: ", "**Tool**: ", "action = "))
    gives = random.choice(("=", " = ", ": ", ":\n", " => ", " -> ", " := ", "::", " ", "\n", " | ", " << "))
    return random.choice(
        (
            (f"<{key} of='{name}'>\n<value>", f"</value>\n</{key}>"),
            (f"<{name}>\n<_{key}>", f"</_{key}>\n</{name}>"),
            (f'{{"do": "{name}", "with": {{"{key}": "', '"}}'),
            (f"{lead}{name}{opens}{quote}", f"{quote}{closes}"),
            (f"{lead}{name} {opens}{key}{gives}{quote}", f"{quote}{closes}"),
            (f"{lead}{name} {key}{gives}{quote}", quote),
            (f"{lead}{name}\n{key}{gives}{quote}", quote),
            (f"{opens}act{closes}{name}{opens}{key}{closes}", f"{opens}end{closes}"),
            (f"{lead}{name} a.txt <<END\n", "\nEND"),
            (f"| {name} | {key} | ", " |"),
        )
    )


def in_no_form(count: int, seed: int) -> Iterator[Case]:
    """Calls in forms that nobody knows, whose value is a call of the dialect that is read; half of them are cut."""
    random = Random(seed)
    for _ in range(count):
        dialect = random.choice(DIALECTS)
        value = random.choice(("", "x = 1\n")) + dialect.render_calls([_ONE]) + random.choice(("", "\n", "\ny"))
        known = random.choice(FORMS).format(value)
        text = random.choice(PROSE) + (known if random.random() < 0.5 else value.join(form(random)))
        yield Case(dialect, [], text[: random.randint(0, len(text))] if random.random() < 0.5 else text, dialect)


def main(count: int = 100_000, seed: int = 0, dialects: Sequence[Dialect] = DIALECTS) -> int:
    """Print the failures and the sums; the number of failures."""
    failures = 0
    read = 0
    for case in cases(count, seed, dialects):
        read += len(parse(case.dialect, case.text, schemas=SCHEMAS).calls)
        for reader, parsed in wrong(case):
            failures += 1
            if failures <= 5:
                print(
                    f"{case.dialect.name}, {reader}: {case.text!r}\n  wrote {case.calls}\n  read  {list(parsed.calls)}"
                )
    for case in in_no_form(count // 10, seed):
        parsed = parse_leniently(case.text, case.dialect, list(SCHEMAS), schemas=SCHEMAS)
        if parsed.calls and not parsed.problems:
            failures += 1
            print(f"{case.dialect.name}, inside of another form: {case.text!r}\n  read  {list(parsed.calls)}")
    print(f"{count} cases of {len(dialects)} dialects, seed {seed}: {read} calls read strictly, {failures} wrong.")
    return failures


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:3]]
    count, seed = [*given, *(100_000, 0)[len(given) :]]
    sys.exit(bool(main(count, seed)))
