"""A disk that is full ends the session in a sentence; what was recorded is whole, and the same command goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import Script, say, write

RUNS = 20
BOTH = """\
head -c {ballast} /dev/zero > {disk}/ballast
{command}
echo "first: $?"
grep -c . {disk}/r/*/data/results.jsonl
{validate}
echo "valid: $?"
rm {disk}/ballast
{command}
echo "second: $?"
{validate}
"""


@pytest.mark.sandbox
def test_a_full_disk(pytester: pytest.Pytester, suite: Path, script: Script) -> None:
    bot = script(task_01=[write("hello.txt", "hello"), say("done")], task_02=[write("count.txt", "1"), say("done")])
    disk = pytester.mkdir("disk")
    python = f"{sys.executable} -m"
    options = f"--model=scripted:{bot} --runs={RUNS} --sandbox=process --results={disk}/r -p no:cacheprovider"
    shell = BOTH.format(
        disk=disk,
        ballast=1_800_000,
        command=f"{python} pytest {options} --tb=no {suite}",
        validate=f"{python} pytest_agentcore.cli.__main__ validate {disk}/r/*",
    )
    # a file system of 2 MB: the first run finds room for some trials, the second for all and for the reports
    bound = ["bwrap", "--dev-bind", "/", "/", "--size", "2000000", "--tmpfs", str(disk), "bash", "-c", shell]

    done = subprocess.run(bound, capture_output=True, text=True, check=False, timeout=300, env=dict(os.environ))

    said = pytest.LineMatcher((done.stdout + done.stderr).splitlines())
    said.fnmatch_lines(
        [
            f"*Exit: {disk}/r/*: cannot be written (No space left on device); what was recorded before is whole, *",
            "first: 3",
            "*: as it was written (*",
            "valid: 0",
            f"campaign   continues *: * of {2 * RUNS} trials are scored",
            f"*{RUNS} passed*",
            "second: 1",
            f"*: as it was written ({2 * RUNS} results, {2 * RUNS} transcripts, {2 * RUNS} workspaces)",
        ]
    )
