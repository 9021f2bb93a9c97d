"""The contract of a format, and the one way in which its files are written.

A format turns a campaign into files, through the models of the package that the format's own people keep.
"""

from __future__ import annotations

import importlib.util
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.validate import damage_named


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Facts that no campaign has and a format asks for; they come from the user."""

    organization: str = ""
    """Who ran the evaluation."""
    model_id: str = ""
    """The model's name on the Hugging Face hub, `OWNER/NAME`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format."""

    package: str
    """Name that its package is imported by."""
    python: tuple[int, int]
    """The oldest Python that the package runs on."""
    files: Callable[[Campaign, Told], Mapping[str, Callable[[Path], None]]]
    """By its path below the export's folder, what writes a file at the path it is given; called in this order."""
    opened_with: str
    """The command that shows or validates the export; `{out}` is its folder."""
    asks: bool = False
    """Whether it takes the facts of `Told`."""


def export(
    campaign: Campaign, name: str, made_by: Format, out: Path, told: Told, *, replace: bool = False
) -> list[Path]:
    """Write a campaign into a folder and give the paths of the files.

    Args:
        campaign: complete or not; it stays as it is.
        name: of the format, which is also that of the extra with its package.
        made_by: the format.
        out: the folder, made where there is none; what else lies in it stays.
        told: facts that only the user knows.
        replace: whether files of an earlier export may be written over.

    Raises:
        UsageError: there is nothing to write, the format's package is not installed, a file is there already, or the
            folder cannot be written.
    """
    require(name, made_by)
    if not campaign.results:
        raise UsageError(f"{campaign.folder.id}: no trial of it has a result yet, so there is nothing to export")
    if told != Told() and not made_by.asks:
        raise UsageError(f"--to {name}: has no place for --organization and --model-id, which are for --to eee")
    if out.resolve().is_relative_to(campaign.folder.path.resolve()):
        raise UsageError(
            f"{out}: lies inside the campaign, to whose files nothing is added; name another folder with -o"
        )
    files = {out / file: write for file, write in made_by.files(campaign, told).items()}
    there = [path for path in files if path.exists()]
    if there and not replace:
        raise UsageError(f"{there[0]}: is there already; name another folder with -o, or replace it with --force")
    try:
        for path, write in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f".{path.name}.draft")
            try:
                with damage_named(campaign.folder):
                    write(draft)
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror or error}") from error
    return list(files)


def require(name: str, made_by: Format) -> None:
    """Refuse where the package of a format is not installed, and say what is to be done.

    Raises:
        UsageError: it is not.
    """
    if importlib.util.find_spec(made_by.package):
        return
    needs = f"--to {name}: needs the package {made_by.package}, which is not installed"
    extra = f"pip install 'pytest-agentcore[{name}]'"
    if sys.version_info < made_by.python:
        runs_on = ".".join(map(str, made_by.python))
        raise UsageError(
            f"{needs} and runs on Python {runs_on} or newer (this is {platform.python_version()}): {extra} in such an "
            "environment, and export the campaign's folder from there"
        )
    raise UsageError(f"{needs}: {extra}")
