"""Gates: the exit code under `--min-pass-rate` and `--agentcore-baseline`, and the end of a campaign that breaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import pytest

from pytest_agentcore.analysis.gate import MEANINGS, UNDECIDED, Gate, GateVerdict, ask, conclusion, exit_code
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
        self._failed = self._unscored = 0
        """Reports of failures that are a model's, and of trials that got no score."""

    def refuse(self, tasks: Sequence[str]) -> None:
        """Raise pytest's UsageError for a gate that cannot hold over these tasks, before the first trial."""
        if not (self._asked and tasks) or self._selection:
            return
        with usage_errors():
            if self._refusal:
                raise UsageError(self._refusal)
            self._gate.resolve(tasks)

    def count(self, report: pytest.TestReport) -> None:
        """Count the failures that are a model's, and the trials that got no score."""
        data = getattr(report, RESULT, None)
        if report.failed and not hasattr(report, "wasxfail") and data is not None:
            self._failed += data["passed"] is False
            self._unscored += data["passed"] is None

    def decide(self, session: pytest.Session, campaigns: Mapping[str, Campaign]) -> None:
        """Decide between the exit codes 0, 1 and `UNDECIDED`; an interrupt and the exit codes 2 to 5 stand."""
        status, (ok, failed) = session.exitstatus, (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if self._asked and (self._typed or any(campaign.manifest.planned for campaign in campaigns.values())):
            self.verdicts = self._ask(campaigns) if status in (ok, failed) else [_no_answer("not decided")]
        # what is neither a model's failure nor a trial without a score: other tests, and what other plugins decided
        is_foreign = status == failed and not 0 < self._failed + self._unscored == session.testsfailed
        if status not in (ok, failed) or is_foreign or (self._asked and self._selection):
            return
        if self.verdicts:
            session.exitstatus = exit_code(self.verdicts)
        elif self._unscored and not self._failed:
            session.exitstatus = UNDECIDED

    def _ask(self, campaigns: Mapping[str, Campaign]) -> list[GateVerdict]:
        if self._selection:
            picked = f"a selection by {' '.join(self._selection.asked)}"
            return [_no_answer("not asked", f"{picked} counts nowhere and is not gated; the exit code is pytest's own")]
        try:
            return ask(self._gate, self.baseline, campaigns)
        except UsageError as error:  # a rate of a task, in a run without tasks
            return [GateVerdict(missing=(str(error),))]

    def conclude(self, code: int) -> str:
        """Write the verdicts in a line with what the exit code says; empty where nothing is gated and it is pytest's.

        Args:
            code: what pytest is going to return.
        """
        if not self.verdicts and code != UNDECIDED:
            return ""
        meaning = MEANINGS[code] if code in (UNDECIDED, exit_code(self.verdicts)) else _OTHERWISE.get(code)
        if self._selection and code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            meaning = "pytest's own"
        return conclusion(self.verdicts, code, meaning or "another plugin's")


_OTHERWISE = {
    1: "a test that is no trial failed, or another plugin said so",
    2: "the session was interrupted, or a module could not be collected",
    3: "an internal error, or the record could not be written",
    4: "what was asked for cannot be done",
    5: "no test was collected",
    6: "more warnings than --max-warnings allows",
}
"""What exit codes say that do not follow from a gate."""


def _no_answer(word: str, *why: str) -> GateVerdict:
    return GateVerdict(name="gate", words={0: word}, notes=why)


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
