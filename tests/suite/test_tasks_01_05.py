"""What tasks 01 to 05 rest on: what the given tests show, how code is measured, how log and package mislead."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from suite_modules import SUITE, task_module

from pytest_agentcore import Instance
from pytest_agentcore.sandbox.workspace import write_files

RUNS = range(1, 21)


@cache
def instance(number: int, run: int) -> Instance:
    """The data of one run of a task."""
    (declared,) = (value.agentcore for value in vars(task_module(number)).values() if hasattr(value, "agentcore"))
    drawn: Instance = declared.instance(SUITE.version, run)
    return drawn


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, without leaving caches there."""
    argv = [sys.executable, "-B", *arguments]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("number", "tests", "summary"),
    [
        (1, "tests/test_report.py", "FAILED (failures=1)"),
        (2, "tests/test_weather.py", "OK"),
        (5, "tests/test_price.py", "FAILED (errors=2)"),
    ],
)
def test_the_command_in_the_prompt_runs_the_given_tests(tmp_path: Path, number: int, tests: str, summary: str) -> None:
    write_files(tmp_path, instance(number, 1).files)

    said = python(tmp_path, "-m", "unittest", tests).stderr

    assert said.rstrip().endswith(summary)


def test_the_failing_test_names_a_function_one_call_above_the_bug() -> None:
    files = {
        path: str(content, "utf-8") for path, content in instance(1, 1).files.items() if isinstance(content, bytes)
    }
    clock, test = files["timesheet/clock.py"], files["tests/test_report.py"]

    assert "minutes_between" not in test
    assert "def minutes_between" in clock
    assert "minutes_between(start, end)" in files["timesheet/report.py"]


def test_price_module_is_too_long_to_be_rewritten() -> None:
    price = instance(5, 1).files["src/price.py"]
    assert isinstance(price, bytes)

    assert len(price.splitlines()) >= 60


@pytest.mark.parametrize(
    ("source", "size"),
    [
        ("", 0),
        ("x = 1\n", 1),
        ("def f(a: list[int]) -> int:\n    return a\n", 2),
        ("def f(a):\n    return a\n", 2),
        ("y = f(1) + 2 < 3\n", 4),
        ("'\\d'\n", 1),
    ],
)
def test_size_counts_statements_and_operations(source: str, size: int) -> None:
    assert task_module(2).size(source) == size


@pytest.mark.parametrize("source", ["def f(:\n", "\0", "(" * 5000], ids=["syntax", "null byte", "nesting"])
def test_size_of_no_python_is_an_assertion(source: str) -> None:
    with pytest.raises(AssertionError, match="not Python"):
        task_module(2).size(source)


def log(run: int) -> list[str]:
    """The records of the log of one run."""
    return str(instance(3, run).files["logs/services.log"]).splitlines()


def event(record: str) -> str:
    """The id of a record's event."""
    (found,) = re.findall(r" event=(E\d{4}) ", record)
    return str(found)


@pytest.mark.parametrize("run", RUNS)
def test_log_is_long_and_in_order(run: int) -> None:
    records = log(run)

    assert sum(map(len, records)) > 50 * 4000
    assert records == sorted(records, key=lambda record: record[:23])


@pytest.mark.parametrize("run", RUNS)
def test_all_500s_share_a_request_whose_first_record_names_the_cause(run: int) -> None:
    records = log(run)
    failed = {re.findall(r" req=(\w+) ", record)[0] for record in records if "status=500" in record}
    (request,) = failed
    own = [record for record in records if f" req={request} " in record]

    assert f"cause={event(own[0])}" == f"cause={instance(3, run).facts['cause']}"
    assert " ERROR " not in own[0]
    assert sum("status=500" in record for record in own) >= 8
    assert records.index(own[1]) - records.index(own[0]) > 50


def misleading_events(records: list[str]) -> dict[str, str]:
    """What one looks at first, and the event that is seen there."""
    errors = [record for record in records if " ERROR " in record]
    warnings = [record for record in records if " WARN " in record]
    events = [event(record) for record in records if " event=" in record]
    suspects = [record for record in records if "status=500" in record]
    request = re.findall(r" req=\w+ ", suspects[0])[0]
    return {
        "first event": events[0],
        "last event": events[-1],
        "first error": event(errors[0]),
        "last error": event(errors[-1]),
        "first warning": event(warnings[0]),
        "last warning": event(warnings[-1]),
        "most frequent error": Counter(map(event, errors)).most_common(1)[0][0],
        "most frequent event": Counter(events).most_common(1)[0][0],
        "first line with 500": event(next(record for record in records if "500" in record)),
        "first record with status 500": event(suspects[0]),
        "last record with status 500": event(suspects[-1]),
        "first error of the request": event(next(record for record in errors if request in record)),
    }


@pytest.mark.parametrize("run", RUNS)
def test_whatever_one_looks_at_first_is_not_the_cause(run: int) -> None:
    seen = misleading_events(log(run))

    assert {where for where, found in seen.items() if found == instance(3, run).facts["cause"]} == set()


def test_cause_cannot_be_told_by_how_often_it_occurs() -> None:
    ranks = []
    for run in RUNS:
        counts = Counter(event(record) for record in log(run) if " event=" in record)
        ranks.append(sorted(counts, key=lambda name: (counts[name], name)).index(instance(3, run).facts["cause"]))

    assert max(Counter(ranks).values()) <= len(RUNS) // 3


def assignments(files: dict[str, str]) -> dict[str, str]:
    """The module-level constants that are assigned numbers: `path:NAME` and the line."""
    return {
        f"{path}:{name}": line
        for path, text in files.items()
        for line, name in re.findall(r"^(([A-Z_]+) = [0-9][0-9 *]*)$", text, re.MULTILINE)
    }


def package(run: int) -> dict[str, str]:
    """The sources of one run of task 04."""
    return {path: str(content) for path, content in instance(4, run).files.items()}


def printed(folder: Path, files: dict[str, str]) -> str:
    """What the package's main prints."""
    write_files(folder, files)
    done = python(folder, "main.py")
    assert done.returncode == 0, done.stderr
    return done.stdout


def printed_number(run: int) -> str:
    """The number that main prints, as the decoy default spells it."""
    return assignments(package(run))[instance(4, run).facts["default"]].rpartition(" ")[2]


@pytest.mark.parametrize("run", range(1, 5))
def test_only_the_origin_changes_what_main_prints(tmp_path: Path, run: int) -> None:
    files, origin = package(run), instance(4, run).facts["origin"]
    before = printed(tmp_path, files)
    changes = set()
    for place, line in assignments(files).items():
        path, name = place.split(":")
        if printed(tmp_path, {**files, path: files[path].replace(line, f"{name} = 1234567")}) != before:
            changes.add(place)

    assert changes == {origin}


@pytest.mark.parametrize("run", RUNS)
def test_origin_decides_what_main_prints(tmp_path: Path, run: int) -> None:
    files, origin = package(run), instance(4, run).facts["origin"]
    path, name = origin.split(":")
    changed = {**files, path: files[path].replace(assignments(files)[origin], f"{name} = 1234567")}

    assert f" {printed_number(run)} " in printed(tmp_path / "given", files)
    assert " 1234567 " in printed(tmp_path / "changed", changed)


@pytest.mark.parametrize("run", RUNS)
def test_searching_for_the_final_name_or_the_number_misleads(run: int) -> None:
    files, facts = package(run), instance(4, run).facts
    final = facts["default"].partition(":")[2]
    named = {place for place in assignments(files) if final in place.partition(":")[2]}
    literal = {place for place, line in assignments(files).items() if line.endswith(f" = {printed_number(run)}")}
    equal = {place for place, line in assignments(files).items() if line.endswith(" * 60")}

    assert len(named) == 3
    assert len(literal) >= 4
    assert len(equal) == 6
    assert facts["origin"] not in named | literal
    assert not {*facts["stops"], *facts["neighbours"], facts["default"]} & {facts["origin"]}


def test_packages_are_built_differently() -> None:
    shapes = set()
    for run in RUNS:
        files, facts = package(run), instance(4, run).facts
        stops = [files[stop.partition(":")[0]] for stop in facts["stops"]]
        words = ("try:", "STRICT", "class Base", "@dataclass", "class Connection", "OPTIONS", "def connect")
        shapes.add(tuple(any(word in text for text in stops) for word in words))

    assert len(shapes) >= 8


@pytest.mark.parametrize(("number", "fact"), [(3, "cause"), (4, "origin")])
def test_answers_cannot_be_known_beforehand(number: int, fact: str) -> None:
    answers = {instance(number, run).facts[fact] for run in RUNS}

    assert len(answers) == len(RUNS)
