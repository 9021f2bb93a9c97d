"""Ending a container's first process, looking into it, answering for it; leaving something to the next command."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from confined import CONTAINER, TRIAL, Cell

SHARED = pytest.mark.parametrize("cell", [CONTAINER], indirect=True)
EITHER = pytest.mark.parametrize("cell", [CONTAINER, TRIAL], indirect=True)
"""What follows from how a container is started is the same for each."""
ANSWER = json.dumps({"exit_code": 0, "output": "ZmFrZWQ=", "dropped_bytes": 0, "killed_for": ""})
PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206

ATTACKS = {
    "signals": "for each in KILL STOP TERM INT HUP SEGV QUIT ABRT 63; do kill -$each 1; done",
    "signals to all": "trap '' TERM HUP; kill -TERM -1; kill -STOP -1 & wait",
    "limits": "python3 -c 'import resource; resource.prlimit(1, resource.RLIMIT_CPU, (0, 0))'",
    "descriptors": "python3 -c 'import resource; resource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0))'",
    "priority": "renice -n 19 -p 1; chrt -i -p 0 1",
    "answers": f"for fd in 0 1 2; do echo '{ANSWER}' > /proc/1/fd/$fd; done; echo '{ANSWER}'",
    "its memory": "head -c 1 /proc/1/mem; head -c 1 /proc/1/maps; cat /proc/1/environ; ls /proc/1/root/",
    "ptrace": f"python3 -c 'import ctypes; c = ctypes.CDLL(None); [c.ptrace(h, 1, 0, 0) for h in ({PTRACE_ATTACH}, "
    f"{PTRACE_SEIZE})]'",
    "its pipes": "python3 -c 'import os, ctypes; fd = os.pidfd_open(1); c = ctypes.CDLL(None); "
    "[c.syscall(438, fd, n, 0) for n in range(9)]'",
    "its user": "su -c true root; setpriv --reuid 0 true; chroot / true; python3 -c 'import os; os.setuid(0)'",
    "its adjustments": "echo 1000 > /proc/1/oom_score_adj; echo 0 > /proc/1/coredump_filter; echo x > /proc/1/comm",
    "control groups": "echo 1 > /sys/fs/cgroup/pids.max; echo 1 > /sys/fs/cgroup/pids/pids.max; "
    "echo $$ > /sys/fs/cgroup/cgroup.procs; mkdir /sys/fs/cgroup/mine",
    "the kernel": "echo c > /proc/sysrq-trigger; echo x > /proc/sys/kernel/core_pattern; mknod /tmp/sda b 8 0",
    "many orphans": "i=0; while [ $i -lt 400 ]; do setsid true & i=$((i+1)); [ $((i % 40)) = 0 ] && wait; done",
}


@SHARED
@pytest.mark.parametrize("attack", ATTACKS)
def test_the_supervisor_is_out_of_reach(cell: Cell, attack: str) -> None:
    """Whatever was tried, the next command is answered, by the same first process, and with its own output."""
    before = cell.run("stat", "-c", "%z", "/proc/1").output
    done = cell.run("sh", "-c", f"({ATTACKS[attack]}) 2>&1; echo end", wall_seconds=20)
    assert done.exit_code is not None
    assert done.output != b"faked"
    assert cell.run("stat", "-c", "%z", "/proc/1").output == before
    assert cell.shell("echo alive; ps 2>/dev/null | wc -l >/dev/null") == "alive\nexit code 0"


@SHARED
@pytest.mark.parametrize(
    "secret",
    ["/proc/1/environ", "/proc/1/mem", "/proc/1/fd/0", "/proc/1/root/etc/shadow", "/proc/kcore", "/etc/shadow"],
)
def test_what_belongs_to_it_cannot_be_read(cell: Cell, secret: str) -> None:
    assert cell.run("head", "-c", "1", secret).exit_code == 1


@EITHER
def test_a_command_has_no_right_that_a_user_has_not(cell: Cell) -> None:
    status = cell.run("grep", "-E", "^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs|Seccomp):", "/proc/self/status").output.decode()
    rights = dict(line.split(":\t") for line in status.splitlines())
    assert {int(value, 16) for name, value in rights.items() if name.startswith("Cap")} == {0}
    assert (rights["NoNewPrivs"], rights["Seccomp"]) == ("1", "2")
    assert cell.run("id", "-u").output not in (b"0\n", b"")


@SHARED
@pytest.mark.parametrize(
    "socket", ["/var/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock"]
)
def test_the_engine_is_not_there(cell: Cell, socket: str) -> None:
    assert cell.run("ls", socket).exit_code == 2


LEFT = {
    "a file of /tmp": ("echo x > /tmp/left", "test -e /tmp/left"),
    "a file of the workspace": ("mkdir .d; echo x > .d/left", "test -e .d/left"),
    "shared memory": ("echo x > /dev/shm/left", "test -e /dev/shm/left"),
    "a message queue": (
        "python3 -c 'import ctypes; ctypes.CDLL(None).mq_open(b\"/left\", 0o102, 0o666, None)'; ls /dev/mqueue",
        "test -e /dev/mqueue/left",
    ),
    "System V memory": ("python3 -c 'import ctypes; ctypes.CDLL(None).shmget(7, 99, 0o1666)'", "ipcs -m | grep 666"),
    "an abstract socket": (
        "python3 -c 'import socket, time; s = socket.socket(socket.AF_UNIX); s.bind(b\"\\0left\"); time.sleep(9)' &",
        "grep left /proc/net/unix",
    ),
    "a checker's file": ("cp /etc/passwd /checker/left", "test -e /checker/left"),
    "a closed folder": ("chmod 000 .", "test ! -w ."),
}


@SHARED
@pytest.mark.parametrize("what", LEFT)
def test_nothing_is_left_to_whoever_comes_next(cell: Cell, what: str, make_another: Callable[[], Cell]) -> None:
    leave, look = LEFT[what]
    cell.run("sh", "-c", leave)
    assert make_another().run("sh", "-c", look).exit_code != 0
