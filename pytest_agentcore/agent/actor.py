"""Agents without a model: a function that acts through the tools a model would have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytest_agentcore.agent.session import Session
from pytest_agentcore.backends.base import ToolCall
from pytest_agentcore.errors import AgentcoreError, EndOfTrial, InfrastructureError, is_foreign
from pytest_agentcore.trial.fold import Attempt
from pytest_agentcore.trial.modes import Cause, StopReason


class Actor:
    """The argument of an oracle, an alternative or a counterexample.

    Every tool of the task is a method: `agent.fs_write("a.txt", "hello")` makes one call, which is one turn, and
    returns the text that a model would have read. Positional arguments follow the order of the tool's schema.
    """

    def __init__(self, session: Session, facts: Mapping[str, Any]) -> None:
        self._session = session
        self.facts = facts
        self.run = session.key.run

    def call(self, name: str, /, **arguments: Any) -> str:
        """Make one call of one turn.

        Raises:
            EndOfTrial: the budget is used up.
        """
        session = self._session
        session.begin_turn()
        call = ToolCall(id=f"call_{session.turn}_1", name=name, arguments=arguments)
        return session.act(call, 0).result

    def __getattr__(self, name: str) -> Callable[..., str]:
        spec = next((spec for spec in self._session.tools.specs if spec.name == name), None)
        if spec is None:
            raise AttributeError(f"this task has no tool {name!r}")
        order = tuple(spec.parameters.get("properties", ()))

        def tool(*values: Any, **arguments: Any) -> str:
            return self.call(name, **dict(zip(order, values, strict=False)), **arguments)

        return tool


def run_solution(solution: Callable[[Actor], str | None] | None, facts: Mapping[str, Any], session: Session) -> Attempt:
    """Run a solution function instead of a model until it returns or the budget ends it; None does nothing at all.

    Raises:
        InfrastructureError: the function, which is the task's, raised something.
    """
    name = getattr(solution, "__name__", "the solution")
    try:
        answer: object = solution(Actor(session, facts)) if solution else ""
    except EndOfTrial as end:
        return session.finish(end.stop_reason, end.detail)
    except AgentcoreError:
        raise
    except BaseException as error:
        if is_foreign(error):
            raise
        raise InfrastructureError(f"{name} raised {type(error).__name__}: {error}", Cause.task_broken) from error
    if not isinstance(answer, str | None):
        raise InfrastructureError(f"{name} returned {answer!r:.80}, which is no text", Cause.task_broken)
    return session.finish(StopReason.final_answer, answer=answer or "")
