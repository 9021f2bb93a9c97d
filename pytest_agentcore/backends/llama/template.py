"""Renders a model's own chat template, after finding out once what the template can do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NoReturn

from pytest_agentcore.backends.base import Message, ToolCall
from pytest_agentcore.backends.llama.derive import CALL_IDS, TOOLS, Shown, Written, derive
from pytest_agentcore.backends.llama.messages import Calls, Habits, Protect, Results, Thoughts, Turn, as_dicts
from pytest_agentcore.backends.reading import tool_dicts
from pytest_agentcore.dialects.families import Choice, choose_dialect, choose_template
from pytest_agentcore.dialects.parse import parse
from pytest_agentcore.errors import BackendError, UsageError
from pytest_agentcore.tools.base import ToolSpec

CHATML = """\
{%- for message in messages -%}
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}
"""
"""For files without a template; llama.cpp falls back to the same."""

_GENERATION = re.compile(r"\{%(-?)\s*(?:end)?generation\s*(-?)%\}")
"""Marks what the model wrote, for training (Transformers); it renders to nothing."""

Render = Callable[..., str]


class _Given(list[Any]):
    """A list that a template is given, and may not change."""


def compile_template(source: str, today: datetime) -> Render:
    """A template as a function of `messages`, `tools`, `add_generation_prompt`, `bos_token`, `eos_token`.

    It runs sandboxed, with what Hugging Face's renderer offers templates, and may append to lists of its own, as
    llama.cpp's renderer allows. `today` is the one date it ever sees, so that a prompt does not change while a campaign
    runs.

    Raises:
        UsageError: no valid Jinja. What is returned raises BackendError where the template refuses a conversation.
    """
    from jinja2 import TemplateError  # noqa: PLC0415 - only an in-process model wants it
    from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedEnvironment  # noqa: PLC0415

    class Environment(ImmutableSandboxedEnvironment):
        def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
            if isinstance(obj, list) and not isinstance(obj, _Given) and attr in ("append", "pop"):
                return SandboxedEnvironment.is_safe_attribute(self, obj, attr, value)
            return super().is_safe_attribute(obj, attr, value)

    environment = Environment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    source = _GENERATION.sub(r"{#\1\2#}", source)
    # Jinja's own filter escapes for HTML; models were trained on plain JSON
    environment.filters["tojson"] = lambda value, indent=None, **options: json.dumps(
        value, indent=indent, default=_listed, **{"ensure_ascii": False, **options}
    )

    def raise_exception(message: str) -> NoReturn:
        raise TemplateError(message)

    environment.globals |= {"raise_exception": raise_exception, "strftime_now": today.strftime}
    try:
        template = environment.from_string(source)
    except TemplateError as error:
        raise UsageError(f"the chat template of the model file is no valid Jinja: {error}") from error

    def render(**values: Any) -> str:
        try:
            return template.render({key: _Given(one) if isinstance(one, list) else one for key, one in values.items()})
        except (TemplateError, TypeError, ValueError, AttributeError, LookupError, RecursionError) as error:
            raise BackendError(f"the chat template refuses the conversation: {error}") from error

    return render


@dataclass(frozen=True, kw_only=True)
class ChatTemplate:
    """A compiled template together with its habits and the dialect it speaks."""

    source: str
    choice: Choice
    bos: str
    eos: str
    today: datetime
    habits: Habits = field(init=False)
    _render: Render = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_render", compile_template(self.source, self.today))
        if not self.choice.taught and self.choice.warning and (found := self._derived()):
            object.__setattr__(self, "choice", found)
        object.__setattr__(self, "habits", find_habits(self._shown, self.choice))

    def _derived(self) -> Choice | None:
        """The dialect in which the template renders calls, where no listed one was recognised."""
        taught = replace(self.choice, taught=True, dialect=replace(self.choice.dialect, result_open=()))
        habits = replace(find_habits(self._shown, taught), short_ids=False)

        def calls(written: Written) -> str:
            made = tuple(
                ToolCall(id=i, name=name, arguments=dict(a)) for i, (name, a) in zip(CALL_IDS, written, strict=False)
            )
            if len(made) > 1 and habits.calls is not Calls.together:
                return ""
            results = (Turn(replace(_RESULT.message, tool_call_id=call.id, name=call.name)) for call in made)
            return self._behind(habits, Turn(replace(_CALL.message, tool_calls=made)), *results)

        thinking = Turn(replace(_THINKING_CALL.message, reasoning="THOUGHT"))
        said = self._behind(habits, Turn(Message(role="assistant", content="REPLY")), _USER)
        thought, asked = self._behind(habits, thinking, _RESULT), self._shown(habits, _USER, specs=TOOLS)
        shown = Shown(calls=calls, said=said, thought=thought, asked=asked, source=self.source)
        if habits.calls is Calls.as_text or not (found := derive(shown)):
            return None
        dialect, words = found
        dialect = replace(dialect, end_of_turn=self.choice.dialect.end_of_turn)
        reason = f"found by rendering calls with the chat template: {words}; a dozen were read back exactly"
        return Choice(dialect=dialect, reason=reason, taught=True)

    @property
    def warning(self) -> str:
        """One sentence where calls of this template's own may not be understood; empty otherwise."""
        if self.choice.warning or not self.choice.taught:
            return self.choice.warning
        said = self._behind(self.habits, _CALL, _RESULT)
        if [call.name for call in parse(self.choice.dialect, said).calls] == ["probe"]:
            return ""
        name = self.choice.dialect.name
        return f"the chat template was taken for {name}, and renders a call that the {name} dialect does not read"

    @property
    def dated(self) -> bool:
        """Whether the prompt may carry a date."""
        return "strftime_now" in self.source

    def prompt(
        self, turns: Sequence[Turn], specs: Sequence[ToolSpec], protect: Protect, habits: Habits | None = None
    ) -> str:
        """The conversation as text, up to where the model's reply begins; in other habits than its own to probe them.

        Raises:
            BackendError: the template refuses the conversation.
        """
        habits = habits or self.habits
        tools = tool_dicts(specs) if habits.tools else []
        return self._render(
            messages=as_dicts(turns, specs, habits, self.choice.dialect, protect),
            tools=tools if tools or habits.tools_listed else None,
            functions=json.dumps(tools, indent=4) if tools else "",  # as FireFunction calls them
            datetime=self.today.strftime("%Y-%m-%d"),
            add_generation_prompt=True,
            bos_token=self.bos,
            eos_token=self.eos,
        )

    def _behind(self, habits: Habits, *turns: Turn) -> str:
        """The text of a conversation behind its question, up to the first result."""
        asked, told = (self._shown(habits, *said, specs=TOOLS) for said in ([_USER], [_USER, *turns]))
        shared = asked[: next((at for at, one in enumerate(asked) if not told.startswith(one, at)), len(asked))]
        shared = shared[: shared.rfind("<")] if shared.rfind("<") > shared.rfind(">") else shared
        return told.removeprefix(shared).partition("RESULT-PROBE")[0]

    def _shown(self, habits: Habits, *turns: Turn, specs: Sequence[ToolSpec] | None = None) -> str:
        """A probing conversation as text, empty where the template refuses it."""
        try:
            return self.prompt(turns, (specs or [_TOOL]) if habits.tools else [], str, habits)
        except BackendError:
            return ""


def open_template(
    template: str | None,
    tool_template: str | None,
    special_tokens: Mapping[str, Any] | frozenset[str],
    *,
    bos: str = "",
    eos: str = "",
    wanted: str = "",
) -> ChatTemplate:
    """The one of a model's two templates that is used, ready to render; ChatML where there is none.

    Raises:
        UsageError: no dialect is called `wanted`, or no template renders a single question.
    """
    today = datetime.now(UTC)
    source, choice = choose_template(template, tool_template, special_tokens, wanted=wanted)
    try:
        return ChatTemplate(source=source or CHATML, choice=choice, bos=bos, eos=eos, today=today)
    except UsageError as error:
        if template is None or source == template:
            raise
        choice = choose_dialect(template, special_tokens, wanted=wanted)
        chat = ChatTemplate(source=template, choice=choice, bos=bos, eos=eos, today=today)
        told = f"the template for tools is not used ({error}), but the one without: {chat.choice.reason}"
        return replace(chat, choice=replace(chat.choice, reason=told, warning=chat.choice.warning or told))


_SYSTEM = Turn(Message(role="system", content="SYSTEM-PROBE"))
_USER = Turn(Message(role="user", content="USER-PROBE"))
_REPLY = Turn(Message(role="assistant", content="REPLY-PROBE"))
_TOOL = ToolSpec(name="probe", description="Probe.", parameters={"type": "object", "properties": {}})
_CALL = Turn(
    Message(role="assistant", content="", tool_calls=(ToolCall(id="call_1_1", name="probe", arguments={"a": "b"}),))
)
_SECOND = ToolCall(id="call_1_2", name="probe", arguments={"a": "SECOND-PROBE"})
_SECOND_CALL = Turn(replace(_CALL.message, tool_calls=(_SECOND,)))
_TWO_CALLS = Turn(replace(_CALL.message, tool_calls=(*_CALL.message.tool_calls, _SECOND)))
_SAYING_CALL = Turn(replace(_CALL.message, content="SAID-PROBE", tool_calls=(_SECOND,)))
_THINKING_CALL = Turn(replace(_CALL.message, reasoning="THOUGHT-PROBE"))
_RESULT = Turn(Message(role="tool", content="RESULT-PROBE", tool_call_id="call_1_1", name="probe"))
_RESULT_2 = Turn(replace(_RESULT.message, tool_call_id="call_1_2"))


def find_habits(shown: Callable[..., str], choice: Choice) -> Habits:
    """Find the ways of a template by rendering small conversations with it.

    Args:
        shown: the text of given turns under given habits, empty where the template refuses them.
        choice: the dialect, and whether the template teaches it.

    Raises:
        UsageError: it does not even render one question.
    """
    plain = Habits(alternates=False)
    if not shown(plain, _USER):
        plain = replace(plain, tools_listed=True)
    system = "SYSTEM-PROBE" in shown(plain, _SYSTEM, _USER)
    alternates = not (choice.taught and system and shown(plain, _USER, _USER))
    habits = replace(plain, tools=choice.taught, system=system, alternates=alternates)
    if "USER-PROBE" not in (asked := shown(habits, _USER)):
        raise UsageError("the chat template of the model file does not render a single question")
    if choice.taught:
        habits = _with_calls(shown, habits)
        # the first way that shows a result behind the dialect's own marker, else the first that shows it at all
        texts = {way: shown(replace(habits, results=way), _USER, _CALL, _RESULT) for way in Results}
        before = {way: text.partition("RESULT-PROBE")[0] for way, text in texts.items() if "RESULT-PROBE" in text}
        marked = (way for way, text in before.items() if any(marker in text for marker in choice.dialect.result_open))
        habits = replace(habits, results=next(marked, next(iter(before), Results.user_text)))

    # does a reply's own text, as content, give what the structured reply gives, and leave what surrounds it alone?
    written = choice.dialect.render_calls([("probe", {"a": "b"})])
    structured = shown(habits, _USER, _CALL, _RESULT)
    own = shown(habits, _USER, Turn(_CALL.message, verbatim=written), _RESULT)
    behind = own.removeprefix(asked + written)
    answered = shown(habits, _USER, _REPLY, _USER).startswith(asked + "REPLY-PROBE")
    return replace(habits, verbatim=answered and behind != own and structured.endswith(behind))


def _with_calls(shown: Callable[..., str], habits: Habits) -> Habits:
    """Find how the template takes structured calls and the reasoning before them."""
    found = replace(habits, results=Results.tool_role)
    short = replace(found, short_ids=True)
    if not shown(found, _USER, _CALL, _RESULT) and shown(short, _USER, _CALL, _RESULT):
        found = short
    ways = [
        replace(found, none_beside_calls=none, content_beside_calls=not none, arguments_as_text=text)
        for none in (False, True)
        for text in (False, True)
    ]
    structured = next((way for way in ways if "SECOND-PROBE" in shown(way, _USER, _SECOND_CALL, _RESULT_2)), None)
    if structured is None:
        return replace(found, calls=Calls.as_text)
    found = structured
    if "SECOND-PROBE" not in shown(found, _USER, _TWO_CALLS, _RESULT, _RESULT_2):
        found = replace(found, calls=Calls.one_each)
    if not found.none_beside_calls:
        beside = "SECOND-PROBE" in shown(found, _USER, _SAYING_CALL, _RESULT_2)
        found = replace(found, content_beside_calls=beside)
    # the first way that shows the reasoning, and shows it as text: some templates print what they do not know
    for thoughts in (Thoughts.reasoning_content, Thoughts.thinking, Thoughts.blocks):
        text = shown(replace(found, thoughts=thoughts), _USER, _THINKING_CALL, _RESULT)
        if "THOUGHT-PROBE" in text and "'thinking'" not in text:
            return replace(found, thoughts=thoughts)
    return found


def _listed(value: Any) -> list[Any]:
    """Turn the iterator that a filter such as `map` gives into a list, as other renderers do."""
    if isinstance(value, Iterator):
        return list(value)
    raise TypeError(f"no JSON value: {type(value).__name__}")
