"""What it takes to read 10,000 trials: wall clock and peak memory of the commands that show numbers.

    python benchmarks/many_trials.py [TRIALS]

Generates two campaigns of that many trials each (ten tasks, results without transcripts) and runs every command of
`COMMANDS` over them in a process of its own. The limits are 5 s and 300 MB; the exit code is 1 when CPU time or memory
exceed them (nothing here waits, so on a machine that does nothing else the wall clock is the CPU time).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.jsonl import to_line
from pytest_agentcore.pack.manifest import Manifest, PlannedTrial, SuiteFacts, manifest_bytes
from pytest_agentcore.trial.modes import Cause, FailureMode, StopReason
from pytest_agentcore.trial.result import TrialResult

SECONDS, MEGABYTES = 5.0, 300.0

COMMANDS = {
    "compare": ("compare", "{first}", "{second}"),
    "leaderboard": ("leaderboard", "{results}", "--with-published"),
    "plan": ("plan", "--detect=1pp", "--from={first}"),
}
"""By name: words of `agentcore`; `{first}` and `{second}` are campaigns, `{results}` is the folder of both."""

TASKS = 10


def main(trials: int) -> int:
    """1 when a limit is exceeded."""
    slow = False
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        places = {"results": folder, **{name: str(results / name) for name in ("first", "second")}}
        for name, rate in (("first", 0.8), ("second", 0.78)):
            generate(results / name, trials, rate)
        print(f"Two campaigns of {trials} trials each; limits: {SECONDS:g} s, {MEGABYTES:g} MB.\n")
        print("| command | seconds | of them CPU | peak MB |\n|---|---|---|---|")
        for name, words in COMMANDS.items():
            seconds, cpu, megabytes = measure([word.format(**places) for word in words])
            slow |= cpu > SECONDS or megabytes > MEGABYTES
            print(f"| {name} | {seconds:.2f} | {cpu:.2f} | {megabytes:.0f} |", flush=True)
    return int(slow)


def measure(words: list[str]) -> tuple[float, float, float]:
    """Wall clock, CPU time and peak resident memory of one command."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "pytest_agentcore.cli", *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"agentcore {' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, _megabytes(usage)


def _megabytes(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


def generate(path: Path, trials: int, rate: float) -> None:
    """A campaign of one model whose tasks pass with `rate`, give or take."""
    rng = random.Random(path.name)
    folder = CampaignFolder(path)
    folder.results.parent.mkdir(parents=True)
    runs = trials // TASKS
    planned = [(f"task_{task + 1:02}_made_up", run) for run in range(1, runs + 1) for task in range(TASKS)]
    folder.manifest.write_bytes(manifest_bytes(manifest(path.name, planned, runs)))
    with folder.results.open("wb") as file:
        for task, run in planned:
            file.write(to_line(trial(path.name, task, run, rng, rate).to_json()))


def trial(model: str, task: str, run: int, rng: random.Random, rate: float) -> TrialResult:
    """One result, with a detail as long as real ones are."""
    passed = rng.random() < rate
    attempt = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    seconds = rng.uniform(5, 60)
    return TrialResult(
        model=model,
        task=task,
        run=run,
        attempt=attempt,
        attempts=1,
        passed=passed,
        failure_mode=None if passed else FailureMode.wrong_answer,
        cause=None if passed else Cause.checker_rejected,
        stop_reason=StopReason.final_answer,
        detail="" if passed else "assert 4 == 6\n" + "x" * 300,
        classification=1,
        policy="native",
        sandbox="bubblewrap",
        seed=rng.getrandbits(31),
        instance=hashlib.sha256(f"{task}/{run}".encode()).hexdigest(),
        turns=rng.randint(2, 15),
        tool_calls=rng.randint(1, 15),
        problems=0,
        repairs=0,
        prompt_tokens=rng.randint(1000, 20000),
        cached_tokens=rng.randint(0, 1000),
        reply_tokens=rng.randint(50, 4000),
        seconds=seconds,
        model_seconds=seconds * 0.9,
        tool_seconds=seconds * 0.1,
        started="2026-06-10T08:00:00+00:00",
        replies_digest=hashlib.sha256(attempt.encode()).hexdigest(),
    )


def manifest(model: str, planned: list[tuple[str, int]], runs: int) -> Manifest:
    """The least that a campaign says of itself."""
    return Manifest(
        campaign=model,
        suite=SuiteFacts(name="made-up", version="1", title="made-up 1", digest="0" * 64, system_prompt=""),
        model=model,
        requested=model,
        backend={"backend": "made-up"},
        policy="native",
        sampling={},
        seed=0,
        runs=runs,
        order="interleaved",
        budget={"turns": 15, "reply_tokens": 4096, "seconds": 3600},
        tools=(),
        sandbox={"name": "bubblewrap"},
        harness="0",
        machine={},
        packages={},
        arguments=(),
        planned=tuple(PlannedTrial(task=task, run=run) for task, run in planned),
        started="2026-06-10T08:00:00+00:00",
        finished="2026-06-10T09:00:00+00:00",
        exit_status=0,
    )


def asked_trials(about: str | None) -> int:
    """The number of trials on the command line."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trials", metavar="TRIALS", type=int, nargs="?", default=10_000)
    given: int = parser.parse_args().trials
    return given


if __name__ == "__main__":
    sys.exit(main(asked_trials(__doc__)))
