"""`agentcore predict`: a form for what somebody expects, to be filled in and committed before the first trial."""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_agentcore.analysis.predicted import forecast
from pytest_agentcore.catalogue.registry import open_registry, project_above
from pytest_agentcore.cli.__main__ import positive, write_lines
from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.predictions import PREDICTIONS
from pytest_agentcore.tasks.suite import Suite, find_suite, task_ids


def add(parser: argparse.ArgumentParser) -> None:
    """Which model on which suite, and where to write."""
    parser.description = (
        "Write predictions.md, a form for what is expected of a campaign: rate, range, tasks, failure modes, cost. "
        "Fill it in and commit it; a campaign that finds it records that, and its report scores it."
    )
    parser.add_argument("model", metavar="MODEL", help="as --model will be given")
    parser.add_argument(
        "-o", "--out", type=Path, default=Path(PREDICTIONS), metavar="FILE", help="default: %(default)s"
    )
    parser.add_argument("--suite", default="agentic-core-v1", metavar="SUITE", help="default: %(default)s")
    parser.add_argument("--runs", type=positive, default=3, metavar="N", help="of each task (default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """0; a file that is there is never written over."""
    suite = Suite.load(find_suite(options.suite))
    entry = open_registry(project_above(Path.cwd())).get(options.model)
    form = forecast(
        model=entry.slug if entry else options.model, suite=suite.name, tasks=task_ids(suite.path), runs=options.runs
    )
    try:
        with options.out.open("x", encoding="utf-8") as file:
            file.write(form)
    except FileExistsError:
        raise UsageError(f"{options.out}: is there already and is not written over; -o names another") from None
    except OSError as error:
        raise UsageError(f"{options.out}: cannot be written: {error.strerror or error}") from error
    write_lines([f"{options.out}: fill it in, then commit it before the first trial"])
    return 0
