"""Earlier conversation: deterministic, benign in shape, of the length that was asked for."""

from __future__ import annotations

import itertools

import pytest

from pytest_agentcore.agent.context_load import CLOSING, build_load, conversation, errand
from pytest_agentcore.backends.base import Backend, Message, Reply, Request
from pytest_agentcore.backends.scripted import ScriptedBackend
from pytest_agentcore.catalogue.entry import Policy
from pytest_agentcore.tools.base import ToolSpec
from pytest_agentcore.tools.toolbox import builtin_tools

SPECS = tuple(tool.spec for tool in builtin_tools())
SETS = [("fs_read", "fs_write", "shell"), ("fs_read", "fs_write"), ("sql_query", "fs_write"), ("other",), ()]


def words(messages: tuple[Message, ...]) -> int:
    """A measure of our own."""
    return sum(len(message.content.split()) + 4 for message in messages)


@pytest.mark.parametrize("tools", SETS, ids=" ".join)
@pytest.mark.parametrize("asked", [300, 1000, 4000])
def test_it_is_as_long_as_asked_and_no_longer(tools: tuple[str, ...], asked: int) -> None:
    told = conversation(asked, tools, lambda messages: words(tuple(messages)))
    assert asked - 40 < words(told) <= asked


@pytest.mark.parametrize("tools", SETS, ids=" ".join)
def test_every_call_is_of_a_given_tool_and_answered(tools: tuple[str, ...]) -> None:
    told = conversation(2000, tools, lambda messages: words(tuple(messages)))
    schemas = {spec.name: spec.parameters for spec in SPECS}
    for before, after in itertools.pairwise(told):
        for call in before.tool_calls:
            assert call.name in tools
            assert set(schemas[call.name]["required"]) == set(call.arguments)
            assert (after.role, after.tool_call_id, after.name) == ("tool", call.id, call.name)
    assert told[0].role == "user"
    assert told[-2:] == CLOSING
    ids = [call.id for message in told for call in message.tool_calls]
    assert len(ids) == len(set(ids))
    assert bool(ids) == bool({"fs_read", "fs_write", "shell", "sql_query"} & set(tools))


def test_it_is_always_the_same() -> None:
    assert errand(7, SETS[0]) == errand(7, SETS[0])
    assert errand(7, SETS[0]) != errand(8, SETS[0])
    shorter, longer = (conversation(n, SETS[0], lambda messages: words(tuple(messages))) for n in (600, 900))
    assert len(longer) > len(shorter)


def test_tokens_are_the_backend_s_where_it_can_say() -> None:
    backend = ScriptedBackend(lambda _request: "done")
    load = build_load(700, backend, "You help.", SPECS[:3], Policy.native)
    opening = [Message(role="system", content="You help."), Message(role="user", content="Go.")]
    whole = [opening[0], *load.messages, opening[1]]
    without = backend.count_tokens(opening, SPECS[:3], Policy.native)
    assert load.tokens == backend.count_tokens(whole, SPECS[:3], Policy.native) - without
    assert load.counted == "tokenizer"


class Mute:
    """A backend that has no tokenizer to ask."""

    name, slots = "mute", 1

    def complete(self, request: Request) -> Reply:
        raise AssertionError("nothing is asked to count")

    def describe(self) -> dict[str, str]:
        return {}

    def close(self) -> None:
        pass


def test_otherwise_four_characters_are_a_token() -> None:
    backend: Backend = Mute()
    load = build_load(700, backend, "You help.", SPECS[:3], Policy.native)
    assert load.counted == "characters"
    characters = sum(len(message["content"]) for message in load.to_json()["messages"])
    assert 700 - 60 < load.tokens <= 700
    assert characters / 4 < load.tokens < characters / 2


def test_a_spec_of_nobody_is_only_talked_about() -> None:
    other = ToolSpec(name="other", description="", parameters={"type": "object", "properties": {}})
    load = build_load(500, ScriptedBackend(lambda _request: ""), "", (other,), Policy.native)
    assert not any(message.tool_calls for message in load.messages)
