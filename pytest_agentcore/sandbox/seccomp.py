"""A system call filter for bubblewrap: a classic BPF program, built by hand because it is a dozen rules.

Namespaces and limits do not cover everything. The filter closes what is left: virtual machine sockets (no namespace
separates them), nested user namespaces (they allow a tmpfs, memory that no limit counts), memory files and System V
segments (the same), keyrings, io_uring, bpf. Format: linux/filter.h, linux/seccomp.h; numbers: asm/unistd.h.
"""

from __future__ import annotations

import errno
import platform
import socket
import struct
from dataclasses import dataclass
from functools import cache

LOAD, JUMP_IF_EQUAL, JUMP_IF_ANY_BIT, JUMP_IF_AT_LEAST, RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
ALLOW, ERRNO, KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER_AT, ARCHITECTURE_AT, FIRST_ARGUMENT_AT = 0, 4, 16
"""Offsets in struct seccomp_data; of an argument the low half, both machines being little-endian."""
NEW_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET."""
FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)
X32 = 0x40000000


@dataclass(frozen=True, slots=True)
class _Machine:
    audit: int
    clone: int
    clone3: int
    socket: int
    denied: tuple[int, ...]
    """unshare setns mount umount2 pivot_root, open_tree to mount_setattr, add_key request_key keyctl, bpf
    perf_event_open userfaultfd, memfd_create memfd_secret, shmget msgget semget."""
    has_x32: bool


_NEW_CALLS = (425, 426, 427, 428, 429, 430, 431, 432, 442, 447)
"""Numbers above 423 are the same everywhere: io_uring_*, open_tree to fsmount, mount_setattr, memfd_secret."""
_MACHINES = {
    "x86_64": _Machine(
        audit=0xC000003E,
        clone=56,
        clone3=435,
        socket=41,
        denied=(272, 308, 165, 166, 155, 248, 249, 250, 321, 298, 323, 319, 29, 68, 64, *_NEW_CALLS),
        has_x32=True,
    ),
    "aarch64": _Machine(
        audit=0xC00000B7,
        clone=220,
        clone3=435,
        socket=198,
        denied=(97, 268, 40, 39, 41, 217, 218, 219, 280, 241, 282, 279, 194, 186, 190, *_NEW_CALLS),
        has_x32=False,
    ),
}


@cache
def seccomp_filter(machine: str = "") -> bytes | None:
    """The program for `machine` (default: this one), or None where its system call numbers are not known here."""
    known = _MACHINES.get(machine or platform.machine())
    return None if known is None else b"".join(_program(known))


def _program(machine: _Machine) -> list[bytes]:
    program = [
        _instruction(LOAD, ARCHITECTURE_AT),
        _instruction(JUMP_IF_EQUAL, machine.audit, 1, 0),
        _instruction(RETURN, KILL_PROCESS),
        _instruction(LOAD, NUMBER_AT),
    ]
    if machine.has_x32:
        program += [_instruction(JUMP_IF_AT_LEAST, X32, 0, 1), _refuse(errno.ENOSYS)]
    # clone3 hides its flags behind a pointer; ENOSYS makes the C library fall back to clone.
    program += [_instruction(JUMP_IF_EQUAL, machine.clone3, 0, 1), _refuse(errno.ENOSYS)]
    for number in machine.denied:
        program += [_instruction(JUMP_IF_EQUAL, number, 0, 1), _refuse(errno.EPERM)]
    program += [
        _instruction(JUMP_IF_EQUAL, machine.clone, 0, 4),
        _instruction(LOAD, FIRST_ARGUMENT_AT),
        _instruction(JUMP_IF_ANY_BIT, NEW_NAMESPACES, 0, 1),
        _refuse(errno.EPERM),
        _instruction(RETURN, ALLOW),
        _instruction(JUMP_IF_EQUAL, machine.socket, 0, len(FAMILIES) + 2),
        _instruction(LOAD, FIRST_ARGUMENT_AT),
    ]
    program += [_instruction(JUMP_IF_EQUAL, family, len(FAMILIES) - i, 0) for i, family in enumerate(FAMILIES)]
    return [*program, _refuse(errno.EAFNOSUPPORT), _instruction(RETURN, ALLOW)]


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _refuse(number: int) -> bytes:
    return _instruction(RETURN, ERRNO | number)
