"""What a reply says: its calls, its answer, and what it only resembles. The same for every backend that gets text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pytest_agentcore.backends.base import ToolCall
from pytest_agentcore.catalogue.entry import Policy
from pytest_agentcore.dialects.dialect import Dialect, Parsed, RawCall
from pytest_agentcore.dialects.grammar import FINISH
from pytest_agentcore.dialects.lenient import parse_leniently
from pytest_agentcore.dialects.parse import parse
from pytest_agentcore.dialects.resemblance import resemblance
from pytest_agentcore.tools.base import ToolSpec
from pytest_agentcore.trial.modes import Resemblance


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """The fields of a `Reply` that follow from its text."""

    content: str
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    final: bool = False
    problems: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    resembles: Resemblance | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How the replies of one model are read."""

    dialect: Dialect
    special_tokens: Collection[str] = ()
    """Texts of the vocabulary's control tokens, where they are known."""

    def read(
        self, text: str, *, policy: Policy, tools: Sequence[ToolSpec], turn: int, reasoning_open: bool = False
    ) -> Read:
        """Take a reply apart; under the constrained policy a call of `finish` becomes the final answer."""
        names = [spec.name for spec in tools]
        schemas = {spec.name: spec.parameters for spec in (FINISH, *tools)}
        if policy is Policy.lenient:
            parsed = parse_leniently(text, self.dialect, names, reasoning_open=reasoning_open, schemas=schemas)
        else:
            parsed = parse(self.dialect, text, reasoning_open=reasoning_open, schemas=schemas)
        if policy is Policy.constrained and (last := answered(parsed.calls, parsed.problems, parsed.reasoning, turn)):
            return last
        return self._as_read(parsed, names, turn)

    def _as_read(self, parsed: Parsed, names: Sequence[str], turn: int) -> Read:
        return Read(
            content=parsed.content,
            reasoning=parsed.reasoning,
            tool_calls=number_calls(parsed.calls, turn),
            problems=parsed.problems,
            repairs=parsed.repairs,
            resembles=(None if parsed.calls else resemblance(parsed.content, self.dialect, names, self.special_tokens)),
        )


def number_calls(calls: Sequence[RawCall], turn: int) -> tuple[ToolCall, ...]:
    """Calls with ids that are unique within the trial: `call_<turn>_<index from 1>`."""
    return tuple(
        ToolCall(id=f"call_{turn}_{index}", name=call.name, arguments=call.arguments)
        for index, call in enumerate(calls, 1)
    )


def answered(calls: Sequence[RawCall], problems: Sequence[str], reasoning: str, turn: int) -> Read | None:
    """A constrained reply that calls `finish`: its answer, and the calls to be run before it counts; None without.

    Beside a call that cannot be read `finish` ends nothing: the model is told, and may call again.
    """
    finish = next((call for call in calls if call.name == FINISH.name), None)
    if finish is None:
        return None
    others = number_calls([call for call in calls if call.name != FINISH.name], turn)
    if problems:
        return Read(content="", reasoning=reasoning, tool_calls=others, problems=tuple(problems))
    answer = str(finish.arguments.get("answer", ""))
    return Read(content=answer, reasoning=reasoning, tool_calls=others, final=bool(others))
