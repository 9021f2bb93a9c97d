"""The program that makes containers, podman or docker: which one answers, how it is called, what it has left behind."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pytest_agentcore.errors import UsageError

CANDIDATES = ("podman", "docker")
SECONDS = 60
"""An engine that takes longer for an answer has none."""
OWNER = "agentcore.owner"
"""The label that says which process a container is of."""
CAPABILITIES = ("SETUID", "SETGID", "KILL", "SYS_PTRACE", "DAC_READ_SEARCH")
"""What a container's first process needs to start commands as another user, to measure and to end them."""
ULIMITS = {"nofile": 1024, "nproc": 4096}
"""Limits of a container's first process; commands have stricter ones."""
INSTALL = (
    "install one: the package `podman` with `runc` or `crun` (Debian, Ubuntu, Fedora, Arch), Docker, or on a Mac "
    "Docker Desktop or `brew install podman`"
)
CURES = {
    r"(?i)permission denied.*(sock|daemon|docker API)": "its socket is not yours: `sudo usermod -aG docker $USER` "
    "and a new login, or rootless podman",
    r"(?i)cannot connect|connection refused|is the docker daemon running|machine.*start": "start it: `sudo systemctl "
    "start docker`; on a Mac open Docker Desktop, or `podman machine start`",
    r"(?i)newuidmap|subuid|subgid|insufficient UIDs": "rootless podman needs user ids: the package `uidmap`, and `sudo "
    "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER`",
    r"(?i)not found.*(runc|crun)|(runc|crun).*not found|no such file.*(runc|crun)|default OCI runtime": "its runtime "
    'is missing: install `crun` or `runc` and name it, `--agentcore-container "podman --runtime runc"`',
    r"(?i)mounts denied|not shared from the host|file sharing": "let it share the folder of temporary files "
    "(settings of Docker Desktop, `podman machine init --volume`), or set TMPDIR to one that it shares",
    r"(?i)cgroup|systemd|dbus": "it cannot use this machine's control groups: run it as root with "
    '`--agentcore-container "podman --cgroup-manager cgroupfs"`, or with cgroups of version 2 and a login session',
    r"python3.*not found|older than 3.11|not found.*python3": "an image must have Python 3.11 or newer as `python3`",
    r"(?i)selinux|apparmor|operation not permitted|permission denied": "a right is missing, which docs/sandbox.md "
    "tells of; in a container, start that one with `--privileged`",
}
"""Words of an engine that cannot, and what would help."""


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that has answered."""

    words: tuple[str, ...]
    """How it is called: the program and its global options."""
    version: str
    """`podman 4.3.1`."""
    is_podman: bool
    is_rootless: bool

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of its commands; what it writes is text."""
        return _ask([*self.words, *words])

    def started(self, words: Sequence[str], memory: int, processes: int) -> list[str]:
        """The words that start a container which reads its standard input and is gone at the end.

        Args:
            words: the container's own: mounts, image, program.
            memory: bytes that all its processes may use together; 0 leaves both to others.
            processes: how many there may be.
        """
        made = [*self.words, "run", "--rm", "--interactive", "--pull=never", f"--label={OWNER}={owner()}"]
        # nothing but its folders and the image, which is read-only; no way to more rights than the first process has
        made += ["--network=none", "--read-only", "--hostname=agent", "--log-driver=none", "--stop-timeout=0"]
        made += ["--security-opt=no-new-privileges", "--security-opt=label=disable", "--user=0:0", "--workdir=/"]
        made += ["--cap-drop=ALL", *(f"--cap-add={each}" for each in CAPABILITIES)]
        if self.is_podman:  # it has more of its own accord, and knows keys that detach even from a pipe
            made += ["--read-only-tmpfs=false", "--http-proxy=false", "--detach-keys=", "--cgroupns=private"]
            made += ["--userns=keep-id"] if self.is_rootless else []
        # by default an engine wants more than it may give, where it is not all of root itself
        made += [f"--ulimit={name}={most}:{most}" for name, most in ULIMITS.items()]
        if memory:
            made += [f"--memory={memory}", f"--memory-swap={memory}", f"--pids-limit={processes}"]
        return [*made, *words]

    def image(self, name: str) -> Mapping[str, Any] | None:
        """An image as it describes it; None where it has none of the name."""
        done = self.ask("image", "inspect", name)
        return dict(json.loads(done.stdout)[0]) if done.returncode == 0 else None

    def remove(self, ids: Sequence[str]) -> None:
        """Remove containers, running ones too, each by itself: one that has just ended must not save the others."""
        for each in ids:
            self.ask("rm", "--force", each)

    def sweep(self) -> None:
        """Remove the containers of processes of this machine that are gone; those of living ones are let alone."""
        found = self.ask("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={OWNER}").stdout.split()
        told = json.loads(self.ask("inspect", "--type", "container", *found).stdout or "[]") if found else []
        labels = {one["Id"]: str((one["Config"].get("Labels") or {}).get(OWNER, "")) for one in told}
        self.remove([each for each, label in labels.items() if is_gone(label)])


def answering(setting: str) -> Engine:
    """The engine of the setting, or the first that answers.

    Args:
        setting: a program with its global options, e.g. `podman --runtime runc`; empty means any.

    Raises:
        UsageError: none does; one sentence says why and what would help.
    """
    asked = [tuple(shlex.split(setting))] if setting else [(name,) for name in CANDIDATES]
    problems = []
    for words in asked:
        if shutil.which(words[0]) is None:
            continue
        done = _ask([*words, "info", "--format", "{{json .}}"])
        try:
            facts = json.loads(done.stdout)
        except ValueError:
            facts = {}
        if "host" in facts:
            rootless = bool(facts["host"].get("security", {}).get("rootless"))
            return Engine(words, f"podman {facts.get('version', {}).get('Version', '')}".strip(), True, rootless)
        if done.returncode == 0 and facts.get("ServerVersion"):
            rootless = any("rootless" in each for each in facts.get("SecurityOptions") or ())
            return Engine(words, f"docker {facts['ServerVersion']}", False, rootless)
        said = one_line(" ".join([*(facts.get("ServerErrors") or ()), done.stderr])) or f"exit code {done.returncode}"
        problems.append(f"`{shlex.join(words)}` is here and does not answer ({said}); {cure(said)}")
    if problems:
        raise UsageError(f"tools are to run in a container: {' / '.join(problems)}")
    which = f"there is no program {asked[0][0]!r}" if setting else "neither podman nor docker is installed"
    raise UsageError(f"tools are to run in a container and {which}; {INSTALL} (docs/sandbox.md)")


def cure(said: str) -> str:
    """The sentence that says what would help an engine that said this."""
    return next((cured for pattern, cured in CURES.items() if re.search(pattern, said)), "docs/sandbox.md may help")


def one_line(said: str) -> str:
    """The end of what an engine said, which is where it says why."""
    return " ".join(said.split())[-300:]


def _ask(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            words,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(words, 1, "", str(error))


# Whose a container is: a process is known by its number and by when it began, in one run of a machine, and in one
# namespace of processes. An engine may serve several of each.


ANY = "any"
"""Stands for a run of the machine that nobody can tell from others."""


@cache
def _here() -> tuple[str, str, str]:
    """The machine, this run of it, and the namespace in which process numbers mean something."""
    node = platform.node().replace(" ", "_") or "unnamed"
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return node, boot, str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # no Linux: there the time at which a process began has a date
        return node, ANY, ANY


def _began(pid: int) -> str:
    """When a process began, in a unit of the system's own; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except OSError:
        return "" if _here()[1] != ANY else "-".join(_ask(["ps", "-o", "lstart=", "-p", str(pid)]).stdout.split())


def owner() -> str:
    """The label of the containers of this process."""
    return " ".join([*_here(), str(os.getpid()), _began(os.getpid())])


def is_gone(label: str) -> bool:
    """Whether the process of a label has ended; one that cannot be asked about from here has not."""
    match label.split():
        case [node, boot, namespace, pid, began] if node == _here()[0] and pid.isdecimal():
            if ANY in (boot, _here()[1]) and boot != _here()[1]:  # whoever cannot tell leaves it to others
                return False
            return boot != _here()[1] or (namespace == _here()[2] and _began(int(pid)) != began)
    return False
