"""A plugin, named by `-p`, that takes away what only Linux has, and says that this is a Mac.

What runs inside a sandbox is another process, which it does not reach; the library's own modules were imported before.
"""

from __future__ import annotations

import ctypes
import fcntl
import importlib
import os
import platform
import resource
import select
import signal
import socket
import sys
import sysconfig
from typing import Any

ONLY_LINUX: dict[Any, tuple[str, ...]] = {
    os: (
        *(
            "sched_getaffinity",
            "sched_setaffinity",
            "pidfd_open",
            "memfd_create",
            "eventfd",
            "splice",
            "copy_file_range",
        ),
        *(
            "getrandom",
            "setns",
            "unshare",
            "posix_fadvise",
            "posix_fallocate",
            "getxattr",
            "setxattr",
            "waitid",
            "P_PIDFD",
        ),
        *("O_PATH", "O_DIRECT", "O_NOATIME", "fdatasync", "sync_file_range", "setresuid", "getresuid"),
    ),
    signal: ("pidfd_send_signal", "SIGSTKFLT", "SIGPWR", "sigwaitinfo", "sigtimedwait"),
    resource: ("prlimit", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_SIGPENDING", "RLIMIT_RTTIME"),
    select: ("epoll", "EPOLLIN"),
    socket: ("AF_NETLINK", "AF_PACKET", "AF_VSOCK", "SO_PEERCRED", "SO_BINDTODEVICE", "SOCK_CLOEXEC"),
    fcntl: (
        "F_ADD_SEALS",
        "F_GET_SEALS",
        "F_SEAL_WRITE",
        "F_SEAL_GROW",
        "F_SEAL_SHRINK",
        "F_SETPIPE_SZ",
        "F_OFD_SETLK",
    ),
}
LOADED = [
    importlib.import_module(name)
    for name in (
        "asyncio",
        "multiprocessing",
        "selectors",
        "urllib.request",
        "uuid",
        "numpy",
        "openai",
        "pandas",
        "scipy.stats",
    )
]
"""Modules that look at the system while they are imported."""
sysconfig.get_config_vars()  # once for all
LIBRARY = ctypes.CDLL


class Library:
    """The C library without the calls that only Linux has."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._own = LIBRARY(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        if name in ("prctl", "memfd_create", "renameat2", "capset", "capget", "unshare", "setns"):
            raise AttributeError(f"symbol not found: {name}")
        return getattr(self._own, name)


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: there is neither /proc nor /sys."""
    if event in ("open", "os.listdir", "os.scandir") and str(arguments[0]).startswith(("/proc/", "/sys/")):
        raise FileNotFoundError(2, "No such file or directory", arguments[0])


for module, names in ONLY_LINUX.items():
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
ctypes.CDLL = Library  # type: ignore[misc, assignment]
sys.addaudithook(refuse)
sys.platform = "darwin"
platform.machine = lambda: "arm64"
