"""Calls of a stream in every shape that servers send: read where there is one reading, else the server's fault."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_agentcore.backends.openai.calls import StreamedCalls
from pytest_agentcore.backends.openai.charges import Charge, EndpointFault

TOOLS = ("fs_read", "fs_list", "fs_write")
PATH = '{"path": "a.txt"}'
READ = ("fs_read", {"path": "a.txt"})


def part(name: str | None, arguments: Any = None, index: Any = 0, call_id: str | None = None) -> dict[str, Any]:
    """A part of a call; what is None is left out."""
    function = {key: value for key, value in {"name": name, "arguments": arguments}.items() if value is not None}
    given = {"index": index, "id": call_id, "function": function}
    return {key: value for key, value in given.items() if value is not None}


def taken(*parts: dict[str, Any]) -> StreamedCalls:
    calls = StreamedCalls(TOOLS)
    for one in parts:
        list(calls.take(one, begun=True))
    return calls


def read(*parts: dict[str, Any]) -> list[tuple[str, dict[str, Any] | None]]:
    return [(call.name, call.read()) for call in taken(*parts).checked()]


ONE_READING = {
    "as the protocol has it": [part("fs_read", "", call_id="a"), part(None, PATH[:5]), part(None, PATH[5:])],
    "an empty object before the real one": [part("fs_read", "{}", call_id="a"), part(None, PATH)],
    "an empty object before the real one's pieces": [part("fs_read", "{}"), part(None, PATH[:5]), part(None, PATH[5:])],
    "an empty object before them in one piece": [part("fs_read", "{}" + PATH)],
    "the name with both": [part("fs_read", "{}", call_id="a"), part("fs_read", PATH, call_id="a")],
    "the whole once more": [part("fs_read", PATH[:5]), part(None, PATH[5:]), part(None, PATH)],
    "the whole once more, spaced otherwise": [part("fs_read", PATH), part(None, PATH.replace(" ", ""))],
    "the whole call once more": [part("fs_read", PATH, call_id="a")] * 2,
    "the whole call three times": [part("fs_read", PATH, call_id="a")] * 3,
    "all that came, in every part": [part("fs_read", PATH[:n]) for n in (1, 5, 9, len(PATH))],
    "all that came, with the name": [part("fs_read", PATH[:n], call_id="a") for n in (0, 5, 9, len(PATH))],
    "id and name in every part": [part("fs_read", PATH[n : n + 3], call_id="a") for n in range(0, len(PATH), 3)],
    "another id in every part": [part("fs_read", PATH[n : n + 6], call_id=f"i{n}") for n in range(0, len(PATH), 6)],
    "another id in every nameless part": [part("fs_read", "", call_id="a"), part(None, PATH, call_id="b")],
    "a name that grows": [part("fs_", ""), part("fs_read", ""), part(None, PATH)],
    "a name in pieces": [part("fs", ""), part("_read", ""), part(None, PATH)],
    "an index and then none": [part("fs_read", PATH[:5], 1, "a"), part(None, PATH[5:], None)],
    "no index and then one": [part("fs_read", PATH[:5], None, "a"), part(None, PATH[5:], 3)],
    "an index that counts parts": [part("fs_read", PATH[:5], 0, "a"), part("fs_read", PATH[5:], 1, "a")],
    "an index as text": [part("fs_read", PATH[:5], "0"), part(None, PATH[5:], 0), part(None, "", 0.0)],
    "encoded twice": [part("fs_read", json.dumps(PATH))],
    "encoded twice, in pieces": [part("fs_read", json.dumps(PATH)[:7]), part(None, json.dumps(PATH)[7:])],
    "an object instead of its JSON": [part("fs_read", {"path": "a.txt"})],
    "without the level": [{"index": 0, "id": "a", "name": "fs_read", "arguments": PATH}],
    "a marker behind the name": [part("fs_read<|channel|>commentary", PATH)],
    "a marker and a type behind the name": [part("fs_read <|constrain|>json", PATH)],
    "a header of gpt-oss": [part("<|channel|>commentary to=functions.fs_read", PATH)],
    "a namespace": [part("functions.fs_read", PATH)],
    "a namespace and a number": [part("functions.fs_read:0", PATH)],
    "the marker of a call": [part("<tool_call>fs_read", PATH)],
    "the name after the arguments": [part(None, PATH, call_id="a"), part("fs_read", "", call_id="a")],
}


@pytest.mark.parametrize("parts", ONE_READING.values(), ids=ONE_READING)
def test_what_can_be_read_in_one_way_is_read(parts: list[dict[str, Any]]) -> None:
    assert read(*parts) == [READ]


@pytest.mark.parametrize("arguments", ["", "{}", "null", None, "{}{}"])
def test_no_arguments_are_none(arguments: str | None) -> None:
    assert read(part("fs_list", arguments)) == [("fs_list", {})]


SEVERAL = {
    "ids": [part("fs_read", PATH, call_id="a"), part("fs_read", PATH, call_id="b")],
    "ids without an index": [part("fs_read", PATH, None, "a"), part("fs_list", "{}", None, "b")],
    "indices": [part("fs_read", PATH, 0, "a"), part("fs_read", PATH, 1, "b")],
    "indices under one id": [part("fs_read", PATH, 0, "a"), part("fs_read", PATH, 1, "a")],
    "indices, taking turns": [
        *(part("fs_read", PATH[:5], 0), part("fs_list", "", 1)),
        *(part(None, PATH[5:], 0), part(None, "{}", 1)),
    ],
    "names": [part("fs_read", PATH), part("fs_list", "{}")],
    "names before any arguments": [part("fs_list"), part("fs_read", PATH)],
    "other arguments": [part("fs_read", PATH), part("fs_read", '{"path": "b.txt"}')],
}


@pytest.mark.parametrize("parts", SEVERAL.values(), ids=SEVERAL)
def test_several_calls_stay_several(parts: list[dict[str, Any]]) -> None:
    assert len(read(*parts)) == 2


UNREADABLE = {
    "the same call again, or another one": [part("fs_read", PATH), part("fs_read", PATH)],
    "a call without arguments, or the beginning of one": [part("fs_read", "{}"), part("fs_read", PATH)],
    "two arguments of one call": [part("fs_read", PATH), part(None, '{"path": "b.txt"}')],
    "arguments that another call cuts off": [part("fs_read", PATH[:5]), part("fs_list", "{}")],
    "arguments that the same tool's call cuts off": [
        part("fs_read", PATH[:5], call_id="a"),
        part("fs_read", PATH, call_id="b"),
    ],
    "ids that change around broken arguments": [part("fs_read", PATH[:5], call_id="a"), part(None, "]", call_id="b")],
    "no name": [part(None, PATH)],
    "a blank name": [part(" ", PATH)],
    "a name of nothing but markers": [part("<|channel|>analysis", PATH)],
    "two tools in one name": [part("fs_read<|channel|>fs_write", PATH)],
    "a list of arguments": [part("fs_read", ["a.txt"])],
    "a number": [part("fs_read", 5)],
}


@pytest.mark.parametrize("parts", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_put_together_is_the_endpoint_s_fault(parts: list[dict[str, Any]]) -> None:
    with pytest.raises(EndpointFault, match="in parts that cannot be put together") as caught:
        read(*parts)
    assert caught.value.charge is Charge.failed


THE_MODELS = {
    "cut short": [part("fs_read", PATH[:-1])],
    "a brace too many": [part("fs_read", PATH), part(None, "}")],
    "two braces": [part("fs_read", "{"), part(None, "{"), part(None, PATH[1:])],
    "a list in JSON": [part("fs_read", '["a.txt"]')],
    "quotes of Python": [part("fs_read", "{'path': "), part(None, "'a.txt'}")],
    "a key twice": [part("fs_read", '{"path": "a", "path": "b"}')],
    "the name in every part": [part("fs_read", "{'path': "), part("fs_read", "1}")],
}


@pytest.mark.parametrize("parts", THE_MODELS.values(), ids=THE_MODELS)
def test_broken_arguments_in_good_order_are_the_model_s(parts: list[dict[str, Any]]) -> None:
    assert read(*parts) == [("fs_read", None)]
    assert taken(*parts).begun[0].problem()


def test_an_unknown_tool_is_the_model_s() -> None:
    assert read(part("fs_delete", PATH)) == [("fs_delete", {"path": "a.txt"})]


def test_text_that_is_sent_again_and_again_counts_once() -> None:
    calls = StreamedCalls(TOOLS)
    sent = [part("fs_read", PATH[:n]) for n in (4, 8, len(PATH))]
    assert "".join(piece for one in sent for piece in calls.take(one, begun=False)) == f"fs_read{PATH}"
