"""A campaign run through pytest leaves a valid pack, in one process and under xdist alike."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from tiny import campaign

from pytest_agentcore.pack.csv import TABLES
from pytest_agentcore.pack.validate import validator

PLAN = [("task_01_hello", 1), ("task_02_count", 1), ("task_01_hello", 2), ("task_02_count", 2)]


@pytest.mark.parametrize(
    ("agent", "passed", "arguments"),
    [("oracle", "2", ()), ("null", "0", ()), ("oracle", "2", ("-n", "2"))],
    ids=["oracle", "null", "oracle-xdist"],
)
def test_every_file_is_valid_and_whole(
    pytester: pytest.Pytester, suite: Path, agent: str, passed: str, arguments: tuple[str, ...]
) -> None:
    pytester.runpytest("--model", agent, "--runs", "2", *arguments, suite)
    pack = campaign(pytester)

    manifest = json.loads((pack / "manifest.json").read_bytes())
    validator("manifest").validate(manifest)
    assert [(trial["task"], trial["run"]) for trial in manifest["planned"]] == PLAN
    assert manifest["finished"] >= manifest["started"]

    results = _valid_lines(pack / "data" / "results.jsonl", "result")
    assert sorted((line["task"], line["run"]) for line in results) == sorted(PLAN)

    attempts = {line["attempt"] for line in results}
    assert {path.name for path in (pack / "data" / "workspaces").iterdir()} == {f"{a}.tar.gz" for a in attempts}
    assert {path.stem for path in (pack / "data" / "transcripts").iterdir()} == attempts
    for path in (pack / "data" / "transcripts").iterdir():
        events = [event["event"] for event in _valid_lines(path, "transcript")]
        assert (events[0], events[-2:]) == ("start", ["end", "verdict"])

    tables = {table.name: _rows(pack / "verification" / f"{table.name}.csv") for table in TABLES}
    assert {row["attempt"] for row in tables["trials"]} == attempts
    assert [(row["task"], row["passed"], row["planned"]) for row in tables["pass_rate_by_task"]] == [
        ("task_01_hello", passed, "2"),
        ("task_02_count", passed, "2"),
        ("*", str(2 * int(passed)), "4"),
    ]


def test_nothing_but_campaigns_is_visible_in_the_results_folder(pytester: pytest.Pytester, suite: Path) -> None:
    for _ in range(2):
        pytester.runpytest("--model", "oracle", "--runs", "1", suite)
    first, second = sorted(path.name for path in (pytester.path / "agentcore-results").iterdir())

    assert second == f"{first}-2"
    assert first.endswith("-oracle-tiny")


def _valid_lines(path: Path, schema: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    for line in lines:
        validator(schema).validate(line)
    return lines


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
