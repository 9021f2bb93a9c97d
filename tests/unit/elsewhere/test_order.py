"""Suites and campaigns travel whole, and secrets do not travel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tiny import HELLO

from elsewhere.orders import TASK, Laid, keyed, lay
from pytest_agentcore.catalogue.entry import EndpointSettings, Policy, Sampling
from pytest_agentcore.elsewhere.order import describe_setup, read_setup, unwrap, unzip_suite, wrap, zip_suite
from pytest_agentcore.errors import UsageError
from pytest_agentcore.tasks.suite import Suite, shipped_suites
from pytest_agentcore.trial.result import Prices


def test_bytes_stand_behind_a_line() -> None:
    assert unwrap(wrap({"a": "x\ny"}, b"one\ntwo\n")) == ({"a": "x\ny"}, b"one\ntwo\n")


@pytest.mark.parametrize("name", sorted(shipped_suites()))
def test_a_shipped_suite_keeps_its_digest(name: str, tmp_path: Path) -> None:
    suite = Suite.load(shipped_suites()[name])
    packed = zip_suite(suite)
    assert packed == zip_suite(suite)
    assert Suite.load(unzip_suite(packed, tmp_path)).digest == suite.digest


def test_a_suite_whose_tasks_import_from_above_travels_with_what_they_import(tmp_path: Path) -> None:
    home = tmp_path / "project" / "tasks"
    home.mkdir(parents=True)
    (home / "suite.toml").write_text('name = "mine"\n')
    (tmp_path / "project" / "pyproject.toml").write_text("")
    (tmp_path / "project" / "shared_words.py").write_text("WORD = 'hello'\n")
    (home / f"test_{TASK}.py").write_text(HELLO + "\nimport shared_words\n")
    suite = Suite.load(home)
    with pytest.raises(UsageError, match="cannot run elsewhere: its digest changes"):
        zip_suite(suite)
    (home / "shared_words.py").write_text("WORD = 'hello'\n")
    suite = Suite.load(home)
    there = unzip_suite(zip_suite(suite), tmp_path / "there")
    assert (Suite.load(there).digest, (there / "shared_words.py").is_file()) == (suite.digest, True)


def test_a_path_out_of_the_archive_is_refused(laid: Laid, tmp_path: Path) -> None:
    packed = zip_suite(laid.suite).replace(b"suite/tiny", b"../../tiny")
    with pytest.raises(ValueError, match="leads out of the archive"):
        unzip_suite(packed, tmp_path)


def test_a_campaign_comes_as_it_went(laid: Laid) -> None:
    given = keyed(
        laid,
        backend="openai",
        base_url="http://host/v1",
        policy=Policy.lenient,
        not_sent=("top_k",),
        prices=Prices(prompt=1.0),
        sampling={"top_p": 0.5},
    ).setup
    given = replace(given, engine=EndpointSettings(slots=3), sampling=Sampling(top_p=0.5), load=600)
    assert read_setup(describe_setup(given)) == given


def test_an_address_with_a_secret_in_it_does_not_travel(laid: Laid) -> None:
    given = keyed(laid, backend="openai", base_url="https://me:secret@host/v1").setup
    with pytest.raises(UsageError, match="holds a secret") as raised:
        describe_setup(given)
    assert "secret@" not in str(raised.value)


def test_an_oracle_needs_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    assert "sk-very" not in str(describe_setup(lay(tmp_path, "oracle").setup))
