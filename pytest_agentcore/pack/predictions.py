"""predictions.md: what somebody expected before the first trial. TOML front matter between `+++` lines, then prose.

What every key means and when it is a hit: docs/predictions.md.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_agentcore.errors import UsageError, instead
from pytest_agentcore.trial.modes import FailureMode

PREDICTIONS = "predictions.md"
"""Name of the file, where it is written and in the pack."""

PREDICTIONS_SCHEMA = 1

FENCE = "+++"
"""The line before the front matter and behind it."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A predicted number, from `low` to `high`, both included; equal for a single one."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """The predictions in the front matter; what was left out was not predicted."""

    model: str
    suite: str
    policy: str = ""
    """Empty: any."""
    runs: int
    point: float | None = None
    """Effective pass rate over all tasks."""
    range: Expected | None = None
    """A range for the same rate."""
    tasks: Mapping[str, Expected] = field(default_factory=dict)
    """Passes out of `runs`, by task id."""
    failure_modes: Mapping[str, Expected] = field(default_factory=dict)
    """Trials of the whole campaign, by failure mode."""
    cost: Expected | None = None
    """USD of the whole campaign."""


def parse_predictions(text: str, where: str = PREDICTIONS) -> Predictions:
    """Check the front matter of a file's text; the prose below it is not looked at.

    Raises:
        UsageError: a key is missing, unknown or cannot be used; names it.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    fences = [number for number, line in enumerate(lines) if line.strip() == FENCE]
    if fences[:1] != [0] or not fences[1:]:
        raise UsageError(f"{where}: must begin with front matter in TOML between two lines of {FENCE}")
    try:
        # the fence stays as an empty line, so that a line's number in an error is the file's
        table = _Table(where, "", tomllib.loads("\n".join(["", *lines[1 : fences[1]]])))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where}: front matter: {error}") from error
    table.only(("schema", "model", "suite", "policy", "runs", "score", "tasks", "failure_modes", "cost"))
    if table.values.get("schema") != PREDICTIONS_SCHEMA:
        raise UsageError(f"{where}: schema: must be {PREDICTIONS_SCHEMA}")
    score, cost = table.inner("score", ("point", "range")), table.inner("cost", ("total",))
    point = score.expected("point", 0, 1, single=True)
    runs = table.expected("runs", 1, 1e6, whole=True, single=True)
    if runs is None or not table.text("model") or not table.text("suite"):
        missing = next(key for key in ("model", "suite", "runs") if not table.values.get(key))
        raise UsageError(f"{where}: {missing}: must be given")
    return Predictions(
        **{key: table.text(key) for key in ("model", "suite", "policy")},
        runs=round(runs.low),
        point=point.low if point else None,
        range=score.expected("range", 0, 1),
        tasks=table.inner("tasks").all_expected(runs.low),
        failure_modes=table.inner("failure_modes", [mode.value for mode in FailureMode]).all_expected(1e6),
        cost=cost.expected("total", 0, 1e9, whole=False),
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of the front matter; each error names file and key."""

    where: str
    prefix: str
    values: Mapping[str, Any]

    def only(self, known: Iterable[str]) -> None:
        for key in self.values.keys() - set(known):
            self._refuse(key, f"is no key here; {instead(key, known)}")

    def inner(self, key: str, known: Sequence[str] = ()) -> _Table:
        values = self.values.get(key, {})
        if not isinstance(values, dict):
            self._refuse(key, "must be a table")
        table = _Table(self.where, f"{self.prefix}{key}.", values)
        if known:
            table.only(known)
        return table

    def text(self, key: str) -> str:
        value = self.values.get(key, "")
        return value if isinstance(value, str) else self._refuse(key, f"must be text, not {value!r}")

    def expected(
        self, key: str, low: float, high: float, *, whole: bool = False, single: bool = False
    ) -> Expected | None:
        """A number, or two in a list unless it must be a `single` one."""
        if key not in self.values:
            return None
        value = self.values[key]
        pair = value if isinstance(value, list) and not single else [value, value]
        if len(pair) != 2:  # noqa: PLR2004 - from and to
            self._refuse(key, f"must be a number or [from, to], not {value!r}")
        for number in pair:
            fits = isinstance(number, int) if whole else isinstance(number, int | float)
            if isinstance(number, bool) or not fits or not low <= number <= high:
                kind = "a whole number" if whole else "a number"
                self._refuse(key, f"must be {kind} from {low:g} to {high:g}, not {number!r}")
        if pair[0] > pair[1]:
            self._refuse(key, f"must go from the smaller to the larger number, not {value!r}")
        return Expected(*map(float, pair))

    def all_expected(self, high: float) -> dict[str, Expected]:
        return {key: found for key in self.values if (found := self.expected(key, 0, high, whole=True))}

    def _refuse(self, key: str, problem: str) -> Any:
        raise UsageError(f"{self.where}: {self.prefix}{key}: {problem}")
