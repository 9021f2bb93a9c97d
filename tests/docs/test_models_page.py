"""docs/models.md against the registry and its schema."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from pytest_agentcore.catalogue.entry import ModelEntry
from pytest_agentcore.catalogue.registry import check_tables, registry_schema
from pytest_agentcore.cli import listing
from pytest_agentcore.cli.__main__ import main
from pytest_agentcore.errors import UsageError

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "models.md").read_text(encoding="utf-8")


def test_the_list_on_the_page_is_what_is_printed_where_no_file_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(entry: ModelEntry) -> ModelEntry:
        raise UsageError(entry.name)

    monkeypatch.setattr(listing, "located", nowhere)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(DOCS / "ci")
    assert main(["models", "--fits", "--memory", "4"]) == 0
    printed = capsys.readouterr().out.partition("\n\n")[0]
    shown = re.search(r"\$ agentcore models --fits --memory 4 .*\n([^`]*)```", PAGE)
    assert shown
    assert shown[1].strip() == printed


def test_every_key_of_an_entry_is_explained() -> None:
    table = PAGE.partition("| key | meaning |\n|---|---|\n| `title`")[2].partition("\n\n")[0]
    explained = set(re.findall(r"`(\w+)`", "`title`" + table))
    assert set(registry_schema()["$defs"]["entry"]["properties"]) <= explained


def test_the_example_obeys_the_schema() -> None:
    (example,) = re.findall(r"```toml\n(\[tool\.agentcore\.models.*?)```", PAGE, re.DOTALL)
    check_tables("docs/models.md", tomllib.loads(example)["tool"]["agentcore"]["models"])
