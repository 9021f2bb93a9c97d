"""Cells: a sandbox over a fresh workspace. Workspaces with ordinary and with hostile contents."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from confined import Cell, cell_of

from pytest_agentcore.sandbox.base import Workspace
from pytest_agentcore.sandbox.tree import Kind, walk
from pytest_agentcore.sandbox.workspace import create_workspace

FILES: dict[str, str | bytes] = {"a.txt": "a", "src/deep/b.py": "b = 1\n", "raw.bin": b"\0\xff"}
SKIPPED = {
    "link": "a symbolic link",
    "loop": "a symbolic link",
    "pipe": "a FIFO",
    "socket": "a socket",
    "twin": "a hard link to a file outside the workspace",
    "up": "a symbolic link",
}
"""What a copy of the hostile workspace leaves out, and why."""


@pytest.fixture
def cell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cell]:
    """The cell of a kind; see `confined`."""
    with cell_of(request.param, tmp_path / "trial") as cell:
        yield cell


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return create_workspace(tmp_path / "trial", FILES)


@pytest.fixture
def hostile(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Every kind of name that is no file, and a hard link to a file outside."""
    outside = tmp_path / "outside.txt"
    outside.write_text("outside")
    root = workspace.root
    (root / "link").symlink_to(outside)
    (root / "loop").symlink_to("loop")
    (root / "up").symlink_to("..")
    (root / "twin").hardlink_to(outside)
    (root / "twice").hardlink_to(root / "a.txt")
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
    return workspace


def content(root: Path) -> dict[str, bytes]:
    return {entry.path: (root / entry.path).read_bytes() for entry in walk(root) if entry.kind is Kind.file}


def as_bytes(files: dict[str, str | bytes]) -> dict[str, bytes]:
    return {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
