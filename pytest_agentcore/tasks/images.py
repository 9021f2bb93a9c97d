"""The images in which a suite's tasks run: each by its name, or by a Containerfile to build it from.

`suite.toml` says it for all (`image = "…"` or `containerfile = "…"`), and a task's own declaration for that task. It is
read off the text, since images must be there before pytest imports anything.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_agentcore.errors import UsageError

KEYS = ("image", "containerfile")


@dataclass(frozen=True, slots=True)
class Image:
    """An image that a suite names."""

    name: str
    containerfile: Path | None = None
    """What `agentcore sandbox build` makes it from; None for one that an engine has, or pulls."""


def read_image(declared: Mapping[str, object], home: Path, file: Path) -> Image | None:
    """The image of a declaration, or none.

    Args:
        declared: its keys.
        home: the folder that a Containerfile's path is relative to.
        file: where it stands.

    Raises:
        UsageError: it names none in words that can be used; says which key of which file.
    """
    given = {key: declared[key] for key in KEYS if key in declared}
    if len(given) > 1:
        raise UsageError(f"{file}: image and containerfile: only one of them says where tasks run")
    for key, value in given.items():
        if not isinstance(value, str) or not value.strip():
            what = "an image's name" if key == "image" else "the path of a file to build an image from"
            raise UsageError(f"{file}: {key}: must be {what}, written out as text")
    if name := given.get("image"):
        return Image(str(name))
    if path := given.get("containerfile"):
        found = home / str(path)
        if not found.is_file():
            raise UsageError(f"{file}: containerfile: there is no file {found}")
        # the content is the name, so that a changed file is another image, which has to be built
        digest = hashlib.sha256(found.read_bytes()).hexdigest()
        return Image(f"localhost/agentcore-{digest[:12]}", found)
    return None


def image_of_task(module: Path) -> Image | None:
    """The image that a task file's own `@task(...)` names, or none.

    Raises:
        UsageError: it cannot be read off the text.
    """
    try:
        tree = ast.parse(module.read_bytes())
    except (SyntaxError, ValueError):  # pytest is going to say so
        return None
    for words in _declarations(tree):
        declared = {str(word.arg): getattr(word.value, "value", None) for word in words}
        return read_image(declared, module.parent, module)
    return None


def _declarations(tree: ast.Module) -> Iterator[Sequence[ast.keyword]]:
    """The keywords about images of each `@task(...)` that has any."""
    for node in ast.walk(tree):
        for call in getattr(node, "decorator_list", ()):
            name = getattr(call, "func", None)
            if isinstance(call, ast.Call) and "task" in (getattr(name, "id", ""), getattr(name, "attr", "")):
                words = [word for word in call.keywords if word.arg in KEYS]
                if words:
                    yield words
