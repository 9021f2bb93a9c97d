"""A campaign, or one of its trials turn by turn, as lines for a terminal. Everything shown is visible and inert."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pytest_agentcore.format import (
    UNDEFINED,
    Line,
    count,
    fraction,
    interval,
    joined,
    labelled,
    labelled_lines,
    latency,
    percent,
    table,
)
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.transcript import Turn, address_of, played
from pytest_agentcore.reports.report import Report
from pytest_agentcore.reports.tables import HIT
from pytest_agentcore.reports.terminal import summary_lines, verdict_lines
from pytest_agentcore.trial.fold import Event
from pytest_agentcore.trial.result import TrialResult
from pytest_agentcore.untrusted import clip, visible, visible_lines

FAILURES_LISTED, HITS_LISTED = 40, 10


def list_lines(found: Iterable[Campaign], damaged: Mapping[str, str], width: int = 80) -> Iterator[str]:
    """Show campaigns in a table, each with its id and its suite; then those that cannot be read, and why."""
    rows, notes = [["begun", "model", "quant", "done", "rate", "95% interval", "state"]], ["campaign, suite"]
    for campaign in found:
        manifest, rates = campaign.manifest, campaign.figures.overall.rates
        what = [manifest.started[: len("2026-06-10")], manifest.model, str(manifest.backend.get("quant") or UNDEFINED)]
        rate = [percent(rates.effective), interval(campaign.figures.same_tasks)]
        rows.append([*what, fraction(rates.recorded, rates.planned), *rate, campaign.state])
        selection = "" if manifest.counts else "a selection: counts nowhere"
        notes.append(joined([campaign.folder.id, f"{manifest.suite.name} {manifest.suite.version}", selection]))
    if len(rows) > 1:
        yield from table(rows, notes, width)
    yield from (line for why in damaged.values() for line in labelled("damaged", why, width))


def campaign_lines(report: Report, width: int = 80) -> Iterator[str]:
    """Show what was run, how it went, what failed and where, what detectors found, what is not known."""
    yield from labelled_lines(((fact.label, fact.text) for fact in report.facts), width)
    yield ""
    yield from summary_lines(report.campaign, report.campaign.folder.path, width, doubts=False)
    yield ""
    yield from labelled_lines(_campaign(report, width), width)


def _campaign(report: Report, width: int) -> Iterator[Line]:
    for repeated in report.campaign.figures.overall.repeats:
        if repeated.k > 1 and repeated.any_of is not None:
            text = f"pass@{repeated.k} {percent(repeated.any_of)} · pass^{repeated.k} {percent(repeated.all_of)}"
            yield "repeats", f"{text} (over {count(repeated.tasks, 'task')})"

    for number, result in enumerate(report.failures[:FAILURES_LISTED]):
        where = f"turn {result.turns}" if result.turns else "no turn"
        named = [f"{result.task}:{result.run}", result.cause or result.outcome, where, result.attempt[:8]]
        yield "" if number else "failed", joined(named)
    if (left := len(report.failures) - FAILURES_LISTED) > 0:
        yield "", f"{left} more, see verification/trials.csv"

    for found in report.detected:
        seen = f"{found.detector.name} {fraction(found.trials, found.examined)} trials"
        part = f" ({found.applicable} had {found.detector.needs})" if found.applicable < found.examined else ""
        yield "detector", f"{seen}{part}"
        for result, hit in found.hits[:HITS_LISTED]:
            # two lines at most: a note quotes the model, whose arguments may be files
            yield "", clip(f"{result.task}:{result.run} {hit.note}", 2 * width)
        if (left := len(found.hits) - HITS_LISTED) > 0:
            yield "", f"{left} more, see verification/detectors.csv"

    standings = report.ranking.standings if report.ranking else ()
    mine = [standing for standing in standings if standing.manifest.campaign == report.campaign.manifest.campaign]
    if mine and len(standings) > 1:
        among = f"{len(standings)} campaigns of its results folder under the same policy and limits"
        yield "place", f"rank {mine[0].rank} of {among}"

    yield from _once("predicted", report.predictions.sentences)
    for item in report.predictions.items:
        yield "", f"{HIT[item.hit]}: {item.item} {item.predicted}, observed {item.observed or 'nothing'}"
    yield from (("CAUTION", warning.text) for warning in report.warnings)
    yield from _once("not known", [statement.text for statement in report.unobserved])


def _once(label: str, texts: Iterable[str]) -> Iterator[Line]:
    """Write a label before the first text only."""
    for number, text in enumerate(texts):
        yield "" if number else label, text


def trial_lines(result: TrialResult, events: Sequence[Event], width: int = 80) -> Iterator[str]:
    """Prompt, then each turn: what was said, called and read, with time and tokens; the verdict last."""
    yield visible(str(result.key))
    yield from labelled("attempt", result.attempt, width)
    yield from (line for text in verdict_lines(result) for line in labelled("", text, width))
    start = next((event for event in events if event["event"] == "start"), None)
    if start:
        yield from _block("prompt", str(start["prompt"]))
    for turn in played(events):
        yield ""
        yield from _turn(turn)
    yield ""
    for event in events:
        if event["event"] == "end":
            yield from labelled("ended", joined([event["stop_reason"], visible(event["detail"])]), width)
    yield from labelled("outcome", joined([result.outcome, result.cause or ""]), width)
    if result.detail:
        yield from _block("checker", result.detail)
    yield from labelled("file", address_of(result), width)


def _turn(turn: Turn) -> Iterator[str]:
    reply, usage = turn.reply, turn.reply["usage"]
    tokens = f"{usage['prompt_tokens']} tokens in ({usage['cached_tokens']} cached), {usage['reply_tokens']} out"
    yield joined([f"turn {turn.number}", *([latency(reply["seconds"]), tokens] if reply["seconds"] else ())])
    if reply["reasoning"].strip():
        yield from _block("thinks", reply["reasoning"].strip("\n"))
    if reply["content"].strip():
        yield from _block("says", reply["content"].strip("\n"))
    elif not reply["tool_calls"] and reply["text"].strip():
        yield from _block("wrote", reply["text"].strip("\n"))
    ran = {result["index"] for result in turn.results}
    for index, call in enumerate(reply["tool_calls"]):
        if index not in ran:
            yield from _call(call)
    for result in turn.results:
        yield from _call(result["call"])
        yield from _block(f"{result['outcome']}, {latency(result['seconds'])}", result["text"].rstrip("\n"))
    for text in turn.feedback:
        yield from _block("told", text)


def _call(call: Event) -> Iterator[str]:
    """Short arguments on one line; texts of several lines as blocks, so that code reads as code."""
    texts = {name: value for name, value in call["arguments"].items() if isinstance(value, str) and "\n" in value}
    short = {name: value for name, value in call["arguments"].items() if name not in texts}
    yield f"  calls {visible(call['name'])} {visible(json.dumps(short, ensure_ascii=False))}"
    for name, text in texts.items():
        yield from _block(name, text.rstrip("\n"))


def _block(label: str, text: str) -> Iterator[str]:
    yield f"  {visible(label)}:"
    yield from (f"    {line}" for line in visible_lines(text))
