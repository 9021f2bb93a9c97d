"""What the harness itself costs: 30 trials of 5 shell calls and a final answer, beside the same work in Inspect AI.

Ours: the scripted backend and the bubblewrap sandbox, in a virtual environment with runtime dependencies only. Inspect
AI: its local sandbox, which confines nothing, and a scripted OpenAI-compatible server on loopback. Run
`python benchmarks/harness.py` from the repository root; prints a Markdown table. Goal: 2.5 s besides pytest's start-up.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness_work.scripted_server import scripted_server
from harness_work.work import ANSWER, COMMANDS, TRIALS

ROOT = Path(__file__).resolve().parents[1]
WORK = Path(__file__).with_name("harness_work")
GOAL = 2.5


def environment(folder: Path, *requirements: str) -> Path:
    """The Python of a virtual environment with the requirements; made once per folder."""
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        run(sys.executable, "-m", "venv", str(folder))
        run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements)
        (folder / "ready").touch()
    return python


def own_environment(folder: Path) -> Path:
    """An environment with runtime dependencies only, and the project as it is now, also in a folder that was kept."""
    kept = (folder / "ready").exists()
    python = environment(folder, str(ROOT))
    if kept:
        again = ("--quiet", "--disable-pip-version-check", "--force-reinstall", "--no-deps")
        run(str(python), "-m", "pip", "install", *again, str(ROOT))
    return python


def run(*command: str, cwd: Path = ROOT) -> str:
    """Standard output of a command that must succeed; byte code is kept, as it is wherever nobody forbids it."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def write_script(path: Path) -> None:
    """The work as a file for `--model scripted:FILE`."""
    calls = [{"tool_calls": [{"name": "shell", "arguments": {"command": command}}]} for command in COMMANDS]
    path.write_text(json.dumps({"replies": {"*": [*calls, {"text": ANSWER}]}}))


@dataclass(frozen=True)
class Spent:
    """Seconds of wall clock, and of CPU in all processes that were waited for."""

    wall: float
    cpu: float

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.wall - other.wall, self.cpu - other.cpu)

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.wall + other.wall, self.cpu + other.cpu)


def now() -> Spent:
    """Readings to subtract."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Spent(time.perf_counter(), used.ru_utime + used.ru_stime)


def spent_by(action: Callable[[], object]) -> Spent:
    """What one call takes."""
    began = now()
    action()
    return now() - began


def median(spent: Iterable[Spent]) -> Spent:
    """Of wall clock and CPU each."""
    walls, cpus = zip(*((each.wall, each.cpu) for each in spent), strict=True)
    return Spent(statistics.median(walls), statistics.median(cpus))


def median_spent(action: Callable[[], object], repeats: int) -> Spent:
    """The median of some runs after one that warms caches."""
    action()
    return median([spent_by(action) for _ in range(repeats)])


def fresh(folder: Path) -> str:
    """An empty folder for one run's results: a campaign looks at those that lie beside it."""
    return tempfile.mkdtemp(prefix="results-", dir=folder)


def measure_ours(folder: Path, repeats: int, sandbox: str) -> tuple[Spent, Spent]:
    """pytest's start-up with one empty test, and the whole work."""
    python = str(own_environment(folder / "agentcore-venv"))
    project = folder / "project"
    project.mkdir(exist_ok=True)
    (project / "pytest.ini").write_text("[pytest]\n")
    (project / "test_empty.py").write_text("def test_empty(): pass\n")
    write_script(project / "bench.json")
    pytest = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    startup = median_spent(lambda: run(*pytest, "-p", "no:agentcore", "test_empty.py", cwd=project), repeats)
    words = ["--model", "scripted:bench.json", "--runs", str(TRIALS), "--sandbox", sandbox, "--rootdir=."]

    def work() -> None:
        results = f"--agentcore-results={fresh(folder)}"
        output = run(*pytest, *words, results, str(WORK / "test_task_bench.py"), cwd=project)
        if f"{TRIALS} passed" not in output:
            sys.exit(output)

    return startup, median_spent(work, repeats)


@contextmanager
def inspect_ai(folder: Path, max_samples: int) -> Iterator[Callable[[], tuple[Spent, Spent]]]:
    """The same work there; a call does it once: what is spent outside of `eval` (start-up and imports), and in it."""
    python = str(environment(folder / "inspect-venv", "inspect-ai", "openai"))
    with scripted_server() as url:

        def work() -> tuple[Spent, Spent]:
            began = now()
            words = (str(WORK / "inspect_side.py"), url, str(max_samples), fresh(folder))
            told = json.loads(run(python, *words, cwd=folder).splitlines()[-1])
            whole, in_eval = now() - began, Spent(told["seconds"], told["cpu_seconds"])
            if (told["right"], told["calls"]) != (TRIALS, TRIALS * len(COMMANDS)):
                sys.exit(f"Inspect AI did other work: {told}")
            return whole - in_eval, in_eval

        yield work


def measure_inspect(folder: Path, repeats: int, max_samples: int) -> tuple[Spent, Spent]:
    """Medians of the two, after one run that warms caches."""
    with inspect_ai(folder, max_samples) as work:
        _, *measured = [work() for _ in range(repeats + 1)]
    return median([start for start, _ in measured]), median([in_eval for _, in_eval in measured])


def row(name: str, spent: Spent, reference: Spent) -> str:
    """One line of the table."""
    ratio = f"{spent.wall / reference.wall:.1f} | {spent.cpu / reference.cpu:.1f}"
    return f"| {name} | {spent.wall:.2f} | {1000 * spent.wall / TRIALS:.0f} | {spent.cpu:.2f} | {ratio} |"


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
        startup, whole = measure_ours(folder, options.repeats, options.sandbox)
        ours = whole - startup
        print(f"{TRIALS} trials, {len(COMMANDS)} shell calls and an answer each; median of {options.repeats}\n")
        print("| | seconds | ms a trial | CPU seconds | relative | relative CPU |\n|---|---:|---:|---:|---:|---:|")
        print(row("pytest's own start-up", startup, ours))
        print(row(f"pytest-agentcore, {options.sandbox}, besides start-up", ours, ours))
        if not options.without_inspect:
            for name, most in {"one sample at a time": 1, "ten samples at once": 10}.items():
                start, in_eval = measure_inspect(folder, options.repeats, most)
                if most == 1:
                    print(row("Inspect AI's own start-up", start, ours))
                print(row(f"Inspect AI, no confinement, {name}, besides start-up", in_eval, ours))
    reached = "reached" if ours.wall <= GOAL else "NOT reached"
    print(f"\ngoal: {GOAL} s besides start-up; measured {ours.wall:.2f} s: {reached}")


if __name__ == "__main__":
    main()
