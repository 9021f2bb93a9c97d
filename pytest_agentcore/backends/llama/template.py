"""Renders a model's own chat template, after finding out once what the template can do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NoReturn

from pytest_agentcore.backends.base import Message, ToolCall
from pytest_agentcore.backends.llama.messages import (
    Calls,
    Habits,
    Protect,
    Results,
    Thoughts,
    Turn,
    as_dicts,
)
from pytest_agentcore.backends.reading import tool_dicts
from pytest_agentcore.dialects.choose import Choice
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


class TemplateRefused(Exception):
    """The template raised on a conversation."""


def compile_template(source: str, today: datetime) -> Render:
    """A template as a function of `messages`, `tools`, `add_generation_prompt`, `bos_token`, `eos_token`.

    It runs sandboxed, with what Hugging Face's renderer offers templates. `today` is the one date it ever sees, so that
    a prompt does not change while a campaign runs.

    Raises:
        UsageError: no valid Jinja.
    """
    from jinja2 import TemplateError  # noqa: PLC0415 - only an in-process model wants it
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    source = _GENERATION.sub(r"{#\1\2#}", source)
    environment.filters["tojson"] = _to_json

    def raise_exception(message: str) -> NoReturn:
        raise TemplateError(message)

    environment.globals |= {"raise_exception": raise_exception, "strftime_now": today.strftime}
    try:
        template = environment.from_string(source)
    except TemplateError as error:
        raise UsageError(f"the chat template of the model file is no valid Jinja: {error}") from error

    def render(**values: Any) -> str:
        try:
            return template.render(**values)
        except (TemplateError, TypeError, ValueError, AttributeError, LookupError, RecursionError) as error:
            raise TemplateRefused(str(error)) from error

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
        object.__setattr__(self, "habits", find_habits(self._apply, self.choice))

    @property
    def warning(self) -> str:
        """One sentence where calls of this template's own may not be understood; empty otherwise."""
        if self.choice.warning or not self.choice.taught:
            return self.choice.warning
        if _reads_back(self._apply, self.choice, self.habits):
            return ""
        name = self.choice.dialect.name
        return f"the chat template was taken for {name}, and renders a call that the {name} dialect does not read"

    @property
    def dated(self) -> bool:
        """Whether the prompt may carry a date."""
        return "strftime_now" in self.source

    def prompt(self, turns: Sequence[Turn], specs: Sequence[ToolSpec], protect: Protect) -> str:
        """The conversation as text, up to where the model's reply begins.

        Raises:
            BackendError: the template refuses the conversation.
        """
        try:
            return self._apply(turns, specs, self.habits, protect)
        except TemplateRefused as error:
            raise BackendError(f"the chat template refuses the conversation: {error}") from error

    def _apply(self, turns: Sequence[Turn], specs: Sequence[ToolSpec], habits: Habits, protect: Protect) -> str:
        return self._render(
            messages=as_dicts(turns, specs, habits, self.choice.dialect, protect),
            tools=tool_dicts(specs) if specs and habits.tools else None,
            add_generation_prompt=True,
            bos_token=self.bos,
            eos_token=self.eos,
        )


Apply = Callable[[Sequence[Turn], Sequence[ToolSpec], Habits, Protect], str]

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


def find_habits(apply: Apply, choice: Choice) -> Habits:
    """Find the ways of a template by rendering small conversations with it.

    Raises:
        UsageError: it does not even render one question.
    """
    system = _says(apply, [_SYSTEM, _USER], Habits(alternates=False), "SYSTEM-PROBE")
    alternates = not choice.taught or not system or not _says(apply, [_USER, _USER], Habits(alternates=False))
    habits = Habits(tools=choice.taught, system=system, alternates=alternates)
    if not _says(apply, [_USER], habits, "USER-PROBE"):
        raise UsageError("the chat template of the model file does not render a single question")
    if choice.taught:
        habits = _with_calls(apply, habits)
    habits = replace(habits, results=_find_results(apply, choice, habits))
    return replace(habits, verbatim=_is_verbatim(apply, choice, habits))


def _with_calls(apply: Apply, habits: Habits) -> Habits:
    """Find how the template takes structured calls and the reasoning before them."""
    found = replace(habits, results=Results.tool_role)
    if not _text(apply, [_USER, _CALL, _RESULT], found):
        short = replace(found, short_ids=True)
        found = short if _text(apply, [_USER, _CALL, _RESULT], short) else found
    ways = [
        replace(found, none_beside_calls=none, content_beside_calls=not none, arguments_as_text=text)
        for none in (False, True)
        for text in (False, True)
    ]
    shown = (way for way in ways if _says(apply, [_USER, _SECOND_CALL, _RESULT_2], way, "SECOND-PROBE"))
    structured = next(shown, None)
    if structured is None:
        return replace(found, calls=Calls.as_text)
    found = structured
    if not _says(apply, [_USER, _TWO_CALLS, _RESULT, _RESULT_2], found, "SECOND-PROBE"):
        found = replace(found, calls=Calls.one_each)
    if not found.none_beside_calls:
        beside = _says(apply, [_USER, _SAYING_CALL, _RESULT_2], found, "SECOND-PROBE")
        found = replace(found, content_beside_calls=beside)
    return replace(found, thoughts=_find_thoughts(apply, found))


def _find_thoughts(apply: Apply, habits: Habits) -> Thoughts:
    """The first way that shows the reasoning, and shows it as text: some templates print what they do not know."""
    for way in Thoughts:
        text = _text(apply, [_USER, _THINKING_CALL, _RESULT], replace(habits, thoughts=way))
        if way is not Thoughts.dropped and "THOUGHT-PROBE" in text and "'thinking'" not in text:
            return way
    return Thoughts.dropped


def _find_results(apply: Apply, choice: Choice, habits: Habits) -> Results:
    """The first way that shows the result behind the dialect's own marker, else the first that shows it at all."""
    if not choice.taught:
        return Results.user_text
    shown = {way: _text(apply, [_USER, _CALL, _RESULT], replace(habits, results=way)) for way in Results}
    marked = (way for way, text in shown.items() if _is_marked(text, choice))
    return next(marked, next((way for way, text in shown.items() if "RESULT-PROBE" in text), Results.user_text))


def _is_marked(text: str, choice: Choice) -> bool:
    before, found, _ = text.partition("RESULT-PROBE")
    return bool(found) and any(marker in before for marker in choice.dialect.result_open)


def _is_verbatim(apply: Apply, choice: Choice, habits: Habits) -> bool:
    """Whether a reply's own text, as content, gives what the structured reply gives."""
    asked = _text(apply, [_USER], habits)
    answered = _text(apply, [_USER, _REPLY, _USER], habits)
    written = choice.dialect.render_calls([("probe", {"a": "b"})])
    structured = _text(apply, [_USER, _CALL, _RESULT], habits)
    plain = _text(apply, [_USER, Turn(_CALL.message, verbatim=written), _RESULT], habits)
    behind = plain.removeprefix(asked + written)
    return answered.startswith(asked + "REPLY-PROBE") and behind != plain and structured.endswith(behind)


def _reads_back(apply: Apply, choice: Choice, habits: Habits) -> bool:
    """Whether the call that the template renders is one to the dialect."""
    told = _text(apply, [_USER, _CALL, _RESULT], habits)
    said = told.rpartition("USER-PROBE")[2].partition("RESULT-PROBE")[0]
    return [call.name for call in parse(choice.dialect, said).calls] == ["probe"]


def _says(apply: Apply, turns: Sequence[Turn], habits: Habits, word: str = "") -> bool:
    text = _text(apply, turns, habits)
    return bool(text) and word in text


def _text(apply: Apply, turns: Sequence[Turn], habits: Habits) -> str:
    """Rendered text, empty where the template refuses."""
    try:
        return apply(turns, [_TOOL] if habits.tools else [], habits, str)
    except TemplateRefused:
        return ""


def _to_json(value: Any, indent: int | None = None, **options: Any) -> str:
    """Jinja's own filter escapes for HTML; models were trained on plain JSON."""
    return json.dumps(value, indent=indent, default=_listed, **{"ensure_ascii": False, **options})


def _listed(value: Any) -> list[Any]:
    """Turn the iterator that a filter such as `map` gives into a list, as other renderers do."""
    if isinstance(value, Iterator):
        return list(value)
    raise TypeError(f"no JSON value: {type(value).__name__}")
