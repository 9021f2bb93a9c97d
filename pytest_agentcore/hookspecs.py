"""Extension points. The plugin uses each of them itself; put an implementation into a `conftest.py` or a plugin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_agentcore.backends.base import BackendFactory
    from pytest_agentcore.tools.base import Tool
    from pytest_agentcore.trial.result import TrialResult


@pytest.hookspec
def pytest_agentcore_trial_finished(result: TrialResult, config: pytest.Config) -> None:
    """A trial has been judged. Called once per trial, in the main process, also under xdist.

    The result line is written before anybody else is told; what an implementation raises is said below the summary, and
    the exit code is 1. Under xdist the main process collects nothing: it knows the conftests that pytest loads at its
    start, in the rootdir's folder or beside a path that is given.

    The plugin's own implementation writes the result line. Another could tell somebody::

        # conftest.py
        def pytest_agentcore_trial_finished(result, config):
            if result.failure_mode == "infrastructure_error":
                print(f"{result.key}: {result.detail}")
    """


@pytest.hookspec
def pytest_agentcore_tools(config: pytest.Config) -> Sequence[Tool]:  # type: ignore[empty-body]
    """Register tools that tasks may name. Called once per process: at the start, or when pytest loads the conftest.

    The plugin's own implementation returns `fs_read`, `fs_write`, `shell` and `sql_query`. One more is a class with a
    `spec` and a `__call__`; what it raises as `ToolError` is what the model reads. Anything else that it raises, and a
    result that is no text, is an infrastructure error of the trial. Two tools of one name are refused::

        # conftest.py
        from pytest_agentcore.errors import ToolError
        from pytest_agentcore.tools.base import ToolSpec

        class WordCount:
            spec = ToolSpec(
                name="word_count",
                description="Count the words of a text.",
                parameters={
                    "type": "object",
                    "properties": {"text": {"type": "string"}},
                    "required": ["text"],
                    "additionalProperties": False,
                },
            )

            def __call__(self, context, arguments):
                if not arguments["text"]:
                    raise ToolError("text is empty")
                return str(len(arguments["text"].split()))

        def pytest_agentcore_tools(config):
            return [WordCount()]
    """


@pytest.hookspec
def pytest_agentcore_backends(config: pytest.Config) -> Mapping[str, BackendFactory]:  # type: ignore[empty-body]
    """Register backends by the prefix that `--model` names them with. Called once per process, before collection.

    The plugin's own implementation returns `llama_cpp`, `openai` and `scripted`. `--model echo:hello` would reach this
    one; what stands after the colon is `entry.argument`, and `engine` holds the values of `--agentcore-engine`, e.g.
    `engine.n_ctx`. What a factory raises ends the session in a sentence, what
    `complete` raises is an infrastructure error of the trial. A model is looked up before tasks are collected, so the
    conftest must be one that pytest loads at its start: in the rootdir's folder, or beside a path that is given::

        # conftest.py
        from pytest_agentcore.backends.base import Reply

        class Echo:
            name, slots = "echo", 1

            def __init__(self, word):
                self.word = word

            def complete(self, request):
                return Reply(text=self.word, content=self.word)

            def describe(self):
                return {"backend": "echo", "context": None}

            def close(self):
                pass

        def pytest_agentcore_backends(config):
            return {"echo": lambda entry, engine: Echo(entry.argument)}
    """
