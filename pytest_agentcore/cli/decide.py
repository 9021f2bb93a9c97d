"""Commands over several campaigns: compare two, group or rank them, and plan how many runs settle a question."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_agentcore.cli.arguments import add_campaign, add_results, chance, change, find, positive, tell, write_lines
from pytest_agentcore.console import is_runner
from pytest_agentcore.errors import UsageError
from pytest_agentcore.options import Settings
from pytest_agentcore.pack.folder import CampaignFolder, GroupFolder, campaigns
from pytest_agentcore.pack.read import find_campaign, members, newest, read_campaign
from pytest_agentcore.untrusted import visible

if TYPE_CHECKING:
    from pytest_agentcore.analysis.compare import TaskComparison

UNTESTED = "no test is possible, so --fail-on-regression cannot rule out a regression."
"""A gate that opens when nothing was scored would pass every broken run."""

APART = ("policy: ", "context load: ")
"""How those differences begin that the campaigns of a group may have."""


def add_compare(parser: argparse.ArgumentParser) -> None:
    """Add two campaigns, and what to make of the answer."""
    parser.description = (
        "Two campaigns task by task, and whether B differs from A by more than chance: one paired permutation test. "
        "Exit code 0: no significant regression; 1: --fail-on-regression is given and B is significantly worse, or "
        "nothing can be tested; 2: they cannot be compared."
    )
    parser.add_argument("first", metavar="A", nargs="?", help="the baseline; default: the campaign before the newest")
    parser.add_argument("second", metavar="B", nargs="?", help="the one to compare with it; default: the newest")
    add_results(parser)
    parser.add_argument(
        "--fail-on-regression",
        action="store_true",
        help="exit with 1 when B is significantly worse, or nothing can be tested",
    )
    parser.add_argument("--force", action="store_true", help="compare although the suites' digests differ")


def run_compare(options: argparse.Namespace) -> int:
    """Return 1 where regressions were asked about and there is one, or nothing to test; else 0."""
    from pytest_agentcore.analysis.columns import campaign_cells
    from pytest_agentcore.analysis.compare import compare
    from pytest_agentcore.analysis.compare_text import comparison_lines, looks_sentence, verdict_sentence
    from pytest_agentcore.format import labelled

    first, second = options.first, options.second
    if first is None or second is None:
        first, second = _unnamed(first, options.results)
    pair = (read_campaign(place, options.results) for place in (first, second))
    comparison = compare(*pair, force=options.force)
    width, is_failed = shutil.get_terminal_size((100, 24)).columns, False
    lines = comparison_lines(comparison, width)
    if options.fail_on_regression:
        lines += labelled("failed", UNTESTED, width) if comparison.test is None else []
        is_failed = comparison.regression or comparison.test is None
    tell(
        options,
        lines,
        first=campaign_cells(comparison.first),
        second=campaign_cells(comparison.second),
        tasks=[_task_facts(task) for task in comparison.tasks],
        only_first=comparison.only_first,
        only_second=comparison.only_second,
        conditions=comparison.conditions,
        same_suite=comparison.same_suite,
        test=comparison.test,
        regression=comparison.regression,
        looks=looks_sentence(comparison),
        verdict=verdict_sentence(comparison),
        exit_code=int(is_failed),
    )
    return int(is_failed)


def _unnamed(first: str | None, results: Path) -> tuple[Path | str, Path]:
    """Take the newest campaigns for those of the two that were not named."""
    chosen = newest(results, 1 if first else 2)
    if first and find_campaign(first, results).path == chosen[-1].path.resolve():
        raise UsageError(f"{first} is the newest campaign itself; name the one to compare it with")
    ids = " and ".join(visible(folder.id) for folder in chosen)
    sys.stderr.write(f"agentcore: the newest of {visible(str(results))}: {ids}\n")
    return first or chosen[0].path, chosen[-1].path


def _task_facts(task: TaskComparison) -> dict[str, object]:
    """Give the counts of both sides, and what is said of their difference."""
    said = ("difference", "interval", "p", "least_p", "corrected_p")
    sides = {name: getattr(task, name).rates for name in ("first", "second")}
    return {"task": task.task, **sides, **{name: getattr(task, name) for name in said}}


def add_gate(parser: argparse.ArgumentParser) -> None:
    """Add the campaigns, and every gate that pytest's options know."""
    parser.description = (
        "Apply the gates of a run, --min-pass-rate and --agentcore-baseline, to campaigns that are recorded or merged. "
        "Exit code 0: every gate is open; 1: one is shut; 75: trials without a score leave it "
        "undecided; 2: it cannot be asked."
    )
    add_campaign(parser, several=True)
    Settings.min_pass_rate.add(parser.add_argument, "--min-pass-rate")
    Settings.baseline.add(parser.add_argument, "--baseline")


def run_gate(options: argparse.Namespace) -> int:
    """Return what pytest would have for the same trials."""
    from pytest_agentcore.analysis.columns import campaign_cells
    from pytest_agentcore.analysis.compare import check_comparable, check_counts
    from pytest_agentcore.analysis.gate import MEANINGS, Gate, ask, conclusion, exit_code
    from pytest_agentcore.reports.github import annotate, write_summary

    gate, given = Gate.parse(options.agentcore_min_pass_rate or ()), options.agentcore_baseline
    if not gate and not given:
        raise UsageError("gate: there is nothing to check; give --min-pass-rate or --baseline")
    found = [find(place, options.results) for place in options.campaigns or [None]]
    baseline = read_campaign(given, options.results) if given else None
    models = Counter(campaign.manifest.model for campaign in found)
    campaigns = {}
    for campaign in found:
        check_counts(campaign)
        suite, model = campaign.manifest.suite, campaign.manifest.model
        if baseline:
            check_comparable(baseline, suite.digest, suite.title)
        campaigns[model if models[model] == 1 else campaign.folder.id] = campaign
    verdicts = ask(gate, baseline, campaigns)
    code = exit_code(verdicts)
    said = [one for verdict in verdicts for one in (*verdict.why_not, *verdict.notes)]
    last = conclusion(verdicts, code, MEANINGS[code])
    tell(
        options,
        [*(f"  {one}" for one in said), last],
        campaigns=[campaign_cells(campaign) for campaign in found],
        baseline=baseline.folder.id if baseline else None,
        gates=[{**asdict(verdict), "says": verdict.title, "exit_code": verdict.code} for verdict in verdicts],
        exit_code=code,
    )
    if is_runner():
        told = [write_summary(campaigns, verdicts, last), *annotate(campaigns, verdicts, {}, passed=not code)]
        (sys.stderr if options.json else sys.stdout).writelines(f"{line}\n" for line in told if line)
    return code


def add_group(parser: argparse.ArgumentParser) -> None:
    """Add a group's folder, or campaigns."""
    parser.description = (
        "Format tax and context load. With a GROUP its files are written anew from the campaigns beside its folder, "
        "for instance after one of them was continued. With two or more CAMPAIGNS of one model that differ only in "
        "policy or context load nothing is written."
    )
    parser.add_argument(
        "places", nargs="*", type=Path, metavar="GROUP|CAMPAIGN", help="default: the group of the newest campaign"
    )
    add_results(parser)


def run_group(options: argparse.Namespace) -> None:
    """Compare; there is no right answer that an exit code could give."""
    from pytest_agentcore.analysis.groups import build_group
    from pytest_agentcore.pack.identity import differences, summarise
    from pytest_agentcore.pack.validate import damage_named
    from pytest_agentcore.reports.group_text import as_json, group_lines, group_title
    from pytest_agentcore.reports.write import write_group

    if len(options.places) > 1:
        compared = [read_campaign(place, options.results) for place in options.places]
        for campaign in compared[1:]:
            apart = differences(campaign.manifest, compared[0].manifest)
            others = [line for line in apart if not line.startswith(APART)]
            if others:
                said = f"not to be grouped with the first campaign: {summarise(others)}"
                raise UsageError(f"{campaign.folder.path}: {said}")
        if len({(each.manifest.policy, each.manifest.context_load) for each in compared}) < len(compared):
            said = "two of the campaigns have one policy and one context load"
            raise UsageError(f"{said}; `agentcore compare` compares them")
        with damage_named(*(campaign.folder for campaign in compared)):
            group, home = build_group("", compared), None
    else:
        home = options.places[0] if options.places else _newest_group(options.results)
        home = home if home.is_dir() or not (options.results / home).is_dir() else options.results / home
        folder = GroupFolder(home.resolve())
        compared = members(folder)
        with damage_named(*(campaign.folder for campaign in compared)):
            group = build_group(folder.id, compared)
        write_group(folder, group)
    lines = [group_title(group), *group_lines(group, home, shutil.get_terminal_size().columns)]
    tell(options, lines, **as_json(group))


def _newest_group(results: Path) -> Path:
    campaign = find(None, results)
    if not campaign.manifest.group:
        raise UsageError(f"the newest campaign, {campaign.folder.id}, is in no group; name one, or several campaigns")
    return campaign.folder.path.parent / campaign.manifest.group


FORMATS = {".txt": "text", ".md": "markdown", ".csv": "csv", ".html": "html"}
"""Forms of a leaderboard, by what a file of each is called."""


def add_leaderboard(parser: argparse.ArgumentParser) -> None:
    """Add the places where campaigns are, and the form of the answer."""
    parser.description = (
        "Rank campaigns by passed of planned trials. Campaigns are ranked against each other only if they ran the same "
        "tasks of the same suite under the same policy and limits; selections and agents without a model are left out. "
        "Below each ranking stands what separates neighbours by more than chance, and what does not."
    )
    parser.add_argument(
        "places", nargs="*", metavar="DIR", help="a campaign, or a folder of campaigns; default: the results folder"
    )
    add_results(parser)
    parser.add_argument("--format", choices=tuple(FORMATS.values()), help="default: text, or as FILE is called")
    parser.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help=f"write it to a file ({', '.join(FORMATS)}) instead"
    )
    parser.add_argument(
        "--with-published",
        action="store_true",
        help="add published scores in a table of their own: other tasks under the same name, not comparable",
    )


def run_leaderboard(options: argparse.Namespace) -> None:
    """Rank campaigns; a damaged one beside others that can be ranked is no error.

    Raises:
        UsageError: a place has no campaign, nothing can be ranked and damage may be the reason, or the file cannot be
            written.
    """
    from pytest_agentcore.analysis.rank import leaderboard, published_scores
    from pytest_agentcore.reports import leaderboard as forms

    form = options.format or FORMATS.get(options.out.suffix.lower() if options.out else ".txt")
    if form is None:
        raise UsageError(f"{options.out}: must end in {', '.join(FORMATS)}, or --format says what it is to be")
    whole, damaged = [], []
    for folder in _folders(options.places or [str(options.results)], options.results):
        try:
            whole.append(read_campaign(folder.path))
        except UsageError as error:
            damaged.append(str(error))
    board = leaderboard(whole)
    if damaged and not board.rankings:
        raise UsageError("; ".join(damaged))
    sys.stderr.writelines(f"agentcore: left out, since it cannot be read: {visible(error)}\n" for error in damaged)
    published = published_scores() if options.with_published else []
    width = shutil.get_terminal_size().columns
    lines: Iterable[str]
    if form == "text":
        lines = forms.leaderboard_lines(board, published, width)
    elif form == "markdown":
        lines = forms.leaderboard_markdown(board, published)
    else:
        whole_text = forms.leaderboard_csv if form == "csv" else forms.leaderboard_page
        lines = "".join(whole_text(board, published)).removesuffix("\n").split("\n")
    if options.out:
        try:
            text = "".join(f"{line}\n" for line in lines)
            options.out.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
        except OSError as error:
            raise UsageError(f"{options.out}: cannot be written ({error.strerror})") from error
        lines = [str(options.out)]
    elif form != "text" and not options.json:
        write_lines(lines)  # in a form of their own, and escaped for it
        return
    facts = {"published": published, "left_out": dict(board.left_out), "file": options.out}
    tell(options, lines, rankings=forms.leaderboard_facts(board) if options.json else (), **facts)


def _folders(places: Iterable[str], results: Path) -> Iterable[CampaignFolder]:
    """The campaigns that are named, by themselves or by their folder: each once, in that order."""
    meant: dict[Path, CampaignFolder] = {}
    for place in places:
        path = Path(place).expanduser()
        alone = (path / "manifest.json").is_file()
        found = [] if alone else campaigns(path)
        if not alone and not found and Path(place).is_dir():
            sentence = "neither a campaign nor a folder of campaigns (no manifest.json here or one below)"
            raise UsageError(f"{place}: {sentence}")
        for folder in found or [find_campaign(place, results)]:
            meant.setdefault(folder.path.resolve(), folder)
    return meant.values()


def add_plan(parser: argparse.ArgumentParser) -> None:
    """Add the question, and what is known beforehand."""
    parser.description = (
        "How many runs of every task two campaigns need so that agentcore compare finds a difference of a given size, "
        "and what a campaign of that size costs."
    )
    parser.add_argument(
        "--detect", type=change, required=True, metavar="10pp", help="difference of pass rates, in percentage points"
    )
    parser.add_argument(
        "--power", type=chance, default=0.8, metavar="P", help="chance to find it (default: 0.8; between 0.5 and 1)"
    )
    parser.add_argument(
        "--from",
        dest="earlier",
        metavar="CAMPAIGN",
        nargs="?",
        const="",
        help="learn rates, seconds and prices from this campaign, or from the newest",
    )
    add_results(parser)
    parser.add_argument(
        "--tasks", type=positive, default=10, metavar="N", help="tasks of the suite, without --from (default: 10)"
    )
    parser.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="with --from: say how long a campaign takes on N workers (--agentcore-on) like the machines of that one",
    )


def run_plan(options: argparse.Namespace) -> None:
    """Write down the plan."""
    from pytest_agentcore.analysis.columns import campaign_cells
    from pytest_agentcore.analysis.plan import plan, plan_lines

    earlier = None if options.earlier is None else find(options.earlier or None, options.results)
    width = shutil.get_terminal_size((100, 24)).columns
    found = plan(detect=options.detect, power=options.power, earlier=earlier, tasks=options.tasks)
    tell(
        options,
        plan_lines(found, width, options.workers or 0),
        **asdict(replace(found, earlier=None)) | {"earlier": campaign_cells(earlier) if earlier else None},
        trials=found.trials,
        seconds=found.seconds,
        at_once=found.at_once,
        cost=found.cost,
    )
