"""What workers have done is added up by each."""

from __future__ import annotations

import pytest

from pytest_agentcore.elsewhere.crew import Work

REPLY = {"event": "reply", "usage": {"prompt_tokens": 50, "cached_tokens": 0, "reply_tokens": 8}}


def test_a_worker_is_busy_while_it_has_a_trial_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([10.0, 13.0, 20.0, 22.0])
    monkeypatch.setattr("time.monotonic", lambda: next(moments))
    work = Work()
    work.begin()
    work.begin()
    work.end()
    work.end()
    work.begin()
    work.end()
    assert work.to_json()["seconds"] == 3.0 + 2.0


def test_tokens_add_up_and_counts_go_on_from_those_of_another_session() -> None:
    work = Work(_before={"drafted": 100})
    work.add([{"event": "start"}, REPLY, {"event": "tool_result"}, REPLY], {"drafted": 130, "accepted": 7})
    work.add([REPLY], {"drafted": 120, "accepted": 5})  # an answer that was overtaken
    facts = work.to_json()
    assert (facts["trials"], facts["reply_tokens"], facts["counts"]) == (2, 24, {"drafted": 30, "accepted": 7})
