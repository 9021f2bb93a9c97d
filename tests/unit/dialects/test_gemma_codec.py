"""Gemma 4, proven against the chat template and the tokens of its own vocabulary file (no weights needed)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_grammar import accepts
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment
from listed import GEMMA4
from refusals import refused

from pytest_agentcore.dialects.families import choose_dialect
from pytest_agentcore.dialects.grammar import call_grammar
from pytest_agentcore.dialects.literals import QUOTE
from pytest_agentcore.dialects.parse import is_complete, parse
from pytest_agentcore.dialects.resemblance import resemblance
from pytest_agentcore.tools.base import ToolSpec
from pytest_agentcore.trial.detectors import DegenerateWatch
from pytest_agentcore.trial.modes import Resemblance

ROOT = Path(__file__).resolve().parents[3]
USER = {"role": "user", "content": "Go."}


@pytest.fixture(scope="module")
def engine() -> Any:
    return pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")


@pytest.fixture(scope="module")
def vocabulary(engine: Any) -> Iterator[Any]:
    given = os.environ.get("AGENTCORE_GEMMA_VOCAB", "")
    path = Path(given) if given else ROOT.parent / "shared" / "models" / "ggml-vocab-gemma-4.gguf"
    if not path.is_file():
        pytest.skip("no ggml-vocab-gemma-4.gguf at hand; name it with AGENTCORE_GEMMA_VOCAB")
    model = engine.Llama(str(path), vocab_only=True, verbose=False)
    yield model
    model.close()


@pytest.fixture(scope="module")
def source(vocabulary: Any) -> str:
    return str(vocabulary.metadata["tokenizer.chat_template"])


def render(source: str, messages: list[dict[str, Any]], **variables: Any) -> str:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source).render(messages=messages, bos_token="<bos>", **variables)


def model_turn(source: str, message: dict[str, Any]) -> str:
    """What the template writes for one turn of the model, up to the end of the turn."""
    rendered = render(source, [USER, {"role": "assistant", **message}])
    return rendered.split("<|turn>model\n", 1)[1].removesuffix("<turn|>\n")


def written(calls: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": name, "arguments": arguments}} for name, arguments in calls]


def test_the_dialect_is_recognised_by_the_template(source: str) -> None:
    choice = choose_dialect(source, {"<|tool_call>", "<turn|>", "<eos>"})
    assert (choice.dialect.name, choice.taught) == ("gemma4", True)
    assert choice.dialect.end_of_turn == ("<turn|>", "<eos>")


KEYS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
INNER_KEYS = st.sampled_from(["", "first name", "Content-Type", "src/a.py", "$id", "1", "it's", "x[0]", "ä"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20).filter(lambda text: QUOTE not in text),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | INNER_KEYS, inner, max_size=3),
    max_leaves=8,
)
CALLS = st.lists(st.tuples(KEYS, st.dictionaries(KEYS, VALUES, max_size=4)), min_size=1, max_size=3)


@given(calls=CALLS)
@settings(max_examples=60, deadline=None)
def test_calls_that_the_template_renders_are_read_back_and_written_alike(
    source: str, calls: list[tuple[str, dict[str, Any]]]
) -> None:
    turn = model_turn(source, {"content": "", "tool_calls": written(calls)})
    parsed = parse(GEMMA4, turn)
    assert parsed.problems == ()
    assert [(call.name, dict(call.arguments)) for call in parsed.calls] == calls
    assert parsed.content == ""
    assert GEMMA4.render_calls(calls) == turn


PLAIN = st.text("abc <>|\n{}é", max_size=20).filter(lambda text: "<|" not in text and "|>" not in text)


@given(thought=PLAIN, content=PLAIN)
@settings(max_examples=60, deadline=None)
def test_reasoning_is_what_the_template_strips_from_history(source: str, thought: str, content: str) -> None:
    reply = f"<|channel>thought\n{thought}<channel|>{content}"
    parsed = parse(GEMMA4, reply)
    assert parsed.reasoning == thought.strip()
    assert parsed.content == model_turn(source, {"content": reply})


@pytest.mark.parametrize("thinking", [True, False])
def test_a_prompt_never_ends_inside_reasoning(source: str, thinking: bool) -> None:
    prompt = render(source, [USER], add_generation_prompt=True, enable_thinking=thinking)
    assert prompt.endswith("<|turn>model\n" if thinking else "<|turn>model\n<|channel>thought\n<channel|>")
    assert not GEMMA4.opens_reasoning(prompt)


def test_a_tool_result_stays_in_the_models_turn(source: str) -> None:
    message = {"tool_calls": written([("f", {})]), "tool_responses": [{"name": "f", "response": "42"}], "content": ""}
    turn = model_turn(source, message)
    call, result = turn.split("<|tool_response>")
    assert result == f"response:f{{value:{QUOTE}42{QUOTE}}}<tool_response|>"
    assert is_complete(GEMMA4, f"{call}<|tool_response>")
    assert len(parse(GEMMA4, turn).calls) == 1


def token(vocabulary: Any, text: str) -> int:
    (found,) = vocabulary.tokenize(text.encode(), add_bos=False, special=True)
    return int(found)


MARKERS = [GEMMA4.call.open, GEMMA4.call.close, QUOTE, "<|channel>", "<channel|>", "<tool_response|>"]


@pytest.mark.parametrize("marker", MARKERS)
def test_markers_are_single_tokens_that_survive_detokenization(engine: Any, vocabulary: Any, marker: str) -> None:
    found = token(vocabulary, marker)
    vocab = engine.llama_model_get_vocab(vocabulary.model)
    assert engine.llama_vocab_get_attr(vocab, found) & engine.LLAMA_TOKEN_ATTR_USER_DEFINED
    assert not engine.llama_vocab_is_eog(vocab, found)
    assert vocabulary.detokenize([found], special=False).decode() == marker


@pytest.mark.parametrize("marker", [*GEMMA4.end_of_turn, *GEMMA4.result_open])
def test_stop_tokens_end_generation_and_vanish(engine: Any, vocabulary: Any, marker: str) -> None:
    found = token(vocabulary, marker)
    vocab = engine.llama_model_get_vocab(vocabulary.model)
    assert engine.llama_vocab_get_attr(vocab, found) & engine.LLAMA_TOKEN_ATTR_CONTROL
    assert engine.llama_vocab_is_eog(vocab, found)
    assert vocabulary.detokenize([found], special=False) == b""


READ = ToolSpec(
    name="fs_read",
    description="Read a file.",
    parameters={
        "type": "object",
        "properties": {"path": {"type": "string"}, "offset": {"type": "integer", "minimum": 1}},
        "required": ["path"],
        "additionalProperties": False,
    },
)


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ('<|tool_call>call:fs_read{path:<|"|>a<b <|"|>}<tool_call|>', True),
        ('I look.\n<|tool_call>call:fs_read{offset:2,path:<|"|>a\nb<|"|>}<tool_call|>', True),
        ('<|tool_call>call:fs_read{path:<|"|>a<|"|>,offset:2}<tool_call|>', False),
        ("<|tool_call>call:fs_read{path:a}<tool_call|>", False),
        ("<|channel>fs_read{file: src/price.py}", False),
    ],
)
def test_the_engine_writes_constrained_calls_with_the_familys_tokens(
    engine: Any, vocabulary: Any, text: str, accepted: bool
) -> None:
    grammar = call_grammar((READ,), dialect=GEMMA4, allow_finish=False)
    assert accepts(engine, vocabulary, grammar, text) is accepted
    assert (parse(GEMMA4, text).calls != ()) is (accepted or ",offset" in text)


def test_the_seeds_leaked_reply_is_cut_off_within_ten_of_its_lines(vocabulary: Any) -> None:
    line = "<|channel>shell{command: python3 -m unittest tests/test_price.py}\n"
    reply = "<|channel>fs_read{file: src/price.py}\n<|channel>fs_read{file: tests/test_price.py}\n" + line * 203
    tokens = vocabulary.tokenize(reply.encode(), add_bos=False, special=True)
    watch = DegenerateWatch()
    cut = next(at for at, one in enumerate(tokens) if watch(one))
    assert watch.loop
    shown = vocabulary.detokenize(tokens[: cut + 1], special=False).decode()
    assert shown.count("\n") <= 12
    parsed = parse(GEMMA4, shown)
    assert (parsed.calls, parsed.problems) == ((), ())
    assert resemblance(parsed.content, GEMMA4, ("fs_read", "shell")) is Resemblance.template_tokens


NEAR_MISSES = {
    "no call word": ("fs_read{}<tool_call|>", "call:<tool>"),
    "no braces": ("call:fs_read<tool_call|>", "call:<tool>"),
    "string without quotes": ("call:fs_read{file: src/price.py}<tool_call|>", "a string stands between"),
    "double quotes": ('call:a{x:"y"}<tool_call|>', "a string stands between"),
    "string not closed": ('call:a{x:<|"|>y}<tool_call|>', "not closed"),
    "not closed": ("call:a{x:1", "is missing"),
    "no marker": ("call:a{x:1}", "ends before <tool_call|>"),
    "trailing comma": ("call:a{x:1,}<tool_call|>", "key is missing"),
    "no colon": ("call:a{x 1}<tool_call|>", "the ':' behind it"),
    "no colon behind a quoted key": ('call:a{<|"|>x<|"|> 1}<tool_call|>', "':' is missing"),
    "a key twice": ("call:a{x:1,x:2}<tool_call|>", "stands twice"),
    "half a number": ("call:a{x:1.}<tool_call|>", "value is missing"),
    "infinite": ("call:a{x:1e999}<tool_call|>", "too large"),
    "another word": ("call:a{x:truely}<tool_call|>", "value is missing"),
    "too deep": ("call:a{x:" + "[" * 2000 + "<tool_call|>", "nested too deeply"),
    "list not closed": ("call:a{x:[1,2}<tool_call|>", "is missing"),
}


@pytest.mark.parametrize(("body", "words"), NEAR_MISSES.values(), ids=NEAR_MISSES.keys())
def test_near_misses_are_refused_in_words(body: str, words: str) -> None:
    refused(GEMMA4, body, words)
