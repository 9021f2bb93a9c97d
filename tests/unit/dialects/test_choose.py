"""A dialect is chosen by what the template writes, never by a model's name."""

from __future__ import annotations

import pytest

from pytest_agentcore.dialects.choose import choose_dialect
from pytest_agentcore.dialects.parse import parse
from pytest_agentcore.errors import UsageError

HERMES_TEMPLATE = """{% if tools %}For each call return an object within <tool_call></tool_call> tags:
<tool_call>{"name": <function-name>, "arguments": <args-json-object>}</tool_call>{% endif %}<|im_start|>"""
GEMMA_TEMPLATE = "{% for c in m.tool_calls %}<|tool_call>call:{{ c.function.name }}{...}<tool_call|>{% endfor %}"


@pytest.mark.parametrize(
    ("template", "name", "taught", "words"),
    [
        (HERMES_TEMPLATE, "hermes", True, "between <tool_call> and </tool_call>"),
        (GEMMA_TEMPLATE, "gemma4", True, "between <|tool_call> and <tool_call|>"),
        (None, "generic", False, "no chat template"),
        ("{% for m in messages %}{{ m.content }}{% endfor %}", "generic", False, "does not know tools"),
        ("{% if tools %}[TOOL_CALLS]{% endif %}", "mistral_json", True, "behind [TOOL_CALLS]"),
        (
            "{% if tools %}<TOOLCALL>{% endif %}",
            "generic",
            False,
            "<TOOLCALL>, a dialect that is not",
        ),
        ("{% if tools %}{{ tools }}{% endif %}", "generic", False, "no dialect here recognises"),
        (
            HERMES_TEMPLATE + "<function=name><parameter=key>",
            "qwen3_coder",
            True,
            "and holds <function= and <parameter=",
        ),
        (
            "{% for m in messages %}<start_of_turn>{{ m }}<end_of_turn>{% endfor %}",
            "gemma3",
            False,
            "makers prompt for",
        ),
        (HERMES_TEMPLATE + "<arg_key>", "generic", False, "no dialect here recognises"),
    ],
)
def test_choice(template: str | None, name: str, taught: bool, words: str) -> None:
    choice = choose_dialect(template, ())
    assert (choice.dialect.name, choice.taught) == (name, taught)
    assert words in choice.reason
    recognised = name != "generic" or "not know tools" in choice.reason or template is None
    assert (choice.warning == "") is recognised


def test_special_tokens_confirm_the_marker_and_give_the_ends_of_turns() -> None:
    choice = choose_dialect(HERMES_TEMPLATE, {"<tool_call>", "<|endoftext|>", "<|im_end|>", "<|fim_pad|>"})
    assert "<tool_call> is one token" in choice.reason
    assert choice.dialect.end_of_turn == ("<|im_end|>", "<|endoftext|>")
    assert parse(choice.dialect, "Done.<|endoftext|>").content == "Done."


def test_the_generic_dialect_takes_its_end_of_turn_from_the_vocabulary() -> None:
    choice = choose_dialect("{{ messages }}<|eot_id|>", {"</s>", "<|eot_id|>"})
    assert choice.dialect.end_of_turn == ("<|eot_id|>", "</s>")


def test_a_token_that_goes_on_ends_no_turn() -> None:
    template = "{% if tools %}<|channel|>commentary<|message|><|call|><|end|>{% endif %}"
    choice = choose_dialect(template, {"<|end|>", "<|call|>", "<|return|>"})
    assert (choice.dialect.name, choice.dialect.end_of_turn) == ("harmony", ("<|return|>", "<|call|>"))


def test_the_template_says_how_reasoning_is_marked() -> None:
    tools = "{% if tools %}[TOOL_CALLS]{% endif %}"
    for template, opens in ((tools, "[THINK]"), (f"{tools}<think>", "<think>"), (f"{tools}<think>[THINK]", "[THINK]")):
        reasoning = choose_dialect(template, ()).dialect.reasoning
        assert reasoning
        assert reasoning.open == opens


def test_a_dialect_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="no dialect 'latin'; there are hermes"):
        choose_dialect(None, (), wanted="latin")
