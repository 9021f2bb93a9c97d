"""How fast replies are read: MB per CPU second for 0.25 and 1 MB, strict and lenient; equal speeds mean linear time.

Run `python benchmarks/dialect_parsing.py` from the repository root; prints a Markdown table with both speeds in a cell.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from pytest_agentcore.dialects.dialect import Dialect
from pytest_agentcore.dialects.families import DIALECTS
from pytest_agentcore.dialects.lenient import parse_leniently
from pytest_agentcore.dialects.parse import parse
from pytest_agentcore.trial.detectors import DegenerateWatch

SIZES = (250_000, 1_000_000)
REPEATS = 5
TOOLS = ("fs_read", "fs_write", "shell", "sql_query")


def replies(dialect: Dialect, size: int) -> Iterator[tuple[str, str]]:
    """Kinds of replies with about `size` characters each."""
    line = 'x = {"a": [1, 2, 3]}  # <b>text</b> and "quotes"\n'
    yield "one call with a large file", dialect.render_call("fs_write", {"path": "a", "content": line * (size // 52)})
    arguments = {"command": "python3 -m unittest tests.test_price", "seconds": 60}
    call = dialect.render_call("shell", arguments)
    turn = f"Look.\n{dialect.render_calls([('shell', arguments)] * 4)}\n"
    yield "many small calls", turn * (size // len(turn))
    yield "prose without calls", "Read the log, then compare 3 < 4 with {braces} and [lists].\n" * (size // 60)
    opening = (*dialect.open_markers, dialect.call.open)[0] or dialect.render_call("shell", {"a": ""}).partition('"a')[
        0
    ]
    yield "only opening markers", opening * (size // len(opening))
    cut = call[: len(call) // 2] + "\n"
    yield "calls cut off", cut * (size // len(cut))
    yield "bare objects cut off", '{"name": "fs_read", "arguments": {"path": "' * (size // 43)


def speed(read: Callable[[str], object], text: str) -> float:
    """MB per CPU second, the best of some runs."""
    best = float("inf")
    for _ in range(REPEATS):
        start = time.process_time()
        read(text)
        best = min(best, time.process_time() - start)
    return len(text) / 1e6 / best


def readers(dialect: Dialect) -> dict[str, Callable[[str], object]]:
    """Everything that takes a whole reply apart."""
    return {
        "strict": lambda text: parse(dialect, text),
        "lenient": lambda text: parse_leniently(text, dialect, TOOLS),
    }


def main() -> None:
    """Print the tables."""
    shown = ("one call with a large file", "many small calls")
    ways = [f"{kind}, {name}" for kind in shown for name in readers(DIALECTS[0])]
    print(f"| dialect | {' | '.join(ways)} | slowest of the others, strict and lenient |")
    print("|---|" + "---:|" * len(ways) + "---|")
    for dialect in DIALECTS:
        texts = [dict(replies(dialect, size)) for size in SIZES]
        speeds = {
            (kind, name): [speed(read, sized[kind]) for sized in texts]
            for kind in texts[0]
            for name, read in readers(dialect).items()
        }
        cells = [
            " ".join(f"{one:.0f}" for one in speeds.pop((kind, name))) for kind in shown for name in readers(dialect)
        ]
        least, (kind, name) = min((min(both), key) for key, both in speeds.items())
        print(f"| {dialect.name} | {' | '.join(cells)} | {least:.0f}: {kind}, {name} |")
    print("\n| tokens of a reply | seconds the loop watch takes |\n|---:|---:|")
    for count in (4_096, 16_384):
        tokens = [index * index % 97 for index in range(count)]
        start = time.process_time()
        any(map(DegenerateWatch(), [tokens[i] + (i // 97) for i in range(count)]))
        print(f"| {count} | {time.process_time() - start:.4f} |")


if __name__ == "__main__":
    main()
