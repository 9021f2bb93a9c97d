"""bubblewrap alone: users, words and limits; and its filter, run by a small interpreter of classic BPF."""

from __future__ import annotations

import errno
import os
import resource
import socket
import struct
from pathlib import Path

import pytest
from confined import BUBBLEWRAP, MOUNTED, Cell

from pytest_agentcore.errors import SandboxError
from pytest_agentcore.sandbox.base import Command, Limits
from pytest_agentcore.sandbox.bubblewrap import rlimits_of
from pytest_agentcore.sandbox.syscalls import seccomp_filter
from pytest_agentcore.sandbox.workspace import create_workspace

ALLOW, KILL = 0x7FFF0000, 0x80000000
X86, ARM, OTHER = 0xC000003E, 0xC00000B7, 0x40000003
CLONE_NEWUSER, CLONE_THREAD_FLAGS = 0x10000000, 0x3D0F00


def refused(number: int) -> int:
    return 0x00050000 | number


def verdict_of(program: bytes, audit: int, number: int, argument: int = 0) -> int:
    """The program's verdict on one system call (linux/filter.h, the five instructions that are used)."""
    words = {0: number, 4: audit, 16: argument & 0xFFFFFFFF}
    instructions = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    at, accumulator = 0, 0
    while True:
        code, if_true, if_false, value = instructions[at]
        at += 1
        if code == 0x20:
            accumulator = words[value]
        elif code == 0x06:
            return int(value)
        else:
            true = {0x15: accumulator == value, 0x45: bool(accumulator & value), 0x35: accumulator >= value}[code]
            at += if_true if true else if_false


CALLS = [
    ("x86_64", X86, 0, 0, ALLOW),  # read
    ("x86_64", X86, 59, 0, ALLOW),  # execve
    ("x86_64", X86, 101, 0, ALLOW),  # ptrace
    ("x86_64", X86, 56, CLONE_THREAD_FLAGS, ALLOW),
    ("x86_64", X86, 56, 0x1200011, ALLOW),  # fork of the C library
    ("x86_64", X86, 56, CLONE_NEWUSER | 17, refused(errno.EPERM)),
    ("x86_64", X86, 435, 0, refused(errno.ENOSYS)),  # clone3
    ("x86_64", X86, 272, 0, refused(errno.EPERM)),  # unshare
    ("x86_64", X86, 165, 0, refused(errno.EPERM)),  # mount
    ("x86_64", X86, 319, 0, refused(errno.EPERM)),  # memfd_create
    ("x86_64", X86, 425, 0, refused(errno.EPERM)),  # io_uring_setup
    ("x86_64", X86, 0x40000000 | 59, 0, refused(errno.ENOSYS)),  # x32
    ("x86_64", OTHER, 59, 0, KILL),
    ("x86_64", X86, 41, socket.AF_INET, ALLOW),
    ("x86_64", X86, 41, socket.AF_UNIX, ALLOW),
    ("x86_64", X86, 41, socket.AF_VSOCK, refused(errno.EAFNOSUPPORT)),
    ("aarch64", ARM, 63, 0, ALLOW),  # read
    ("aarch64", ARM, 221, 0, ALLOW),  # execve
    ("aarch64", ARM, 220, CLONE_NEWUSER | 17, refused(errno.EPERM)),
    ("aarch64", ARM, 97, 0, refused(errno.EPERM)),  # unshare
    ("aarch64", ARM, 198, socket.AF_INET6, ALLOW),
    ("aarch64", ARM, 198, socket.AF_VSOCK, refused(errno.EAFNOSUPPORT)),
    ("aarch64", X86, 221, 0, KILL),
]


@pytest.mark.parametrize(("machine", "audit", "number", "argument", "verdict"), CALLS)
def test_the_filters_verdicts(machine: str, audit: int, number: int, argument: int, verdict: int) -> None:
    program = seccomp_filter(machine)
    assert program is not None
    assert verdict_of(program, audit, number, argument) == verdict


def test_a_machine_whose_numbers_are_not_known_has_no_filter() -> None:
    assert seccomp_filter("s390x") is None


@MOUNTED
def test_what_bubblewrap_says_of_a_program_s_absence_counts_only_from_bubblewrap(cell: Cell) -> None:
    done = cell.run("sh", "-c", "echo 'bwrap: execvp x: No such file or directory'; exit 1")
    assert done.exit_code == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's sandbox runs as another user")
@pytest.mark.parametrize("cell", [BUBBLEWRAP], indirect=True)
def test_each_workspace_has_a_user_of_its_own(cell: Cell, tmp_path: Path) -> None:
    ids = {cell.run("id", "-u").output for _ in range(3)}
    other = [create_workspace(tmp_path / f"other{number}") for number in range(3)]
    ids |= {cell.sandbox.run(workspace, Command(argv=["id", "-u"])).output for workspace in other}
    assert len(ids) > 1
    assert len({cell.run("stat", "-c", "%u", ".").output for _ in range(2)}) == 1


def test_limits_stay_below_those_of_the_harness(monkeypatch: pytest.MonkeyPatch) -> None:
    own = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (own, own))
    assert rlimits_of(Limits(cpu_seconds=50), counted=True)[resource.RLIMIT_CPU] == 50
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (own, 20))
    assert set(rlimits_of(Limits(), counted=True).values()) == {0, 20}
    assert resource.RLIMIT_NPROC not in rlimits_of(Limits(), counted=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's sandbox runs as another user")
@pytest.mark.parametrize("cell", [BUBBLEWRAP], indirect=True)
def test_a_file_that_the_sandbox_could_not_read_is_refused_in_words(cell: Cell, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(SandboxError, match="only its owner may read it"):
        cell.run("true", read_only={"/checker": closed})
