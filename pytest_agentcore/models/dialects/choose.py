"""Which dialect a model speaks: read off its chat template and special tokens, never off its name."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from pytest_agentcore.models.dialects.base import Dialect
from pytest_agentcore.models.dialects.families import DIALECTS, FOREIGN_CALL_MARKERS, GENERIC

_KNOWS_TOOLS = re.compile(r"\{[{%][^{}]*\btools\b")
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
    """Whether the template itself takes tools and teaches this dialect; if not, the prompt must (see prompts.py)."""

    @property
    def end_of_turn(self) -> tuple[str, ...]:
        """The dialect's end-of-turn tokens and those of this vocabulary."""
        return self.dialect.end_of_turn


def choose_dialect(template: str | None, special_tokens: Collection[str]) -> Choice:
    """The dialect that `template` teaches, or the generic one with the reason why.

    Args:
        template: text of the chat template (Jinja), None where the file has none.
        special_tokens: texts of the vocabulary's control and user-defined tokens.
    """
    ends = end_of_turn_tokens(template, special_tokens)
    if template is None:
        return _choice(GENERIC, "the model file has no chat template", ends)
    for dialect in DIALECTS:
        if dialect.taught_by and _teaches(template, dialect):
            reason = f"the chat template writes calls between {dialect.call.open} and {dialect.call.close}"
            if dialect.call.open in special_tokens:
                reason += f", and {dialect.call.open} is one token"
            return _choice(dialect, reason, ends)
    return _choice(GENERIC, _why_generic(template), ends)


def _choice(dialect: Dialect, reason: str, ends: tuple[str, ...]) -> Choice:
    whole = replace(dialect, end_of_turn=tuple(dict.fromkeys(dialect.end_of_turn + ends)))
    return Choice(dialect=whole, reason=reason, taught=bool(dialect.taught_by))


def end_of_turn_tokens(template: str | None, special_tokens: Collection[str]) -> tuple[str, ...]:
    """Known end-of-turn tokens that are special in this vocabulary; those the template writes come first."""
    known = [token for token in _END_OF_TURN if token in special_tokens]
    return tuple(sorted(known, key=lambda token: token not in (template or "")))


def _teaches(template: str, dialect: Dialect) -> bool:
    return all(sign in template for sign in dialect.taught_by) and not any(
        sign in template for sign in dialect.not_taught_by
    )


def _why_generic(template: str) -> str:
    if not _KNOWS_TOOLS.search(template):
        return "the chat template does not know tools"
    foreign = next((marker for marker in FOREIGN_CALL_MARKERS if marker in template), None)
    if foreign:
        return f"the chat template writes calls with {foreign}, a dialect that is not supported yet"
    return "the chat template takes tools in a way that no dialect here recognises"
