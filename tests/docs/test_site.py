"""The site of the docs is built without a warning, and a link that leads nowhere is one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("material", reason="mkdocs-material is not installed")
ROOT = Path(__file__).parents[2]


def build(root: Path, into: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(into)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_every_page_is_built_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    built = build(ROOT, tmp_path)

    assert built.returncode == 0, built.stderr
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")} | {"CHANGELOG"}
    assert {folder.name for folder in tmp_path.iterdir() if (folder / "index.html").exists()} >= pages
    assert "make demo" in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'href="quick-start/"' in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    for name in ("docs", "mkdocs.yml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"):
        source, copy = ROOT / name, tmp_path / name
        shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
    with (tmp_path / "docs" / "seed.md").open("a", encoding="utf-8") as page:
        page.write("\n[nowhere](statistics.md#no-such-heading)\n")

    built = build(tmp_path, tmp_path / "site")

    assert built.returncode
    assert "no-such-heading" in built.stdout + built.stderr
