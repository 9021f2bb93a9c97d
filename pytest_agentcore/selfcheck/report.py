"""What `agentcore selfcheck` prints: a line per task, and one for each thing that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_agentcore.selfcheck.examine import Examination


def task_lines(found: Examination, width: int) -> Iterator[str]:
    """The line of one task, its id padded to `width`, and its problems below it."""
    task = found.task
    counts = [
        _count(found.instances, "instance"),
        _count(len(task.alternatives), "alternative"),
        _count(len(task.counterexamples), "counterexample"),
        f"{_count(found.spoilt, 'spoilt artifact')}",
    ]
    yield f"{task.id:<{width}}  {'weak' if found.problems else 'ok':<4}  {', '.join(counts)}"
    for problem in found.problems:
        yield f"    {problem}"


def summary(examined: Sequence[Examination], unusable: int) -> str:
    """The last line."""
    weak = sum(bool(found.problems) for found in examined)
    said = [_count(len(examined), "task"), f"{weak} weak" if weak else "none weak"]
    if unusable:
        said.append(f"{_count(unusable, 'module')} not usable")
    return ", ".join(said)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
