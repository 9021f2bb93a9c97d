"""Calls as one JSON object: read exactly, however they are laid out."""

from __future__ import annotations

import json

import pytest
from refusals import refused

from pytest_agentcore.dialects.dialect import Dialect
from pytest_agentcore.dialects.families import GENERIC, HERMES
from pytest_agentcore.dialects.parse import parse

NEAR_MISSES = {
    "trailing comma": ('{"name": "a", "arguments": {"x": 1,}}</tool_call>', "double quotes|comma"),
    "single quotes": ("{'name': 'a', 'arguments': {}}</tool_call>", "key in double quotes"),
    "raw line break": ('{"name": "a", "arguments": {"x": "1\n2"}}</tool_call>', "raw line break"),
    "bad escape": ('{"name": "a", "arguments": {"x": "\\d"}}</tool_call>', "backslash"),
    "not closed": ('{"name": "a", "arguments": {}}', "ends before </tool_call>"),
    "closed by another": ('{"name": "a", "arguments": {}}</tool>', "</tool_call> should follow"),
    "one brace too many": ('{"name": "a", "arguments": {}}}</tool_call>', "</tool_call> should follow"),
    "one brace too few": ('{"name": "a", "arguments": {}</tool_call>', "',' is missing"),
    "no object": ("fs_read(path)</tool_call>", "JSON object should stand"),
    "no name": ('{"arguments": {}}</tool_call>', 'needs "name"'),
    "empty name": ('{"name": "", "arguments": {}}</tool_call>', 'needs "name"'),
    "no arguments": ('{"name": "a"}</tool_call>', 'needs "arguments"'),
    "arguments as a string": ('{"name": "a", "arguments": "{}"}</tool_call>', 'needs "arguments", an object'),
    "another key": ('{"name": "a", "parameters": {}}</tool_call>', 'needs "arguments"'),
    "one key more": ('{"name": "a", "arguments": {}, "id": 1}</tool_call>', 'unexpected key "id"'),
    "a key twice": ('{"name": "a", "name": "b", "arguments": {}}</tool_call>', "same key twice"),
    "not a number": ('{"name": "a", "arguments": {"x": NaN}}</tool_call>', "NaN is no JSON"),
    "infinite": ('{"name": "a", "arguments": {"x": 1e999}}</tool_call>', "too large"),
    "endless number": ('{"name": "a", "arguments": {"x": ' + "9" * 5000 + "}}</tool_call>", "too many digits"),
    "half a character": ('{"name": "a", "arguments": {"x": "\\ud83d"}}</tool_call>', "surrogate"),
    "too deep": ('{"name": "a", "arguments": ' + '{"x":' * 5000 + "</tool_call>", "nested too deeply|missing"),
    "cut off": ('{"name": "a", "arguments": {"x": "abc', "not closed"),
    "nothing": ("", "JSON object should stand"),
}


@pytest.mark.parametrize(("body", "words"), NEAR_MISSES.values(), ids=NEAR_MISSES.keys())
@pytest.mark.parametrize("dialect", [HERMES, GENERIC], ids=lambda d: d.name)
def test_json_near_misses_are_refused_in_words(dialect: Dialect, body: str, words: str) -> None:
    refused(dialect, body, words)


@pytest.mark.parametrize("indent", [None, 2])
def test_json_may_be_laid_out_in_any_way(indent: int | None) -> None:
    body = json.dumps({"arguments": {"path": "a", "lines": [1, 2]}, "name": "fs_read"}, indent=indent)
    assert parse(HERMES, f"<tool_call>{body}</tool_call>").calls == (("fs_read", {"path": "a", "lines": [1, 2]}),)
