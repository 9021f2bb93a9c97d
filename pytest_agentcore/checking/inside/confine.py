"""Keep other processes of the same user from reading or steering this one (Linux, prctl(2), capabilities(7))."""

from __future__ import annotations

import ctypes

_PR_SET_DUMPABLE, _PR_GET_DUMPABLE = 4, 3
_PR_CAPBSET_DROP = 24
_PR_SET_SECUREBITS = 28
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_NO_ROOT_LOCKED = 0xF
"""SECBIT_NOROOT and SECBIT_NO_SETUID_FIXUP with their locks: user 0 is nobody special."""
_LAST_CAPABILITY = 63
_CAPABILITY_VERSION = 0x20080522


class Exposed(Exception):
    """The process could not be closed off; its results would be worth nothing."""


def confine() -> None:
    """Close this process off: no ptrace, no /proc/<pid>/fd or mem by others, no capability here or in children.

    Raises:
        Exposed: the kernel did not do as told.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    for capability in range(_LAST_CAPABILITY + 1):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    libc.prctl(_PR_SET_SECUREBITS, _NO_ROOT_LOCKED, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    libc.capset(header, (ctypes.c_uint32 * 6)())
    held = (ctypes.c_uint32 * 6)()
    libc.capget(header, held)
    # Last, because a change of credentials may set it anew.
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if any(held) or libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise Exposed("the process that judges could not be closed off from the code under test")
