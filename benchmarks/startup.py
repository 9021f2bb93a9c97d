"""What the installed but unused plugin costs: loading its entry module on top of pytest. Goal: 5 ms.

Run `python benchmarks/startup.py` from the repository root; prints a Markdown table. Each measurement is a process of
its own. CPU time is what counts where the machine does other things too.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GOAL_MS = 5.0
LOAD = """
import pytest, time
began, began_cpu = time.perf_counter(), time.process_time()
import pytest_agentcore.plugin
print(1000 * (time.perf_counter() - began), 1000 * (time.process_time() - began_cpu))
"""

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Byte code is kept between runs, as it is wherever nobody forbids it."""

Spent = tuple[float, float]
"""Milliseconds of wall clock and of CPU."""


def load() -> Spent:
    """The entry module, pytest being loaded."""
    done = subprocess.run([sys.executable, "-c", LOAD], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    wall, cpu = map(float, done.stdout.split())
    return wall, cpu


def run_pytest(folder: Path, *words: str) -> Spent:
    """A whole run over one empty test."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * (time.perf_counter() - began), 1000 * cpu


def main() -> None:
    """Measure in turns, so that whatever else the machine does meets all rows alike; print medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--repeats", type=int, default=11)
    repeats = parser.parse_args().repeats
    entry: list[Spent] = []
    plain: list[Spent] = []
    with_it: list[Spent] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "test_empty.py").write_text("def test_empty(): pass\n")
        for _ in range(repeats + 1):
            entry.append(load())
            plain.append(run_pytest(folder, "-p", "no:agentcore"))
            with_it.append(run_pytest(folder))
    rows = {"pytest, one empty test": plain, "the same with the plugin installed": with_it, "entry module alone": entry}
    print(
        f"milliseconds, median (and least) of {repeats}, the first left out\n\n| | wall clock | CPU |\n|---|---:|---:|"
    )
    for name, spent in rows.items():
        print(f"| {name} | {cell([wall for wall, _ in spent[1:]])} | {cell([cpu for _, cpu in spent[1:]])} |")
    reached = statistics.median(wall for wall, _ in entry[1:]) <= GOAL_MS
    print(f"\ngoal: the entry module in {GOAL_MS:g} ms: {'reached' if reached else 'NOT reached'}")


def cell(values: list[float]) -> str:
    """Median and least."""
    return f"{statistics.median(values):.1f} ({min(values):.1f})"


if __name__ == "__main__":
    main()
