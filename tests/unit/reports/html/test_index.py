"""The page over many campaigns as a value: which are compared, drawn and left out."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from packs import write_pack
from results import WRONG, manifest, result

from pytest_agentcore.analysis.compare import compare
from pytest_agentcore.analysis.compare_text import verdict_sentence
from pytest_agentcore.pack.manifest import Selection
from pytest_agentcore.pack.read import Campaign, read_campaign
from pytest_agentcore.reports.html import index as module
from pytest_agentcore.reports.html.index import build_index, cells, read_shown

TASKS = ("task_01", "task_02")


def campaign(home: Path, name: str, passed: int, day: int, **facts: Any) -> Campaign:
    """Four runs of two tasks, of which the first so many of each pass."""
    plan = [(task, run) for task in TASKS for run in range(1, 5)]
    trials = [
        result(task, run, replies_digest=f"{name}{task}{run}", **(WRONG if run > passed else {})) for task, run in plan
    ]
    started = f"2026-06-{day:02}T08:00:00+00:00"
    write_pack(home / name, manifest(plan, **{"model": name, "campaign": name, "started": started, **facts}), trials)
    return read_campaign(home / name)


def verdicts(of: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(zlib.decompress(b64decode(of.packed["pairs"])))
    return found


def test_pairs_of_one_suite_have_the_verdict_of_the_command(tmp_path: Path) -> None:
    one, two = campaign(tmp_path, "one", 0, 1), campaign(tmp_path, "two", 4, 2, rows=4)
    other = campaign(tmp_path, "other", 2, 3, suite=replace(one.manifest.suite, digest="cd" * 32))
    found = build_index([one, two, other], {})

    assert [list(suite.campaigns) for suite in found.suites] == [[2], [1, 0]]
    assert (found.pairs, found.compared) == (1, 1)
    assert list(verdicts(found)) == ["0-1"]
    told = verdicts(found)["0-1"]
    assert told["verdict"] == verdict_sentence(compare(one, two))
    assert (told["sign"], ["rows", "-", "4"] in told["conditions"]) == (1, True)
    assert found.suites[1].differing["rows"] == ("-", "4")


def test_the_newest_are_compared_first_where_all_would_take_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WORK", 3)
    many = [campaign(tmp_path, f"c{day}", day % 4, day) for day in range(1, 6)]
    found = build_index(many, {})

    assert (found.pairs, found.compared) == (10, 3)
    assert sorted(verdicts(found)) == ["2-3", "2-4", "3-4"]


def test_campaigns_without_a_task_in_common_are_told_so(tmp_path: Path) -> None:
    one = campaign(tmp_path, "one", 1, 1)
    write_pack(
        tmp_path / "two", manifest([("task_09", 1)], started="2026-07-01T08:00:00+00:00"), [result("task_09", 1)]
    )
    told = verdicts(build_index([one, read_campaign(tmp_path / "two")], {}))["0-1"]

    assert "have no task in common" in told["verdict"]
    assert told["tasks"] == []


def test_quantizations_of_a_model_are_a_ladder_by_the_size_of_their_files(tmp_path: Path) -> None:
    made = [("Q8_0", 12, 4), ("Q3_K_M", 5, 1), ("Q4_K_M", 7, 3)]
    many = [
        campaign(
            tmp_path, f"gemma-{quant.lower().replace('_', '-')}", passed, day, backend={"quant": quant, "size": size}
        )
        for day, (quant, size, passed) in enumerate(made, 1)
    ]
    (ladder,) = build_index(many, {}).ladders

    assert [tick.text for tick in ladder.chart.ticks] == ["Q3_K_M", "Q4_K_M", "Q8_0"]
    assert [point.height for point in ladder.chart.curves[0].points] == [0.25, 0.75, 1.0]
    assert all(point.low < point.height <= point.high for point in ladder.chart.curves[0].points)


def test_a_group_says_what_its_steps_cost_unless_it_is_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies = ("native", "lenient", "constrained")
    many = [
        campaign(tmp_path, f"tiny-{policy}", day, day, model="tiny", policy=policy, group="g")
        for day, policy in enumerate(policies, 1)
    ]
    (ladder,) = build_index(many, {}).ladders
    assert [tick.text for tick in ladder.chart.ticks] == list(policies)
    assert ladder.sentences[0].startswith("format tax: native 2/8 → lenient 4/8: +25.0 points")
    assert ladder.numbers[0].startswith("native: 25.0%, ")

    monkeypatch.setattr(module, "GROUPED", 10)
    (ladder,) = build_index(many, {}).ladders
    assert ladder.sentences == [
        "What its policies and loads cost is in g/group.md: too many trials to be read again here."
    ]


def test_a_selection_is_left_out_and_named(tmp_path: Path) -> None:
    campaign(tmp_path, "one", 1, 1)
    campaign(tmp_path, "picked", 1, 2, selection=Selection(asked=("--lf",)))
    found, left_out = read_shown(tmp_path)

    assert [one.folder.id for one in found] == ["one"]
    assert list(left_out) == ["picked"]


def test_a_campaign_that_is_not_complete_says_so(tmp_path: Path) -> None:
    assert cells(campaign(tmp_path, "one", 1, 1))["Score"].note == "interrupted"
    done = campaign(tmp_path, "two", 1, 2, finished="2026-06-10T09:00:00+00:00")
    assert cells(done)["Score"].value == 0.25
