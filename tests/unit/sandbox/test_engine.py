"""Which engine answers, what is said where none does, and what is swept: by programs that answer as an engine would."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from confined import make_cell, sandbox_of

from pytest_agentcore.errors import SandboxError, UsageError
from pytest_agentcore.sandbox.container import Container, close_all
from pytest_agentcore.sandbox.engine import Engine, answering, is_gone, owner
from pytest_agentcore.sandbox.open import open_sandbox

PODMAN = json.dumps({"host": {"security": {"rootless": True}}, "version": {"Version": "5.1.0"}}, indent=2)
DOCKER = json.dumps({"ServerVersion": "28.2.2", "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"]})
NOT_OURS = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH that holds what the test puts there."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def put(folder: Path, name: str, said: str, code: int = 0, error: str = "") -> None:
    """A program that says who it is, and has no image and no container."""
    (folder / f"{name}.out").write_text(said)
    lines = [
        f"#!{sys.executable} -S",
        "import sys",
        f"told = open({str(folder / name)!r} + '.out').read() if 'info' in sys.argv else ''",
        "sys.stdout.write(told)",
        f"sys.stderr.write({error!r})",
        f"sys.exit({code} if 'info' in sys.argv else 1)",
    ]
    (folder / name).write_text("\n".join(lines))
    (folder / name).chmod(0o755)


def test_without_an_engine_one_sentence_says_what_to_install(programs: Path) -> None:
    assert not list(programs.iterdir())
    with pytest.raises(
        UsageError, match=r"neither podman nor docker is installed; install one: the package `podman`"
    ) as e:
        open_sandbox("container")
    assert "\n" not in str(e.value)
    with pytest.raises(UsageError, match="there is no program 'nerdctl'; install one"):
        open_sandbox("container", engine="nerdctl --namespace x")


def test_the_first_that_answers_is_taken(programs: Path) -> None:
    put(programs, "docker", DOCKER)
    assert answering("") == Engine(("docker",), "docker 28.2.2", False, False)
    put(
        programs,
        "podman",
        "",
        code=125,
        error="cannot connect to Podman. Please verify your connection to the Linux system",
    )
    assert answering("").words == ("docker",)
    put(programs, "podman", PODMAN)
    assert answering("") == Engine(("podman",), "podman 5.1.0", True, True)
    assert answering("podman --runtime runc").words == ("podman", "--runtime", "runc")


@pytest.mark.parametrize(
    ("said", "cured"),
    [
        (NOT_OURS, "its socket is not yours: `sudo usermod -aG docker"),
        (
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
            "start it: ",
        ),
        ("Cannot connect to Podman socket: machine is not running; podman machine start", "`podman machine start`"),
        ('exec: "newuidmap": executable file not found in $PATH', "the package `uidmap`"),
        ('default OCI runtime "crun" not found: invalid argument', "install `crun` or `runc`"),
        ("systemd cgroup flag passed, but systemd support for managing cgroups is not available", "--cgroup-manager"),
        ("something else", "docs/sandbox.md"),
    ],
)
def test_an_engine_that_does_not_answer_is_named_with_a_cure(programs: Path, said: str, cured: str) -> None:
    put(programs, "docker", "", code=1, error=said)
    with pytest.raises(UsageError) as raised:
        open_sandbox("container")
    assert "`docker` is here and does not answer" in str(raised.value)
    assert cured in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_image_that_is_not_there_is_refused_with_the_command_that_makes_it(programs: Path) -> None:
    put(programs, "podman", PODMAN)
    with pytest.raises(
        UsageError, match=r"no image localhost/agentcore-sandbox; make it with `agentcore sandbox build`$"
    ):
        open_sandbox("container")
    with pytest.raises(UsageError, match=r"make it with `agentcore sandbox build SUITE`$"):
        open_sandbox("container", images={"task_01": "localhost/agentcore-0123456789ab"})
    with pytest.raises(UsageError, match=r"no image gcc:13; make it with `podman pull gcc:13`$"):
        open_sandbox(images={"task_01": "gcc:13", "task_02": ""})


def test_a_suite_with_images_has_no_other_sandbox() -> None:
    with pytest.raises(UsageError, match="--sandbox process: task_02 runs in the image gcc:13; leave it out, or ask"):
        open_sandbox("process", images={"task_01": "", "task_02": "gcc:13"})


def test_the_label_of_a_process_that_lives_is_not_gone() -> None:
    node, boot, namespace, pid, began = owner().split()
    assert pid == str(os.getpid())
    assert not is_gone(owner())
    assert is_gone(" ".join([node, boot, namespace, pid, "1"]))
    assert is_gone(" ".join([node, boot, namespace, "4194305", began]))
    assert is_gone(" ".join([node, "an-earlier-boot", namespace, pid, began]))
    assert not is_gone(" ".join([node, boot, "pid:[1]", "4194305", began])), "another container's process"
    assert not is_gone(" ".join(["another-host", "another-boot", namespace, "4194305", began]))
    assert not is_gone(" ".join([node, "any", "any", "4194305", began]))
    assert not is_gone("")
    assert not is_gone("something else altogether")


@pytest.mark.container
def test_the_sweep_takes_those_of_the_dead_and_no_other(tmp_path: Path) -> None:
    sandbox = sandbox_of("container")
    assert isinstance(sandbox, Container)
    engine, node = sandbox.engine, owner().split()
    labels = {"dead": [*node[:4], "1"], "alive": node, "elsewhere": ["another-host", *node[1:4], "1"]}
    made = {
        name: engine.ask(
            "create", f"--label=agentcore.owner={' '.join(label)}", "--ulimit=nofile=99:99", sandbox.image, "x"
        )
        for name, label in labels.items()
    }
    ids = {name: done.stdout.strip() for name, done in made.items()}
    try:
        engine.sweep()
        there = engine.ask("ps", "--all", "--quiet", "--no-trunc").stdout.split()
        assert {name for name, each in ids.items() if each in there} == {"alive", "elsewhere"}
    finally:
        engine.remove([*ids.values()])


@pytest.mark.container
@pytest.mark.parametrize("whom", ["the client", "the container"])
def test_a_container_that_somebody_ends_is_made_anew(whom: str, tmp_path: Path) -> None:
    """The workspace is the host's, so that nothing is lost."""
    sandbox = sandbox_of("container")
    assert isinstance(sandbox, Container)
    cell = make_cell(sandbox, tmp_path / "trial")
    with sandbox.over(cell.workspace):
        assert cell.shell("echo a > a.txt") == "exit code 0"
        mine = sandbox.engine.ask("ps", "--quiet", "--filter", f"label=agentcore.owner={owner()}").stdout.split()
        if whom == "the client":
            children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
            for pid in children:
                if b"podman" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    subprocess.run(["kill", "-9", pid], check=False)
        else:
            sandbox.engine.ask("kill", *mine)
        with contextlib.suppress(SandboxError):  # a command that was running ended with it, and nobody knows how
            cell.run("true")
        assert cell.shell("cat a.txt; echo b") == "a\nb\nexit code 0"
    close_all()
    assert sandbox.engine.ask("ps", "--all", "--quiet", "--filter", f"label=agentcore.owner={owner()}").stdout == ""
