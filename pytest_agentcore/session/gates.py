"""Gates: the exit code under `--min-pass-rate` and `--agentcore-baseline`, and the end of a campaign that breaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import pytest

from pytest_agentcore.analysis.gate import Gate, GateVerdict, check_regression
from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.manifest import Selection
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.session.usage import usage_errors
from pytest_agentcore.session.verdicts import RESULT
from pytest_agentcore.trial.modes import Attribution, FailureMode
from pytest_agentcore.trial.result import TrialResult


class Gates:
    """Forgives failed trials, and nothing else, when every rate is reached and nothing is worse than the baseline."""

    def __init__(
        self, gate: Gate, baseline: Campaign | None, selection: Selection | None, *, typed: bool, refusal: str
    ) -> None:
        """Nothing is gated without a rate and without a baseline, nor a session whose trials were selected.

        One in the ini file says nothing about a run without a single task, unlike one that was `typed`; `refusal` says
        why the ini file's baseline cannot be one.
        """
        self.baseline = baseline
        self.verdicts: Sequence[GateVerdict] = ()
        """As decided; nothing before, and where nothing is gated."""
        self._gate, self._selection, self._typed, self._refusal = gate, selection, typed, refusal
        self._asked = bool(gate or baseline or refusal)
        self._forgivable = 0

    def refuse(self, tasks: Sequence[str]) -> None:
        """Raise pytest's UsageError for a gate that cannot hold over these tasks, before the first trial."""
        if not (self._asked and tasks) or self._selection:
            return
        if self._refusal:
            raise pytest.UsageError(self._refusal)
        with usage_errors():
            self._gate.resolve(tasks)

    def count(self, report: pytest.TestReport) -> None:
        """Count the failures that are a model's."""
        data = getattr(report, RESULT, None)
        counted = report.failed and not hasattr(report, "wasxfail")
        self._forgivable += counted and data is not None and data["passed"] is False

    def decide(self, session: pytest.Session, campaigns: Mapping[str, Campaign]) -> None:
        """Decide between the exit codes 0 and 1; an interrupt and the exit codes 2 to 5 stand."""
        planned = [task for campaign in campaigns.values() for task in campaign.manifest.tasks]
        is_open = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if not (self._asked and is_open and (self._typed or planned)):
            return
        if self._selection:
            picked = f"a selection by {' '.join(self._selection.asked)}"
            why = f"{picked} counts nowhere and is not gated; the exit code is pytest's own"
            self.verdicts = [GateVerdict(name="gate", words=("not asked",) * 2, ok=True, sentences=(), notes=(why,))]
            return
        self.verdicts = verdicts = []
        if self._gate:
            try:
                verdicts.append(self._gate.resolve(planned).check(campaigns))
            except UsageError as error:
                verdicts.append(GateVerdict(ok=False, sentences=(str(error),)))
        if self.baseline:
            verdicts.append(check_regression(self.baseline, campaigns))
        if not all(verdict.ok for verdict in verdicts):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        elif session.testsfailed == self._forgivable:
            session.exitstatus = pytest.ExitCode.OK


REASON = "not run: "
"""Begins the reason of every item that is passed over."""


class Breaker:
    """Ends a campaign after too many infrastructure errors in a row, counted per process; broken checkers are none."""

    def __init__(self, most: int, cancel: Callable[[str], None]) -> None:
        """After `most` errors in a row a campaign's trials are passed over; `cancel` ends what it has running."""
        self._most, self._cancel = most, cancel
        self._in_a_row: Counter[str] = Counter()
        self._ended: dict[str, str] = {}

    def pass_over(self, label: str) -> None:
        """Skip the test that asks if its campaign was ended."""
        if label in self._ended:
            pytest.skip(f"{REASON}{self._ended[label]}")

    def count(self, label: str, result: TrialResult) -> None:
        """Count a trial that ran in this process."""
        is_one = result.failure_mode is FailureMode.infrastructure_error
        failed = is_one and result.attribution is Attribution.environment
        self._in_a_row[label] = self._in_a_row[label] + 1 if failed else 0
        if self._in_a_row[label] >= self._most:
            self._ended[label] = f"{self._in_a_row[label]} infrastructure errors in a row, the last: {result.cause}"
            self._cancel(label)


def passed_over(reports: Iterable[object]) -> Iterator[str]:
    """How many trials were passed over, and why, from the reports of what was skipped, here or otherwise."""
    places = [place for report in reports if isinstance(place := getattr(report, "longrepr", None), tuple)]
    reasons = Counter(str(reason).removeprefix("Skipped: ") for _file, _line, reason in places)
    yield from (f"{trials} trials {reason}" for reason, trials in reasons.items() if reason.startswith(REASON))
