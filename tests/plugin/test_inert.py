"""Installed but unused: nothing heavy is imported and nothing is printed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("jinja2", "jsonschema", "llama_cpp", "numpy", "openai", "pandas", "pytest_agentcore.session", "referencing")

CONFTEST = """
import json, pathlib, sys

def pytest_unconfigure():
    pathlib.Path("modules.json").write_text(json.dumps(sorted(sys.modules)))
"""


def run_pytest(folder: Path, *options: str) -> tuple[set[str], str]:
    """Modules that were loaded when pytest ended, and what it printed."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return set(json.loads((folder / "modules.json").read_text())), done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_plain.py").write_text("def test_plain(): pass\n")
    return tmp_path


def test_an_unrelated_run_loads_nothing_heavy_and_looks_the_same(project: Path) -> None:
    without, plain = run_pytest(project, "-p", "no:agentcore")
    with_it, output = run_pytest(project)
    added = with_it - without
    assert "pytest_agentcore.plugin" in added
    assert not {name for name in added if any(name == heavy or name.startswith(f"{heavy}.") for heavy in HEAVY)}
    assert {name.partition(".")[0] for name in added} <= {"pytest_agentcore", *sys.stdlib_module_names}
    assert _shown(output) == _shown(plain)


def test_a_taskless_run_with_every_ini_twin_unset_warns_of_nothing(project: Path) -> None:
    _, output = run_pytest(project, "-W", "error", "--strict-config", "--strict-markers")
    assert "warning" not in output
    assert "1 passed" in output


def _shown(output: str) -> list[str]:
    """The lines without times and without the list of plugins, which is pytest's own."""
    return [re.sub(r"\d+\.\d+s", "", line) for line in output.splitlines() if not line.startswith("plugins:")]
