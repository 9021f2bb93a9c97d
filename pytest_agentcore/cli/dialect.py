"""`agentcore dialect`: how a model is shown tools and writes its calls, read off its chat template alone."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pytest_agentcore.backends.base import Message, ToolCall
from pytest_agentcore.backends.llama.gguf import read_header
from pytest_agentcore.backends.llama.messages import Calls, Results, Thoughts, Turn
from pytest_agentcore.backends.llama.template import ChatTemplate, open_template
from pytest_agentcore.catalogue.registry import open_registry, project_above
from pytest_agentcore.catalogue.resolve import resolve
from pytest_agentcore.cli.arguments import tell
from pytest_agentcore.dialects.dialect import RawCall
from pytest_agentcore.dialects.parse import parse
from pytest_agentcore.errors import UsageError
from pytest_agentcore.tools.base import ToolSpec, object_schema
from pytest_agentcore.untrusted import visible, visible_lines


def add_dialect(parser: argparse.ArgumentParser) -> None:
    """Add the model, and another dialect to look at it with."""
    parser.description = (
        "Which tool-call dialect a chat template speaks and why, an example prompt with two tools as the model will "
        "see it, an example call, and that call read back. Only the file's header is read."
    )
    parser.add_argument(
        "model", metavar="MODEL|GGUF|TEMPLATE", help="what --model takes, a .gguf file, or a file that is a template"
    )
    parser.add_argument("--dialect", default="", metavar="NAME", help="take this one, whatever the template says")
    parser.add_argument("--models-file", type=Path, metavar="FILE", help="TOML file of further models")


def run_dialect(options: argparse.Namespace) -> None:
    """Find the template and describe it; what cannot be found or read is a usage error."""
    name, path, wanted = options.model, Path(options.model), options.dialect
    if not path.is_file():
        entry = resolve(name, registry=open_registry(project_above(Path.cwd()), options.models_file))
        if entry.backend != "llama_cpp":
            raise UsageError(
                f"{name}: there is no chat template on this side, so its dialect is not this project's choice"
            )
        if entry.path is None:
            raise UsageError(f"{name}: its file is not on this machine; `agentcore models --fetch {name}` gets it")
        path, wanted = entry.path, wanted or entry.dialect
    found = source_of(path)
    template = open_template(
        found.template, found.tool_template, found.special_tokens, bos=found.bos, eos=found.eos, wanted=wanted
    )
    facts = shown(template)
    tell(options, dialect_lines(facts), **asdict(facts))


_TOKENS, _KINDS = "tokenizer.ggml.tokens", "tokenizer.ggml.token_type"
_SPECIAL_KINDS = (2, 3, 4)
"""Unknown, control and user-defined (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md)."""
_LONGEST_TEMPLATE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A chat template, and what else the choice of its dialect rests on."""

    template: str | None
    """None where the file has none."""
    tool_template: str = ""
    """A second template, for tools; empty where there is none."""
    special_tokens: frozenset[str] = frozenset()
    bos: str = ""
    eos: str = ""


def source_of(path: Path) -> Source:
    """Read template and special tokens of a GGUF file, or a file that is a template itself.

    Raises:
        UsageError: it cannot be read, or is neither.
    """
    try:
        with path.open("rb") as file:
            begins = file.read(4)
        if begins == b"GGUF":
            known = read_header(path, keep=(_TOKENS, _KINDS)).metadata
            tokens = known.get(_TOKENS, ())
            kinds = zip(tokens, known.get(_KINDS, ()), strict=False)
            ends = [known.get(f"tokenizer.ggml.{key}_token_id", -1) for key in ("bos", "eos")]
            bos, eos = (str(tokens[at]) if 0 <= at < len(tokens) else "" for at in ends)
            return Source(
                template=known.get("tokenizer.chat_template"),
                tool_template=known.get("tokenizer.chat_template.tool_use", ""),
                special_tokens=frozenset(token for token, kind in kinds if kind in _SPECIAL_KINDS),
                bos=bos,
                eos=eos,
            )
        if path.stat().st_size > _LONGEST_TEMPLATE:
            raise UsageError(f"{path}: neither a GGUF file nor a chat template")
        return Source(template=path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: neither a GGUF file nor a chat template in UTF-8") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error


_READS = object_schema(["path"], path={"type": "string"}, lines={"type": "integer", "minimum": 1})
_RUNS = object_schema(["command"], command={"type": "string"})
_TOOLS = (
    ToolSpec(name="fs_read", description="Read a file.", parameters=_READS),
    ToolSpec(name="shell", description="Run a command.", parameters=_RUNS),
)
_ASKED = (
    Turn(Message(role="system", content="Work with the tools.")),
    Turn(Message(role="user", content="How many lines has notes.txt?")),
)
_CALL = ToolCall(id="call_1_1", name="fs_read", arguments={"path": "notes.txt", "lines": 20})
_ANSWERED = (
    Turn(Message(role="assistant", content="", tool_calls=(_CALL,))),
    Turn(Message(role="tool", content="first\nsecond", tool_call_id="call_1_1", name="fs_read")),
)

_CALLS = {
    Calls.together: "given back on the message that made them",
    Calls.one_each: "given back one a message, each before its result",
    Calls.as_text: "given back as text, as the model writes them",
}
_RESULTS = {
    Results.tool_role: "messages of the role tool",
    Results.tool_responses: "on the message that made the calls",
    Results.user_text: "messages of the user, in our own words",
}
_THOUGHTS = {
    Thoughts.dropped: "not given back",
    Thoughts.reasoning_content: "given back as reasoning_content",
    Thoughts.thinking: "given back as thinking",
    Thoughts.blocks: "given back as a block of the content",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How a model is shown tools, calls and results, and how its calls are read."""

    dialect: str
    why: str
    warning: str
    """Empty where there is none."""
    taught_by: str
    ends_a_turn: tuple[str, ...]
    """Texts that end one, besides what the vocabulary says."""
    calls: str
    results: str
    reasoning: str
    prompt: str
    """An example, with two tools."""
    call: str
    """A call, as the model is to write it."""
    read: tuple[RawCall, ...]
    """That call, read back."""
    problems: tuple[str, ...]
    """Reasons why it was not read."""
    next_prompt: str
    """The prompt after the call and its result, from the first line on that differs."""


def shown(template: ChatTemplate) -> Shown:
    """Find out what a template does with an example conversation.

    Raises:
        BackendError: the template refuses the conversation.
    """
    dialect, habits = template.choice.dialect, template.habits
    asked, told = (template.prompt(said, _TOOLS, str) for said in (_ASKED, (*_ASKED, *_ANSWERED)))
    opened, marks = ", opened by the prompt" if dialect.opens_reasoning(asked) else "", dialect.reasoning
    written = dialect.render_calls([(_CALL.name, _CALL.arguments)])
    parsed = parse(dialect, written, schemas={spec.name: spec.parameters for spec in _TOOLS})
    same = next((at for at, one in enumerate(asked) if not told.startswith(one, at)), len(asked))
    return Shown(
        dialect=dialect.name,
        why=template.choice.reason,
        warning=template.warning,
        taught_by="the chat template" if template.choice.taught else "our own words in the system message",
        ends_a_turn=tuple(dialect.end_of_turn),
        calls=_CALLS[habits.calls] if template.choice.taught else _CALLS[Calls.as_text],
        results=_RESULTS[habits.results],
        reasoning=f"between {marks.open} and {marks.close}{opened}; {_THOUGHTS[habits.thoughts]}" if marks else "none",
        prompt=asked,
        call=written,
        read=tuple(parsed.calls),
        problems=tuple(parsed.problems),
        next_prompt=told[asked.rfind("\n", 0, same) + 1 :],
    )


def dialect_lines(facts: Shown) -> Iterator[str]:
    """Write that down, fit for a terminal."""
    yield f"dialect       {facts.dialect}"
    yield f"why           {visible(facts.why)}"
    if facts.warning:
        yield f"WARNING       {visible(facts.warning)}"
    yield f"taught by     {facts.taught_by}"
    yield f"ends a turn   {visible(' '.join(facts.ends_a_turn)) or 'only what the vocabulary says'}"
    yield f"calls         {facts.calls}"
    yield f"results       {facts.results}"
    yield f"reasoning     {facts.reasoning}"
    yield from _block("the prompt, with two tools", facts.prompt)
    yield from _block("a call, as the model is to write it", facts.call)
    yield ""
    for call in facts.read:
        yield f"read as       {call.name} {json.dumps(dict(call.arguments), ensure_ascii=False)}"
    yield from (f"not read      {visible(problem)}" for problem in facts.problems)
    yield from _block("the next prompt, from the line on that differs: the call and its result", facts.next_prompt)


def _block(title: str, text: str) -> Iterator[str]:
    yield ""
    yield f"{title}:"
    yield from (f"  | {line}".rstrip() for line in visible_lines(text))
