"""A sandbox that is weaker here than elsewhere says so where a reader looks."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from confined import sandbox_of
from tiny import campaign, result_lines

from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.identity import differences
from pytest_agentcore.pack.manifest import read_manifest


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


@pytest.mark.container
def test_a_container_and_its_image_stand_in_the_record(pytester: pytest.Pytester, suite: Path) -> None:
    sandbox_of("container")
    result = pytester.runpytest("--model=oracle", "--runs=1", "--sandbox=container", suite)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["sandbox * container*"])
    manifest = read_manifest(CampaignFolder(campaign(pytester)))
    assert {line["sandbox"] for line in result_lines(campaign(pytester))} == {"container"}
    ((image, digest),) = manifest.sandbox["images"].items()
    assert (image, len(digest)) == ("localhost/agentcore-sandbox", 64)
    other = replace(manifest, sandbox={**manifest.sandbox, "images": {image: "0" * 64}})
    assert differences(manifest, other) == (f"image {image}: {digest[:16]} → {'0' * 16}",)
