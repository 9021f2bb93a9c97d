"""sha256 of model files is taken once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from pytest_agentcore.catalogue.files import file_digest


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pytest-agentcore" / "digests"


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_changed_file_is_read_again(tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"one")
    assert file_digest(file) == sha(b"one")
    file.write_bytes(b"three")
    assert file_digest(file) == sha(b"three")


def test_an_unchanged_file_is_not_read(tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"one")
    before = file.stat()
    assert file_digest(file) == sha(b"one")
    file.write_bytes(b"two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file_digest(file) == sha(b"one")


@pytest.mark.parametrize("note", [b"", b"[]", b'{"sha256": 3}', b"\xff"])
def test_a_broken_note_only_costs_time(note: bytes, tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"one")
    file_digest(file)
    (written,) = cache.iterdir()
    written.write_bytes(note)
    assert file_digest(file) == sha(b"one")


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"one")
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    assert file_digest(file) == sha(b"one")
