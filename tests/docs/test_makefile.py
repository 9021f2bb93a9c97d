"""`make demo` up to its last line, and a pytest of another environment in this clone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def demo(venv: Path, *, sandbox: str, exit_code: int) -> subprocess.CompletedProcess[str]:
    """Run the recipe over an environment whose programs say what they are called with."""
    programs = {
        "agentcore": f"echo 'needs: tried'; {sandbox}",
        "python": f'echo "python $*"; exit {exit_code}',
    }
    (venv / "bin").mkdir(parents=True)
    for name, script in programs.items():
        (venv / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (venv / "bin" / name).chmod(0o755)
    ready = f"{venv}/.ready"
    words = ["make", "--no-print-directory", "-o", ready, "demo", f"VENV={venv}"]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_demo_ends_with_what_to_type_next(tmp_path: Path) -> None:
    done = demo(tmp_path / "venv", sandbox="exit 0", exit_code=1)
    assert done.returncode == 0
    assert "python -m pytest --model smollm2-135m --runs 1 --sandbox bubblewrap" in done.stdout
    *_, title, activate, oracle, show = done.stdout.splitlines()
    assert title == "==> what to type next:"
    assert activate.split()[:2] == [".", f"{tmp_path}/venv/bin/activate"]
    assert oracle.split()[:5] == ["pytest", "--model", "oracle", "--runs", "1"]
    assert show.split()[:2] == ["agentcore", "show"]


def test_without_bubblewrap_the_demo_says_why_and_goes_on(tmp_path: Path) -> None:
    done = demo(tmp_path / "venv", sandbox=r"printf '%s\n' 'no user namespace (a\nb)'; exit 1", exit_code=0)
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == r"==> no user namespace (a\nb)"
    assert "--sandbox process" in done.stdout
    assert "what to type next" in done.stdout


def test_a_demo_that_breaks_is_an_error_and_says_nothing_more(tmp_path: Path) -> None:
    done = demo(tmp_path / "venv", sandbox="exit 0", exit_code=4)
    assert done.returncode != 0
    assert "what to type next" not in done.stdout


@pytest.mark.parametrize("words", [[], ["suites/agentic-core-v1"], ["tests/unit/test_errors.py"]])
def test_a_pytest_without_the_plugin_says_so_in_one_line(words: list[str]) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=ROOT,
        env=environment | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "Missing required plugins: pytest-agentcore" in done.stderr
    assert "ImportError" not in done.stdout + done.stderr
