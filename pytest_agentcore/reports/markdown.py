"""The whole of report.md, section by section, as lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from pytest_agentcore.analysis.compare import Comparison, TaskComparison
from pytest_agentcore.analysis.compare_text import looks_sentence, task_sentence, verdict_sentence
from pytest_agentcore.analysis.rank import Standing
from pytest_agentcore.format import (
    UNDEFINED,
    average,
    between,
    count,
    dollars,
    duration,
    fraction,
    interval,
    joined,
    latency,
    overlapping,
    p_value,
    percent,
    points,
    points_interval,
    thousands,
)
from pytest_agentcore.pack.figures import Figures
from pytest_agentcore.reports.report import (
    COMPARISON,
    COST,
    DETECTOR_HITS,
    HISTOGRAM,
    INTERVALS,
    LATENCY,
    MANIFEST,
    PASS_RATES,
    PREDICTIONS,
    REPEATS,
    RESULTS,
    TOOL_CALLS,
    TRIALS,
    Detected,
    DetectorHit,
    Failure,
    Report,
)
from pytest_agentcore.stats.intervals import Interval
from pytest_agentcore.trial.modes import Cause, FailureMode
from pytest_agentcore.trial.result import TrialResult
from pytest_agentcore.untrusted import clip, for_markdown, markdown_code, markdown_fence

OBSERVED, UNOBSERVED = "Observed", "Unobserved"
"""Labels of sections. The third, Speculation, is for people: the tool writes none."""


def heading(text: str, label: str = "", level: int = 2) -> Iterator[str]:
    """A heading, with its label below it."""
    yield f"{'#' * level} {text}"
    yield ""
    if label:
        yield f"**[{label}]**"
        yield ""


def verified(*files: str) -> str:
    """Where the numbers before it stand: `(verified: ...)`."""
    return f"(verified: {', '.join(f'`{file}`' for file in files)})"


def pipe_table(header: Sequence[str], rows: Iterable[Sequence[str]], *files: str) -> Iterator[str]:
    """A table and the files that hold its numbers."""
    yield _row(header)
    yield _row(["---"] * len(header))
    for row in rows:
        yield _row(row)
    yield ""
    yield verified(*files)
    yield ""


def paragraph(*sentences: str) -> Iterator[str]:
    """Sentences, the last of which may be a `verified`."""
    yield " ".join(sentences)
    yield ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


_WORDS = {True: "hit", False: "miss", None: "not scored"}


def compared(report: Report) -> Iterator[str]:
    """A is the baseline, B this campaign; nothing without a baseline."""
    found = report.comparison
    if found is None:
        return
    yield from heading(f"Compared with {markdown_code(found.first.folder.id)}", OBSERVED)
    yield from paragraph("A is the baseline, B this campaign.", _text(verdict_sentence(found)), verified(COMPARISON))
    yield from pipe_table(
        ("Task", "A", "B", "Points", "95% interval", "p", "Least p possible"),
        [_compared_row(task) for task in found.tasks],
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
    yield from pipe_table(("Item", "Predicted", "Observed", "Score", "Rule"), rows, PREDICTIONS)


def _compared_row(task: TaskComparison) -> tuple[str, ...]:
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
        yield from pipe_table(("What differs", "A", "B"), rows, MANIFEST)
    else:
        yield from paragraph("The campaigns differ in nothing but their trials.", verified(MANIFEST))


def _text(sentence: str) -> str:
    return for_markdown(sentence)


LISTED = 10
"""Failed trials of a task that are listed; of the others a sentence says how many and where."""

DETAIL = 200
"""Characters of what the checker said."""


def failures(report: Report) -> Iterator[str]:
    """By task; nothing where every recorded trial passed."""
    if not report.failures:
        return
    yield from heading("Failures, and the turns where they ended", OBSERVED)
    yield from paragraph(
        "What is quoted was written by the model or by programs that it ran. Verdicts stand in", f"`{RESULTS}`."
    )
    for task, found in groupby(report.failures, key=lambda failure: failure.result.task):
        yield from _task(task, list(found))


def _task(task: str, found: Sequence[Failure]) -> Iterator[str]:
    yield from heading(markdown_code(task), level=3)
    for failure in found[:LISTED]:
        yield from _failure(failure)
    if len(found) > LISTED:
        yield from paragraph(f"{count(len(found) - LISTED, 'more failed trial')} of this task:", verified(TRIALS))


def _failure(failure: Failure) -> Iterator[str]:
    result = failure.result
    spent = [count(result.turns, "turn"), count(result.tool_calls, "tool call"), latency(result.seconds)]
    verdict = joined([result.outcome, result.cause or "", f"ended by {result.stop_reason}", *spent])
    yield f"- **run {result.run}**: {verdict} (transcript: `{failure.address}`)"
    detail = next((line for line in result.detail.splitlines() if line.strip()), "")
    if detail:
        yield f"  - checker: {markdown_code(clip(detail.strip(), DETAIL))}"
    if failure.excerpt:
        yield f"  - the model's last words, turn {failure.turn}:"
        yield ""
        yield from (f"    {line}" for line in markdown_fence(failure.excerpt))
    yield ""


def outcome(report: Report) -> Iterator[str]:
    """Rates, modes and causes, tasks."""
    yield from heading(f"What happened in {count(report.figures.overall.rates.planned, 'trial')}", OBSERVED)
    yield from _rates(report)
    yield from _modes(report)
    yield from _tasks(report)


def effort(report: Report) -> Iterator[str]:
    """Seconds, tokens, money."""
    spent = report.figures.overall.effort
    yield from heading("What it took", OBSERVED)
    yield from paragraph(
        f"The model worked {duration(spent.model_seconds)} and tools {duration(spent.tool_seconds)}.",
        f"Prompts had {thousands(spent.prompt_tokens)} tokens, {thousands(spent.cached_tokens)} of them not evaluated",
        f"again, replies {thousands(spent.reply_tokens)}: {average(spent.tokens_per_second)} per second of the",
        f"model's time. Cost: {dollars(spent.cost.total)} in all, {dollars(spent.cost.per_run)} per trial,",
        f"{dollars(spent.cost.per_pass)} per pass.",
        verified(COST),
    )
    rows = [_effort_row(figures) for figures in (*report.figures.tasks, report.figures.overall)]
    p50 = overlapping("Latency p50", report.campaign.manifest.parallel)
    header = ("Task", p50, "p95", "Turns, most", "Tokens in", "Cached", "Out", "Out per second", "Cost")
    yield from pipe_table(header, rows, LATENCY, TOOL_CALLS, COST)


def _rates(report: Report) -> Iterator[str]:
    figures, rates = report.figures, report.figures.overall.rates
    yield from paragraph(
        f"{fraction(rates.passed, rates.planned)} planned trials passed: raw rate {percent(rates.raw)}.",
        f"{fraction(rates.scored, rates.planned)} were scored;",
        f"{fraction(rates.passed, rates.scored)} scored trials passed: effective rate {percent(rates.effective)}."
        if rates.scored
        else "without a scored trial there is no effective rate.",
        verified(PASS_RATES),
    )
    yield from paragraph(
        f"95% interval for the same tasks again: {_interval(figures.same_tasks)};",
        f"for other tasks like these: {_interval(figures.other_tasks)}.",
        f"They rest on {count(figures.overall.distinct.n, 'distinct trial')}.",
        verified(INTERVALS),
    )
    for found in figures.overall.repeats[-1:]:
        if found.any_of is None:
            yield from paragraph(f"No task has {count(found.k, 'scored run')}, so pass@{found.k} is undefined.")
        else:
            yield from paragraph(
                f"pass@{found.k} (one of {found.k} tries passes) is {percent(found.any_of)},",
                f"pass^{found.k} (all of them do) {percent(found.all_of)},",
                f"over the {count(found.tasks, 'task')} with {count(found.k, 'scored run')} or more.",
                verified(REPEATS),
            )


def _modes(report: Report) -> Iterator[str]:
    counts = report.figures.outcomes
    modes = ", ".join(f"{counts[mode]} {mode}" for mode in FailureMode)
    others = "".join(f", {n} {name}" for name, n in counts.items() if n and name in ("interrupted", "not_run"))
    yield from paragraph(f"Failures by mode: {modes}{others}.", verified(HISTOGRAM))
    rows = [(mode, cause.value, cause.attribution.value, str(n)) for (mode, cause), n in report.figures.causes.items()]
    if rows:
        yield from pipe_table(("Failure mode", "Cause", "Speaks about", "Trials"), rows, HISTOGRAM)


def _tasks(report: Report) -> Iterator[str]:
    by_task: dict[str, list[TrialResult]] = {}
    for failure in report.failures:
        by_task.setdefault(failure.result.task, []).append(failure.result)
    rows = [_task_row(figures, _notes(by_task.get(figures.task, ()))) for figures in report.figures.tasks]
    rows.append(_task_row(report.figures.overall, ""))
    mean = overlapping("Avg latency", report.campaign.manifest.parallel)
    header = ("Task", "Result", "95% interval", mean, "Avg turns", "Avg tool calls", "Notes")
    yield from pipe_table(header, rows, PASS_RATES, INTERVALS, LATENCY, TOOL_CALLS, HISTOGRAM)


def _task_row(figures: Figures, notes: str) -> tuple[str, ...]:
    rates, spent = figures.rates, figures.effort
    shown = fraction(rates.passed, rates.planned)
    overall = figures.task == "*"
    return (
        "all" if overall else markdown_code(figures.task),
        shown if rates.scored == rates.planned else f"{shown} ({fraction(rates.scored, rates.planned)} scored)",
        "see above" if overall else _interval(figures.wilson),
        latency(spent.seconds.mean),
        average(spent.turns.mean),
        average(spent.tool_calls.mean),
        notes,
    )


def _notes(failed: Sequence[TrialResult]) -> str:
    """Which runs did not pass and why; many are counted instead of listed."""
    runs: dict[str, list[int]] = {}
    for result in failed:
        why = str(result.cause or result.outcome)
        runs.setdefault(f"{why} ({result.stop_reason})" if result.cause is Cause.budget_exhausted else why, []).append(
            result.run
        )
    few = 6
    return "; ".join(
        f"{why}: run {', '.join(map(str, found))}" if len(found) <= few else f"{why}: {len(found)} runs"
        for why, found in runs.items()
    )


def _effort_row(figures: Figures) -> tuple[str, ...]:
    spent = figures.effort
    return (
        "all" if figures.task == "*" else markdown_code(figures.task),
        latency(spent.seconds.p50),
        latency(spent.seconds.p95),
        UNDEFINED if spent.turns.most is None else str(round(spent.turns.most)),
        thousands(spent.prompt_tokens),
        thousands(spent.cached_tokens),
        thousands(spent.reply_tokens),
        average(spent.tokens_per_second),
        dollars(spent.cost.total),
    )


def _interval(found: Interval | None) -> str:
    return between(found.low, found.high) if found else "undefined"


LISTED_HITS = 10
"""Hits of a detector that are listed."""

NOTE = 160
"""Characters of what was seen."""


def patterns(report: Report) -> Iterator[str]:
    """Every detector, also those that never fired."""
    examined = max((found.examined for found in report.detected), default=0)
    yield from heading("What the pattern detectors found", OBSERVED if examined else UNOBSERVED)
    yield from paragraph(
        f"{count(len(report.detected), 'detector')} ran over {count(examined, 'transcript')}, passed trials included.",
        verified(DETECTOR_HITS),
    )
    for found in report.detected:
        yield from _detected(found)


def _detected(found: Detected) -> Iterator[str]:
    yield from paragraph(
        f"**{found.name}** ({found.meaning}): {fraction(found.trials, found.examined)} trials.",
        f"{count(found.applicable, 'trial')} had {found.needs}, so nothing can be seen in the others."
        if found.applicable < found.examined
        else "",
        verified(DETECTOR_HITS),
    )
    for hit in found.hits[:LISTED_HITS]:
        yield _hit(hit)
    if len(found.hits) > LISTED_HITS:
        yield f"- {count(len(found.hits) - LISTED, 'more hit')} {verified(DETECTOR_HITS)}"
    if found.hits:
        yield ""


def _hit(found: DetectorHit) -> str:
    task, run = markdown_code(found.result.task), found.result.run
    note = markdown_code(clip(found.hit.note, NOTE))
    return f"- {task} run {run}, {found.result.outcome}: {note} (ref: `{found.address}`)"


LISTED_PLACES = 30
"""Places that are listed, the campaign's own always."""


def place(report: Report) -> Iterator[str]:
    """Nothing where there is nobody to stand among."""
    ranking = report.ranking
    if ranking is None or len(ranking.standings) < 2:  # noqa: PLR2004 - one is no ranking
        return
    me = report.campaign.manifest.campaign
    shown = [s for n, s in enumerate(ranking.standings) if n < LISTED_PLACES or s.manifest.campaign == me]
    yield from heading("Where it sits on the leaderboard", OBSERVED)
    yield from paragraph(
        "Campaigns of the same results folder, planned with the same tasks under the same policy and limits, when",
        "this was written. The numbers of each stand in its own folder.",
    )
    header = (
        *("Rank", "Model", "Score", "95% interval, same tasks", "Effective"),
        *("Cost", "Avg latency", "Campaign", "Notes"),
    )
    harness = report.campaign.manifest.harness
    rows = [_standing_row(standing, harness, here=standing.manifest.campaign == me) for standing in shown]
    yield from pipe_table(header, rows, *(f"../<campaign>/{file}" for file in (PASS_RATES, INTERVALS, COST, LATENCY)))
    if len(shown) < len(ranking.standings):
        yield from paragraph(f"{count(len(ranking.standings) - len(shown), 'more campaign')}: `agentcore leaderboard`.")


def _standing_row(standing: Standing, harness: str, *, here: bool) -> tuple[str, ...]:
    rates, effort = standing.figures.overall.rates, standing.figures.overall.effort
    model = for_markdown(standing.manifest.model)
    return (
        str(standing.rank),
        f"**{model}**" if here else model,
        f"{fraction(rates.passed, rates.planned)} ({percent(rates.raw)})",
        interval(standing.figures.same_tasks),
        f"{fraction(rates.passed, rates.scored)} ({percent(rates.effective)})",
        dollars(effort.cost.total),
        latency(effort.seconds.mean) + (" (overlapped)" if standing.overlapped else ""),
        markdown_code(standing.manifest.campaign),
        for_markdown("; ".join(standing.notes(harness))),
    )


LABELS = (
    "Sections are labelled. *Observed* is what the files of this campaign say. *Unobserved* is what they do not say. "
    "*Speculation* is for people: the tool writes none."
)


def markdown(report: Report) -> Iterator[str]:
    """The write-up, line by line, each with its line end."""
    for section in (_head, _facts, outcome, effort, failures, patterns, compared, place, predictions, _unknown):
        for line in section(report):
            yield f"{line}\n"


def _head(report: Report) -> Iterator[str]:
    manifest, rates = report.campaign.manifest, report.figures.overall.rates
    scores = [f"{fraction(rates.passed, rates.planned)} ({percent(rates.raw)})"]
    if rates.scored < rates.planned:
        scores.append(f"{fraction(rates.passed, rates.scored)} ({percent(rates.effective)}) of the trials that ran")
    yield f"# {for_markdown(manifest.model)} on {for_markdown(manifest.suite.title)}: {', '.join(scores)}"
    yield ""
    yield verified(PASS_RATES)
    yield ""
    yield from paragraph(LABELS, "Files are named relative to the campaign's folder.")
    for warning in report.warnings:
        yield f"> **Caution:** {for_markdown(warning.text)} {verified(warning.file)}"
        yield ""


def _facts(report: Report) -> Iterator[str]:
    yield from heading("What was run", OBSERVED)
    rows = [(fact.label, markdown_code(fact.text), f"`{fact.file}`") for fact in report.facts]
    yield from pipe_table(("What", "Value", "File"), rows, MANIFEST)


def _unknown(report: Report) -> Iterator[str]:
    yield from heading("What is not known", UNOBSERVED)
    for statement in report.unobserved:
        yield f"- {for_markdown(statement.text)} {verified(statement.file)}"
