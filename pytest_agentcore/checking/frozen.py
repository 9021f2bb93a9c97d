"""The frozen workspace: compared with what was given, protected files restored, caches dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from pytest_agentcore.sandbox.tree import Kind, walk
from pytest_agentcore.sandbox.workspace import clear
from pytest_agentcore.tasks.task import IGNORED, Instance


def given_files(instance: Instance) -> dict[str, bytes]:
    """The instance's files as bytes, by path."""
    return {path: text.encode() if isinstance(text, str) else text for path, text in instance.files.items()}


def regular_files(root: Path) -> dict[str, int]:
    """Size by path of the regular files, in order of their paths."""
    return dict(sorted((entry.path, entry.stat.st_size) for entry in walk(root) if entry.kind is Kind.file))


def changed(root: Path, given: Mapping[str, bytes], skipped: Mapping[str, str]) -> frozenset[str]:
    """Paths of files added, removed or modified against `given`; what the frozen copy had to skip counts too."""
    same = {
        path
        for path, size in regular_files(root).items()
        if path in given and size == len(given[path]) and (root / path).read_bytes() == given[path]
    }
    found = {path for path in (*regular_files(root), *skipped) if not is_cache(path)}
    return frozenset((found | given.keys()) - same)


def is_cache(path: str) -> bool:
    """Whether the path is a by-product of running Python."""
    return path.endswith(".pyc") or bool(IGNORED & set(path.split("/")))


def drop_caches(root: Path) -> None:
    """Remove by-products: compiled code is not what the checker reads in the source."""
    for entry in list(walk(root)):
        if is_cache(entry.path):
            clear(root / entry.path)


def matches(path: str, patterns: Sequence[str]) -> bool:
    """Whether a glob pattern covers the path; `*` crosses folders, and a folder's name covers all below it."""
    return any(
        fnmatchcase(path, pattern)
        or path.startswith(pattern.rstrip("/") + "/")
        or (pattern.startswith("**/") and fnmatchcase(path, pattern[3:]))
        for pattern in patterns
    )


def restore(root: Path, given: Mapping[str, bytes], patterns: Sequence[str]) -> None:
    """Give every file that a pattern covers its given content, and remove those that were added."""
    for path in regular_files(root):
        if matches(path, patterns):
            (root / path).unlink()
    for path, content in given.items():
        if matches(path, patterns):
            put(root, path, content)


def put(root: Path, path: str, content: bytes) -> None:
    """Write a file, whatever stands at its path or in the place of a folder above it."""
    *folders, name = path.split("/")
    folder = root
    for part in folders:
        folder = folder / part
        if not folder.is_dir():
            clear(folder)
            folder.mkdir()
    clear(folder / name)
    (folder / name).write_bytes(content)
