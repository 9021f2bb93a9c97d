"""Which of bubblewrap's needs a machine does not meet, and what would help: each need is tried by itself.

What is tried is bubblewrap and never the system calls that it makes, for AppArmor profiles and setuid bits hang on the
program. docs/sandbox.md has the environments that were tried, and what each of them needs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_agentcore.sandbox.bubblewrap import as_user
from pytest_agentcore.sandbox.syscalls import seccomp_filter
from pytest_agentcore.sandbox.watch import readable
from pytest_agentcore.sandbox.workspace import ROOT_UIDS

SECONDS = 10
"""A try that takes longer has failed."""
PROC = "/proc of its own"
SHARED = {
    "user namespace": r"(?i)new namespace|user namespaces|unexpected capabilities",
    "user id map": r"[ug]id.map|setgroups",
    "no_new_privs": r"NO_NEW_PRIVS",
    "mount namespace": "",
}
"""Needs of every run, in the order in which bubblewrap comes to them, each with its words where it cannot go on."""
SEPARATE = {
    "process namespace": ("--unshare-pid",),
    PROC: ("--unshare-pid", "--proc", "/proc"),
    "network namespace with a loopback": ("--unshare-net",),
    "IPC namespace": ("--unshare-ipc",),
    "host name of its own": ("--unshare-uts", "--hostname", "agent"),
    "control group namespace": ("--unshare-cgroup",),
}
"""Needs that an option brings, and the options."""
OPTIONAL = ("host name of its own", "control group namespace")
KNOBS = {
    "kernel.apparmor_restrict_unprivileged_userns": ("1", "0", "Ubuntu from 23.10"),
    "kernel.unprivileged_userns_clone": ("0", "1", "Debian, Arch"),
    "user.max_user_namespaces": ("0", "28633", "RHEL, hardened kernels"),
}
"""Kernel settings: the value that forbids user namespaces, one that allows them, and where it is met."""
PROC_FLAGS = "`--security-opt systempaths=unconfined` (Podman: `--security-opt unmask=ALL`)"
FLAGS = f"`--security-opt seccomp=unconfined --security-opt apparmor=unconfined` and {PROC_FLAGS}"
IN_CONTAINER = ("/.dockerenv", "/run/.containerenv", "/var/run/secrets/kubernetes.io")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How the try of one need ended."""

    need: str
    met: bool
    said: str
    """The program's words where it is not met; else nothing, or a version."""

    @property
    def stands_in_the_way(self) -> bool:
        """Whether there is no sandbox without it."""
        return not self.met and self.need not in OPTIONAL


def probe(*, as_root: bool) -> Iterator[Finding]:
    """Try each need, ending with the first that all others rest on and that is not met.

    Args:
        as_root: with the rights of root and another user id for the command; else in a user namespace.
    """
    program = shutil.which("bwrap") or ""
    met, said = _try([program, "--version"]) if program else (False, "there is no such program")
    met = met or said.startswith("bwrap: ")  # it complains of something that comes below
    yield Finding(need="program bwrap", met=met, said=said)
    if as_root:
        changed, words = _try([*as_user(ROOT_UIDS[0]), "true"])
        yield Finding(need="program setpriv, which becomes another user", met=changed, said=words)
    if not met:
        return
    # what stands at the end of a list of options is the command
    least = [program, *([] if as_root else ["--unshare-user"]), "--ro-bind", "/", "/"]
    met, said = _try([*least, "true"])
    for need, pattern in SHARED.items():
        if as_root and need.startswith("user "):
            continue
        is_missing = not met and re.search(pattern, said) is not None
        yield Finding(need=need, met=not is_missing, said=said if is_missing else "")
        if is_missing:
            return
    for need, options in SEPARATE.items():
        met, said = _try([*least, *options, "true"])
        yield Finding(need=need, met=met, said=said)
    if rules := seccomp_filter():  # none is known for some processors, which `describe` says
        with readable(rules) as file:
            met, said = _try([*least, "--seccomp", str(file), "true"], file)
        yield Finding(need="system call filter", met=met, said=said)


def _try(argv: Sequence[str], *files: int) -> tuple[bool, str]:
    """Whether the program ends with 0, and its words on one line."""
    try:
        done = subprocess.run(
            argv, capture_output=True, timeout=SECONDS, check=False, pass_fds=files, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    said = " ".join((done.stderr + done.stdout).decode(errors="replace").split())[:300]
    return done.returncode == 0, said or f"exit code {done.returncode}" * bool(done.returncode)


def refusal(problem: str) -> str:
    """One sentence for a user whose bubblewrap does not work: what is missing, and what would help.

    Args:
        problem: how a Python failed in the sandbox.
    """
    missing = [next((one for one in probe(as_root=way) if one.stands_in_the_way), None) for way in ways()]
    last, said, cured = missing[-1], problem, "all that bubblewrap itself needs is there"
    if last is not None:
        said, cured = f"no {last.need} ({last.said})", cure(last)
        if (by_root := missing[0]) and by_root.said != last.said:
            said += f", nor with the rights of root: no {by_root.need} ({by_root.said})"
    return (
        f"tools run in a sandbox and bubblewrap does not work here: {said}; {cured}, or choose `--sandbox process`, "
        "which confines much less (`agentcore sandbox` tries each need; docs/sandbox.md)"
    )


def ways() -> tuple[bool, ...]:
    """How `probe` is asked here: for root with its rights first, and in a user namespace as for anybody else."""
    return (True, False) if os.geteuid() == 0 else (False,)


def cure(finding: Finding) -> str:
    """Say what would help: the package, the kernel's setting that forbids it here, or a container's flags."""
    if finding.need == "program bwrap":
        return "install the package `bubblewrap` (Debian, Ubuntu, Fedora, Arch)"
    if "nexpected capabilities" in finding.said:
        return "start the container without `--cap-add` for a user other than root"
    container = f"in a container: start it with {FLAGS}"
    if finding.need == PROC:
        container = f"a container's own mounts below /proc forbid another one: start it with {PROC_FLAGS}"
    elif finding.need == "user id map" and os.geteuid() == 0:
        container += ", as another user than a root without capabilities (`--user 1000`)"
    here = [(knob, bad, good) for knob, (bad, good, _) in KNOBS.items() if _setting(knob) == bad]
    told = [f"run `sudo sysctl -w {knob}={good}` on the host (it is {bad})" for knob, bad, good in here]
    if not told and finding.need != PROC:
        knobs = ", ".join(f"{knob}={good} ({where})" for knob, (_, good, where) in KNOBS.items())
        told = [f"the kernel must allow user namespaces (sysctl {knobs})"]
    return "; ".join([*told, container] if not here or any(map(os.path.exists, IN_CONTAINER)) else told)


def _setting(knob: str) -> str:
    """The kernel's setting; empty where this kernel has none of the name."""
    try:
        return Path("/proc/sys", *knob.split(".", 1)).read_text(encoding="utf-8").strip()
    except OSError:
        return ""
