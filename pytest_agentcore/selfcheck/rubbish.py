"""What an artifact may have become in the hands of a model: everything a checker must survive."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

HUGE = 20 * 1024 * 1024
"""Bytes; more than any reader takes."""

Replace = Callable[[Path], None]
"""Puts something else where the right artifact lies."""


def _contents(content: bytes) -> Replace:
    def replace(path: Path) -> None:
        path.write_bytes(content)

    return replace


def _remove(path: Path) -> None:
    path.unlink()


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside.txt").write_text("1\n", encoding="utf-8")


def _link(path: Path) -> None:
    """A symbolic link to the right content, which is still not what was asked for."""
    aside = path.with_name(f"{path.name}.aside")
    path.rename(aside)
    path.symlink_to(aside.name)


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _other_json(path: Path) -> None:
    """JSON that parses and is of another type than the right one, if that is JSON at all."""
    try:
        right = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        right = None
    path.write_text('[{"unexpected": null}]' if isinstance(right, dict) else '{"unexpected": [null]}', encoding="utf-8")


RUBBISH: Mapping[str, Replace] = {
    "missing": _remove,
    "empty": _contents(b""),
    "a blank line": _contents(b"\n"),
    "binary": _contents(b"\0" + Random("rubbish").randbytes(4096)),
    "huge": _contents((b"#" * 63 + b"\n") * (HUGE // 64)),
    "JSON null": _contents(b"null\n"),
    "JSON of another type": _other_json,
    "a folder": _folder,
    "a symbolic link": _link,
    "a named pipe": _fifo,
}


def spoil(root: Path, artifact: str, replace: Replace) -> None:
    """Replace one artifact in a copy of a right workspace."""
    path = root / artifact
    if path.is_dir():
        shutil.rmtree(path)
        path.write_bytes(b"")
    replace(path)
