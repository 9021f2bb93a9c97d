"""A campaign survives SIGKILL at any moment: nothing that was finished is lost, and the same command completes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from killing import Killer
from tiny import HELLO, say, write

KILLS = 60


@pytest.mark.minutes
def test_sixty_kills_at_random_moments(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "test_task_01_hello.py").write_text(HELLO)
    slow = write("hello.txt", "hello") | {"delay": 0.2}  # so that kills come in the middle of trials too
    script = {"replies": {"*": [write("hello.txt", "hell"), slow, say("done")]}}
    (tmp_path / "bot.json").write_text(json.dumps(script))

    tally = Killer(["--model=scripted:bot.json", "--runs=8", "tiny"], tmp_path).kill(KILLS)

    assert tally.kills == KILLS
    assert tally.campaigns > 1
    assert tally.attempts > tally.trials  # some kills came in the middle of a trial
