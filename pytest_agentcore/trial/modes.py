"""The closed vocabularies of a verdict. Every word is defined in docs/glossary.md; a test compares the two."""

from __future__ import annotations

from enum import StrEnum


class StopReason(StrEnum):
    """The mechanical reason why the loop ended."""

    final_answer = "final_answer"
    """A reply without a tool call (or the `finish` tool under the constrained policy)."""
    turn_limit = "turn_limit"
    """The calls of the last allowed turn ran and there was no further request."""
    token_limit = "token_limit"  # noqa: S105 - no password
    """One reply reached its ceiling of tokens."""
    context_overflow = "context_overflow"
    """Fewer than 256 tokens were left in the context, or a reply filled what was left."""
    time_limit = "time_limit"
    """The wall clock ran out."""
    degenerate_output = "degenerate_output"
    """The reply had become a loop and was cut off."""
    backend_error = "backend_error"
    """The backend failed; the trial is not checked."""
    interrupted = "interrupted"
    """The user, or a limit of another plugin, stopped the trial; it is not checked."""


class FailureMode(StrEnum):
    """The judgement on a failed trial: the three headline modes of the published suite."""

    wrong_answer = "wrong_answer"
    gave_up_mid_plan = "gave_up_mid_plan"
    infrastructure_error = "infrastructure_error"


class Attribution(StrEnum):
    """Whom a cause speaks about."""

    model = "model"
    harness = "harness"
    environment = "environment"


class Cause(StrEnum):
    """The finer, rule-derived code under a failure mode. `attribution` is a property of the cause."""

    checker_rejected = "checker_rejected"
    """The work was done and it is wrong."""
    partial_complete = "partial_complete"
    """Some of the task's artifacts were made, not all."""
    scaffold_untouched = "scaffold_untouched"
    """Tools were used, but the workspace is as it was given."""
    no_tool_call = "no_tool_call"
    """Not a single tool result in the whole trial."""
    chat_template_leakage = "chat_template_leakage"
    """Tokens of the chat template stand in the text of the last reply instead of a structured call."""
    tool_call_malformed = "tool_call_malformed"
    """The dialect's call marker was opened and what followed does not parse or violates the tool's schema."""
    tool_call_as_text = "tool_call_as_text"
    """The last reply is a call written as text: fenced JSON, a bare object, another dialect's markers."""
    tool_call_hallucinated = "tool_call_hallucinated"
    """The calls name tools that do not exist."""
    degenerate_output = "degenerate_output"
    """The last reply was a loop that looked like no call."""
    reply_too_long = "reply_too_long"
    """The last reply reached its ceiling of tokens."""
    budget_exhausted = "budget_exhausted"
    """Turns, context or time ran out while the model was still calling tools; the stop reason says which."""
    backend_error = "backend_error"
    """The backend failed in a way it did not name."""
    backend_unreachable = "backend_unreachable"
    """The backend did not answer, or its connection broke or fell silent."""
    backend_overloaded = "backend_overloaded"
    """The backend had no room for the request for longer than it was waited for."""
    backend_refused = "backend_refused"
    """The backend does not take the request: the key, the model's name, tools, a sampling value."""
    prompt_truncated = "prompt_truncated"
    """The backend left out a part of the conversation without saying so."""
    tool_call_unparsed = "tool_call_unparsed"
    """The backend passed a well-formed call on as text: its own parser does not read the model's dialect."""
    backend_crashed = "backend_crashed"
    """The process that held the model died."""
    sandbox_failed = "sandbox_failed"
    """The sandbox could not run what it was asked to run."""
    checker_broken = "checker_broken"
    """The checker raised something other than an assertion."""
    tool_broken = "tool_broken"
    """A tool of the task raised something other than a refusal."""
    task_broken = "task_broken"
    """The task could not make the files of its instance, or its reference solution broke."""
    interrupted = "interrupted"
    """The user, or a limit of another plugin, stopped the trial."""

    @property
    def attribution(self) -> Attribution:
        """Whom this cause speaks about."""
        return _NOT_THE_MODEL.get(self, Attribution.model)


_HARNESS = (Cause.checker_broken, Cause.tool_broken, Cause.task_broken)
_ENVIRONMENT = (
    *(Cause.backend_error, Cause.backend_unreachable, Cause.backend_overloaded, Cause.backend_refused),
    *(Cause.prompt_truncated, Cause.tool_call_unparsed, Cause.backend_crashed, Cause.sandbox_failed, Cause.interrupted),
)
_NOT_THE_MODEL = dict.fromkeys(_ENVIRONMENT, Attribution.environment) | dict.fromkeys(_HARNESS, Attribution.harness)


class Resemblance(StrEnum):
    """The kind of tool call that a reply without a structured call resembled."""

    template_tokens = "template_tokens"
    """Special tokens of a chat template stand in the content."""
    broken_call = "broken_call"
    """The active dialect's call marker, not parsable."""
    other_dialect = "other_dialect"
    """Call markers of another dialect."""
    fenced_call = "fenced_call"
    """A code fence holding an object that names a tool."""
    bare_call = "bare_call"
    """A bare object, or a function-like line, that names a tool."""
