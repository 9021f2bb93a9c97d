"""The example suite in C and JavaScript: its tasks pass as their oracles do, and their checkers can be trusted.

Its image takes half a minute and 600 MB to build, so the tests run where somebody has built it
(`agentcore sandbox build docs/example-suite`), as the project's workflow does.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agentcore.cli.__main__ import main
from pytest_agentcore.errors import UsageError
from pytest_agentcore.sandbox.engine import answering
from pytest_agentcore.tasks.suite import Suite

SUITE = Path(__file__).parents[2] / "docs" / "example-suite"
pytestmark = pytest.mark.container


@pytest.fixture(scope="module")
def image() -> str:
    """The name of the suite's image; skips where nobody has built it."""
    name = next(iter(Suite.load(SUITE).image_names.values()))
    try:
        found = answering("").image(name)
    except UsageError as error:
        pytest.skip(str(error))
    if found is None:
        pytest.skip(f"no image {name}; `agentcore sandbox build docs/example-suite` makes it")
    return name


def test_both_tasks_name_the_image_that_the_suite_builds() -> None:
    images = Suite.load(SUITE).images
    assert sorted(images) == ["task_01_median", "task_02_slug"]
    assert {each.containerfile for each in images.values() if each} == {SUITE / "Containerfile"}


@pytest.mark.usefixtures("image")
def test_its_checkers_can_be_trusted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["selfcheck", str(SUITE)]) == 0
    assert "sandbox container" in capsys.readouterr().out


def test_the_digest_of_its_image_is_in_the_manifest(pytester: pytest.Pytester, image: str) -> None:
    pytester.runpytest("--model=oracle", "--runs=1", "--results=r", SUITE).assert_outcomes(passed=2)
    manifest = next(pytester.path.glob("r/*/manifest.json")).read_text()
    assert f'"{image}": "{(answering("").image(image) or {})["Id"]}"' in manifest
