"""A campaign, or one of its trials turn by turn, as lines for a terminal. Everything shown is visible and inert."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from pytest_agentcore.format import count, fraction, joined, labelled, latency, percent
from pytest_agentcore.pack.transcript import Turn, address_of, played
from pytest_agentcore.reports.report import Failure, Report
from pytest_agentcore.reports.terminal import summary_lines, verdict_lines
from pytest_agentcore.trial.fold import Event
from pytest_agentcore.trial.result import TrialResult
from pytest_agentcore.untrusted import clip, visible, visible_lines

FAILURES_LISTED, HITS_LISTED = 40, 10

BODY = "    "
"""Before each line of a text."""


def campaign_lines(report: Report, width: int = 80) -> Iterator[str]:
    """What was run, how it went, what failed and where, what detectors found, what is not known."""
    campaign = report.campaign
    for fact in report.facts:
        yield from labelled(fact.label, fact.text, width)
    yield ""
    yield from summary_lines(campaign.manifest, campaign.results, campaign.folder.path, width, cautions=False)
    yield ""
    yield from _repeats(report, width)
    yield from _failures(report, width)
    yield from _detected(report, width)
    yield from _place(report, width)
    for number, sentence in enumerate(report.predictions.sentences):
        yield from labelled("" if number else "predicted", sentence, width)
    for item in report.predictions.items:
        word = {True: "hit", False: "miss", None: "not scored"}[item.hit]
        yield from labelled("", f"{word}: {item.item} {item.predicted}, observed {item.observed or 'nothing'}", width)
    for warning in report.warnings:
        yield from labelled("CAUTION", warning.text, width)
    for number, statement in enumerate(report.unobserved):
        yield from labelled("" if number else "not known", statement.text, width)


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
    yield from (f"{BODY}{line}" for line in visible_lines(text))


def _repeats(report: Report, width: int) -> Iterator[str]:
    for found in report.figures.overall.repeats:
        if found.k > 1 and found.any_of is not None:
            text = f"pass@{found.k} {percent(found.any_of)} · pass^{found.k} {percent(found.all_of)}"
            yield from labelled("repeats", f"{text} (over {count(found.tasks, 'task')})", width)


def _place(report: Report, width: int) -> Iterator[str]:
    standings = report.ranking.standings if report.ranking else ()
    mine = [standing for standing in standings if standing.manifest.campaign == report.campaign.manifest.campaign]
    if mine and len(standings) > 1:
        text = (
            f"rank {mine[0].rank} of {len(standings)} campaigns of its results folder under the same policy and limits"
        )
        yield from labelled("place", text, width)


def _failures(report: Report, width: int) -> Iterator[str]:
    for number, failure in enumerate(report.failures[:FAILURES_LISTED]):
        yield from labelled("" if number else "failed", _failure(failure), width)
    left = len(report.failures) - FAILURES_LISTED
    if left > 0:
        yield from labelled("", f"{left} more, see verification/trials.csv", width)


def _failure(failure: Failure) -> str:
    result = failure.result
    where = f"turn {failure.turn}" if failure.turn else "no turn"
    return joined([f"{result.task}:{result.run}", result.cause or result.outcome, where, result.attempt[:8]])


def _detected(report: Report, width: int) -> Iterator[str]:
    for found in report.detected:
        seen = f"{found.name} {fraction(found.trials, found.examined)} trials"
        if found.applicable < found.examined:
            seen += f" ({found.applicable} had {found.needs})"
        yield from labelled("detector", seen, width)
        for hit in found.hits[:HITS_LISTED]:
            yield from labelled("", clip(f"{hit.result.task}:{hit.result.run} {hit.hit.note}", 2 * width), width)
        if len(found.hits) > HITS_LISTED:
            yield from labelled("", f"{len(found.hits) - HITS_LISTED} more, see verification/detectors.csv", width)
