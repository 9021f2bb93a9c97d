"""Shows whether a campaign on workers is the one that it would be here, and how long it takes.

Three campaigns are run here and on two workers of this machine: the oracle over the shipped suite, a scripted model
whose worker is killed every 20 trials, and the demo model. Nothing may be lost or doubled, every pack must be valid,
verdicts and replies must be those of the run here.

A fourth shows what a trial costs more on a worker: one at a time, of a model that takes 0.2 seconds. Between the last
reply of a trial and the first request of the next lies all that is not the model's: freezing and packing what was left,
the checker, the way to the session and back, the next workspace.

    python benchmarks/workers.py                     # all of them, some minutes
    python benchmarks/workers.py --only overhead     # one of them
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pytest_agentcore.pack.folder import CampaignFolder, campaigns
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.pack.validate import examine
from pytest_agentcore.trial.result import TrialResult

TASK = '''
"""Write a greeting."""
from pytest_agentcore import task

@task(prompt="Write the word hello into hello.txt.", artifacts=("hello.txt",))
def test_hello(trial):
    assert trial.line("hello.txt") == "hello"

@test_hello.oracle
def greet(agent):
    agent.fs_write("hello.txt", "hello")
'''
BOT = """
import multiprocessing, os, signal
from pathlib import Path

KILLS = Path({kills!r})

def reply(request):
    in_worker = multiprocessing.parent_process() is not None
    if in_worker and request.trial.run % 20 == 0 and request.turn == 2:
        try:
            (KILLS / str(request.trial.run)).touch(exist_ok=False)
            os.kill(os.getpid(), signal.SIGKILL)
        except FileExistsError:
            pass
    if request.turn > 1:
        return "done"
    return {{"tool_calls": [{{"name": "fs_write", "arguments": {{"path": "hello.txt", "content": "hello"}}}}]}}
"""

TIMED = """
import time

def reply(request):
    with open({times!r}, "a") as file:
        print(request.turn, time.time(), file=file)
    time.sleep(0.1)
    if request.turn > 1:
        with open({times!r}, "a") as file:
            print("end", time.time(), file=file)
        return "done"
    return {{"tool_calls": [{{"name": "fs_write", "arguments": {{"path": "hello.txt", "content": "hello"}}}}]}}
"""
MOST_OVERHEAD = 25
"""Milliseconds."""


def run(words: Sequence[str], folder: Path, results: str) -> tuple[CampaignFolder, float]:
    """Run pytest in a folder, and return the campaign and the seconds between its first and its last trial."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--results={results}", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    found = campaigns(folder / results)
    if done.returncode not in (0, 1) or len(found) != 1:
        raise SystemExit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
    took = float(done.stdout.rpartition(" in ")[2].partition("s")[0])
    return found[0], took


def told(folder: CampaignFolder) -> dict[tuple[str, int], tuple[object, ...]]:
    """What each trial came to; a pack that is not valid, or holds a trial twice, ends the program."""
    if problems := examine(folder).problems:
        raise SystemExit(f"{folder.path}: {problems[0]}")
    campaign = read_campaign(folder.path)
    lines = folder.results.read_text().splitlines()
    keys = Counter((line["task"], line["run"]) for line in map(json.loads, lines))
    if keys.most_common(1)[0][1] > 1 or len(keys) != len(campaign.manifest.planned):
        raise SystemExit(
            f"{folder.path}: {len(keys)} of {len(campaign.manifest.planned)} trials, {keys.most_common(1)}"
        )

    def essence(one: TrialResult) -> tuple[object, ...]:
        return one.passed, one.failure_mode, one.cause, one.seed, one.instance, one.replies_digest, one.turns

    return {(one.task, one.run): essence(one) for one in campaign.results}


def compare(name: str, words: Sequence[str], folder: Path, kills: Path | None = None) -> None:
    """Run a campaign here and on two workers, and hold one against the other."""
    here, took_here = run(words, folder, f"{name}-here")
    there, took = run([*words, "--agentcore-on=dask://local:2"], folder, f"{name}-there")
    expected, found = told(here), told(there)
    same = sum(found[key] == value for key, value in expected.items())
    killed = f", {len(list(kills.iterdir()))} workers killed" if kills else ""
    lost = len(list(there.attempts.glob("*.jsonl"))) if there.attempts.is_dir() else 0
    print(
        f"{name}: {len(found)} of {len(expected)} trials, {same} the same as here{killed}, {lost} attempts lost and "
        f"kept; {took_here:.1f} s here, {took:.1f} s there",
        flush=True,
    )
    if same != len(expected):
        raise SystemExit(1)


def show_overhead(folder: Path, trials: int = 100) -> None:
    """Run trials one at a time here and on one worker, and hold the pauses between them against each other."""
    pauses = {}
    for place, more in (("here", []), ("there", ["--agentcore-on=dask://local:1"])):
        times = folder / f"{place}.times"
        (folder / "timed.py").write_text(TIMED.format(times=str(times)))
        run(["--model=scripted:timed.py", f"--runs={trials}", "--parallel=1", *more, "tiny"], folder, f"timed-{place}")
        told = [line.split() for line in times.read_text().splitlines()]
        begun, ended = ([float(at) for what, at in told if what == which] for which in ("1", "end"))
        pauses[place] = sorted(1000 * (after - before) for before, after in zip(ended, begun[1:], strict=False))
    here, there = (statistics.median(each) for each in pauses.values())
    p90 = pauses["there"][9 * len(pauses["there"]) // 10]
    print(
        f"overhead: {there - here:.0f} ms a trial: between two of {trials} trials lie {here:.0f} ms here and "
        f"{there:.0f} ms there (median; nine of ten there {p90:.0f} ms at most)",
        flush=True,
    )
    if there - here > MOST_OVERHEAD:
        raise SystemExit(1)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--only", choices=("overhead", "oracle", "killed", "model"), action="append")
    options = parser.parse_args()
    asked = options.only or ["overhead", "oracle", "killed", "model"]
    with tempfile.TemporaryDirectory() as home:
        folder, kills = Path(home), Path(home) / "kills"
        kills.mkdir()
        (folder / "tiny").mkdir()
        (folder / "tiny" / "test_task_01_hello.py").write_text(TASK)
        if "overhead" in asked:
            show_overhead(folder)
        if "oracle" in asked:
            compare("oracle", ["--model=oracle", "--runs=3"], folder)
        if "killed" in asked:
            (folder / "bot.py").write_text(BOT.format(kills=str(kills)))
            compare("killed", ["--model=scripted:bot.py", "--runs=200", "--parallel=4", "tiny"], folder, kills)
        if "model" in asked:
            compare(
                "model",
                [
                    "--model=smollm2-135m",
                    "--runs=1",
                    "--parallel=2",
                    "--agentcore-max-turns=3",
                    "--agentcore-reply-tokens=96",
                ],
                folder,
            )


if __name__ == "__main__":
    main()
