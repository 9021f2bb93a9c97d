"""Messages as the model had them, and facts without places of this machine."""

from __future__ import annotations

from typing import Any

from results import manifest, reply_event, result, start_event, tool_event
from small_packs import pack

from pytest_agentcore.exports.conversation import campaign_facts, conversation


def roles(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in conversation(events)]


def test_messages_stand_as_the_next_request_had_them() -> None:
    broken = reply_event(2, content="", text="<tool_call>{", problems=["it does not parse"])
    thought = reply_event(3, content="", text="<think>so</think>", reasoning="so")
    events = [
        start_event(result()),
        reply_event(1, {"command": "ls"}, content="I look."),
        tool_event(1, 0, {"command": "ls"}, "a.txt"),
        broken,
        {"event": "feedback", "turn": 2, "text": "it does not parse"},
        thought,
    ]
    assert roles(events) == [
        ("system", "You are an agent."),
        ("user", "Fix it."),
        ("assistant", "I look."),
        ("tool", "a.txt"),
        ("assistant", "<tool_call>{"),
        ("user", "it does not parse"),
        ("assistant", ""),
    ]
    assert conversation(events)[-1].reasoning == "so"
    assert roles([]) == []


def test_ids_are_unique_whatever_an_endpoint_gave() -> None:
    events = [start_event(result())]
    for turn in (1, 2):
        reply = reply_event(turn, {"command": "a"}, {"command": "b"})
        for call in reply["tool_calls"]:
            call["id"] = "same"
        events += [reply, *(tool_event(turn, index, {}, f"{turn}{index}") for index in (0, 1))]
    said = conversation(events)
    ids = [call["id"] for message in said for call in message.calls]
    assert len(set(ids)) == 4
    assert [message.answers for message in said if message.role == "tool"] == ids


def test_calls_that_never_ran_stay_without_a_result() -> None:
    said = conversation([start_event(result()), reply_event(1, {"command": "a"}), start_event(result())][:2])
    assert [len(message.calls) for message in said] == [0, 0, 1]


def test_an_agent_without_a_model_calls_and_answers() -> None:
    events = [
        start_event(result()),
        tool_event(1, 0, {"command": "ls"}, "a.txt"),
        {"event": "end", "stop_reason": "final_answer", "detail": "", "seconds": 1.0, "answer": "done"},
    ]
    said = conversation(events)
    assert roles(events)[2:] == [("assistant", ""), ("tool", "a.txt"), ("assistant", "done")]
    assert said[2].calls[0]["id"] == said[3].answers
    assert not said[2].event


def test_an_earlier_conversation_pairs_results_with_calls() -> None:
    call = {"id": "call_0_1", "name": "shell", "arguments": {}}
    messages = [
        {"role": "user", "content": "errand"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "found", "name": "shell"},
    ]
    said = conversation([{**start_event(result()), "load": {"asked": 9, "messages": messages}}])
    assert [message.is_load for message in said] == [False, True, True, True, False]
    assert said[3].answers == "call_0_1"


def test_facts_name_no_places_and_hold_the_rates(tmp_path: Any) -> None:
    one = pack(
        tmp_path / "one", [result()], requested="/home/me/tiny.gguf", arguments=("--model", "/home/me/tiny.gguf")
    )
    facts = campaign_facts(one)
    assert "/home/me" not in str(facts)
    assert facts["rates"]["effective_rate"] == 1.0
    assert facts["judged_by"] == manifest().suite.digest
    assert facts["suite"].keys() == {"name", "version", "title", "digest"}
