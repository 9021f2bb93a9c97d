"""What a reply without a structured call is said to have looked like."""

from __future__ import annotations

import pytest
from listed import GEMMA4

from pytest_agentcore.dialects.dialect import Dialect
from pytest_agentcore.dialects.families import DIALECTS, FOREIGN_CALL_MARKERS, GENERIC, HERMES
from pytest_agentcore.dialects.lenient import parse_leniently
from pytest_agentcore.dialects.parse import parse
from pytest_agentcore.dialects.resemblance import leaks_template, resemblance
from pytest_agentcore.trial.modes import Resemblance

TOOLS = ("fs_read", "shell")
LEAKED = "<|channel>fs_read{file: src/price.py}\n" + (
    "<|channel>shell{command: python3 -m unittest tests/test_price.py}\n" * 200
)

EXAMPLES: dict[str, tuple[Dialect, str, Resemblance | None]] = {
    "the seed's leak": (GEMMA4, LEAKED, Resemblance.template_tokens),
    "the seed's leak from another family": (HERMES, LEAKED, Resemblance.template_tokens),
    "chatml": (HERMES, "Done.<|im_start|>user\nThanks", Resemblance.template_tokens),
    "a made-up result": (HERMES, "<tool_response>\n12\n</tool_response>", Resemblance.template_tokens),
    "a made-up result, ours": (GENERIC, '<tool_result name="fs_read">12', Resemblance.template_tokens),
    "gemma's turn": (GEMMA4, "Done.<|turn>user", Resemblance.template_tokens),
    "gemma 3": (GENERIC, "<start_of_turn>model", Resemblance.template_tokens),
    "llama": (GENERIC, "[INST] go on [/INST]", Resemblance.template_tokens),
    "llama 3": (GENERIC, "<|start_header_id|>assistant", Resemblance.template_tokens),
    "broken hermes": (HERMES, "<tool_call>fs_read", Resemblance.broken_call),
    "broken gemma": (GEMMA4, "<|tool_call>call:fs_read{file: a}", Resemblance.broken_call),
    "gemma from hermes": (HERMES, "<|tool_call>call:fs_read{}<tool_call|>", Resemblance.other_dialect),
    "hermes from gemma": (GEMMA4, '<tool_call>{"name": "fs_read"}</tool_call>', Resemblance.other_dialect),
    "mistral": (HERMES, '[TOOL_CALLS][{"name": "fs_read"}]', Resemblance.other_dialect),
    "xml": (GENERIC, "<function=fs_read><parameter=path>a</parameter></function>", Resemblance.other_dialect),
    "fenced": (HERMES, '```json\n{"name": "fs_read", "arguments": {broken\n```', Resemblance.fenced_call),
    "fenced later": (HERMES, 'Text\n```\n{\n  "type": "x", "tool": "shell"}\n```', Resemblance.fenced_call),
    "fenced function": (GENERIC, '```tool_code\nfs_read(path="a")\n```', Resemblance.fenced_call),
    "bare": (HERMES, 'So {"name": "shell", "arguments": {"command": "ls', Resemblance.bare_call),
    "bare keyed": (HERMES, '{"fs_read": {"path": "a"}}', Resemblance.bare_call),
    "bare python": (HERMES, "{'name': 'shell'}", Resemblance.bare_call),
    "function": (HERMES, 'fs_read(path="a")\n', Resemblance.bare_call),
    "after a fence": (HERMES, '```\nx\n```\n{"name": "shell"}', Resemblance.bare_call),
    "prose": (HERMES, "I used the shell to look at it: fs_read worked.", None),
    "other json": (HERMES, '{"name": "Ada", "shell": "bash"}', None),
    "operators": (HERMES, "f <|> g, a <| b |> c, 1 < 2 | 3 > 2, <b>bold</b>, [INSTALL]", None),
    "unknown tool": (HERMES, '{"name": "browse", "arguments": {}}', None),
    "empty": (HERMES, "", None),
}


@pytest.mark.parametrize(("dialect", "content", "expected"), EXAMPLES.values(), ids=EXAMPLES.keys())
def test_resemblance(dialect: Dialect, content: str, expected: Resemblance | None) -> None:
    assert resemblance(content, dialect, TOOLS) is expected


def test_tokens_that_are_also_markup_count_only_where_the_vocabulary_has_them() -> None:
    assert resemblance("<s>gone</s>", GENERIC, TOOLS) is None
    assert resemblance("<s>gone</s>", GENERIC, TOOLS, {"<s>", "</s>"}) is Resemblance.template_tokens
    assert resemblance("<b>bold</b>", GENERIC, TOOLS, {"<b>", "</b>"}) is None


def test_without_tools_no_text_is_a_call() -> None:
    assert resemblance('{"name": "shell"}', HERMES, ()) is None


@pytest.mark.parametrize("unit", ['{"name": ', "<|", "```", "shell", ", 'name': 'x", "fs_read("])
def test_a_megabyte_is_read_in_one_pass(unit: str) -> None:
    found = resemblance(unit * (1_000_000 // len(unit)), HERMES, TOOLS)
    assert found in (None, Resemblance.bare_call)


@pytest.mark.parametrize(
    ("content", "leaks"),
    [
        ("I write.<|im_start|>assistant", True),
        ("<|im_start|>assistant\n<tool_call>{bad</tool_call>", True),
        ("<|tool_call>call:fs_read{file: a}<tool_call|><|turn>user", True),
        ("[TOOL_CALLS]fs_read[ARGS]{}[INST] go on [/INST]", True),
        ("<tool_response>\n12\n</tool_response>", True),
        ("<|channel|>final<|message|>hi", True),
        ('<|tool_call>call:fs_read{file:<|"|>a}<tool_call|>', False),
        ("<|channel|>commentary to=functions.shell <|constrain|>json<|message|>{bad<|call|>", False),
        ("<|tool_call_start|>[shell(]<|tool_call_end|>", False),
        ("<tool_call>{bad</tool_call>", False),
        ("f <|> g, done", False),
    ],
)
def test_marks_of_calls_are_no_leak_and_what_stands_beside_them_is(content: str, leaks: bool) -> None:
    assert leaks_template(content) is leaks


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_a_call_cut_off_leaks_nothing(dialect: Dialect) -> None:
    call = dialect.render_calls([("shell", {"command": "ls"}), ("fs_read", {"path": "a"})])
    assert not leaks_template(call)
    assert not leaks_template(call[: call.index("ls")])


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_markers_that_gave_no_call_are_always_named(dialect: Dialect) -> None:
    for other in DIALECTS:
        for sign in other.signs:
            text = f"I would {sign} now."
            strict, lenient = parse(dialect, text), parse_leniently(text, dialect, ["fs_read"])
            fenced = sign.startswith("```") and not strict.problems  # which any code may be
            for parsed in (strict, lenient):
                assert fenced or parsed.calls or parsed.problems or resemblance(parsed.content, dialect, ["fs_read"])
    for marker in FOREIGN_CALL_MARKERS:
        assert resemblance(f"I would {marker} now.", dialect, ["fs_read"])
