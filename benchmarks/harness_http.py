"""The work of benchmarks/harness.py over HTTP, ten trials at once: beside Inspect AI ten-way on the same server.

30 trials of 5 shell calls and a final answer; a scripted OpenAI-compatible server on loopback answers at once, so what
is left is the harnesses' own cost. Ours: the backend for endpoints with `--parallel 10` and bubblewrap, in a
virtual environment with runtime dependencies only. Inspect AI: ten samples at once, its local sandbox, which confines
nothing. The two take turns, so that a machine that is slower for a while is slower for both; a ratio is the median of
the turns' own. Start-up and imports are rows of their own on either side. Run `python benchmarks/harness_http.py` from
the repository root; prints a Markdown table. Goal: a tenth of Inspect AI's wall time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness import WORK, Spent, fresh, inspect_ai, median, own_environment, row, run, spent_by
from harness_work.scripted_server import scripted_server
from harness_work.work import COMMANDS, TRIALS

AT_ONCE = 10
GOAL = 0.1


@dataclass(frozen=True)
class Turn:
    """What each part took, one after the other."""

    startup: Spent
    """pytest's own, with one empty test."""
    imports: Spent
    """What our side imports on top of pytest before the first trial."""
    ours: Spent
    """The whole command."""
    inspect_start: Spent
    """Inspect AI's start-up and imports."""
    inspect: Spent
    """Its `eval`."""

    @property
    def besides(self) -> Spent:
        """Our command besides start-up and imports."""
        return self.ours - self.startup - self.imports


@contextmanager
def our_side(folder: Path, sandbox: str) -> Iterator[Callable[[], tuple[Spent, Spent, Spent]]]:
    """A call measures pytest's start-up, the imports and the whole work once."""
    python = str(own_environment(folder / "agentcore-venv"))
    project = folder / "project"
    project.mkdir(exist_ok=True)
    (project / "pytest.ini").write_text("[pytest]\n")
    (project / "test_empty.py").write_text("def test_empty(): pass\n")
    pytest = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    words = ["--model=bench", f"--runs={TRIALS}", f"--sandbox={sandbox}", f"--parallel={AT_ONCE}", "--rootdir=."]
    with scripted_server() as url:

        def work() -> None:
            where = [f"--agentcore-results={fresh(folder)}", f"--agentcore-base-url={url}", "--agentcore-preflight=off"]
            output = run(*pytest, *words, *where, str(WORK / "test_task_bench.py"), cwd=project)
            if f"{TRIALS} passed" not in output:
                sys.exit(output)

        def measure() -> tuple[Spent, Spent, Spent]:
            startup = spent_by(lambda: run(*pytest, "-p", "no:agentcore", "test_empty.py", cwd=project))
            imports = Spent(*json.loads(run(python, str(WORK / "our_imports.py"), cwd=project)))
            return startup, imports, spent_by(work)

        yield measure


def measure(folder: Path, repeats: int, sandbox: str) -> list[Turn]:
    """Some turns after one that warms caches."""
    with our_side(folder, sandbox) as ours, inspect_ai(folder, AT_ONCE) as theirs:
        return [Turn(*ours(), *theirs()) for _ in range(repeats + 1)][1:]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--folder", type=Path, help="keep the virtual environments here for another time")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sandbox", default="bubblewrap", choices=["bubblewrap", "process"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        show(measure(folder, options.repeats, options.sandbox), options.sandbox)


def show(turns: list[Turn], sandbox: str) -> None:
    """The table of medians, and the goal."""
    ours = median([turn.besides for turn in turns])
    print(f"{TRIALS} trials, {len(COMMANDS)} shell calls and an answer each, {AT_ONCE} at once over HTTP; ", end="")
    print(f"medians of {len(turns)} turns\n")
    print("| | seconds | ms a trial | CPU seconds | relative | relative CPU |\n|---|---:|---:|---:|---:|---:|")
    print(row("pytest's own start-up", median([turn.startup for turn in turns]), ours))
    print(row("importing the plugin and the openai package", median([turn.imports for turn in turns]), ours))
    print(row(f"pytest-agentcore, {sandbox}, besides both", ours, ours))
    print(row("Inspect AI's own start-up and imports", median([turn.inspect_start for turn in turns]), ours))
    print(row("Inspect AI, no confinement, besides both", median([turn.inspect for turn in turns]), ours))
    print(f"\ngoal: {GOAL:g} of Inspect AI's wall time")
    judge("besides start-up and imports", [turn.besides.wall / turn.inspect.wall for turn in turns])
    judge("whole commands", [turn.ours.wall / (turn.inspect_start + turn.inspect).wall for turn in turns])


def judge(name: str, shares: list[float]) -> None:
    """One line: the median of the turns' shares, and between which they lie."""
    share = statistics.median(shares)
    between = f"{min(shares):.3f} to {max(shares):.3f}"
    print(f"{name}: {share:.3f} ({between}), {'' if share <= GOAL else 'NOT '}reached")


if __name__ == "__main__":
    main()
