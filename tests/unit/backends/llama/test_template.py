"""Chat templates and what they can do; conversations reshaped to fit."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from pytest_agentcore.backends.base import Message, ToolCall
from pytest_agentcore.backends.llama.messages import Habits, Results, Turn
from pytest_agentcore.backends.llama.template import CHATML, ChatTemplate, compile_template, open_template
from pytest_agentcore.dialects.families import choose_dialect
from pytest_agentcore.errors import BackendError, UsageError
from pytest_agentcore.tools.base import ToolSpec

TODAY = datetime(2026, 11, 23, tzinfo=UTC)
READ = ToolSpec(name="fs_read", description="Read <a> file & more.", parameters={"type": "object", "properties": {}})
CALL = ToolCall(id="call_1_1", name="fs_read", arguments={"path": "ä <b>"})
CONVERSATION = [
    Message(role="system", content="Be brief."),
    Message(role="user", content="Read it."),
    Message(role="assistant", content="", tool_calls=(CALL,)),
    Message(role="tool", content="the text", tool_call_id="call_1_1", name="fs_read"),
]

HERMES = """\
{%- if tools %}<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools>
For calls write <tool_call>{"name": ..., "arguments": ...}</tool_call>
{% endif %}
{%- for m in messages %}
{%- if m.role == 'tool' %}<|user|><tool_response>{{ m.content }}</tool_response>
{% elif m.tool_calls %}<|assistant|>
{%- for c in m.tool_calls %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}
{% else %}<|{{ m.role }}|>{{ m.content }}
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|assistant|>{% endif %}"""

STRICT = """\
{{ bos_token }}
{%- if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
{%- for m in messages %}
{%- if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}
{{- '[' + m['role'] + ']' + m['content'] | trim + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}[assistant]{% endif %}"""


def template(source: str) -> ChatTemplate:
    choice = choose_dialect(source, ["<|im_end|>"])
    return ChatTemplate(source=source, choice=choice, bos="<s>", eos="</s>", today=TODAY)


def prompt(chat: ChatTemplate, *messages: Message, tools: tuple[ToolSpec, ...] = (READ,)) -> str:
    return chat.prompt([Turn(message) for message in messages], tools, str)


def test_a_template_that_teaches_tools_gets_them() -> None:
    chat = template(HERMES)
    assert chat.habits == Habits(tools=True, results=Results.tool_role, alternates=False, verbatim=False)
    text = prompt(chat, *CONVERSATION)
    assert '"description": "Read <a> file & more."' in text
    assert '<tool_call>{"name": "fs_read", "arguments": {"path": "ä <b>"}}</tool_call>' in text
    assert text.endswith("<|user|><tool_response>the text</tool_response>\n<|assistant|>")


def test_a_template_without_tools_gets_the_generic_prompt() -> None:
    chat = template(CHATML)
    assert chat.habits == Habits()
    text = prompt(chat, *CONVERSATION)
    assert text.startswith("<|im_start|>system\nBe brief.\n\nYou can call these tools.")
    assert '"path": "ä <b>"' in text
    assert text.endswith(
        '<|im_start|>user\n<tool_result name="fs_read">\nthe text\n</tool_result><|im_end|>\n<|im_start|>assistant\n'
    )


def test_without_a_system_message_the_tool_prompt_is_one() -> None:
    text = prompt(template(CHATML), Message(role="user", content="Hi"))
    assert text.startswith("<|im_start|>system\nYou can call these tools.")
    assert "You can call" not in prompt(template(CHATML), Message(role="user", content="Hi"), tools=())


def test_a_template_that_wants_strict_turns_and_no_system_role_is_humoured() -> None:
    chat = template(STRICT)
    assert chat.habits == Habits(system=False)
    results = [CONVERSATION[3], Message(role="tool", content="more", tool_call_id="call_1_2", name="shell")]
    text = prompt(chat, *CONVERSATION[:3], *results)
    assert text.startswith("<s>[user]Be brief.")
    assert text.index("Be brief.") < text.index("You can call") < text.index("Read it.") < text.index("[assistant]")
    assert text.index("the text") < text.index('<tool_result name="shell">') < text.rindex("[assistant]")
    assert text.count("[user]") == 2


def test_a_template_with_tool_responses_gets_the_results_where_the_calls_are() -> None:
    source = HERMES.replace(
        "{% endfor %}\n{% else %}",
        "{% endfor %}{% for r in m.tool_responses %}<tool_response>{{ r.name }}={{ r.response }}</tool_response>"
        "{% endfor %}\n{% else %}",
    ).replace("m.role == 'tool'", "m.role == 'never'")
    chat = template(source)
    assert chat.habits.results is Results.tool_responses
    assert "</tool_call><tool_response>fs_read=the text</tool_response>" in prompt(chat, *CONVERSATION)


def test_replies_in_the_models_own_words_are_kept_where_the_template_keeps_them() -> None:
    chat = template(CHATML)
    own = "I look.\n<tool_call>{ 'odd' }</tool_call>"
    turns = [Turn(CONVERSATION[1]), Turn(CONVERSATION[2], verbatim=own), Turn(CONVERSATION[3])]
    assert f"<|im_start|>assistant\n{own}<|im_end|>" in chat.prompt(turns, (), str)


def test_the_date_does_not_move() -> None:
    chat = template("{% for m in messages %}{{ m.content }}{% endfor %}{{ strftime_now('%d %b %Y') }}")
    assert chat.dated
    assert prompt(chat, Message(role="user", content="Hi"), tools=()).endswith("23 Nov 2026")


@pytest.mark.parametrize(
    ("source", "says"),
    [("{% for %}", "no valid Jinja"), ("{{ raise_exception('never') }}", "does not render a single question")],
)
def test_a_template_that_cannot_be_used_is_refused_at_load(source: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        template(source)


def test_a_conversation_that_the_template_refuses_is_a_failure_of_the_backend() -> None:
    chat = template(
        "{% for m in messages %}{{ m.content }}{% if m.content == 'x' %}{{ 1 + 'a' }}{% endif %}{% endfor %}"
    )
    with pytest.raises(BackendError, match="refuses the conversation"):
        prompt(chat, Message(role="user", content="x"), tools=())


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{% for i in range(10000000) %}{% endfor %}",
        "{{ raise_exception.__globals__['json'] }}",
    ],
)
def test_templates_are_sandboxed(source: str) -> None:
    def nothing_else() -> Any:
        return compile_template(source, TODAY)(messages=[])

    with pytest.raises(Exception, match=r"unsafe|access to attribute|Range too big"):
        nothing_else()


def test_what_other_renderers_offer_templates_is_there() -> None:
    render = compile_template(
        "{% generation %}{{ tools | map(attribute='name') | tojson(ensure_ascii=False) }}{%- endgeneration %}", TODAY
    )
    assert render(tools=[{"name": "ä"}]) == '["ä"]'


KIMI = """\
{%- for m in messages %}{% if m.role == 'tool' %}<|im_system|>tool<|im_middle|>## Return of {{ m.tool_call_id }}
{{ m.content }}<|im_end|>
{%- elif m.role == 'assistant' %}<|im_assistant|>assistant<|im_middle|>{{ m.content }}
{%- if m.tool_calls %}<|tool_calls_section_begin|>{% for c in m.tool_calls -%}
<|tool_call_begin|>{{ c['id'] }}<|tool_call_argument_begin|>{{ c.function.arguments | tojson }}<|tool_call_end|>
{%- endfor %}<|tool_calls_section_end|>{% endif %}<|im_end|>
{%- else %}<|im_user|>{{ m.role }}<|im_middle|>{{ m.content }}<|im_end|>{% endif %}{% endfor %}
{%- if tools %}{% endif %}{% if add_generation_prompt %}<|im_assistant|>assistant<|im_middle|>{% endif %}"""
"""In the form of Kimi K2's own template, which prints the ids of calls and results."""


def test_a_family_that_prints_ids_gets_its_own() -> None:
    template = open_template(KIMI, None, frozenset())
    calls = tuple(ToolCall(id=f"call_1_{n}", name=name, arguments={}) for n, name in enumerate(("a", "b"), 1))
    later = ToolCall(id="call_2_1", name="a", arguments={})
    turns = [
        Turn(Message(role="user", content="Go.")),
        Turn(Message(role="assistant", content="", tool_calls=calls)),
        *(Turn(Message(role="tool", content="ok", tool_call_id=call.id, name=call.name)) for call in calls),
        Turn(Message(role="assistant", content="", tool_calls=(later,))),
        Turn(Message(role="tool", content="ok", tool_call_id="call_2_1", name="a")),
    ]
    told = template.prompt(turns, [READ], str)
    assert re.findall(r"begin\|>(functions[^<]*)", told) == ["functions.a:0", "functions.b:1", "functions.a:2"]
    assert re.findall(r"Return of (\S+)", told) == ["functions.a:0", "functions.b:1", "functions.a:2"]


PLAIN = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<|a|>{% endif %}"
)


def test_a_template_that_wants_a_list_of_tools_gets_an_empty_one() -> None:
    template = open_template("{% for t in tools %}{{ t | tojson }}{% endfor %}" + PLAIN, None, frozenset())
    assert template.habits.tools_listed
    assert "Go." in template.prompt([Turn(Message(role="user", content="Go."))], [], str)


def test_beside_a_template_for_tools_that_cannot_be_rendered_the_default_is_used_and_named() -> None:
    broken = "{{ raise_exception('never') }}{{ tools }}"
    template = open_template(PLAIN, broken, frozenset())
    assert template.source == PLAIN
    assert "the template for tools is not used" in template.choice.reason
    assert "the template for tools is not used" in template.warning
    with pytest.raises(UsageError, match="does not render a single question"):
        open_template(None, broken, frozenset())
