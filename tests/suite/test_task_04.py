"""What task 04 rests on: how its package misleads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from suite_modules import RUNS, instance, python, verdict, write

from pytest_agentcore.sandbox.workspace import write_files


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
    return assignments(package(run))[instance(4, run).facts["readings"]["default that is overridden"]].rpartition(" ")[
        2
    ]


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
def test_no_other_way_of_looking_ends_at_the_origin(run: int) -> None:
    files, facts = package(run), instance(4, run).facts
    origin, ways = facts["origin"], facts["readings"]
    named = {place for place in assignments(files) if place.endswith(f":{origin.partition(':')[2]}")}
    literal = {place for place, line in assignments(files).items() if line.endswith(f" = {printed_number(run)}")}
    product = {place for place, line in assignments(files).items() if line.endswith(" * 60")}

    assert [way for way, place in ways.items() if place == origin] == []
    assert named == {origin, ways["same name elsewhere"]}
    assert len(literal) >= 4
    assert len(product) == 8
    assert origin in product - literal


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("backwards", [False, True])
def test_the_origin_comes_first_and_last_in_no_order_of_files(run: int, backwards: bool) -> None:
    files, origin = package(run), instance(4, run).facts["origin"]
    for ending in ("", " * 60"):
        places = [place for place, line in assignments(files).items() if line.endswith(ending)]
        order = sorted(places, key=lambda place: place.partition(":")[0], reverse=backwards)
        assert origin not in (order[0], order[-1])


def test_packages_are_built_differently() -> None:
    shapes = set()
    for run in RUNS:
        files, ways = package(run), instance(4, run).facts["readings"]
        stops = [files[ways[f"{name} name"].partition(":")[0]] for name in ("second", "third", "final")]
        words = ("try:", "STRICT", "class Base", "@dataclass", "class Connection", "OPTIONS", "def connect")
        shapes.add(tuple(any(word in text for text in stops) for word in words))

    assert len(shapes) >= 8


def test_answers_cannot_be_known_beforehand() -> None:
    assert len({instance(4, run).facts["origin"] for run in RUNS}) == len(RUNS)


@pytest.mark.parametrize("prefix", ["", "./", "././", "/workspace/", "/tmp/agentcore-1/workspace/"])
def test_the_path_may_be_written_in_any_way(prefix: str) -> None:
    assert verdict(4, 1, [[write("answer.txt", f"{prefix}{instance(4, 1).facts['origin']}\n")]]) == ""


@pytest.mark.parametrize("prefix", ["../", "src/", "x", "!", "/depot/other.py:NAME/", "workspace/"])
def test_a_path_of_something_else_is_rejected(prefix: str) -> None:
    assert verdict(4, 1, [[write("answer.txt", f"{prefix}{instance(4, 1).facts['origin']}\n")]]) != ""
