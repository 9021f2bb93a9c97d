"""manifest.json: written and read again, damaged, and without secrets."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from results import manifest
from written import create_campaign

from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.manifest import Manifest, Selection, manifest_bytes, name_for, read_manifest
from pytest_agentcore.trial.result import Prices

YOUNGER = ("shard", "rows", "rows_reason", "audit", "workers")
"""Fields that older campaigns are without: these are of whole plans, and nobody counted rows or audited suites."""
PLAN = [(task, run) for run in (1, 2, 3) for task in ("task_01", "task_02")]


def test_a_manifest_comes_back_as_it_was(tmp_path: Path) -> None:
    folder = create_campaign(tmp_path, "c")
    written = manifest(PLAN, prices=Prices(prompt=1.5, reply=2.0), warnings=("slow",))
    folder.manifest.write_bytes(manifest_bytes(written))

    assert read_manifest(folder) == written


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"schema": 1}'])
def test_a_damaged_manifest_is_a_sentence(tmp_path: Path, content: str) -> None:
    folder = create_campaign(tmp_path, "c")
    folder.manifest.write_text(content)

    with pytest.raises(UsageError, match=r"manifest\.json: not a manifest"):
        read_manifest(folder)


def test_the_manifest_keeps_no_secret() -> None:
    said = manifest(arguments=("--model", "tiny", "--api-key=abcdef123"), entry={"api_key": "abcdef123"})

    assert b"abcdef123" not in manifest_bytes(said)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "2026-06-10-tiny-agentic-core-v1"),
        ({"policy": "lenient"}, "2026-06-10-tiny-agentic-core-v1-lenient"),
        ({"policy": "constrained", "context_load": 4000}, "2026-06-10-tiny-agentic-core-v1-constrained-load4000"),
        ({"selection": Selection(asked=("--lf",))}, "2026-06-10-tiny-agentic-core-v1-selection"),
    ],
)
def test_a_campaign_is_named_by_date_model_suite_and_what_is_not_usual(changes: dict[str, Any], name: str) -> None:
    assert name_for(manifest(**changes)) == name


@pytest.mark.parametrize("name", [field.name for field in fields(Manifest) if field.name not in YOUNGER])
def test_every_field_must_be_there(name: str) -> None:
    whole = json.loads(json.dumps(manifest().to_json()))
    assert Manifest.from_json(whole) == manifest()

    with pytest.raises(ValueError, match=f"^`{name}` is missing$"):
        Manifest.from_json({key: value for key, value in whole.items() if key != name})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"runs": "3"}, "runs must be a whole number, not '3'"),
        ({"sampling": {"temperature": "hot"}}, "sampling must be"),
        ({"planned": {"task": "a", "run": 1}}, "planned must be a list"),
        ({"suite": {"name": "x"}}, "`version`, .* are missing"),
        ({"selection": []}, "selection must be an object"),
        ({"prices": {"prompt": None}}, "`cached`.* missing"),
    ],
)
def test_a_field_of_another_type_is_named(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Manifest.from_json(manifest().to_json() | change)
