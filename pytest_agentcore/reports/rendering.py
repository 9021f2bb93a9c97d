"""Renders templates: report.md and group.md here, the page in `html`. The one place of reports that loads Jinja2."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, wraps
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pytest_agentcore import format as numbers
from pytest_agentcore.analysis.compare_text import looks_sentence, task_sentence, verdict_sentence
from pytest_agentcore.analysis.groups import Group, StepKind
from pytest_agentcore.pack.transcript import address_of
from pytest_agentcore.reports.group_text import LABELS, MEANINGS, depth_sentences, step_sentence
from pytest_agentcore.reports.report import Report
from pytest_agentcore.reports.tables import comparison_table, failure_notes, pipes, places, predictions_table
from pytest_agentcore.stats.counting import by_task
from pytest_agentcore.untrusted import clip, for_markdown, markdown_code, markdown_fence

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = "templates"

NUMBERS = (
    *("average", "count", "dollars", "duration", "fraction", "interval", "latency", "overlapping", "p_value"),
    *("percent", "thousands"),
)
"""Functions of `format` that templates use."""


LISTED = 10
"""Failed trials of a task, and hits of a detector, that are listed; of the others their number is said, and where."""


def markdown(report: Report) -> Iterator[str]:
    """Write report.md in pieces."""
    campaign, figures = report.campaign, report.figures
    grouped = by_task(campaign.results, campaign.manifest.tasks)
    notes = {task.task: failure_notes(grouped[task.task], task.rates.planned) for task in figures.tasks}
    template = markdown_environment().get_template("report.md.jinja")
    yield from template.generate(
        report=report,
        manifest=campaign.manifest,
        figures=figures,
        rows=figures.groups,
        notes={**notes, figures.overall.task: ""},
        listed=LISTED,
        examined=max((found.examined for found in report.detected), default=0),
        comparison=report.comparison,
        comparison_table=comparison_table,
        verdict_sentence=verdict_sentence,
        task_sentence=task_sentence,
        looks_sentence=looks_sentence,
        places=places(report.ranking, campaign.manifest),
        predictions_table=predictions_table,
    )


def group_page(group: Group) -> str:
    """Write group.md."""
    template = markdown_environment().get_template("group.md.jinja")
    return template.render(
        group=group,
        suite=group.campaigns[0].manifest.suite,
        labels=LABELS,
        meanings=MEANINGS,
        has_tax=any(step.kind is StepKind.tax for step in group.steps),
        step_sentence=step_sentence,
        depth_sentences=depth_sentences,
    )


class Markdown(str):
    """Text that is Markdown already; every other text in a Markdown template is escaped."""

    __slots__ = ()


# Kept for the life of the process: compiling the templates is most of what a report costs.
@cache
def markdown_environment() -> Environment:
    """Make the environment of *.md.jinja: it escapes every value for Markdown that is not `Markdown` already."""
    # Jinja's own escaping knows HTML only. `finalize` sees every value that a template writes and none of its own text,
    # so that a value which nobody thought of is escaped too.
    environment = _environment(finalize=_escaped)
    environment.filters |= {name: _as_markdown(getattr(numbers, name)) for name in NUMBERS}
    environment.filters |= {
        "code": _as_markdown(markdown_code),
        "fence": lambda text: [Markdown(line) for line in markdown_fence(text)],
        "pipes": _as_markdown(pipes),
        "clip": clip,
        "first_line": lambda text: next((line.strip() for line in text.splitlines() if line.strip()), ""),
        "address": _as_markdown(lambda result, turn: f"`{address_of(result, turn)}`"),
    }
    environment.globals |= {"verified": _as_markdown(verified)}
    return environment


def _escaped(value: object) -> Markdown:
    return value if isinstance(value, Markdown) else Markdown(for_markdown(str(value)))


@cache
def html_environment() -> Environment:
    """Make the environment of *.html.jinja, with Jinja's own escaping."""
    environment = _environment(autoescape=True)
    environment.filters |= {name: getattr(numbers, name) for name in NUMBERS}
    environment.filters["when"] = lambda moment: moment.replace("T", " ").replace("+00:00", " UTC")
    return environment


def _environment(**options: Any) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - a tenth of a second to load

    return Environment(  # noqa: S701 - whoever asks says how it escapes
        loader=PackageLoader("pytest_agentcore.reports", FOLDER),
        undefined=StrictUndefined,  # a misspelt name is an error and no empty place
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )


def resource(name: str) -> str:
    """Read a file that stands in the page as it is."""
    return (files("pytest_agentcore.reports") / FOLDER / name).read_text(encoding="utf-8")


def _as_markdown(function: Callable[..., str]) -> Callable[..., Markdown]:
    @wraps(function)
    def marked(*args: Any, **kwargs: Any) -> Markdown:
        return Markdown(function(*args, **kwargs))

    return marked


def verified(*names: str) -> str:
    """Say where the numbers before it stand; the tables of `verification/` by their names alone."""
    paths = (name if "." in name else f"verification/{name}.csv" for name in names)
    return f"(verified: {', '.join(f'`{path}`' for path in paths)})"
