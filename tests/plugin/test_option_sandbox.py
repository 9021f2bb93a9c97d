"""A sandbox that is weaker here than elsewhere says so where a reader looks."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from confined import sandbox_of
from tiny import campaign


@pytest.mark.sandbox
def test_a_weaker_sandbox_is_named_in_header_and_manifest(
    pytester: pytest.Pytester, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox_of("bubblewrap")  # skips where it does not work
    program = pytester.mkdir("programs") / "bwrap"
    refused = 'case "$*" in *--hostname*) echo "bwrap: Can\'t set hostname to agent" >&2; exit 1;; esac'
    program.write_text(f'#!/bin/sh\n{refused}\nexec {shutil.which("bwrap")} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    result = pytester.runpytest("--model=oracle", "--runs=1", "--sandbox=bubblewrap", suite)

    result.assert_outcomes(passed=2)
    said = "the sandbox is weaker here than elsewhere, it does not confine the machine's host name"
    result.stdout.fnmatch_lines(["WARNING    the sandbox is weaker here than elsewhere, it does not confine*"])
    manifest = json.loads((campaign(pytester) / "manifest.json").read_text())
    assert said in manifest["warnings"]
    assert "the machine's host name" in manifest["sandbox"]["not_confined"]


@pytest.mark.sandbox
def test_a_sandbox_in_full_says_nothing(pytester: pytest.Pytester, suite: Path) -> None:
    sandbox_of("bubblewrap")
    result = pytester.runpytest("--model=oracle", "--runs=1", "--sandbox=bubblewrap", suite)
    result.stdout.no_fnmatch_line("*the sandbox is weaker*")
    assert json.loads((campaign(pytester) / "manifest.json").read_text())["sandbox"]["not_confined"] == []
