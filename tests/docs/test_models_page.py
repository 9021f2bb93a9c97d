"""docs/models.md against the registry and its schema."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pytest_agentcore.catalogue.entry import (
    AnySettings,
    EndpointSettings,
    EngineSettings,
    ModelEntry,
    Sampling,
    settings_of,
)
from pytest_agentcore.catalogue.registry import check_tables, registry_schema
from pytest_agentcore.cli import listing
from pytest_agentcore.cli.__main__ import main
from pytest_agentcore.errors import UsageError

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


def test_the_list_on_the_page_is_what_is_printed_where_no_file_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(entry: ModelEntry) -> ModelEntry:
        raise UsageError(entry.name)

    monkeypatch.setattr(listing, "located", nowhere)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(DOCS / "ci")
    assert main(["models", "--fits", "--memory", "8"]) == 0
    printed = capsys.readouterr().out.partition("\n\n")[0]
    shown = re.search(r"\$ agentcore models --fits --memory 8 .*\n([^`]*)```", PAGE)
    assert shown
    assert shown[1].strip() == printed


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
