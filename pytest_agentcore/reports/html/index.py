"""The page over many campaigns as a value: what its template shows, and what its script works with.

The trials of a campaign and the verdicts of pairs stand in the page deflated; index.js unpacks them when they are asked
for. Where transcripts are is for whoever writes or serves the page to say: see `reports.write.write_index`.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from pytest_agentcore.analysis.compare import DIGEST_SHOWN, Known, compare, conditions_of
from pytest_agentcore.analysis.compare_text import looks_sentence, task_sentence, verdict_sentence
from pytest_agentcore.analysis.groups import ORDER, build_group
from pytest_agentcore.analysis.rank import Standing
from pytest_agentcore.errors import UsageError
from pytest_agentcore.format import count, fraction, interval, joined, percent, thousands
from pytest_agentcore.pack.read import Campaign, read_all
from pytest_agentcore.reports.facts import facts, warnings
from pytest_agentcore.reports.group_text import LABELS, depth_sentences, step_sentence
from pytest_agentcore.reports.html.charts import Chart, ladder
from pytest_agentcore.reports.html.transcripts import COLUMNS, SIGNS, packed, row
from pytest_agentcore.reports.tables import STANDING, comparison_table

MOST_WORK = 1_500
"""Work for all comparisons of a page, in units of one comparison of distinct trials: some seconds."""
REPEATS_FROM = 67
"""Trials of a pair above which a comparison with repeated ones, whose exchanges are counted one by one, costs more."""
GROUPED = 3_000
"""Trials of groups whose transcripts are read for a page."""


class Cell(NamedTuple):
    """A cell of the table of campaigns."""

    text: str
    value: float | str | None
    """By which rows are sorted; None comes last."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Campaigns whose verdicts come from the same checkers: only these are compared with each other."""

    title: str
    digest: str
    campaigns: Mapping[int, Campaign]
    """By their numbers on the page, those with the best rate first."""
    tasks: tuple[str, ...]
    """Planned by any of them."""
    differing: Mapping[str, tuple[str, ...]]
    """Conditions that are not the same in all of them, with their values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Campaigns of one model that differ in one condition, as a curve."""

    chart: Chart
    sentences: Sequence[str] = ()
    """What their comparison as a group says; empty where they are no group."""
    numbers: Sequence[str] = ()
    """Every point, and all that is known of a context load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Many campaigns, ready to be shown together."""

    suites: Sequence[Suite]
    """The one that was run last comes first."""
    ladders: Sequence[Ladder]
    left_out: Mapping[str, str]
    """Campaigns that are not shown, each with the reason."""
    pairs: int
    """Pairs of campaigns of one suite."""
    compared: int
    """Those of them that have a verdict here."""
    packed: Mapping[str, str]
    """What the page holds deflated, by the id of its element."""
    data: Mapping[str, Any]
    """What the script works with."""


def read_shown(results: Path) -> tuple[list[Campaign], dict[str, str]]:
    """Read the campaigns of a results folder that a page shows, and by id the reasons why it leaves others out."""
    found, left_out = read_all(results)
    picked = "a selection: its trials were picked by how they had ended, so its rate is no pass rate"
    left_out |= {campaign.folder.id: picked for campaign in found if not campaign.manifest.counts}
    return [campaign for campaign in found if campaign.manifest.counts], left_out


def build_index(
    campaigns: Sequence[Campaign],
    left_out: Mapping[str, str],
    *,
    home: Path | None = None,
    beside: str = "",
) -> Index:
    """Gather everything that is shown of many campaigns.

    Args:
        campaigns: the oldest first, of one results folder.
        left_out: campaigns that are not among them, by id, each with the reason.
        home: the folder in which the page is going to lie; None where it is served.
        beside: the address, relative to the page's, below which transcripts are as `<campaign>/<attempt>.js`; empty
            where the page holds them itself.
    """
    known = {campaign.folder.id: conditions_of(campaign) for campaign in campaigns}
    suites = sorted(_suites(campaigns, known), key=lambda suite: -max(suite.campaigns))
    within = [pair for suite in suites for pair in combinations(sorted(suite.campaigns), 2)]
    verdicts = dict(_verdicts(campaigns, within, known))
    place = {number: at for at, suite in enumerate(suites) for number in suite.campaigns}
    held = {f"c-{n}": [row(result) for result in campaign.results] for n, campaign in enumerate(campaigns)}
    return Index(
        suites=suites,
        ladders=list(_ladders(suites)),
        left_out=left_out,
        pairs=len(within),
        compared=len(verdicts),
        packed={key: packed(json.dumps(value).encode("ascii")) for key, value in {**held, "pairs": verdicts}.items()},
        data={
            "title": count(len(campaigns), "campaign"),
            "signs": dict(SIGNS),
            "columns": list(COLUMNS),
            "beside": beside,
            "suites": [{"title": suite.title, "digest": suite.digest} for suite in suites],
            "campaigns": [
                {"suite": place[number], **_told(campaign, home)} for number, campaign in enumerate(campaigns)
            ],
        },
    )


def _suites(campaigns: Sequence[Campaign], known: Known) -> Iterator[Suite]:
    digests = dict.fromkeys(campaign.manifest.judged_by for campaign in campaigns)
    for digest in digests:
        mine = [(n, one) for n, one in enumerate(campaigns) if one.manifest.judged_by == digest]
        mine.sort(key=lambda pair: -(pair[1].figures.overall.rates.effective or 0))
        names = dict.fromkeys(name for _, one in mine for name in known[one.folder.id])
        values = {name: sorted({known[one.folder.id].get(name, "-") for _, one in mine}) for name in names}
        yield Suite(
            title=mine[0][1].manifest.suite.title,
            digest=digest,
            campaigns=dict(mine),
            tasks=tuple(sorted({task for _, one in mine for task in one.manifest.tasks})),
            differing={name: tuple(found) for name, found in values.items() if len(found) > 1},
        )


def facets(campaign: Campaign) -> dict[str, str]:
    """Name what campaigns are filtered by."""
    manifest, backend = campaign.manifest, campaign.manifest.backend
    return {
        "model": manifest.model,
        "quant": str(backend.get("quant") or "-"),
        "policy": manifest.policy,
        "load": str(manifest.context_load),
        "device": str(backend.get("device") or "-"),
        "suite": f"{manifest.suite.title} · {manifest.judged_by[:DIGEST_SHOWN]}",
        "harness": manifest.harness,
    }


def _told(campaign: Campaign, home: Path | None) -> dict[str, Any]:
    """Name what the script says of a campaign."""
    manifest, figures = campaign.manifest, campaign.figures
    rates = figures.overall.rates
    said = [[fact.label, fact.text] for fact in facts(manifest)]
    folder = campaign.folder.path
    beside = os.path.relpath(folder, home) if home else None  # a page that is passed on names no folder of this machine
    place = quote(beside or f"c/{folder.name}")
    has_report = home is None or (folder / "report.html").is_file()  # a server writes it anew
    return {
        "id": campaign.folder.id,
        "facets": facets(campaign),
        "tasks": list(manifest.tasks),
        "rate": f"{fraction(rates.passed, rates.scored)} = {percent(rates.effective)}",
        "around": interval(figures.same_tasks),
        "facts": said,
        "doubts": [warning.text for warning in warnings(campaign)],
        "place": place,
        "report": f"{place}/{'report.html' if home else ''}" if has_report else "",
        "path": shlex.quote(beside or str(folder)),
    }


SORTED: Mapping[str, Callable[[Standing], float | str | None]] = {
    "Score": lambda s: s.rates.raw,
    "Cost": lambda s: s.effort.cost,
    "Cost per pass": lambda s: s.effort.cost_per_pass,
    "Seconds": lambda s: s.effort.seconds.mean,
    "Tokens/s": lambda s: s.effort.tokens_per_second,
    "Memory": lambda s: s.memory,
    "Quant": lambda s: s.fact("quant") or None,
    "Device": lambda s: s.fact("device") or s.tier or None,
}
"""The columns of the leaderboard that the table of campaigns has, and by which value each sorts its rows."""


def cells(campaign: Campaign) -> dict[str, Cell]:
    """Give the cells of a campaign's row by the heads of their columns; the rate itself is drawn."""
    manifest, standing = campaign.manifest, Standing(rank=0, campaign=campaign)  # compared with others, not ranked
    found = {head: Cell(STANDING[head](standing), value(standing)) for head, value in SORTED.items()}
    rates, state = standing.rates, "" if campaign.has_ended else campaign.state
    found["Score"] = Cell(fraction(rates.passed, rates.planned), rates.raw, state)  # the percentage stands beside it
    load = f"load {manifest.context_load}" if manifest.context_load else ""
    moment = Cell(manifest.started[:10], manifest.started, manifest.started[11:16])
    return {**found, "Policy": Cell(manifest.policy, manifest.policy, load), "Started": moment}


def _verdicts(
    campaigns: Sequence[Campaign], pairs: Iterable[tuple[int, int]], known: Known
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Compare pairs, the newest campaigns first, until `MOST_WORK` is done."""
    work = 0.0
    for older, newer in sorted(pairs, reverse=True):
        first, second = campaigns[older], campaigns[newer]
        both = [one.figures.overall for one in (first, second)]
        repeated = any(one.distinct.n < one.rates.scored for one in both)
        work += max(1.0, (sum(one.rates.scored for one in both) / REPEATS_FROM) ** 2) if repeated else 1.0
        if work > MOST_WORK:
            return
        yield f"{older}-{newer}", verdict(first, second, known)


def verdict(first: Campaign, second: Campaign, known: Known | None = None) -> dict[str, Any]:
    """Say what separates two campaigns of one suite, for index.js; `first` is the older one and called A."""
    try:
        found = compare(first, second, known=known)
    except UsageError as error:
        return {"verdict": str(error), "sign": 0, "tasks": [], "notes": [], "conditions": []}
    test = found.test
    sides = (("A", found.only_first), ("B", found.only_second))
    alone = [f"Only {side} planned {', '.join(tasks)}." for side, tasks in sides if tasks]
    return {
        "verdict": verdict_sentence(found),
        "sign": 0 if test is None or not test.significant else 1 if test.difference > 0 else -1,
        "tasks": comparison_table(found).rows,
        "notes": [*filter(None, map(task_sentence, found.tasks)), f"{looks_sentence(found)}.", *alone],
        "conditions": found.conditions,
    }


def _ladders(suites: Iterable[Suite]) -> Iterator[Ladder]:
    """Draw groups over policies or context loads, and models over their quantizations."""
    room = GROUPED
    for suite in suites:
        groups: dict[str, list[Campaign]] = {}
        quants: dict[tuple[str, str], dict[str, Campaign]] = {}
        for _, campaign in sorted(suite.campaigns.items()):
            manifest, quant_ = campaign.manifest, str(campaign.manifest.backend.get("quant") or "")
            if manifest.group:
                groups.setdefault(manifest.group, []).append(campaign)
            if quant_ and not manifest.context_load:  # of one quantization, the newest
                name = manifest.model.removesuffix(quant_.lower().replace("_", "-")).rstrip("-.")
                quants.setdefault((name, manifest.policy), {})[quant_] = campaign
        for group, members in groups.items():
            if len(members) > 1:
                room -= sum(len(campaign.results) for campaign in members)
                yield _grouped(group, members, is_read=room >= 0)
        for (name, policy), found in quants.items():
            if len(found) > 1:
                ordered = sorted(found.values(), key=lambda one: one.manifest.backend.get("size") or 0)
                steps = [str(one.manifest.backend["quant"]) for one in ordered]
                title = f"{name}, policy {policy}: quantizations, the smallest file first"
                yield _drawn(ladder(title, steps, [("", n, one) for n, one in enumerate(ordered)]))


def _drawn(chart: Chart, sentences: Sequence[str] = (), numbers: Sequence[str] = ()) -> Ladder:
    points = [point.meaning for curve in chart.curves for point in curve.points]
    return Ladder(chart=chart, sentences=sentences, numbers=[*points, *numbers])


def _grouped(group: str, members: Sequence[Campaign], *, is_read: bool) -> Ladder:
    """Draw a group over its context loads, a curve for each policy, or else over its policies."""
    loads = sorted({campaign.manifest.context_load for campaign in members})
    policies = [policy for policy in ORDER if any(one.manifest.policy == policy for one in members)]
    model = members[0].manifest.model
    if len(loads) > 1:
        placed = [(one.manifest.policy, loads.index(one.manifest.context_load), one) for one in members]
        placed.sort(key=lambda one: ORDER.index(one[0]))
        steps = [thousands(load) for load in loads]
        chart = ladder(f"{model}: context loads", steps, placed, "tokens of earlier conversation")
    else:
        placed = [("", policies.index(one.manifest.policy), one) for one in members]
        chart = ladder(f"{model}: policies", policies, placed)
    if not is_read:
        said = [f"What its policies and loads cost is in {group}/group.md: too many trials to be read again here."]
        return _drawn(chart, said)
    try:
        found = build_group(group, members)
    except UsageError as error:
        return _drawn(chart, [str(error)])
    where = ", load {}" if len(loads) > 1 else ""
    said = [f"{LABELS[step.kind]}{where.format(step.load)}: {step_sentence(step)}" for step in found.steps]
    return _drawn(
        chart, said, [f"{one.policy}, load {one.load}: {joined(depth_sentences(one))}" for one in found.depths]
    )
