"""What is only there sometimes: a comparison with a baseline, and predictions against what happened."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_agentcore.reports.comparison import Comparison, TaskComparison
from pytest_agentcore.reports.comparison_lines import looks_sentence, task_sentence, verdict_sentence
from pytest_agentcore.reports.markdown.blocks import OBSERVED, UNOBSERVED, heading, paragraph, table, verified
from pytest_agentcore.reports.numbers import fraction, p_value, points, points_interval
from pytest_agentcore.reports.report import Report
from pytest_agentcore.reports.sources import COMPARISON, MANIFEST, PREDICTIONS
from pytest_agentcore.untrusted import for_markdown, markdown_code

_WORDS = {True: "hit", False: "miss", None: "not scored"}


def compared(report: Report) -> Iterator[str]:
    """A is the baseline, B this campaign; nothing without a baseline."""
    found = report.comparison
    if found is None:
        return
    yield from heading(f"Compared with {markdown_code(found.first.folder.id)}", OBSERVED)
    yield from paragraph("A is the baseline, B this campaign.", _text(verdict_sentence(found)), verified(COMPARISON))
    yield from table(
        ("Task", "A", "B", "Points", "95% interval", "p", "Least p possible"),
        [_row(task) for task in found.tasks],
        COMPARISON,
    )
    for task in found.tasks:
        if sentence := task_sentence(task):
            yield f"- {_text(sentence)} {verified(COMPARISON)}"
    yield f"- {_text(looks_sentence(found))} {verified(COMPARISON)}"
    yield ""
    yield from _conditions(found)


def predictions(report: Report) -> Iterator[str]:
    """Always there: that none were filed is a finding too."""
    score = report.predictions
    yield from heading("Predictions", OBSERVED if score.items else UNOBSERVED)
    yield from paragraph(*map(_text, score.sentences), verified(f"{MANIFEST}#predictions"))
    if not score.items:
        return
    hits = f"{fraction(score.hits, score.scored)} scored items were hits."
    yield from paragraph(hits if score.scored else "No item could be scored.", verified(PREDICTIONS))
    rows = [
        (f"`{item.item}`", item.predicted, item.observed, _WORDS[item.hit], for_markdown(item.why))
        for item in score.items
    ]
    yield from table(("Item", "Predicted", "Observed", "Score", "Rule"), rows, PREDICTIONS)


def _row(task: TaskComparison) -> tuple[str, ...]:
    first, second = task.first.rates, task.second.rates
    return (
        markdown_code(task.task),
        fraction(first.passed, first.scored),
        fraction(second.passed, second.scored),
        points(task.difference),
        points_interval(task.interval),
        p_value(task.p),
        p_value(task.least_p),
    )


def _conditions(found: Comparison) -> Iterator[str]:
    if found.conditions:
        rows = [(c.name, markdown_code(c.first), markdown_code(c.second)) for c in found.conditions]
        yield from table(("What differs", "A", "B"), rows, MANIFEST)
    else:
        yield from paragraph("The campaigns differ in nothing but their trials.", verified(MANIFEST))


def _text(sentence: str) -> str:
    return for_markdown(sentence)
