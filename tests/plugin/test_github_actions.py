"""docs/ci/github-actions.yml: its steps are in the right order, and its gate opens and shuts."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny import COUNT, HELLO, campaign

WORKFLOW = Path(__file__).parents[2] / "docs" / "ci" / "github-actions.yml"


@pytest.fixture(scope="module")
def steps() -> list[dict[str, Any]]:
    """Of the one job."""
    (job,) = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"].values()
    found: list[dict[str, Any]] = job["steps"]
    return found


def place(steps: list[dict[str, Any]], words: str) -> int:
    """Of the one step that runs these words."""
    (number,) = (n for n, step in enumerate(steps) if words in step.get("run", ""))
    return number


def test_the_sandbox_is_installed_allowed_and_probed_before_the_gate(steps: list[dict[str, Any]]) -> None:
    order = ["install --yes bubblewrap", "apparmor_restrict_unprivileged_userns=0", "--sandbox bubblewrap", "pytest "]
    places = [place(steps, words) for words in order]

    assert places == sorted(places)


def test_report_and_campaign_are_kept_whatever_the_gate_says(steps: list[dict[str, Any]]) -> None:
    gate = place(steps, "pytest ")
    (upload,) = (step for step in steps[gate:] if "upload-artifact" in step.get("uses", ""))

    assert all(step["if"] == "always()" for step in steps[gate + 1 :])
    assert "--results=campaigns" in steps[gate]["run"]
    assert "campaigns" in upload["with"]["path"].split()


def test_the_gate_opens_for_an_equal_run_and_shuts_for_a_worse_one(
    pytester: pytest.Pytester, steps: list[dict[str, Any]]
) -> None:
    folder = pytester.mkdir("agent_tasks")
    (folder / "test_task_01_hello.py").write_text(HELLO)
    (folder / "test_task_02_count.py").write_text(COUNT)
    words = shlex.split(steps[place(steps, "pytest ")]["run"])[1:]

    def gate(model: str, *leave_out: str) -> pytest.RunResult:
        given = [model if word == "smollm2-135m" else word for word in words if not word.startswith(leave_out)]
        return pytester.runpytest(*given, "--sandbox=process", "--tb=no")

    assert gate("oracle", "--agentcore-baseline").ret == pytest.ExitCode.OK
    shutil.move(campaign(pytester, "campaigns"), pytester.path / "baseline")
    for spare in ("report.md", "report.html", "verification", "data/transcripts", "data/workspaces"):
        path = pytester.path / "baseline" / spare
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    assert gate("oracle").ret == pytest.ExitCode.OK
    shut = gate("null")
    assert shut.ret == pytest.ExitCode.TESTS_FAILED
    shut.stdout.fnmatch_lines(
        ["*differs from the baseline in model*", "pass-rate gate: NOT reached · regression gate:*"]
    )
    assert (pytester.path / "gate.xml").is_file()
