"""docs/models.md against the registry and its schema."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from pytest_agentcore.catalogue.listing import table_lines
from pytest_agentcore.catalogue.registry import check_tables, registry_schema, shipped

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")


def test_the_list_on_the_page_is_the_list_that_is_printed() -> None:
    shown = PAGE.partition("$ agentcore models\n")[2].partition("```")[0].splitlines()
    printed = list(table_lines(shipped()))
    ready = slice(printed[0].index("ready"), printed[0].index("context"))  # says what this machine has
    assert [line[: ready.start] + line[ready.stop :] for line in shown] == [
        line[: ready.start] + line[ready.stop :] for line in printed
    ]


def test_every_key_of_an_entry_is_explained() -> None:
    table = PAGE.partition("| key | meaning |\n|---|---|\n| `title`")[2].partition("\n\n")[0]
    explained = set(re.findall(r"`(\w+)`", "`title`" + table))
    assert set(registry_schema()["$defs"]["entry"]["properties"]) <= explained


def test_the_example_obeys_the_schema() -> None:
    (example,) = re.findall(r"```toml\n(\[tool\.agentcore\.models.*?)```", PAGE, re.DOTALL)
    check_tables("docs/models.md", tomllib.loads(example)["tool"]["agentcore"]["models"])
