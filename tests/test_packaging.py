"""The suite is the same in a clone, in an editable install and in a wheel, and is found from anywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pytest_agentcore.tasks.suite import Suite, find_suite

ROOT = Path(__file__).parents[1]
NAME = "agentic-core-v1"
ODD_FILES = (".hidden", "server.log", "notes.db", "build/out.txt", "env/.env", "dist/archive.tar.gz")
"""Below a task's files: names that ignore rules and package globs like to drop."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git would hand out of this working tree: its files without the ignored ones."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout: there is nothing to clone")
    folder = tmp_path_factory.mktemp("clone")
    listed = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], ROOT).split("\0")
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    run(["git", "init", "-q"], folder)
    return folder


@pytest.fixture(scope="module")
def wheel(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the clone, in which a task has files of all kinds and caches lie about."""
    for name in ODD_FILES:
        path = clone / "suites" / NAME / "files/task_05" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (clone / "suites" / NAME / "__pycache__").mkdir(exist_ok=True)
    (clone / "suites" / NAME / "__pycache__" / "test_task.pyc").write_bytes(b"stale")
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(clone))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip installed the wheel, byte code and all."""
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--no-deps", "--no-index", "--compile", "--target", str(folder), str(wheel))
    return folder


def test_a_clone_holds_the_suite_of_this_install(clone: Path, tmp_path: Path) -> None:
    shutil.copytree(clone / "suites" / NAME, tmp_path / NAME)
    for name in ODD_FILES:
        (tmp_path / NAME / "files/task_05" / name).unlink(missing_ok=True)
    assert Suite.load(tmp_path / NAME).digest == Suite.load(find_suite(NAME)).digest


def test_the_wheel_holds_the_suite_whole(clone: Path, wheel: Path) -> None:
    inside = f"pytest_agentcore/suites/{NAME}/"
    with zipfile.ZipFile(wheel) as archive:
        names = {name.removeprefix(inside) for name in archive.namelist() if name.startswith(inside)}
    assert {f"files/task_05/{name}" for name in ODD_FILES} <= names
    assert not {name for name in names if "__pycache__" in name}


def test_the_wheel_holds_the_published_scores_and_the_form_of_predictions(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert b"Gemma 4 12B IT (Q4_K_M),22,30" in archive.read("pytest_agentcore/analysis/published.csv")
        assert b"[failure_modes]" in archive.read("pytest_agentcore/analysis/predictions_form.md")


def test_the_wheel_holds_the_templates_of_the_reports(wheel: Path) -> None:
    inside = "pytest_agentcore/reports/templates/"
    with zipfile.ZipFile(wheel) as archive:
        names = {name.removeprefix(inside) for name in archive.namelist() if name.startswith(inside)}
    assert names == {path.name for path in (ROOT / "pytest_agentcore" / "reports" / "templates").iterdir()}


def test_the_installed_suite_has_the_digest_of_the_clone_and_is_found_from_elsewhere(
    clone: Path, installed: Path, tmp_path: Path
) -> None:
    script = (
        "import pytest_agentcore as p; from pytest_agentcore.tasks.suite import Suite, find_suite; "
        f"folder = find_suite({NAME!r}); print(p.__file__, folder, Suite.load(folder).digest, sep='\\n')"
    )
    module, folder, digest = run([sys.executable, "-c", script], tmp_path, PYTHONPATH=str(installed)).splitlines()
    assert Path(module).is_relative_to(installed)
    assert Path(folder).is_relative_to(installed)
    assert list(Path(folder).rglob("*.pyc"))  # pip compiled it, and the digest does not see that
    assert digest == Suite.load(clone / "suites" / NAME).digest


def test_the_installed_plugin_collects_its_suite_from_elsewhere(installed: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "--model", "oracle", "--runs", "1", "--co", "-q"]
    output = run(command, tmp_path, PYTHONPATH=str(installed))
    assert output.count("[oracle-run1]") == 10
    assert list(tmp_path.iterdir()) == []


def pip(*words: str) -> None:
    run([sys.executable, "-m", "pip", "--disable-pip-version-check", *words], ROOT)


def run(command: list[str], folder: Path, **env: str) -> str:
    """What a command printed.

    Raises:
        AssertionError: it failed; says how.
    """
    done = subprocess.run(command, cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
