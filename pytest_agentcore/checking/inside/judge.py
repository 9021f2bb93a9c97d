"""The judge: runs given unittest files against a worker and prints a signed report.

Reads one JSON object from standard input: `tests` (sources by workspace path), `files` (those of them to run),
`folders` (searched for modules), `workspace`, `given`, `seconds`. Prints a commitment before any of the model's code
runs, and at the end one line: report, space, signature. Nothing of the order is secret. This process never loads the
model's code, and imports nothing that could.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import subprocess
import sys
import time
import traceback
import unittest
from pathlib import Path, PurePosixPath
from typing import Any

from .finding import WorkspaceFinder
from .remote import Link
from .signing import COMMITMENT, REPORT, OneTimeKey
from .wire import Pipe, say, silence_stdio

_MOST_TEXT = 600
"""Characters kept of what one test said when it failed."""


def main() -> None:
    """Judge the order on standard input."""
    order = json.loads(sys.stdin.buffer.read())
    out = silence_stdio()  # so that nothing which a test prints stands beside the report
    key = OneTimeKey()
    say(out, COMMITMENT + key.commitment().encode())
    try:
        confine()
        report: dict[str, Any] = {"results": judge(order)}
    except Exposed as error:
        report = {"exposed": str(error)}
    body = json.dumps(report).encode()
    say(out, REPORT + body + b" " + key.sign(body).encode())
    os._exit(0)


def judge(order: dict[str, Any]) -> list[dict[str, str]]:
    """Run each file's tests; returns name, outcome and text of each test."""
    deadline = time.monotonic() + order["seconds"]
    # The process for the model's code has nothing of this one but its end of two pipes.
    to_worker, from_worker = os.pipe(), os.pipe()
    ends = (to_worker[0], from_worker[1])
    script = str(Path(__file__).with_name("run.py"))
    worker = subprocess.Popen(
        [sys.executable, "-I", "-B", "-X", "utf8", script, "worker", *map(str, ends), order["workspace"]],
        pass_fds=ends,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    for end in ends:
        os.close(end)
    link = Link(Pipe(from_worker[0], to_worker[1], deadline))
    workspace, given = Path(order["workspace"]).resolve(), Path(order["given"]).resolve()
    tests = {path: source.encode() for path, source in order["tests"].items()}
    os.chdir(workspace)
    WorkspaceFinder(link, tests, workspace, given, order["folders"]).install()
    outcome = _Outcomes(link)
    try:
        for file in map(PurePosixPath, order["files"]):
            try:
                module = importlib.import_module(".".join(file.with_suffix("").parts))
                unittest.defaultTestLoader.loadTestsFromModule(module).run(outcome)
            except BaseException as error:  # noqa: BLE001 - a test file that fails to load has failed, however it did
                outcome.note(file.stem, "failed", f"cannot be run: {_said(error)}")
    finally:
        worker.kill()
    return outcome.results


class _Outcomes(unittest.TestResult):
    """The results so far. Only a test that ended without a failure while the worker was alive has passed."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link
        self.results: list[dict[str, str]] = []
        self._failed_parts: set[str] = set()

    def note(self, name: str, outcome: str, text: str = "") -> None:
        """Add a result."""
        self.results.append({"name": name, "outcome": outcome, "text": text[-_MOST_TEXT:]})

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's names, here and below
        # The test itself may have swallowed that the worker fell silent.
        self.note(_name(test), "failed" if self._link.silence else "passed", self._link.silence)

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        self.note(_name(test), "failed", _said(err[1]))

    addError = addFailure  # noqa: N815

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:  # noqa: N802
        # However many of its parts failed, it is one test.
        if err is not None and test.id() not in self._failed_parts:
            self._failed_parts.add(test.id())
            self.note(_name(test), "failed", f"{subtest}: {_said(err[1])}")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802
        self.note(_name(test), "skipped", reason)

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: ARG002, N802
        # It shows nothing about the code, so it counts as little as a skipped one.
        self.note(_name(test), "skipped", "failed as expected")

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        self.note(_name(test), "failed", "was expected to fail and did not")


def _name(test: Any) -> str:
    """`test_price.TestTotal.test_none`: the file's stem, the class, the method."""
    if isinstance(test, unittest.TestCase) and type(test).__module__ != "unittest.suite":
        return f"{type(test).__module__.rpartition('.')[2]}.{type(test).__qualname__}.{test._testMethodName}"
    return str(test)


def _said(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error))


# From linux/prctl.h, linux/securebits.h and linux/capability.h.
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

    Without it a worker, which is a process of the same user, could read the key or write the report.

    Raises:
        Exposed: the kernel did not do as told.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "prctl"):  # no Linux: only the plain process runs there, which separates nothing
        return
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
