"""Names what a reply without a call looked like, which is the evidence behind three of the causes."""

from __future__ import annotations

import re
from collections.abc import Collection

from pytest_agentcore.dialects.dialect import Dialect
from pytest_agentcore.dialects.families import DIALECTS, FOREIGN_CALL_MARKERS
from pytest_agentcore.dialects.lenient import NAME_KEYS, SIGNS, function_lines
from pytest_agentcore.dialects.parse import any_of, shape
from pytest_agentcore.trial.modes import Resemblance

_TOKEN_SHAPE = re.compile(
    r"<\|[^<>|\s]{1,40}\|?>"  # <|im_start|>, <|channel>
    r"|<[^<>|\s/]{1,40}\|>"  # <turn|>
    r"|<｜[^<>｜]{1,40}｜>"  # noqa: RUF001 - DeepSeek's
    r"|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_RESULTS|TOOL_CALLS|TOOL_CONTENT|CALL_ID|ARGS|THINK)\]"
    r"|\]~!?b(?:\[|\])|\[e~\["  # MiniMax's
    r"|<</?SYS>>"
    r"|<(?:start|end)_of_(?:turn|image|text)>"
    r"|</?tool_(?:response|result)\b[^<>]{0,200}>"  # a model that writes it makes a result up
)
"""Texts that only chat templates write: control tokens and marks around results; operators such as `<|>` are none."""

_SHORT_TOKENS = frozenset({"<bos>", "<eos>", "<pad>", "<unk>", "<mask>", "<s>", "</s>"})
"""Template tokens that are also markup: they count only in a vocabulary that has them."""


def resemblance(
    content: str, dialect: Dialect, tool_names: Collection[str], special_tokens: Collection[str] = ()
) -> Resemblance | None:
    """The first that applies of: broken call, another dialect's call, template tokens, fenced call, bare call.

    `content` is the reply's text without reasoning and parsed calls, and `dialect` the one it should be in.
    """
    if any(marker in content for marker in dialect.signs):
        return Resemblance.broken_call
    if any(sign in content for sign in SIGNS.difference(dialect.signs) if not sign.startswith("```")):
        return Resemblance.other_dialect
    if has_template_tokens(content, special_tokens):
        return Resemblance.template_tokens
    if not tool_names:
        return None
    names = any_of(tool_names)
    named = rf"[{{,]\s{{0,20}}[\"']?(?:{'|'.join(NAME_KEYS)})[\"']?\s{{0,20}}:\s{{0,20}}[\"'](?:{names})[\"']"
    keyed = rf"\{{\s{{0,20}}[\"']?(?:{names})[\"']?\s{{0,20}}:\s{{0,20}}\{{"
    found = re.search(f"{named}|{keyed}", content) or function_lines(tool_names).search(content)
    if not found:
        return None
    in_fence = content.count("```", 0, found.start()) % 2 == 1
    return Resemblance.fenced_call if in_fence else Resemblance.bare_call


def has_template_tokens(content: str, special_tokens: Collection[str] = ()) -> bool:
    """Whether the text holds what only a chat template should write."""
    known = _SHORT_TOKENS.intersection(special_tokens)
    return _TOKEN_SHAPE.search(content) is not None or any(token in content for token in known)


def leaks_template(content: str) -> bool:
    """Whether the text holds what only a chat template should write, beside the markers of calls.

    Those of a call that was begun in any dialect are no leak: it counts as malformed, or as another dialect's.
    """
    said = content
    for dialect in DIALECTS:
        if any(sign in content for sign in dialect.signs):
            for marker in (*dialect.signs, *_TOKEN_SHAPE.findall(shape(dialect) + dialect.between)):
                said = said.replace(marker, " ")
    for marker in FOREIGN_CALL_MARKERS:
        if marker in content:
            said = said.replace(marker, " ").replace(marker.replace("start", "end").replace("START", "END"), " ")
    return has_template_tokens(said)
