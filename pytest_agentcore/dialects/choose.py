"""Chooses the dialect of a model by its chat template and special tokens, never by its name."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from pytest_agentcore.dialects.dialect import THINK, Dialect
from pytest_agentcore.dialects.families import DIALECTS, FOREIGN_CALL_MARKERS, GENERIC, dialect_named

_KNOWS_TOOLS = re.compile(r"\{[{%][^{}]*\b(?:tools|functions)\b")
_END_OF_TURN = (
    "<|im_end|>",
    "<turn|>",
    "<end_of_turn>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<|return|>",
    "<|endoftext|>",
    "<｜end▁of▁sentence｜>",  # noqa: RUF001 - as the family writes it
    "<|end_of_text|>",
    "<eos>",
    "</s>",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A dialect and why it was chosen."""

    dialect: Dialect
    """With the end-of-turn tokens of this vocabulary added to its own."""
    reason: str
    """One clause for header and manifest."""
    taught: bool
    """Whether the template itself takes tools and teaches this dialect; if not, the prompt must (see `tool_prompt`)."""
    warning: str = ""
    """One sentence where the template has a way of its own with tools and none of the dialects is that way."""


def choose_template(
    template: str | None, tool_template: str | None, special_tokens: Collection[str], *, wanted: str = ""
) -> tuple[str | None, Choice]:
    """The one of a model's two chat templates that is used, with its dialect; one for tools wins over one without.

    Raises:
        UsageError: no dialect is called `wanted`.
    """
    choice = choose_dialect(template, special_tokens, wanted=wanted)
    if choice.taught or not tool_template:
        return template, choice
    return tool_template, choose_dialect(tool_template, special_tokens, wanted=wanted)


def choose_dialect(template: str | None, special_tokens: Collection[str], *, wanted: str = "") -> Choice:
    """The dialect that `template` teaches, or else one that our own prompt teaches, with the reason why.

    Args:
        template: text of the chat template (Jinja), None where the file has none.
        special_tokens: texts of the vocabulary's control and user-defined tokens.
        wanted: name of a dialect that is used whatever the template says; empty leaves the choice to the template.

    Raises:
        UsageError: no dialect is called `wanted`.
    """
    dialect, taught, warning = GENERIC, False, ""
    if wanted:
        dialect, reason = dialect_named(wanted), "it was asked for by name"
        taught = _teaches(template or "", dialect)
    elif template is None:
        reason = "the model file has no chat template"
    elif teacher := next((each for each in DIALECTS if _teaches(template, each)), None):
        dialect, taught, marker = teacher, True, teacher.section or teacher.call
        reason = f"the chat template holds {' and '.join(teacher.taught_by)}"
        if marker.open:
            between = f"between {marker.open} and {marker.close}" if marker.close else f"behind {marker.open}"
            inside = [sign for sign in teacher.taught_by if sign[0] in "<[`" and sign not in marker.open + marker.close]
            reason = f"the chat template writes calls {between}"
            reason += f" and holds {' and '.join(inside)}" if inside else ""
            reason += f", and {marker.open} is one token" if marker.open in special_tokens else ""
    elif not _KNOWS_TOOLS.search(template):  # a family's own prompt where its makers document one, else ours
        reason = "the chat template does not know tools"
        prompted = (
            each for each in DIALECTS if each.prompted_by and all(sign in template for sign in each.prompted_by)
        )
        if family := next(prompted, None):
            dialect = family
            reason += f", and its {family.prompted_by[0]} is that of a family whose makers prompt for this one"
    else:
        reason = "the chat template takes tools in a way that no dialect here recognises"
        if foreign := next((marker for marker in FOREIGN_CALL_MARKERS if marker in template), None):
            reason = f"the chat template writes calls with {foreign}, a dialect that is not supported"
        warning = f"{reason}; calls are asked for in the generic dialect instead, which may cost the model points"
    template = template or ""
    # The tokens that are special in this vocabulary; those the template writes come first.
    ends = [token for token in _END_OF_TURN if token in special_tokens and token not in dialect.goes_on]
    ends.sort(key=lambda token: token not in template)
    reasoning = dialect.reasoning
    if reasoning and reasoning.open not in template and THINK.open in template:  # as in Magistral of June 2025
        reasoning = THINK
    whole = replace(dialect, end_of_turn=tuple(dict.fromkeys([*dialect.end_of_turn, *ends])), reasoning=reasoning)
    return Choice(dialect=whole, reason=reason, taught=taught, warning=warning)


def _teaches(template: str, dialect: Dialect) -> bool:
    stands = template.__contains__
    return (
        bool(dialect.taught_by) and all(map(stands, dialect.taught_by)) and not any(map(stands, dialect.not_taught_by))
    )
