"""The system calls that the kernel refuses a command, as a program of classic BPF (linux/filter.h, linux/seccomp.h).

Containers read this module too, with their own Python: nothing of the package is imported here.
"""

from __future__ import annotations

import platform
import struct
from functools import cache

LOAD, JUMP_IF_EQUAL, JUMP_IF_ANY_BIT, JUMP_IF_AT_LEAST, RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
ALLOW, ERRNO, KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER_AT, ARCHITECTURE_AT, FIRST_ARGUMENT_AT = 0, 4, 16
"""Offsets in struct seccomp_data; of an argument the low half, both machines being little-endian."""
NEW_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET."""
FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, AF_NETLINK."""
EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97
"""Linux' numbers, also where this is read on another system."""
X32 = 0x40000000
"""The bit in the call numbers of x86-64's second interface, which would be a way around all rules by number."""
MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH_*; the order is that of the columns below."""
CLONE, SOCKET = (56, 220), (41, 198)
CLONE3 = 435
DENIED = {
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "memfd_create": (319, 279),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
}
NEW_DENIED = (425, 426, 427, 428, 429, 430, 431, 432, 442, 447)
"""Numbers above 423 are the same everywhere: io_uring_*, open_tree to fsmount, mount_setattr, memfd_secret."""


@cache
def seccomp_filter(machine: str = "") -> bytes | None:
    """The program for `machine` (default: this one), or None where its system call numbers are not known here."""
    machine = machine or platform.machine()
    if machine not in MACHINES:
        return None
    column = list(MACHINES).index(machine)
    program = [
        _instruction(LOAD, ARCHITECTURE_AT),
        _instruction(JUMP_IF_EQUAL, MACHINES[machine], 1, 0),
        _instruction(RETURN, KILL_PROCESS),
        _instruction(LOAD, NUMBER_AT),
    ]
    if machine == "x86_64":
        program += [_instruction(JUMP_IF_AT_LEAST, X32, 0, 1), _refuse(ENOSYS)]
    # clone3 hides its flags behind a pointer; ENOSYS makes the C library fall back to clone.
    program += [_instruction(JUMP_IF_EQUAL, CLONE3, 0, 1), _refuse(ENOSYS)]
    for number in (*(numbers[column] for numbers in DENIED.values()), *NEW_DENIED):
        program += [_instruction(JUMP_IF_EQUAL, number, 0, 1), _refuse(EPERM)]
    program += [
        _instruction(JUMP_IF_EQUAL, CLONE[column], 0, 4),
        _instruction(LOAD, FIRST_ARGUMENT_AT),
        _instruction(JUMP_IF_ANY_BIT, NEW_NAMESPACES, 0, 1),
        _refuse(EPERM),
        _instruction(RETURN, ALLOW),
        _instruction(JUMP_IF_EQUAL, SOCKET[column], 0, len(FAMILIES) + 2),
        _instruction(LOAD, FIRST_ARGUMENT_AT),
    ]
    program += [_instruction(JUMP_IF_EQUAL, family, len(FAMILIES) - i, 0) for i, family in enumerate(FAMILIES)]
    return b"".join([*program, _refuse(EAFNOSUPPORT), _instruction(RETURN, ALLOW)])


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _refuse(number: int) -> bytes:
    return _instruction(RETURN, ERRNO | number)
