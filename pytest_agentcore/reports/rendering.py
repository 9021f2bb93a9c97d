"""Renders the templates: report.md, group.md, and report.html, which shows a campaign down to every turn of a trial.

Text from models goes two ways only into the page: through Jinja's escaping, or as JSON without `<`, `>` and `&` that
the script shows as text nodes. The content policy admits the page's one script and one style sheet by their digests
and nothing else: no network, no image, no frame, no inline handler. This is the one place of reports that loads Jinja2.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, wraps
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pytest_agentcore import format as numbers
from pytest_agentcore.analysis.compare_text import looks_sentence, task_sentence, verdict_sentence
from pytest_agentcore.analysis.groups import Group, StepKind
from pytest_agentcore.pack.transcript import address_of
from pytest_agentcore.reports.group_text import LABELS, MEANINGS, depth_sentences, step_sentence
from pytest_agentcore.reports.html.charts import charts, compared
from pytest_agentcore.reports.html.index import Index, cells, facets
from pytest_agentcore.reports.html.transcripts import PAGE_BYTES, SIGNS, embed, page_data
from pytest_agentcore.reports.report import Report
from pytest_agentcore.reports.tables import Table, comparison_table, failure_notes, pipes, places, predictions_table
from pytest_agentcore.stats.counting import by_task
from pytest_agentcore.untrusted import clip, for_markdown, markdown_code, markdown_fence

if TYPE_CHECKING:
    from jinja2 import Environment


NUMBERS = (
    *("average", "count", "dollars", "duration", "fraction", "interval", "latency", "overlapping", "p_value"),
    *("percent", "thousands"),
)
"""Functions of `format` that templates use."""

LISTED = 10
"""Failed trials of a task, and hits of a detector, that are listed; of the others their number is said, and where."""
SHOWN = 8
"""Lines of a list on the page that are open; the others are folded."""


def about(report: Report) -> dict[str, Any]:
    """Name what report.md and report.html both show."""
    return {
        "report": report,
        "manifest": report.campaign.manifest,
        "figures": report.campaign.figures,
        "comparison": report.comparison,
        "places": places(report.ranking, report.campaign.manifest),
    }


def markdown(report: Report) -> Iterator[str]:
    """Write report.md in pieces."""
    campaign, figures = report.campaign, report.campaign.figures
    grouped = by_task(campaign.results, campaign.manifest.tasks)
    notes = {task.task: failure_notes(grouped[task.task], task.rates.planned) for task in figures.tasks}
    template = markdown_environment().get_template("report.md.jinja")
    examined = max((found.examined for found in report.detected), default=0)
    yield from template.generate(
        about(report), notes={**notes, figures.overall.task: ""}, listed=LISTED, examined=examined
    )


def page(report: Report, *, room: int = PAGE_BYTES, served: str = "") -> Iterator[str]:
    """Write report.html in pieces.

    Args:
        report: what it shows.
        room: bytes for all packed transcripts.
        served: names the state of the campaign where a server gives the page: then it holds no transcript and asks for
            those that are opened, and for what comes while the campaign runs.
    """
    manifest = report.campaign.manifest
    title = f"{manifest.model} on {manifest.suite.title}"
    transcripts, embedded = embed(report, 0 if served else room)
    runs = sorted({trial.run for trial in manifest.planned} | {result.run for result in report.campaign.results})
    repeated = report.campaign.figures.overall.repeats
    template = html_environment().get_template("page.html.jinja")
    scripts = ("text.js", "trial.js", "list.js", "page.js", *(["live.js"] if served else []))
    data = page_data(report, embedded, title) | {"served": served}
    yield from template.generate(
        about(report) | _frame(title, scripts, data, connects=bool(served)),
        transcripts=transcripts,
        left_out=0 if served else sum(result.attempt not in embedded for result in report.campaign.results),
        runs=runs,
        recorded={(result.task, result.run): result for result in report.campaign.results},
        planned={(trial.task, trial.run) for trial in manifest.planned},
        charts=list(charts(report.campaign)),
        most_runs=repeated[-1].k if repeated else 1,
        shown=SHOWN,
        comparison_chart=compared(report.comparison) if report.comparison else None,
    )


def index_page(index: Index, transcripts: Mapping[str, str], *, served: str = "") -> Iterator[str]:
    """Write the page over many campaigns in pieces.

    Args:
        index: what it shows.
        transcripts: packed, by campaign and attempt; those that are not among them are loaded when they are opened.
        served: names the state of the campaigns where a server gives the page.
    """
    scripts = ("text.js", "trial.js", "list.js", "index.js", *(["live.js"] if served else []))
    # what the page's own script loads is admitted, and no script that stands in its text
    data = {**index.data, "served": served}
    frame = _frame(data["title"], scripts, data, "'strict-dynamic'", connects=bool(served))
    template = html_environment().get_template("index.html.jinja")
    yield from template.generate(frame, served=served, index=index, cells=cells, facets=facets, transcripts=transcripts)


def note_page(title: str, why: str, campaigns: Sequence[str] = ()) -> str:
    """Write a page that says why there is no other, with links to campaigns where they are served."""
    template = html_environment().get_template("note.html.jinja")
    return template.render(_frame(title, (), {}), why=why, campaigns=campaigns)


def _frame(
    title: str, scripts: Sequence[str], data: Mapping[str, Any], also: str = "", *, connects: bool = False
) -> dict[str, Any]:
    """Name what stands around a page's content: its style, script and data, and the policy that admits only those.

    Args:
        title: of the page.
        scripts: files that make its script, in their order.
        data: what the script works with.
        also: a further source of scripts.
        connects: whether the script may ask the server that the page came from.
    """
    style, script = resource("page.css"), "".join(map(resource, scripts))
    # CSP Level 3: exactly these two inline elements are admitted
    hashes = (
        base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii") for text in (script, style)
    )
    script_hash, style_hash = (f"'sha256-{digest}'" for digest in hashes)
    policy = ["default-src 'none'", f"script-src {script_hash} {also}".rstrip(), f"style-src {style_hash}"]
    policy += [*(["connect-src 'self'"] if connects else []), "base-uri 'none'", "form-action 'none'"]
    # the only markup that is not escaped: made here, or escaped by those who made it
    trusted = {"style": style, "script": script, "data": for_script(data)}
    return {"title": title, "policy": "; ".join(policy), "trusted": trusted, "signs": SIGNS}


def board_page(sections: Iterable[tuple[str, Table, Sequence[str]]], closing: Sequence[str]) -> Iterator[str]:
    """Write a leaderboard as a page in pieces: headings, tables and sentences; nothing in it moves."""
    template = html_environment().get_template("board.html.jinja")
    yield from template.generate(_frame("Leaderboard", (), {}), sections=sections, closing=closing)


def for_script(value: Any) -> str:
    r"""Write JSON for a `<script>` element: no `<`, `>` or `&` is left, so nothing in it ends the element.

    The rules are those of the HTML standard, "restrictions for contents of script elements".
    """
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


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
    environment = _environment(
        finalize=lambda value: value if isinstance(value, Markdown) else Markdown(for_markdown(str(value)))
    )
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


@cache
def html_environment() -> Environment:
    """Make the environment of *.html.jinja, with Jinja's own escaping."""
    environment = _environment(autoescape=True)
    environment.filters |= {name: getattr(numbers, name) for name in NUMBERS}
    environment.filters["when"] = lambda moment: moment.replace("T", " ").replace("+00:00", " UTC")
    # a link to a turn within the page, as page.js reads it
    environment.globals["address"] = lambda result, turn: f"#trial={result.attempt}" + (f"&turn={turn}" if turn else "")
    return environment


def _environment(**options: Any) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - a tenth of a second to load

    environment = Environment(  # noqa: S701 - whoever asks says how it escapes
        loader=PackageLoader("pytest_agentcore.reports"),
        undefined=StrictUndefined,  # a misspelt name is an error and no empty place
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )
    shared = (comparison_table, predictions_table, verdict_sentence, task_sentence, looks_sentence)
    environment.globals |= {function.__name__: function for function in shared}
    return environment


def resource(name: str) -> str:
    """Read a file that stands in the page as it is."""
    return files("pytest_agentcore.reports").joinpath("templates", name).read_text(encoding="utf-8")


def _as_markdown(function: Callable[..., str]) -> Callable[..., Markdown]:
    @wraps(function)
    def marked(*args: Any, **kwargs: Any) -> Markdown:
        return Markdown(function(*args, **kwargs))

    return marked


def verified(*names: str) -> str:
    """Say where the numbers before it stand; the tables of `verification/` by their names alone."""
    paths = (name if "." in name else f"verification/{name}.csv" for name in names)
    return f"(verified: {', '.join(f'`{path}`' for path in paths)})"
