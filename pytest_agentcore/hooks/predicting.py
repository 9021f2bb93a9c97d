"""Predictions on file when a session starts: found, checked against the suite, and dated by git."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_agentcore.campaign.filing import Filing, filing
from pytest_agentcore.campaign.predictions import FENCE, PREDICTIONS, Predictions, parse_predictions
from pytest_agentcore.errors import UsageError
from pytest_agentcore.setup import Setup
from pytest_agentcore.suite import Suite, task_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """One file of predictions as it was before the first trial."""

    content: bytes
    predictions: Predictions
    filing: Filing

    def concerns(self, setup: Setup) -> bool:
        """Whether they are about this model, and this policy if they name one."""
        predicted = self.predictions
        is_model = predicted.model in (setup.slug, setup.entry.name)
        return is_model and predicted.policy in ("", setup.policy.value)

    def facts(self, setup: Setup) -> dict[str, Any] | None:
        """For the manifest of the campaign of this model; None where they are not about it."""
        return self.filing.to_json() if self.concerns(setup) else None

    @property
    def kept(self) -> Mapping[str, bytes]:
        """What the pack holds of them, byte for byte, by name."""
        return {PREDICTIONS: self.content}


def find_predictions(asked: Path | None, home: Path, suite: Suite, setups: Iterable[Setup]) -> Filed | None:
    """The file that was asked for, else `predictions.md` in `home` if it is one of ours and about these models.

    Raises:
        UsageError: it cannot be used, names no task of the suite, or was asked for and is about something else.
    """
    file = asked or home / PREDICTIONS
    if asked is None and not _is_ours(file):
        return None
    found = _read(file)
    fits = found.predictions.suite == suite.name and any(found.concerns(setup) for setup in setups)
    if not fits and asked:
        about = " ".join(filter(None, [found.predictions.model, found.predictions.policy]))
        raise UsageError(
            f"--agentcore-predictions {asked}: is about {about} on {found.predictions.suite}, and no campaign of this "
            "run is"
        )
    if not fits:
        return None
    known = task_ids(suite.path)
    for task in found.predictions.tasks:
        if task not in known:
            raise UsageError(f"{file}: tasks.{task}: {suite.name} has no such task; it has {', '.join(known)}")
    return found


def _read(file: Path) -> Filed:
    try:
        content = file.read_bytes()
        predictions = parse_predictions(content.decode("utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: predictions cannot be read: {error}") from error
    return Filed(content=content, predictions=predictions, filing=filing(file))


def _is_ours(file: Path) -> bool:
    """A file of this name without front matter is somebody else's."""
    try:
        with file.open("rb") as opened:
            return opened.read(len(FENCE)) == FENCE.encode("ascii")
    except OSError:
        return False
