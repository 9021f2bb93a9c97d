"""Running given unittest files against the workspace's code, judged outside the process that loads that code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from pytest_agentcore.checking.inside.judge import COMMITMENT, REPORT
from pytest_agentcore.checking.inside.signing import verify
from pytest_agentcore.checking.running import Bench
from pytest_agentcore.checking.values import TestRun
from pytest_agentcore.errors import SandboxError
from pytest_agentcore.untrusted import visible_lines


def test_tree(given: Mapping[str, bytes], path: str) -> tuple[dict[str, bytes], list[str]]:
    """The given files that belong to the tests at `path` (a file or a folder), and those of them to run.

    Everything in a test file's folder belongs to it, unless that is the workspace itself.

    Raises:
        ValueError: nothing of that name was given: the checker's own mistake.
    """
    path = path.rstrip("/")
    files = [path] if path in given else sorted(p for p in given if p.startswith(f"{path}/") and _is_test(p))
    if not files:
        raise ValueError(f"{path!r} is no test file among the given files, and no folder with any")
    folder = path if path not in given else str(PurePosixPath(path).parent)
    tree = {p: content for p, content in given.items() if folder != "." and p.startswith(f"{folder}/")}
    return {**tree, **{file: given[file] for file in files}}, files


def run_test_files(on: Bench, tree: Mapping[str, bytes], files: list[str], seconds: float) -> TestRun:
    """Run the files.

    Raises:
        AssertionError: the judging process was ended before it could report.
        SandboxError: it could not be closed off from the code under test.
    """
    order = {
        "tests": {path: content.decode() for path, content in tree.items() if path.endswith(".py")},
        "files": files,
        "folders": ["", *dict.fromkeys(str(PurePosixPath(file).parent) for file in files)],
        "workspace": on.path("/workspace"),
        "given": on.path("/checker/given"),
        "seconds": seconds,
    }
    done = on.python("judge", order, seconds=seconds)
    report = signed_report(done.output)
    if report is None:
        why = done.killed_for or f"exit code {done.exit_code}"
        raise AssertionError(f"the tests in {', '.join(files)} were ended before they could report ({why})")
    if "exposed" in report:
        raise SandboxError(str(report["exposed"]))
    return _test_run(report["results"])


def signed_report(output: bytes) -> dict[str, Any] | None:
    """The report whose signature fits the commitment that was printed before anything else."""
    lines = output.split(b"\n")
    commitment = next((line.removeprefix(COMMITMENT) for line in lines if line.startswith(COMMITMENT)), b"")
    for line in lines:
        body, _space, signature = line.removeprefix(REPORT).rpartition(b" ")
        if line.startswith(REPORT) and verify(
            commitment.decode("ascii", "replace"), body, signature.decode("ascii", "replace")
        ):
            report: dict[str, Any] = json.loads(body)
            return report
    return None


def _is_test(path: str) -> bool:
    return PurePosixPath(path).match("test*.py")


def _test_run(results: list[dict[str, str]]) -> TestRun:
    passed = [result["name"] for result in results if result["outcome"] == "passed"]
    others = [result for result in results if result["outcome"] != "passed"]
    lines = [
        line
        for result in others
        for line in [
            f"{result['outcome']}: {result['name']}",
            *(f"    {t}" for t in visible_lines(result["text"]) if t),
        ]
    ]
    return TestRun(
        passed=len(passed),
        failed=sum(result["outcome"] == "failed" for result in others),
        names_passed=frozenset(passed),
        report="\n".join(lines),
    )
