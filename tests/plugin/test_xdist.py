"""Under `-n 2` the same files come out as in one process."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from tiny import Script, result_lines, say, write

TIMES = {"started", "finished", "seconds", "model_seconds", "tool_seconds"}
CHANGING = TIMES | {"attempt", "arguments", "session", "parallel"}
"""What two runs of the same may differ in: that trials overlapped is one of the things a manifest tells."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def test_the_same_files_come_out(pytester: pytest.Pytester, suite: Path, script: Script) -> None:
    bot = script(
        task_01=[write("hello.txt", "hello"), say("done")],
        task_02=[write("count.txt", "none"), {"error": "flaky", "times": 1}, say("done")],
    )
    models = ("--model=oracle", f"--model=scripted:{bot}")
    for results, words in {"alone": (), "workers": ("-n", "2")}.items():
        result = pytester.runpytest(*models, "--runs=2", f"--results={results}", *words, suite)
        result.assert_outcomes(passed=6, failed=2)
        result.stdout.fnmatch_lines(["effective * 4/4 * (4/4 scored)", "effective * 2/4 * (4/4 scored)"])

    alone, workers = (sorted((pytester.path / results).iterdir()) for results in ("alone", "workers"))
    assert [pack.name for pack in alone] == [pack.name for pack in workers]
    for one, other in zip(alone, workers, strict=True):
        assert _tree(one) == _tree(other)
        assert _lines(one) == _lines(other)
        assert _manifest(one) == _manifest(other)
        for path in sorted((one / "verification").glob("*.csv")):
            assert _rows(path) == _rows(other / "verification" / path.name)


@pytest.mark.parametrize("words", [("-p", "no:xdist"), ("-n", "0")])
def test_it_runs_without_workers_too(pytester: pytest.Pytester, suite: Path, words: tuple[str, ...]) -> None:
    pytester.runpytest("--model=oracle", "--runs=1", *words, suite).assert_outcomes(passed=2)


def _tree(pack: Path) -> list[str]:
    """Files by place, whatever the attempts are called."""
    return sorted(_UUID.sub("*", str(path.relative_to(pack))) for path in pack.rglob("*") if path.is_file())


def _lines(pack: Path) -> list[dict[str, Any]]:
    lines = sorted(result_lines(pack), key=lambda line: (line["run"], line["task"]))
    return [{name: value for name, value in line.items() if name not in CHANGING} for line in lines]


def _manifest(pack: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((pack / "manifest.json").read_bytes())
    return {name: value for name, value in manifest.items() if name not in CHANGING}


def _rows(path: Path) -> list[list[str]]:
    """Rows without times, in any order."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [name for name in rows[0] if "second" not in name and name not in CHANGING] if rows else []
    return sorted([_UUID.sub("*", row[name]) for name in kept] for row in rows)


@pytest.mark.parametrize("tx", ["ssh=host//python=python3", "socket=192.168.1.102:8888", "2*ssh=host"])
def test_workers_on_other_machines_are_refused_with_what_is_there_for_them(
    pytester: pytest.Pytester, suite: Path, tx: str
) -> None:
    result = pytester.runpytest("--model=oracle", "--dist=load", f"--tx={tx}", suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--tx *=*: *--agentcore-on dask://HOST:PORT runs trials on other machines*"])


def test_two_ways_of_distributing_are_one_too_many(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest("--model=oracle", "-n2", "--agentcore-on=dask://local", suite)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*--agentcore-on dask://local: runs trials elsewhere already; leave pytest-xdist's -n out"]
    )
