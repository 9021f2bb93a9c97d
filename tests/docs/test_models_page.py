"""docs/models.md against the registry and its schema."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pytest_agentcore.catalogue.entry import AnySettings, EndpointSettings, EngineSettings, Sampling, settings_of
from pytest_agentcore.catalogue.registry import check_tables, registry_schema, shipped
from pytest_agentcore.cli.listing import table_lines

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "models.md").read_text(encoding="utf-8")


def settings_table(kind: type[AnySettings]) -> str:
    """What the pages say of the settings of a kind."""
    rows = ["| key | default | from … to | meaning |", "|---|---|---|---|"]
    for key, (to, about) in settings_of(kind).items():
        default, known = "" if about.default is None else _shown(about.default), about.metadata
        span = ", ".join(known["words"])
        if to is not str:
            span = "yes, no" if to is bool else f"{_shown(known['least'])} … {_shown(known['most'])}"
        off = "" if known["off"] is None else f"; {_shown(known['off'])} is off"
        rows.append(f"| `{key}` | {default} | {span} | {known['meaning']}{off} |")
    return "\n".join(rows)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return "2³¹ - 1" if value == 2**31 - 1 else f"{value:.12g}"


def test_the_list_on_the_page_is_the_list_that_is_printed() -> None:
    shown = PAGE.partition("$ agentcore models\n")[2].partition("```")[0].splitlines()
    assert _without_ready(shown) == _without_ready(list(table_lines(shipped())))


def _without_ready(lines: list[str]) -> list[str]:
    """The lines without the column that says what this machine has, which is as wide as its longest word."""
    start, stop, end = lines[0].index("ready"), lines[0].index("context"), lines.index("")
    return [*(line[:start] + line[stop:] for line in lines[:end]), *lines[end:]]


@pytest.mark.parametrize(
    ("page", "kind"),
    [("models.md", EngineSettings), ("models.md", Sampling), ("endpoints.md", EndpointSettings)],
    ids=["engine", "sampling", "endpoint"],
)
def test_the_tables_of_settings_are_those_of_the_code(page: str, kind: type[AnySettings]) -> None:
    table = settings_table(kind)
    assert table in (DOCS / page).read_text(encoding="utf-8"), f"docs/{page} must contain:\n{table}"


def test_every_key_of_an_entry_is_explained() -> None:
    table = PAGE.partition("| key | meaning |\n|---|---|\n| `title`")[2].partition("\n\n")[0]
    explained = set(re.findall(r"`(\w+)`", "`title`" + table))
    assert set(registry_schema()["$defs"]["entry"]["properties"]) <= explained


def test_the_example_obeys_the_schema() -> None:
    (example,) = re.findall(r"```toml\n(\[tool\.agentcore\.models.*?)```", PAGE, re.DOTALL)
    check_tables("docs/models.md", tomllib.loads(example)["tool"]["agentcore"]["models"])
