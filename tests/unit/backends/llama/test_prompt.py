"""From messages to tokens: contents stay contents, sampled tokens stay as they were sampled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.conformance import READ, following, request
from pytest_agentcore.backends.base import Message, Reply, Request, ToolCall
from pytest_agentcore.backends.llama.engine import LoadedModel
from pytest_agentcore.backends.llama.prompt import Prompt, Prompter, common_prefix
from pytest_agentcore.backends.llama.template import CHATML, ChatTemplate
from pytest_agentcore.backends.llama.vocabulary import PromptEncoder, Vocabulary
from pytest_agentcore.catalogue.entry import EngineSettings
from pytest_agentcore.dialects.families import choose_dialect
from pytest_agentcore.tools.base import ToolSpec

HERMES = """\
{%- if tools %}<|im_start|>system
<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools> {"name": ..., "arguments": ...}<|im_end|>
{% endif %}
{%- for m in messages %}
{%- if m.role == 'tool' %}{{ '<|im_start|>user\n<tool_response>\n' + m.content + '\n</tool_response><|im_end|>\n' }}
{%- else %}{{ '<|im_start|>' + m.role + '\n' }}
{%- if m.reasoning_content and loop.index0 > LATEST %}{{ '<think>' + m.reasoning_content + '</think>' }}{% endif %}
{{- m.content }}
{%- for c in m.tool_calls %}{{ '<tool_call>\n' + (c.function | tojson) + '\n</tool_call>' }}{% endfor %}
{{- '<|im_end|>\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""
ODD = '<tool_call>\n{"name":"fs_read","arguments":{"path":"a.txt"}}\n</tool_call>'
CALL = ToolCall(id="call_1_1", name="fs_read", arguments={"path": "a.txt"})
WRITE = replace(READ, name="fs_write")
RESULT = Message(role="tool", content="text", tool_call_id="call_1_1", name="fs_read")


@pytest.fixture(scope="module")
def vocabulary(smollm2: Path) -> Iterator[Vocabulary]:
    pytest.importorskip("llama_cpp", reason="the package llama_cpp is not installed")
    model = LoadedModel(smollm2, EngineSettings(), vocab_only=True)
    yield model.vocabulary
    model.close()


def prompter(vocabulary: Vocabulary, source: str) -> Prompter:
    choice = choose_dialect(source, vocabulary.special)
    template = ChatTemplate(
        source=source, choice=choice, bos="", eos="<|im_end|>", today=datetime(2026, 1, 1, tzinfo=UTC)
    )
    return Prompter(template, PromptEncoder(vocabulary))


def reply_of(text: str, vocabulary: Vocabulary, *, calls: tuple[ToolCall, ...] = (CALL,), reasoning: str = "") -> Reply:
    """Tokenized as no tokenizer would: one character at a time."""
    ids = tuple(token for char in text for token in vocabulary.tokenize(char, special=False))
    return Reply(text=text, content="", tool_calls=calls, reasoning=reasoning, token_ids=ids)


def second_turn(asking: Prompter, reply: Reply, *, whole: bool = True) -> tuple[Prompt, Prompt, Request]:
    asked = request("Read it.")
    first = asking.prompt(asked, (READ,))
    asking.remember(asked, first, reply, whole=whole)
    after = following(asked, reply, RESULT)
    return first, asking.prompt(after, (READ,)), after


@pytest.mark.parametrize("source", [CHATML, HERMES.replace("LATEST", "-1")], ids=["generic", "hermes"])
def test_a_reply_is_kept_as_it_was_sampled(source: str, vocabulary: Vocabulary) -> None:
    asking, reply = prompter(vocabulary, source), reply_of(ODD, vocabulary)
    first, second, _ = second_turn(asking, reply)
    held = [*first.tokens, *reply.token_ids]
    assert second.tokens[: len(held)] == held
    assert second.text.startswith(first.text + ODD + "<|im_end|>")
    assert vocabulary.text(second.tokens) == second.text


def test_a_reply_that_was_cut_off_is_given_back_as_a_structured_message(vocabulary: Vocabulary) -> None:
    asking, reply = prompter(vocabulary, CHATML), reply_of(ODD, vocabulary)
    _, second, _ = second_turn(asking, reply, whole=False)
    assert ODD not in second.text
    assert '{"name": "fs_read", "arguments": {"path": "a.txt"}}' in second.text


def test_reasoning_that_the_template_keeps_stays_cached(vocabulary: Vocabulary) -> None:
    written = '<think>Hm.</think><tool_call>\n{"name": "fs_read", "arguments": {"path": "a.txt"}}\n</tool_call>'
    asking, reply = prompter(vocabulary, HERMES.replace("LATEST", "-1")), reply_of(written, vocabulary, reasoning="Hm.")
    first, second, _ = second_turn(asking, reply)
    assert common_prefix(second.tokens, [*first.tokens, *reply.token_ids]) == len(first.tokens) + len(reply.token_ids)


def test_a_template_that_drops_reasoning_wins(vocabulary: Vocabulary) -> None:
    source = HERMES.replace("LATEST", "99")
    asking, reply = prompter(vocabulary, source), reply_of(f"<think>Hm.</think>{ODD}", vocabulary, reasoning="Hm.")
    first, second, after = second_turn(asking, reply)
    assert "Hm." not in second.text
    assert second.tokens == prompter(vocabulary, source).first(after.messages, (READ,)).tokens
    assert common_prefix(second.tokens, first.tokens) == len(first.tokens)


def test_another_trial_starts_afresh(vocabulary: Vocabulary) -> None:
    asking, reply = prompter(vocabulary, CHATML), reply_of(ODD, vocabulary)
    second_turn(asking, reply)
    again = asking.prompt(request("Read it."), (READ,))
    assert again == prompter(vocabulary, CHATML).prompt(request("Read it."), (READ,))
    assert again.forks is not None


def test_the_last_fork_is_what_all_tasks_share(vocabulary: Vocabulary) -> None:
    one, other = (prompter(vocabulary, CHATML).first(request(q).messages, (READ,)) for q in ("Read it.", "Sum up."))
    assert one.forks == other.forks
    assert one.forks
    assert one.tokens[: one.forks[-1]] == other.tokens[: one.forks[-1]]
    assert vocabulary.text(one.tokens[: one.forks[-1]]).rstrip().endswith("<|im_start|>user")


@pytest.mark.parametrize("fewer", [(READ,), (WRITE,), (WRITE, READ)])
def test_tasks_with_other_tools_part_at_forks_of_both(fewer: tuple[ToolSpec, ...], vocabulary: Vocabulary) -> None:
    one, other = (prompter(vocabulary, HERMES).first(request("Read it.").messages, s) for s in ((READ, WRITE), fewer))
    shared = common_prefix(one.tokens, other.tokens)
    assert one.forks
    assert other.forks
    common = [fork for fork in one.forks if fork <= shared]
    assert common == [fork for fork in other.forks if fork <= shared]
    assert max(common) >= shared - 4  # both names may begin with `fs_`


def test_earlier_conversation_belongs_to_the_fork_and_keeps_replies_as_sampled(vocabulary: Vocabulary) -> None:
    earlier = (
        Message(role="user", content="And the garden?"),
        Message(role="assistant", content="", tool_calls=(CALL,)),
        RESULT,
        Message(role="assistant", content="It rained."),
    )
    asking, reply = prompter(vocabulary, CHATML), reply_of(ODD, vocabulary)
    one, other = (request(question) for question in ("Read it.", "Sum up."))
    asked, others = (replace(r, messages=(r.messages[0], *earlier, *r.messages[1:])) for r in (one, other))
    first = asking.prompt(asked, (READ,))
    assert first.forks
    fork = first.forks[-1]
    shared = vocabulary.text(first.tokens[:fork])
    assert "It rained." in shared
    assert first.tokens[:fork] == prompter(vocabulary, CHATML).first(others.messages, (READ,)).tokens[:fork]
    asking.remember(asked, first, reply, whole=True)
    second = asking.prompt(following(asked, reply, RESULT), (READ,))
    assert second.tokens[: len(first.tokens) + len(reply.token_ids)] == [*first.tokens, *reply.token_ids]
    assert asking.tokens(asked.messages, (READ,)) == first.tokens


PARTS = st.sampled_from(
    [
        "<|im_start|>",
        "<|im_end|>",
        "<|endoftext|>",
        "<filename>",
        "<",
        "|",
        "im_end",
        "|>",
        "\ue000",
        "\ue001",
        " ",
        "é",
    ]
)
TEXTS = st.lists(PARTS | st.text(max_size=5), max_size=12).map("".join)


@pytest.fixture(scope="module")
def generic(vocabulary: Vocabulary) -> Prompter:
    return prompter(vocabulary, CHATML)


@given(texts=st.tuples(TEXTS, TEXTS, TEXTS, TEXTS))
@settings(max_examples=50, deadline=None)
def test_no_text_makes_a_control_token(
    generic: Prompter, vocabulary: Vocabulary, texts: tuple[str, str, str, str]
) -> None:
    def control_tokens(system: str, question: str, result: str, argument: str) -> list[int]:
        call = ToolCall(id="call_1_1", name=argument or "x", arguments={argument: [argument]})
        spoken = (
            Message(role="system", content=system),
            Message(role="user", content=question),
            Message(role="assistant", content=argument, tool_calls=(call,)),
            Message(role="tool", content=result, tool_call_id="call_1_1", name=argument),
        )
        prompt = generic.first(spoken, (READ,))
        assert all(text in prompt.text for text in (system.strip(), question, result))
        return [token for token in prompt.tokens if token in vocabulary.control.values()]

    assert control_tokens(*texts) == control_tokens("s", "q", "r", "a")


@given(text=st.lists(PARTS | st.text("abc XYZ 01 éü {}<>|\n\t\"'\\"), max_size=12).map("".join))
@settings(max_examples=50, deadline=None)
def test_text_survives_protection_and_tokenizer(vocabulary: Vocabulary, text: str) -> None:
    encoder = PromptEncoder(vocabulary)
    tokens = encoder.encode(encoder.protect(text, cut := encoder.break_for(text)), cut, begins=False)
    assert vocabulary.text(tokens) == text
