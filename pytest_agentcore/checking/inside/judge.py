"""The judge: runs given unittest files against a worker and prints a signed report.

Reads one JSON object from standard input: `tests` (sources by workspace path), `files` (those of them to run),
`folders` (searched for modules), `workspace`, `given`, `seconds`. Prints a commitment before any of the model's code
runs, and at the end one line: report, space, signature. Nothing of the order is secret.
"""

from __future__ import annotations

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

from .confine import Exposed, confine
from .direct import say, silence_stdio
from .finding import WorkspaceFinder
from .pipe import Pipe
from .remote import Link
from .signing import OneTimeKey

COMMITMENT = b"agentcore-commitment "
REPORT = b"agentcore-report "
_MOST_TEXT = 600
"""Characters kept of what one test said when it failed."""


def main() -> None:
    """Judge the order on standard input."""
    order = json.loads(sys.stdin.buffer.read())
    out = silence_stdio()
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
    """Name, outcome and text of each test."""
    deadline = time.monotonic() + order["seconds"]
    worker, pipe = start_worker(order["workspace"], deadline)
    link = Link(pipe)
    workspace, given = Path(order["workspace"]).resolve(), Path(order["given"]).resolve()
    tests = {path: source.encode() for path, source in order["tests"].items()}
    os.chdir(workspace)
    WorkspaceFinder(link, tests, workspace, given, order["folders"]).install()
    outcome = Outcomes(link)
    try:
        for file in order["files"]:
            run_file(file, outcome)
    finally:
        worker.kill()
    return outcome.results


def start_worker(workspace: str, deadline: float) -> tuple[subprocess.Popen[bytes], Pipe]:
    """A process for the model's code that has nothing of this one but its end of two pipes."""
    to_worker, from_worker = os.pipe(), os.pipe()
    script = str(Path(__file__).with_name("run.py"))
    ends = (to_worker[0], from_worker[1])
    worker = subprocess.Popen(
        [sys.executable, "-I", "-B", "-X", "utf8", script, "worker", str(ends[0]), str(ends[1]), workspace],
        pass_fds=ends,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    for end in ends:
        os.close(end)
    return worker, Pipe(from_worker[0], to_worker[1], deadline)


def run_file(file: str, outcome: Outcomes) -> None:
    """Load one test file and run its tests."""
    name = PurePosixPath(file).with_suffix("").as_posix().replace("/", ".")
    try:
        module = importlib.import_module(name)
        unittest.defaultTestLoader.loadTestsFromModule(module).run(outcome)
    except BaseException as error:  # noqa: BLE001 - a test file that fails to load has failed, however it did
        outcome.note(PurePosixPath(file).stem, "failed", f"cannot be run: {''.join(_only(error))}")


class Outcomes(unittest.TestResult):
    """What became of each test. Only a test that ended without a failure while the worker was alive has passed."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link
        self.results: list[dict[str, str]] = []
        self._failed_parts: set[str] = set()

    def note(self, name: str, outcome: str, text: str = "") -> None:
        """Add a result."""
        self.results.append({"name": name, "outcome": outcome, "text": text[-_MOST_TEXT:]})

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        """See TestResult."""
        if self._link.silence:
            self.note(name_of(test), "failed", self._link.silence)
        else:
            self.note(name_of(test), "passed")

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        """See TestResult."""
        self.note(name_of(test), "failed", "".join(_only(err[1])))

    addError = addFailure  # noqa: N815

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:  # noqa: N802
        """See TestResult; a test with failed parts is reported failed once."""
        if err is not None and test.id() not in self._failed_parts:
            self._failed_parts.add(test.id())
            self.note(name_of(test), "failed", f"{subtest}: {''.join(_only(err[1]))}")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802
        """See TestResult."""
        self.note(name_of(test), "skipped", reason)

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        """See TestResult; it shows nothing about the code, so it counts as skipped."""
        del err
        self.note(name_of(test), "skipped", "failed as expected")

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        """See TestResult."""
        self.note(name_of(test), "failed", "was expected to fail and did not")


def name_of(test: Any) -> str:
    """`test_price.TestTotal.test_none`: the file's stem, the class, the method."""
    if isinstance(test, unittest.TestCase) and type(test).__module__ != "unittest.suite":
        return f"{type(test).__module__.rpartition('.')[2]}.{type(test).__qualname__}.{test._testMethodName}"
    return str(test)


def _only(error: BaseException) -> list[str]:
    return traceback.format_exception_only(error)
