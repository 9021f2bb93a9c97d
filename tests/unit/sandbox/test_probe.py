"""Each need of bubblewrap is tried by itself, and a refusal names the one that is missing and what would help."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pytest_agentcore.cli.__main__ import main
from pytest_agentcore.errors import UsageError
from pytest_agentcore.sandbox import probe as probing
from pytest_agentcore.sandbox.bubblewrap import Bubblewrap
from pytest_agentcore.sandbox.open import open_sandbox
from pytest_agentcore.sandbox.probe import FLAGS, KNOBS, PROC, Finding, cure, probe

SAYS = {
    "user namespace": "bwrap: No permissions to create new namespace, likely because the kernel does not allow it",
    "user id map": "bwrap: setting up uid map: Permission denied",
    "no_new_privs": "bwrap: prctl(PR_SET_NO_NEW_PRIVS) failed: Invalid argument",
    "mount namespace": "bwrap: pivot_root: Operation not permitted",
}
"""bubblewrap's words where it cannot even begin."""
OPTIONS = {
    "process namespace": "--unshare-pid",
    PROC: "--proc",
    "network namespace with a loopback": "--unshare-net",
    "IPC namespace": "--unshare-ipc",
    "host name of its own": "--hostname",
    "control group namespace": "--unshare-cgroup",
    "system call filter": "--seccomp",
}


@pytest.fixture
def bwrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bubblewrap of the test's own before all others on PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path / "bwrap"


def write(script: Path, *lines: str) -> None:
    version = 'if [ "$1" = --version ]; then echo bubblewrap 0.8.0; exit 0; fi'
    script.write_text("\n".join(["#!/bin/sh", version, *lines, ""]))
    script.chmod(0o755)


@pytest.fixture
def ordinary_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting forbids user namespaces, and there is no container."""
    monkeypatch.setattr(probing, "_setting", lambda _knob: "")
    monkeypatch.setattr(probing, "IN_CONTAINER", ())


@pytest.mark.sandbox
@pytest.mark.parametrize("as_root", probing.ways())
def test_where_bubblewrap_works_every_need_is_met(as_root: bool) -> None:
    findings = list(probe(as_root=as_root))
    assert [one.need for one in findings if one.stands_in_the_way] == []
    assert len(findings) > 9


@pytest.mark.parametrize("need", SAYS)
def test_the_first_need_that_all_rest_on_ends_the_probe(need: str, bwrap: Path) -> None:
    write(bwrap, f"echo '{SAYS[need]}' >&2; exit 1")
    *met, missing = probe(as_root=False)
    assert (missing.need, missing.met, missing.said) == (need, False, SAYS[need])
    assert all(one.met for one in met)


@pytest.mark.parametrize("need", OPTIONS)
def test_needs_that_an_option_brings_are_tried_by_themselves(need: str, bwrap: Path) -> None:
    write(bwrap, f'case "$*" in *{OPTIONS[need]}*) echo "bwrap: denied" >&2; exit 1;; esac')
    findings = {one.need: one for one in probe(as_root=False)}
    missing = {name for name, one in findings.items() if not one.met}
    assert missing == ({need, PROC} if need == "process namespace" else {need})
    assert findings[need].said == "bwrap: denied"
    assert findings[need].stands_in_the_way == (need not in ("host name of its own", "control group namespace"))


def test_a_program_that_is_missing_or_broken_is_a_finding(bwrap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bwrap.write_text("no program")
    bwrap.chmod(0o755)
    assert [one.met for one in probe(as_root=False)] == [False]
    monkeypatch.setenv("PATH", str(bwrap.parent / "nothing"))
    findings = list(probe(as_root=True))
    assert [one.met for one in findings] == [False, False]
    assert "bubblewrap" in cure(findings[0])


def test_a_program_that_hangs_is_given_up(bwrap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "SECONDS", 0.2)
    write(bwrap, "exec sleep 60")
    *_, last = probe(as_root=False)
    assert "timed out" in last.said


@pytest.mark.parametrize("knob", KNOBS)
def test_a_setting_that_forbids_it_is_named(knob: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good, _ = KNOBS[knob]
    monkeypatch.setattr(probing, "_setting", lambda name: bad if name == knob else "")
    monkeypatch.setattr(probing, "IN_CONTAINER", ())
    said = cure(Finding(need="user id map", met=False, said=SAYS["user id map"]))
    assert said == f"run `sudo sysctl -w {knob}={good}` on the host (it is {bad})"
    monkeypatch.setattr(probing, "IN_CONTAINER", ("/",))
    assert FLAGS in cure(Finding(need="user id map", met=False, said=SAYS["user id map"]))


@pytest.mark.usefixtures("ordinary_kernel")
def test_what_cannot_be_told_is_said_in_full(bwrap: Path) -> None:
    write(bwrap, f"echo '{SAYS['user id map']}' >&2; exit 1")
    with pytest.raises(UsageError) as raised:
        open_sandbox("bubblewrap")
    said = str(raised.value)
    assert "\n" not in said
    assert "install the package" not in said
    for word in (SAYS["user id map"], *KNOBS, "seccomp=unconfined", "systempaths=unconfined", "--sandbox process"):
        assert word in said


@pytest.mark.usefixtures("ordinary_kernel")
def test_masked_proc_of_a_container_names_the_flag_that_unmasks_it(bwrap: Path) -> None:
    write(bwrap, 'case "$*" in *--proc*) echo "bwrap: Can\'t mount proc on /newroot/proc" >&2; exit 1;; esac')
    with pytest.raises(UsageError, match="systempaths=unconfined") as raised:
        open_sandbox("bubblewrap")
    assert "seccomp=unconfined" not in str(raised.value)


@pytest.mark.usefixtures("ordinary_kernel")
def test_capabilities_of_a_user_who_is_not_root_are_named(bwrap: Path) -> None:
    write(bwrap, "echo 'bwrap: Unexpected capabilities but not setuid, old file caps config?' >&2; exit 1")
    with pytest.raises(UsageError, match="without `--cap-add`"):
        open_sandbox("bubblewrap")


@pytest.mark.sandbox
def test_where_every_need_is_met_and_no_python_starts_its_words_are_the_reason(bwrap: Path) -> None:
    real = shutil.which("bwrap", path=os.environ["PATH"].partition(":")[2])
    write(bwrap, 'case "$*" in *python3*) echo "no python today"; exit 3;; esac', f'exec {real} "$@"')
    with pytest.raises(
        UsageError, match=r"does not work here: .*no python today.*all that bubblewrap itself needs is there"
    ):
        open_sandbox("bubblewrap")


@pytest.mark.sandbox
def test_a_host_name_that_may_not_be_set_is_a_weaker_sandbox_that_says_so(bwrap: Path) -> None:
    real = shutil.which("bwrap", path=os.environ["PATH"].partition(":")[2])
    refused = 'case "$*" in *--hostname*) echo "bwrap: Can\'t set hostname to agent" >&2; exit 1;; esac'
    write(bwrap, refused, f'exec {real} "$@"')
    sandbox = open_sandbox("bubblewrap")
    assert isinstance(sandbox, Bubblewrap)
    assert "the machine's host name" in sandbox.describe()["not_confined"]
    assert any("number of processes" in each for each in sandbox.describe()["not_confined"]) == (os.geteuid() == 0)


@pytest.mark.usefixtures("ordinary_kernel")
def test_the_command_shows_every_need_and_ends_with_a_sentence(bwrap: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(bwrap, f"echo '{SAYS['mount namespace']}' >&2; exit 1")
    assert main(["sandbox"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split(maxsplit=3)[:3] == ["mount", "namespace", "NO:"] for line in lines)
    assert lines[-1].startswith("tools run in a sandbox and bubblewrap does not work here: no mount namespace")


@pytest.mark.sandbox
def test_the_command_says_that_it_works(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sandbox"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("sandbox bubblewrap 0.")
