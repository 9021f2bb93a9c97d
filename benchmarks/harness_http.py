"""The work of benchmarks/harness.py over HTTP, ten trials at once: beside Inspect AI ten-way on the same server.

30 trials of 5 shell calls and a final answer; a scripted OpenAI-compatible server on loopback answers at once, so what
is left is the harnesses' own cost. Ours: the backend for endpoints with `--parallel 10` and bubblewrap, in a
virtual environment with runtime dependencies only. Inspect AI: ten samples at once, its local sandbox, which confines
nothing. Start-up and imports are rows of their own on either side. Run `python benchmarks/harness_http.py` from the
repository root; prints a Markdown table. Goal: a tenth of Inspect AI's wall time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from harness import WORK, Spent, measure_inspect, median_spent, own_environment, row, run
from harness_work.scripted_server import scripted_server
from harness_work.work import COMMANDS, TRIALS

AT_ONCE = 10
GOAL = 0.1


def measure_imports(python: str, project: Path, repeats: int) -> Spent:
    """What is imported on top of pytest; the median after one run that warms caches."""
    spent = [Spent(*json.loads(run(python, str(WORK / "our_imports.py"), cwd=project))) for _ in range(repeats + 1)][1:]
    return Spent(statistics.median(s.wall for s in spent), statistics.median(s.cpu for s in spent))


def measure_ours(folder: Path, repeats: int, sandbox: str, parallel: int) -> tuple[Spent, Spent, Spent]:
    """pytest's start-up with one empty test, what is imported on top of it, and the whole work."""
    python = str(own_environment(folder / "agentcore-venv"))
    project = folder / "project"
    project.mkdir(exist_ok=True)
    (project / "pytest.ini").write_text("[pytest]\n")
    (project / "test_empty.py").write_text("def test_empty(): pass\n")
    pytest = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    startup = median_spent(lambda: run(*pytest, "-p", "no:agentcore", "test_empty.py", cwd=project), repeats)
    imports = measure_imports(python, project, repeats)
    words = [
        "--model",
        "bench",
        "--runs",
        str(TRIALS),
        "--sandbox",
        sandbox,
        "--rootdir=.",
        "--agentcore-preflight=off",
    ]
    words += ["--parallel", str(parallel)]
    with scripted_server() as url:

        def work() -> None:
            output = run(*pytest, *words, f"--agentcore-base-url={url}", str(WORK / "test_task_bench.py"), cwd=project)
            if f"{TRIALS} passed" not in output:
                sys.exit(output)

        return startup, imports, median_spent(work, repeats)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--folder", type=Path, help="keep the virtual environments here for another time")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sandbox", default="bubblewrap", choices=["bubblewrap", "process"])
    parser.add_argument("--without-inspect", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        startup, imports, whole = measure_ours(folder, options.repeats, options.sandbox, AT_ONCE)
        ours = whole - startup - imports
        print(f"{TRIALS} trials, {len(COMMANDS)} shell calls and an answer each, {AT_ONCE} at once over HTTP; ", end="")
        print(f"median of {options.repeats}\n")
        print("| | seconds | ms a trial | CPU seconds | relative | relative CPU |\n|---|---:|---:|---:|---:|---:|")
        print(row("pytest's own start-up", startup, ours))
        print(row("importing the plugin and the openai package", imports, ours))
        print(row(f"pytest-agentcore, {options.sandbox}, besides both", ours, ours))
        if options.without_inspect:
            return
        start, theirs = measure_inspect(folder, options.repeats, AT_ONCE)
        print(row("Inspect AI's own start-up and imports", start, ours))
        print(row("Inspect AI, no confinement, besides both", theirs, ours))
    print(f"\ngoal: {GOAL:g} of Inspect AI's wall time")
    for name, share in (
        ("besides start-up and imports", ours.wall / theirs.wall),
        ("whole commands", whole.wall / (start + theirs).wall),
    ):
        print(f"{name}: {share:.2f}, {'' if share <= GOAL else 'NOT '}reached")


if __name__ == "__main__":
    main()
