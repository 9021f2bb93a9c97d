"""The cost of having the plugin installed and not using it: loading its entry module on top of pytest.

The measure is hypothesis, whose entry module is known for being light: ours must not take longer. Each measurement is a
process of its own, and they alternate, so that whatever else the machine does meets all rows alike; CPU time is what
counts where it does much. Run `python benchmarks/startup.py` from the repository root; prints a Markdown table.
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

OURS, THEIRS = "pytest_agentcore.plugin", "_hypothesis_pytestplugin"
LOAD = """
import pytest, time
began, began_cpu = time.perf_counter(), time.process_time()
import {module}
print(1000 * (time.perf_counter() - began), 1000 * (time.process_time() - began_cpu))
"""

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Byte code is kept between runs, as it is wherever nobody forbids it."""

Spent = tuple[float, float]
"""Milliseconds of wall clock and of CPU."""


def load(module: str) -> Spent:
    """An entry module, pytest being loaded."""
    command = [sys.executable, "-c", LOAD.format(module=module)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
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
    """Measure in turns and print medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--repeats", type=int, default=31, help="measurements of each entry module")
    parser.add_argument("--runs", type=int, default=11, help="whole runs of pytest, with and without the plugin")
    options = parser.parse_args()
    ours, theirs, plain, with_it = (list[Spent]() for _ in range(4))
    # The first of each is left out: it writes byte code and warms the disk's cache.
    for _ in range(options.repeats + 1):
        ours.append(load(OURS))
        theirs.append(load(THEIRS))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "test_empty.py").write_text("def test_empty(): pass\n")
        for _ in range(options.runs + 1):
            plain.append(run_pytest(folder, "-p", "no:agentcore"))
            with_it.append(run_pytest(folder))
    rows = {
        f"entry module `{OURS}`": ours,
        f"entry module `{THEIRS}`": theirs,
        "pytest, one empty test": plain,
        "the same with the plugin installed": with_it,
    }
    print("milliseconds, median (and least)\n\n| | wall clock | CPU |\n|---|---:|---:|")
    for name, spent in rows.items():
        print(f"| {name} | {cell(walls(spent))} | {cell(cpus(spent))} |")
    ratios = [statistics.median(of(ours)) / statistics.median(of(theirs)) for of in (walls, cpus)]
    print(f"| ours / hypothesis's | {ratios[0]:.2f} | {ratios[1]:.2f} |")
    print(f"\ngoal: no slower than hypothesis's, by CPU: {'reached' if ratios[1] <= 1 else 'NOT reached'}")


def walls(spent: list[Spent]) -> list[float]:
    """Wall clock of all measurements but the first."""
    return [wall for wall, _ in spent[1:]]


def cpus(spent: list[Spent]) -> list[float]:
    """CPU time of all measurements but the first."""
    return [cpu for _, cpu in spent[1:]]


def cell(values: list[float]) -> str:
    """Median and least."""
    return f"{statistics.median(values):.1f} ({min(values):.1f})"


if __name__ == "__main__":
    main()
