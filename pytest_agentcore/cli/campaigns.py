"""Commands over one campaign's folder: show it, write its report, validate, merge and recheck it."""

from __future__ import annotations

import argparse
import shlex
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_agentcore.cli.arguments import (
    add_campaign,
    add_results,
    add_results_place,
    add_sandbox_choice,
    find,
    find_folder,
    open_chosen,
    tell,
)
from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.folder import campaigns
from pytest_agentcore.pack.read import Campaign, find_trial, read_all, read_campaign
from pytest_agentcore.trial.result import TrialResult

if TYPE_CHECKING:
    from pytest_agentcore.exports.base import Format
    from pytest_agentcore.session.collect import Collected


def add_list(parser: argparse.ArgumentParser) -> None:
    """Add the folder whose campaigns are listed."""
    parser.description = (
        "The campaigns of a results folder, the oldest first: when and what, how far each has come, the pass rate of "
        "its scored trials with the 95% interval for the same tasks again."
    )
    add_results_place(parser)


def run_list(options: argparse.Namespace) -> None:
    """List campaigns; one that cannot be read is listed with the reason.

    Raises:
        UsageError: there is none.
    """
    from pytest_agentcore.analysis.columns import campaign_cells
    from pytest_agentcore.reports.show import list_lines

    found, damaged = read_all(options.results)
    if not found and not damaged:
        raise UsageError(f"{options.results}: holds no campaign; name another results folder")
    tell(
        options,
        list_lines(found, damaged, shutil.get_terminal_size().columns),
        campaigns=[{**campaign_cells(each), "path": each.folder.path} for each in found],
        damaged=damaged,
    )


def add_show(parser: argparse.ArgumentParser) -> None:
    """Add a campaign and perhaps one of its trials."""
    parser.description = "Show a campaign as its report does, or one of its trials turn by turn and in full."
    add_campaign(parser)
    parser.add_argument(
        "trial",
        metavar="TRIAL",
        nargs="?",
        help="TASK:RUN such as task_05:2, the first characters of an attempt's UUID, or pytest's id of the item",
    )


def run_show(options: argparse.Namespace) -> None:
    """Show a campaign, or one of its trials."""
    from pytest_agentcore.pack.validate import damage_named

    campaign, result = _campaign_and_trial(options.campaign, options.trial, options.results)
    with damage_named(campaign.folder):
        if result is None:
            _show(options, campaign)
        else:
            _show_trial(options, campaign, result)


def _show(options: argparse.Namespace, campaign: Campaign) -> None:
    from pytest_agentcore.analysis.columns import TASKS, TRIALS, Row, as_facts, campaign_cells
    from pytest_agentcore.reports.report import build_report
    from pytest_agentcore.reports.show import campaign_lines

    report, counts = build_report(campaign), ("trials", "examined", "applicable")
    tell(
        options,
        campaign_lines(report, shutil.get_terminal_size().columns),
        campaign=campaign_cells(campaign),
        path=campaign.folder.path,
        facts={each.label: each.text for each in report.facts},
        tasks=[as_facts(TASKS, Row(campaign, figures=each)) for each in campaign.figures.tasks],
        trials=[as_facts(TRIALS, Row(campaign, result=each)) for each in campaign.results],
        outcomes=campaign.figures.outcomes,
        repeats=campaign.figures.overall.repeats,
        detectors=[
            {"detector": each.detector.name, **{name: getattr(each, name) for name in counts}}
            for each in report.detected
        ],
        predictions=report.predictions.items,
        warnings=[each.text for each in report.warnings],
        unobserved=[each.text for each in report.unobserved],
    )


def _show_trial(options: argparse.Namespace, campaign: Campaign, result: TrialResult) -> None:
    from pytest_agentcore.analysis.columns import TRIALS, Row, as_facts
    from pytest_agentcore.pack.transcript import read_transcript
    from pytest_agentcore.reports.show import trial_lines

    transcript, width = campaign.folder.transcript(result.attempt), shutil.get_terminal_size().columns
    events = read_transcript(transcript)
    if not events:
        raise UsageError(f"{transcript}: this transcript is missing or empty; `agentcore validate` says what else is")
    trial = as_facts(TRIALS, Row(campaign, result=result))
    tell(options, [*trial_lines(result, events, width)], trial=trial, transcript=transcript, events=events)


def _campaign_and_trial(place: str | None, word: str | None, results: Path) -> tuple[Campaign, TrialResult | None]:
    """The campaign and the trial that are named; a single word that names no campaign is a trial of the newest."""
    try:
        campaign = find(place, results)
    except UsageError as error:
        if place is None or word or Path(place).is_dir():
            raise
        try:
            campaign, word = find(None, results), place
        except UsageError:
            raise error from None
        try:
            return campaign, find_trial(campaign, word)
        except UsageError as other:
            raise UsageError(f"{error}; and {other}") from None
    return campaign, find_trial(campaign, word) if word else None


def add_report(parser: argparse.ArgumentParser) -> None:
    """Add a campaign or a folder of them, one to compare with, and where to write."""
    parser.description = (
        "Write the report of a campaign and the verification tables anew: into its folder, or with -o elsewhere. Of a "
        "folder of campaigns: one page over all of them, RESULTS/index.html, or with -o the file of that name."
    )
    add_campaign(parser)
    parser.add_argument("--baseline", metavar="CAMPAIGN", help="compare with this one")
    parser.add_argument(
        "-o", "--out", type=Path, metavar="PLACE", help="folder for a campaign's report, or file for the page over many"
    )


def run_report(options: argparse.Namespace) -> None:
    """Write report and tables, or the page over many campaigns."""
    from pytest_agentcore.reports.write import write_index, write_reports

    place = Path(options.campaign).expanduser() if options.campaign else None
    if place and not (place / "manifest.json").is_file() and campaigns(place):
        if options.baseline:
            raise UsageError("report: --baseline is for one campaign; on the page over many, any two are compared")
        written = write_index(place, options.out or place / "index.html")
        tell(options, map(str, written), results=place, files=written)
        return
    if options.out and options.out.suffix == ".html":
        several = "the report of one campaign is several files, so -o names a folder"
        over_many = f"for one page over many, name the folder they lie in: {options.results}"
        raise UsageError(f"report: {options.out}: {several}; {over_many}")
    campaign = find(options.campaign, options.results)
    baseline = read_campaign(options.baseline, options.results) if options.baseline else None
    written = write_reports(campaign, baseline, options.out)
    tell(options, map(str, written), campaign=campaign.folder.id, files=written)


def _formats() -> dict[str, Format]:
    """The formats, by the word after `--to`."""
    from pytest_agentcore.exports import atif, eee, inspect_log

    return {"inspect": inspect_log.FORMAT, "eee": eee.FORMAT, "atif": atif.FORMAT}


def add_export(parser: argparse.ArgumentParser) -> None:
    """Add the campaign, the format, where to write, and what a format asks besides."""
    parser.description = (
        "Writes a campaign in the format of another tool, through that tool's own package: an evaluation log of "
        "Inspect, a record of Every Eval Ever, trajectories of Harbor. The campaign stays as it is."
    )
    add_campaign(parser)
    parser.add_argument("--to", choices=list(_formats()), required=True, help="the format")
    into = "default: a folder of the campaign's name and the format's, here"
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", help=f"write into this folder; {into}")
    parser.add_argument("--force", action="store_true", help="replace the files of an earlier export")
    parser.add_argument("--organization", default="", metavar="NAME", help="for eee: who ran the evaluation")
    parser.add_argument(
        "--model-id", default="", metavar="OWNER/NAME", help="for eee: the model's name on the Hugging Face hub"
    )


def run_export(options: argparse.Namespace) -> None:
    """Write the files, and say what is in them and how they are opened."""
    from pytest_agentcore.exports.base import Told, export
    from pytest_agentcore.format import count

    campaign = find(options.campaign, options.results)
    out = options.out or Path(f"{campaign.folder.id}-{options.to}")
    told = Told(organization=options.organization, model_id=options.model_id)
    made_by, rates = _formats()[options.to], campaign.figures.overall.rates
    files = export(campaign, options.to, made_by, out, told, replace=options.force)
    lines = [f"{out}: {count(len(files), 'file')}, of {rates.recorded} recorded trials ({rates.scored} scored)"]
    if rates.recorded < rates.planned:
        lines.append(f"{rates.planned - rates.recorded} of {rates.planned} planned trials have no result yet")
    without = sum(not campaign.folder.transcript(each.attempt).is_file() for each in campaign.results)
    if without:
        lines.append(f"{count(without, 'recorded trial')} without a transcript, and so without messages")
    shown_by = made_by.opened_with.format(out=shlex.quote(str(out)))
    tell(options, [*lines, shown_by], campaign=campaign.folder.id, files=files, rates=rates, shown_by=shown_by)


def add_validate(parser: argparse.ArgumentParser) -> None:
    """Add the campaigns to look at."""
    parser.description = (
        "Check manifest, result lines, transcripts, workspaces and tables against their schemas, counts, digests and "
        "each other. A file that was edited or cut is named with its line. The exit code is 1 when something is wrong."
    )
    add_campaign(parser, several=True)


def run_validate(options: argparse.Namespace) -> int:
    """Return 1 when something is wrong, else 0."""
    from pytest_agentcore.format import count
    from pytest_agentcore.pack.validate import examine

    examined = []
    for place in options.campaigns or [None]:
        folder = find_folder(place, options.results)
        found = examine(folder)
        examined.append({"campaign": folder.id, "path": folder.path, **asdict(found)})
        tell(options, [f"{folder.id}: {problem}" for problem in found.problems])
        said = count(len(found.problems), "problem") if found.problems else "as it was written"
        held = f"{found.results} results, {found.transcripts} transcripts, {found.workspaces} workspaces"
        tell(options, [f"{folder.id}: {said} ({held})"])
    code = int(any(each["problems"] for each in examined))
    tell(options, [], campaigns=examined, exit_code=code)
    return code


def add_merge(parser: argparse.ArgumentParser) -> None:
    """Add the parts, and where the whole goes."""
    parser.description = (
        "Joins shards of one experiment: the same model, suite, policy, sampling, seed, limits, sandbox and harness, "
        "other tasks, runs or machines. Everything is copied and the parts stay as they are. A trial that two parts "
        "scored is refused: it has one score."
    )
    parser.add_argument("parts", nargs="+", metavar="CAMPAIGN", help="its folder, or its id in the results folder")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="folder of the new campaign")
    add_results(parser)


def run_merge(options: argparse.Namespace) -> None:
    """Write the whole campaign, and say what each part gave to it."""
    from pytest_agentcore.analysis.columns import campaign_cells
    from pytest_agentcore.pack.identity import summarise
    from pytest_agentcore.pack.merge import MISSING, merge
    from pytest_agentcore.reports.write import write_reports

    if len(options.parts) == 1:
        raise UsageError("merge: name at least two campaigns")
    parts = [read_campaign(place, options.results) for place in options.parts]
    whole = merge(parts, options.out)
    write_reports(whole, tables=False)
    lines = [f"{place}: {len(part.results)} results" for place, part in zip(options.parts, parts, strict=True)]
    planned, scored = len(whole.manifest.planned), sum(result.scored for result in whole.results)
    lines.append(f"{options.out}: {len(whole.results)} results, {scored} of {planned} planned trials are scored")
    missing = [warning for warning in whole.manifest.warnings if warning.startswith(MISSING)]
    lines += [f"{options.out}: {warning}" for warning in missing]
    left = [f"{key.task}:{key.run}" for key in whole.left]
    if left:
        lines.append(f"without a score: {summarise(left)}")
    tell(
        options,
        lines,
        campaign=campaign_cells(whole),
        path=options.out,
        parts=[{"campaign": part.folder.id, "results": len(part.results)} for part in parts],
        missing=missing,
        unscored=left,
    )


def add_recheck(parser: argparse.ArgumentParser) -> None:
    """Add the campaign, the suite, and whether what is found is written down."""
    parser.description = (
        "Runs today's checkers and classifier over the final workspaces of a campaign, without a model, and says which "
        "verdicts change. The recorded results stay as they are unless --record is given; then a line for each changed "
        "verdict is put behind the old one, which is kept."
    )
    add_campaign(parser)
    parser.add_argument("--suite", metavar="SUITE", help="a shipped suite's name or a folder (default: the campaign's)")
    parser.add_argument("--record", action="store_true", help="write changed verdicts into the campaign")
    add_sandbox_choice(parser)


def run_recheck(options: argparse.Namespace) -> None:
    """Say which verdicts change; what that means is for the reader to judge."""
    from pytest_agentcore.session.collect import collect
    from pytest_agentcore.tasks.suite import find_suite

    campaign = find(options.campaign, options.results)
    place = options.suite or campaign.manifest.suite.name
    try:
        find_suite(place)
    except UsageError as error:
        raise UsageError(f"{error}; name the suite's folder with --suite") from error
    collect([place], partial(_judge_again, options, campaign, place))


def _judge_again(options: argparse.Namespace, campaign: Campaign, place: str, found: Collected) -> None:
    """Put a suite's checkers before the campaign's trials, and write down what changes where that is asked for."""
    from pytest_agentcore.analysis.compare import DIGEST_SHOWN
    from pytest_agentcore.checks.recheck import Change, changed_line, recheck, record, summary_lines
    from pytest_agentcore.pack.validate import examine
    from pytest_agentcore.reports.write import write_reports
    from pytest_agentcore.tasks.suite import overshadowed

    if found.errors or not found.tasks:
        raise UsageError(found.errors[0] if found.errors else f"{place}: no task in it; --suite names another folder")
    examination = examine(campaign.folder)
    if options.record and examination.problems:
        more = len(examination.problems) - 1
        others = f"; and {more} more, see agentcore validate" if more else ""
        said = f"{campaign.folder.path}: {examination.problems[0]}{others}"
        raise UsageError(f"{said}: nothing is recorded in a campaign that was changed")
    suites = {suite.path: suite for suite, _ in found.tasks}
    mine, today = campaign.manifest.suite, next(iter(suites.values()))
    then, now = (one.digest[:DIGEST_SHOWN] for one in (mine, today))
    if today.version != mine.version:
        raise UsageError(
            f"{campaign.folder.id} ran {mine.title} with digest {then}, and {place} is {today.title} with digest "
            f"{now}: verdicts of another version's checkers would be about other tasks, so nothing is judged again; "
            f"--suite names a folder of version {mine.version}"
        )

    sandbox = open_chosen(options, suites.values())
    of_the_whole = (str(problem) for problem in examination.problems if not problem.attempt)
    cautions = [*filter(None, [overshadowed(place)]), *of_the_whole]
    changed = f" → {now}: the suite has changed since"
    lines = [f"campaign {campaign.folder.id}, sandbox {sandbox.name}"]
    lines.append(f"suite digest {then}{', as it was' if mine.digest == today.digest else changed}")
    tell(options, [*lines, *(f"CAUTION   {text}" for text in cautions)])
    doubted = {attempt: str(problem) for attempt, problem in examination.doubted.items()}
    rechecked = []
    for one in recheck(campaign, {task.id: (suite, task) for suite, task in found.tasks}, sandbox, doubted):
        rechecked.append(one)
        tell(options, [] if one.change is Change.same else [changed_line(one)])
    tell(options, summary_lines(rechecked))
    if options.record:
        write_reports(record(campaign, rechecked, today.digest, datetime.now(UTC)), tables=False)
    tell(
        options,
        [f"recorded in {campaign.folder.path}"] if options.record else [],
        campaign=campaign.folder.id,
        sandbox=sandbox.name,
        suite_digest=mine.digest,
        suite_digest_now=today.digest,
        cautions=cautions,
        trials=[{**asdict(one), "change": one.change} for one in rechecked],
        passed_before=sum(one.before.passed is True for one in rechecked),
        passed_now=sum((one.after or one.before).passed is True for one in rechecked),
        recorded=options.record,
    )
