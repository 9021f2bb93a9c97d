"""Where model files lie on this machine."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from pytest_agentcore.errors import UsageError
from pytest_agentcore.models.entry import ModelEntry
from pytest_agentcore.models.hub_files import all_parts, choose_file


def cache_folder() -> Path:
    """The project's own folder in the user's cache ($XDG_CACHE_HOME, else ~/.cache)."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if home else Path.home() / ".cache") / "pytest-agentcore"


def model_folders() -> tuple[Path, ...]:
    """Where model files are looked for: $AGENTCORE_MODELS, the user's cache, ./models."""
    given = [Path(part).expanduser() for part in os.environ.get("AGENTCORE_MODELS", "").split(os.pathsep) if part]
    return (*given, cache_folder() / "models", Path("models"))


def find_in_folders(file: str) -> Path | None:
    """A file that the user put into one of `model_folders()`, with or without the folder it has in its repository.

    Of a model in several parts, `file` is the first; it counts as found where all of them lie.
    """
    places = (folder / name for folder in model_folders() for name in (file.rpartition("/")[2], file))
    return next((place for place in places if is_whole(place)), None)


def find_of_repository(entry: ModelEntry) -> Path | None:
    """The file that an entry without one means, of those in `OWNER/REPO` below one of `model_folders()`."""
    for folder in (folder / entry.repo for folder in model_folders()):
        names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if is_whole(path)]
        try:
            return folder / choose_file(entry, sorted(names))
        except UsageError:
            continue
    return None


def is_whole(file: Path) -> bool:
    """Whether a file is there, and where it is one part of a model, all of the parts beside it."""
    return all(file.with_name(part).is_file() for part in all_parts(file.name))


def find_package_file(package_file: str) -> Path | None:
    """A file inside an installed package, found without importing the package; None when it is not installed."""
    package, _, inside = package_file.partition("/")
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / inside
        if path.is_file():
            return path
    return None
