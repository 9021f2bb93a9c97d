"""Whether a row's logits depend on what other rows hold, bit by bit, on this machine and build.

    python benchmarks/prove_rows.py [MODEL ...] [--rows 1,2,4,8,16,32]

For each number of rows a text is read and continued five ways: in the first row beside rows that hold nothing, in the
last one, beside rows that hold other texts, with these texts read before it or after it, and with its tokens drafted
where rows are free. Then the same with one row: whether a change of rows changes a bit, which it may. Prints a table;
the exit code is 1 where one of the five ways differs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from pytest_agentcore.backends.llama.engine import Context, LoadedModel
from pytest_agentcore.catalogue.entry import EngineSettings
from pytest_agentcore.catalogue.resolve import resolve

LENGTH, STEPS = 48, 6
Logits = list[bytes]


def main() -> int:
    """Try and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("models", nargs="*", default=["smollm2-135m"])
    parser.add_argument(
        "--rows", type=lambda text: [int(word) for word in text.split(",")], default=[1, 2, 4, 8, 16, 32]
    )
    options = parser.parse_args()
    proven = True
    print("| model | device | rows | ways that are bit-equal | equal to one row |\n|---|---|---:|---:|---|")
    for name in options.models:
        path = resolve(name).path
        assert path
        alone = next(ways(path, 1))[1]
        for rows in options.rows:
            reference, *others = [logits for _, logits in ways(path, rows)]
            same = sum(logits == reference for logits in others)
            proven &= same == len(others)
            told = device(path)
            print(f"| {path.stem} | {told} | {rows} | {same} of {len(others)} | {reference == alone} |", flush=True)
    return 0 if proven else 1


def device(path: Path) -> str:
    """What the model runs on."""
    model = LoadedModel(path, EngineSettings())
    found = ", ".join(model.log.devices()) or "CPU"
    model.close()
    return found


def ways(path: Path, rows: int) -> Iterator[tuple[str, Logits]]:
    """Each way of reading and continuing the same text, and all its logits."""
    model = LoadedModel(path, EngineSettings(rows=rows))
    size = model.vocabulary.size
    text = [(7 * place) % (size - 200) + 100 for place in range(LENGTH + STEPS + 1)]
    last = rows - 1
    yield "alone", continued(model, text, 0, {}, drafted=False)
    yield "in the last row", continued(model, text, last, {}, drafted=False)
    filled = {row: (13 * row, 8 * row % LENGTH + 1) for row in range(rows) if row != last}
    yield "beside others, read before", continued(model, text, last, filled, drafted=False)
    yield "beside others, read after", continued(model, text, last, filled, drafted=False, first=True)
    other = {row: (29 * row + 5, 5) for row in range(1, rows)}
    yield "beside others that are shorter", continued(model, text, 0, other, drafted=False)
    yield "with drafts in free rows", continued(model, text, 0, {}, drafted=rows > 1)
    model.close()


def continued(
    model: LoadedModel,
    text: list[int],
    row: int,
    others: dict[int, tuple[int, int]],
    *,
    drafted: bool,
    first: bool = False,
) -> Logits:
    """Read the beginning of a text into a row, and decode the rest a token at a time beside the others."""
    context, size = Context(model, 512), model.vocabulary.size

    def fill() -> None:
        for other, (shift, length) in others.items():
            tokens = [(place + shift) % (size - 200) + 100 for place in range(length)]
            context.evaluate(other, tokens, 0, logits=False)

    if not first:
        fill()
    context.evaluate(row, text[:LENGTH], 0, logits=False)
    if first:
        fill()
    rows, found = context.rows, []
    held = [others.get(one, (0, 0))[1] for one in range(rows)]
    if drafted:
        for place in range(LENGTH, LENGTH + STEPS):
            ahead = [*text[place : LENGTH + STEPS], *[5] * rows][:rows]
            context.step(0, [place], [ahead])
            found.append(context.logits(0))
            context.cut(0, place + 1, place + rows)
    else:
        for step in range(STEPS):
            tokens = [[text[LENGTH + step]] if one == row else [50 + step + one] for one in range(rows)]
            context.step(0, [LENGTH + step if one == row else held[one] + step for one in range(rows)], tokens)
            found.append(context.logits(row))
    context.close()
    return found


if __name__ == "__main__":
    sys.exit(main())
