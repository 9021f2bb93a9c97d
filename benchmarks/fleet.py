"""What a campaign on many workers asks of the session that records it: 10,000 trials over 1, 8 and 64 workers.

    python benchmarks/fleet.py                              # records an oracle's campaign, then plays it
    python benchmarks/fleet.py --from CAMPAIGN --trials 2000 --workers 8

Simulated is what workers do: each answers with the events, the workspace and the seconds of a recorded trial, the
seconds divided by so much that all workers together would need `--seconds`. All else is real: pytest and its items,
the controller and its threads, Dask's client, scheduler and workers, transcripts, archives, checkers, verdicts, result
lines. The workers share one process, so that what the session's own process costs is seen alone. Run r of a task is
recorded run 1 + (r - 1) mod R, since its files come from the recording.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

import pytest_agentcore.tasks.task
from pytest_agentcore.elsewhere.base import Link
from pytest_agentcore.elsewhere.order import unwrap, wrap
from pytest_agentcore.elsewhere.worker import Worker
from pytest_agentcore.pack.folder import campaigns
from pytest_agentcore.pack.jsonl import to_line
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.pack.transcript import read_transcript
from pytest_agentcore.pack.validate import examine
from pytest_agentcore.sandbox.workspace import content_digest, unpack
from pytest_agentcore.tasks.task import Instance, Task

REPORT, RUNS = "AGENTCORE_FLEET_REPORT", "AGENTCORE_FLEET_RUNS"
"""Variables for the session that is measured: where it writes, and how many runs of each task were recorded."""
MODEL = "recorded"


# What is played.


@dataclass(frozen=True)
class Recorded:
    """A trial as a worker's answer has it."""

    events: list[dict[str, Any]]
    digest: str
    archive: bytes
    seconds: float
    said: dict[str, Any]
    """Of its checker."""


def recorded_in(place: Path) -> dict[tuple[str, int], Recorded]:
    """The scored trials of a campaign, by task and run, of as many runs as every task has."""
    campaign, found = read_campaign(place), dict[tuple[str, int], Recorded]()
    for result in (one for one in campaign.results if one.scored):
        events = read_transcript(campaign.folder.transcript(result.attempt))[:-1]  # without the verdict
        archive = campaign.folder.workspace(result.attempt)
        with tempfile.TemporaryDirectory() as folder:
            unpack(archive, Path(folder) / "workspace")
            digest = content_digest(Path(folder) / "workspace")
        said: dict[str, Any] = {"accepted": result.passed, "words": result.detail, "printed": "", "changed": ()}
        said["report"] = {} if result.passed else rejection(result.detail)
        found[result.task, result.run] = Recorded(events, digest, archive.read_bytes(), result.seconds, said)
    tasks = {task for task, _ in found}
    runs = next(run for run in itertools.count(1) if any((task, run) not in found for task in tasks)) - 1
    return {key: one for key, one in found.items() if key[1] <= runs}


def rejection(words: str) -> dict[str, Any]:
    """pytest's report of a checker that rejects."""
    try:
        raise AssertionError(words)
    except AssertionError as error:
        shown = pytest.ExceptionInfo.from_exception(error).getrepr()
    report = pytest.TestReport("", ("", 0, ""), {}, "failed", shown, "call")
    return {"$report_type": "TestReport", **report._to_json()}


class Player:
    """Stands for the one `Worker` of each process: shown a model it looks as that does, and trials it plays."""

    def __init__(self, trials: Mapping[tuple[str, int], Recorded], faster: float, *, asks: bool) -> None:
        self._trials, self._faster, self._asks = trials, faster, asks
        self._runs, self._real = max(run for _, run in trials), Worker()

    def work(self, order: bytes, link: Link) -> bytes:
        """See `Worker.work`."""
        told, _ = unwrap(order)
        if told["do"] != "trial":
            return self._real.work(order, link)
        _, task, run = told["key"]
        trial = self._trials[task, 1 + (run - 1) % self._runs]
        mine = {"attempt": told["attempt"], "number": told["number"], "nodeid": told["nodeid"], "run": run}
        events = [{**trial.events[0], **mine, "model": MODEL}, *trial.events[1:]]
        for number, event in enumerate(events):
            link.tell(to_line({"begun": told["attempt"], "n": number, "event": event}))
            time.sleep(trial.seconds / self._faster / len(events))
        header = {"begun": told["attempt"], "events": events, "digest": trial.digest, "skipped": {}, "failure": None}
        header |= {"sha256": hashlib.sha256(trial.archive).hexdigest(), "suite": "/suite"}
        return wrap({**header, "said": trial.said if self._asks and told["ask"] else None}, trial.archive)


def serve(place: Path, workers: int, at_once: int, faster: float, *, asks: bool) -> None:
    """Be a scheduler and so many workers, which take orders until standard input ends."""
    from distributed import Scheduler, SpecCluster  # noqa: PLC0415 - not where it is only asked for help
    from distributed import Worker as DaskWorker  # noqa: PLC0415

    from pytest_agentcore.elsewhere import dask  # noqa: PLC0415

    player = Player(recorded_in(place), faster, asks=asks)
    vars(dask)["_this_process"] = lambda: player
    options = {"nthreads": at_once, "memory_limit": 0, "dashboard": False, "host": "127.0.0.1"}
    alone = {"host": "127.0.0.1", "port": 0, "dashboard": False, "dashboard_address": "127.0.0.1:0"}
    each = {number: {"cls": DaskWorker, "options": {**options, "name": str(number)}} for number in range(workers)}
    with SpecCluster(workers=each, scheduler={"cls": Scheduler, "options": alone}, name="fleet") as cluster:
        print(cluster.scheduler_address.replace("tcp://", "dask://"), flush=True)
        sys.stdin.read()
        spent = resource.getrusage(resource.RUSAGE_SELF)
        print(spent.ru_utime + spent.ru_stime, flush=True)


# What is measured, inside of the session: pytest loads this file as a plugin there.

PARTS = {
    "checker": "pytest_agentcore.session.lifecycle.call_checker",
    "record": "pytest_agentcore.session.recording.Recording.add",
    "instance": "pytest_agentcore.elsewhere.race.make_instance",
    "pack": "pytest_agentcore.session.trials.pack",
}
"""By name: what is timed, wall clock and CPU of its thread."""


class Measuring:
    """Takes down what the session costs from its first trial to its last."""

    def __init__(self) -> None:
        self.spent = {name: [0.0, 0.0] for name in PARTS}
        self._begun: dict[str, float] = {}
        self._report: dict[str, Any] = {}
        self._lock = threading.Lock()
        for name, path in PARTS.items():
            self._time(name, path)
        runs, instance = int(os.environ[RUNS]), Task.instance

        def repeated(self: Task, suite_version: str, run: int) -> Instance:
            return instance(self, suite_version, 1 + (run - 1) % runs)

        vars(pytest_agentcore.tasks.task)["Task"].instance = repeated

    def _time(self, name: str, path: str) -> None:
        place, _, attribute = path.rpartition(".")
        owner: Any = pytest.importorskip(place) if place.islower() else None
        if owner is None:
            module, _, kind = place.rpartition(".")
            owner = getattr(pytest.importorskip(module), kind)
        function = getattr(owner, attribute)

        @wraps(function)
        def timed(*args: Any, **named: Any) -> Any:
            wall, cpu = time.perf_counter(), time.thread_time()
            try:
                return function(*args, **named)
            finally:
                with self._lock:
                    self.spent[name][0] += time.perf_counter() - wall
                    self.spent[name][1] += time.thread_time() - cpu

        setattr(owner, attribute, timed)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self) -> None:
        """The first trial begins."""
        self._begun = self._begun or now()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Iterator[None]:
        """The last trial is recorded; then tables and reports are made."""
        ended = now()
        self._report = {name: ended[name] - self._begun[name] for name in ended} | {"parts": self.spent}
        self._report["threads"] = threading.active_count()
        try:
            yield
        finally:
            after = now()
            self._report["end"] = {name: after[name] - ended[name] for name in after}
            Path(os.environ[REPORT]).write_text(json.dumps(self._report))


def now() -> dict[str, float]:
    """Seconds of wall clock, of CPU here, in the main thread and in children; resident MB."""
    mine, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "wall": time.perf_counter(),
        "cpu": mine.ru_utime + mine.ru_stime,
        "main": time.thread_time(),
        "children": theirs.ru_utime + theirs.ru_stime,
        "megabytes": pages * resource.getpagesize() / 2**20,
    }


def pytest_configure(config: pytest.Config) -> None:
    """Measure the session, where it is one of ours."""
    if REPORT in os.environ:
        config.pluginmanager.register(Measuring(), "agentcore-fleet")


# What is shown.


@contextmanager
def fleet(place: Path, *numbers: float) -> Iterator[tuple[str, list[float]]]:
    """Start the workers; yields their address, and a list that holds their CPU seconds once they have ended."""
    words, pipe = [sys.executable, __file__, "serve", str(place), *map(str, numbers)], subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdin
        assert process.stdout
        cpu = list[float]()
        try:
            yield process.stdout.readline().strip(), cpu
            process.stdin.close()
            cpu.append(float(process.stdout.readline()))
        finally:
            process.kill()


def play(place: Path, folder: Path, options: argparse.Namespace, workers: int) -> None:
    """Have a session record the trials of so many workers, and print its line of the table."""
    trials = recorded_in(place)
    tasks, runs = len({task for task, _ in trials}), max(run for _, run in trials)
    asked = options.trials // tasks
    alone = sum(one.seconds for one in trials.values()) / len(trials) * tasks * asked
    faster = alone / (workers * options.at_once) / options.seconds
    (folder / f"{MODEL}.json").write_text(json.dumps({"replies": {"*": ["done"]}}))
    report, results = folder / f"{workers}.json", folder / f"results-{workers}"
    env = {**os.environ, REPORT: str(report), RUNS: str(runs)}
    env["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    with fleet(place, workers, options.at_once, faster, not options.checkers_here) as (address, cpu):
        words = [f"--model=scripted:{MODEL}.json", f"--runs={asked}", f"--parallel={options.at_once}"]
        words += [
            f"--agentcore-on={address}",
            f"--results={results}",
            "-pfleet",
            "-pno:cacheprovider",
            "-q",
            "--no-summary",
        ]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *words], cwd=folder, env=env, capture_output=True, text=True, check=False
        )
        if done.returncode not in (0, 1):
            raise SystemExit(f"{done.stdout[-3000:]}{done.stderr[-3000:]}")
    (written,) = campaigns(results)
    found = read_campaign(written.path)
    if options.validate and (problems := examine(written).problems):
        raise SystemExit(f"{written.path}: {problems[0]}")
    if (n := len(found.results)) != tasks * asked:
        raise SystemExit(f"{n} of {tasks * asked} trials are recorded")
    told = json.loads(report.read_text())
    parts = {name: 1000 * wall / n for name, (wall, _) in told["parts"].items()}
    cells = [
        f"{workers}",
        f"{workers * options.at_once}",
        f"{faster:.0f}",
        f"{told['wall']:.0f}",
        f"{n / told['wall']:.0f}",
    ]
    cells += [f"{1000 * told[name] / n:.1f}" for name in ("cpu", "main", "children")]
    cells += [f"{parts[name]:.1f}" for name in PARTS]
    cells += [f"{1024 * told['megabytes'] / n:.0f}", f"{told['end']['wall']:.1f}", f"{1000 * cpu[0] / n:.1f}"]
    print("| " + " | ".join(cells) + " |", flush=True)


HEAD = ("workers", "in flight", "faster", "seconds", "trials a second", "CPU ms", "main thread", "children")
TAIL = ("KB", "end, s", "fleet's CPU ms")


def main() -> None:
    """Record, where nothing recorded is given, and play."""
    if sys.argv[1:2] == ["serve"]:
        place, workers, at_once, faster, asks = sys.argv[2:]
        serve(Path(place), int(workers), int(at_once), float(faster), asks=asks == "True")
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--workers", type=lambda text: [int(word) for word in text.split(",")], default=[1, 8, 64])
    parser.add_argument("--at-once", type=int, default=8, help="trials of each worker")
    parser.add_argument("--seconds", type=float, default=20.0, help="that the workers alone would need")
    parser.add_argument("--from", dest="place", type=Path, help="a campaign over the shipped suite")
    parser.add_argument("--checkers-here", action="store_true", help="have none asked by workers")
    parser.add_argument("--validate", action="store_true", help="hold every file against its digest, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        if options.place is None:
            words = ["--model=oracle", "--runs=3", "--results=recorded", "-q", "-pno:cacheprovider"]
            subprocess.run([sys.executable, "-m", "pytest", *words], cwd=folder, check=True, capture_output=True)
            (options.place,) = (one.path for one in campaigns(folder / "recorded"))
        durations = [one.seconds for one in recorded_in(options.place).values()]
        mean, least, most = statistics.mean(durations), min(durations), max(durations)
        print(f"{len(durations)} recorded trials of {mean:.1f} s ({least:.1f} to {most:.1f})\n")
        columns = [*HEAD, *PARTS, *TAIL]
        print(f"| {' | '.join(columns)} |\n|{'---:|' * len(columns)}", flush=True)
        for workers in options.workers:
            play(options.place, folder, options, workers)


if __name__ == "__main__":
    main()
