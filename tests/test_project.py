"""What a contributor and the project's own CI are told to run exists: workflows, templates, hooks, make targets."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import pytest_agentcore

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
PROSE = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
OF_THE_RUNNER = {"cd", "sudo", "twine"}
"""Commands of a workflow that a development environment need not have."""
by_name = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def steps(path: Path) -> list[dict[str, Any]]:
    """The steps of all jobs, one after the other."""
    return [step for job in load(path)["jobs"].values() for step in job["steps"]]


def scripts(path: Path) -> str:
    return "\n".join(step["run"] for step in steps(path) if "run" in step)


@by_name
def test_a_workflow_is_bounded_and_has_no_more_rights_than_it_needs(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert all(job["timeout-minutes"] <= 60 for job in workflow["jobs"].values())
    assert all(("run" in step) != ("uses" in step) for step in steps(path))
    assert all("@" in step["uses"] for step in steps(path) if "uses" in step)


@by_name
def test_the_commands_of_a_workflow_exist(path: Path) -> None:
    programs = set(re.findall(r"^([a-z][\w-]*) ", scripts(path), re.MULTILINE)) - OF_THE_RUNNER
    beside_python = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    assert {name for name in programs if shutil.which(name, path=beside_python) is None} == set()
    modules = set(re.findall(r"python -m (\w+)", scripts(path)))
    assert {name for name in modules if importlib.util.find_spec(name) is None} == set()


def test_every_supported_python_is_tested_and_the_oldest_pytest_too() -> None:
    matrix = load(GITHUB / "workflows" / "test.yml")["jobs"]["test"]["strategy"]["matrix"]
    classified = {word.rpartition(" ")[2] for word in PYPROJECT["project"]["classifiers"] if "Python :: 3." in word}
    assert set(matrix["python"]) == classified
    assert min(classified) == PYPROJECT["project"]["requires-python"].removeprefix(">=")
    (oldest,) = (word.removeprefix("pytest>=") for word in PYPROJECT["project"]["dependencies"] if "pytest>=" in word)
    assert oldest in {row["pytest"] for row in matrix["include"]}
    assert "no" in {row["workers"] for row in matrix["include"]}


@pytest.mark.parametrize("path", [*WORKFLOWS, *PROSE, ROOT / "Makefile"], ids=lambda path: path.name)
def test_the_extras_that_are_installed_exist(path: Path) -> None:
    asked = re.findall(r"(?:'\.|pytest-agentcore)\[([\w,-]+)\]", path.read_text(encoding="utf-8"))
    assert {name for group in asked for name in group.split(",")} <= {*PYPROJECT["project"]["optional-dependencies"]}


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_the_make_targets_that_are_named_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:\$ |`)make ([a-z]+)", path.read_text(encoding="utf-8"))) <= targets


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_the_files_that_are_named_exist(path: Path) -> None:
    named = re.findall(r"`((?:tests|suites|pytest_agentcore|docs)/[\w./-]+)`", path.read_text(encoding="utf-8"))
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_issue_templates_are_forms() -> None:
    for path in sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")):
        form = load(path)
        if path.name == "config.yml":
            assert form["contact_links"]
            continue
        assert {"name", "description", "body"} <= set(form)
        assert len({part["id"] for part in form["body"]}) == len(form["body"])
        assert all(part["attributes"]["label"] for part in form["body"])


def test_the_hooks_before_a_commit_are_the_commands_of_make() -> None:
    (local,) = load(ROOT / ".pre-commit-config.yaml")["repos"]
    entries = [hook["entry"].split()[0] for hook in local["hooks"]]
    assert (local["repo"], entries) == ("local", ["ruff", "ruff", "mypy"])


def test_the_version_stands_in_one_place() -> None:
    project, home = PYPROJECT["project"], PYPROJECT["tool"]["hatch"]["version"]["path"]
    assert project["dynamic"] == ["version"]
    assert f'__version__ = "{pytest_agentcore.__version__}"' in (ROOT / home).read_text(encoding="utf-8")
