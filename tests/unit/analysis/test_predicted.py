"""Predictions beside what happened, and the form in which they are made."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from small_packs import pack, trials_of

from pytest_agentcore.analysis.predicted import WHOLE_SUITE, forecast, score_predictions
from pytest_agentcore.pack.predictions import PREDICTIONS, Expected, Predictions, parse_predictions

FILED = """+++
schema = 1
model = "tiny"
suite = "agentic-core-v1"
runs = 3
[score]
range = [0.5, 0.9]
[tasks]
a = 3
b = [1, 2]
c = 1
[failure_modes]
wrong_answer = [2, 6]
[cost]
total = 1
+++
"""


@pytest.mark.parametrize("scope", [(WHOLE_SUITE,), ("a", "b")])
def test_a_part_of_the_suite_scores_its_tasks_and_nothing_of_the_whole(tmp_path: Path, scope: tuple[str, ...]) -> None:
    digest = hashlib.sha256(FILED.encode()).hexdigest()
    filed = {"file": "expected.md", "digest": digest, "committed": False, "note": "it is not in git"}
    campaign = pack(tmp_path / "c", trials_of("c", a=3, b=0), predictions=filed, scope=scope)
    (tmp_path / "c" / PREDICTIONS).write_text(FILED)

    found = score_predictions(campaign)

    assert found.sentences == (
        f"expected.md (sha256 {digest[:12]}) was not committed before the first trial: it is not in git.",
    )
    whole = scope == (WHOLE_SUITE,)
    assert [(item.item, item.observed, item.hit) for item in found.items] == [
        ("score.range", *(("50.0%", True) if whole else ("", None))),
        ("tasks.a", "3", True),
        ("tasks.b", "0", False),
        ("tasks.c", "", None),
        ("failure_modes.wrong_answer", *(("3", True) if whole else ("", None))),
        ("cost.total", *(("$0.00", False) if whole else ("", None))),
    ]
    assert (found.hits, found.scored) == ((3, 5) if whole else (1, 2))


def test_the_form_predicts_nothing_until_it_is_filled_in_and_then_what_was_filled_in() -> None:
    form = forecast(model='a "quoted" model', suite="tiny", tasks=["task_01", "task_02"], runs=3)

    assert parse_predictions(form) == Predictions(model='a "quoted" model', suite="tiny", runs=3)
    filled = parse_predictions(form.replace("# task_01 = ", "task_01 = ").replace("# total", "total"))
    assert (filled.tasks, filled.cost) == ({"task_01": Expected(0, 3)}, Expected(0, 0))
    everything = "\n".join(line.removeprefix("# ") if " = " in line else line for line in form.splitlines())
    found = parse_predictions(everything)
    assert None not in (found.point, found.range, found.cost)
    assert (len(found.tasks), len(found.failure_modes)) == (2, 3)
