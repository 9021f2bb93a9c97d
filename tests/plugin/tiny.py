"""A tiny suite, scripted replies, and the one campaign that a test made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HELLO = '''
"""Write a greeting."""
from pytest_agentcore import task

@task(prompt="Write the word hello into hello.txt.", artifacts=("hello.txt",))
def test_hello(trial):
    assert trial.line("hello.txt") == "hello"

@test_hello.oracle
def greet(agent):
    agent.fs_write("hello.txt", "hello")
    return "done"

@test_hello.counterexample
def shout(agent):
    agent.fs_write("hello.txt", "HELLO")
'''

COUNT = '''
"""Count the lines of a file."""
from pytest_agentcore import Instance, task

def some_lines(rng):
    n = rng.randint(3, 90)
    return Instance({"data.txt": "x\\n" * n}, {"lines": n})

@task(prompt="Write the number of lines of data.txt into count.txt.", files=some_lines, artifacts=("count.txt",))
def test_count(trial):
    assert trial.int("count.txt") == trial.facts["lines"]

@test_count.oracle
def count(agent):
    agent.fs_write("count.txt", str(agent.facts["lines"]))

@test_count.counterexample
def nothing(agent):
    agent.fs_write("count.txt", "0")
'''

Script = Callable[..., Path]


def write(path: str, content: str) -> dict[str, Any]:
    """A scripted reply that writes a file."""
    return {"tool_calls": [{"name": "fs_write", "arguments": {"path": path, "content": content}}]}


def shell(command: str) -> dict[str, Any]:
    """A scripted reply that runs a command."""
    return {"tool_calls": [{"name": "shell", "arguments": {"command": command}}]}


def say(text: str) -> dict[str, Any]:
    """A scripted reply without a call."""
    return {"text": text}


def campaign(pytester: pytest.Pytester, results: str = "agentcore-results") -> Path:
    """The only campaign folder."""
    (folder,) = (path for path in (pytester.path / results).iterdir())
    return folder


def result_lines(folder: Path) -> list[dict[str, Any]]:
    """The result lines of a campaign."""
    return [json.loads(line) for line in (folder / "data" / "results.jsonl").read_text().splitlines()]
