"""What a trial's commands cost beyond their own time, in each sandbox, and by an engine's `exec` for comparison.

    python benchmarks/sandboxes.py [--trials N] [--calls N] [--container ENGINE]

A trial is a fresh workspace and so many shell calls one after the other. `first` is the time until the first call has
ended, with a container's start, which in a campaign goes on beside the model's first reply.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from pytest_agentcore.errors import UsageError
from pytest_agentcore.sandbox.base import Command
from pytest_agentcore.sandbox.container import Container
from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.sandbox.workspace import create_workspace

Call = Callable[[], None]
ECHO = ["sh", "-c", "echo a >> a.txt"]


@contextmanager
def by_sandbox(kind: str, engine: str) -> Iterator[Call]:
    """A trial in one of our sandboxes."""
    sandbox = open_sandbox(kind, engine=engine)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as home:
        workspace = create_workspace(Path(home) / "trial")
        with sandbox.over(workspace):
            yield lambda: require(sandbox.run(workspace, Command(argv=ECHO)).exit_code == 0)


@contextmanager
def by_exec(_kind: str, engine: str) -> Iterator[Call]:
    """A trial in a container that is asked for each command by a process of the engine, as is usual."""
    sandbox = open_sandbox("container", engine=engine)
    assert isinstance(sandbox, Container)
    words = [*sandbox.engine.words]
    with tempfile.TemporaryDirectory() as home:
        options = ["--rm", "--detach", "--network=none", "--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096"]
        mount = f"--volume={home}:/workspace"
        started = subprocess.run(
            [*words, "run", *options, mount, sandbox.image, "sleep", "600"], capture_output=True, text=True, check=True
        )
        name = started.stdout.strip()
        try:
            yield lambda: require(
                subprocess.run([*words, "exec", "--workdir=/workspace", name, *ECHO], check=False).returncode == 0
            )
        finally:
            subprocess.run([*words, "rm", "--force", "--time=0", name], capture_output=True, check=False)


WAYS = {
    "bubblewrap": by_sandbox,
    "process": by_sandbox,
    "container": by_sandbox,
    "podman or docker exec": by_exec,
}


def require(holds: bool) -> None:
    """Refuse to time what does not work."""
    if not holds:
        raise SystemExit("a command failed")


def main() -> None:
    """Print a line per way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--calls", type=int, default=5)
    parser.add_argument("--container", default="", metavar="ENGINE")
    options = parser.parse_args()
    print(f"{options.trials} trials of {options.calls} shell calls; milliseconds, medians")
    print(f"{'':<24}{'first':>8}{'each after':>12}{'trial':>8}")
    for name, way in WAYS.items():
        firsts, others, trials = [], [], []
        try:
            open_sandbox("container" if "exec" in name else name, engine=options.container)  # type: ignore[arg-type]
        except UsageError as error:
            print(f"{name:<24}{error}")
            continue
        for _ in range(options.trials):
            with way(name, options.container) as call:
                began = time.perf_counter()
                call()
                first = time.perf_counter()
                for _ in range(options.calls - 1):
                    call()
                ended = time.perf_counter()
            firsts.append(first - began)
            others.append((ended - first) / (options.calls - 1))
            trials.append(ended - began)
        shown = "".join(
            f"{1000 * median(values):>{width}.1f}" for values, width in ((firsts, 8), (others, 12), (trials, 8))
        )
        print(f"{name:<24}{shown}")


if __name__ == "__main__":
    main()
