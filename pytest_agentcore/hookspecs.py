"""Extension points. The plugin uses each of them itself; put an implementation into a `conftest.py` or a plugin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_agentcore.backends.base import BackendFactory
    from pytest_agentcore.elsewhere.base import Engine, Take
    from pytest_agentcore.pack.read import Campaign
    from pytest_agentcore.tools.base import Tool
    from pytest_agentcore.trial.result import TrialResult


@pytest.hookspec
def pytest_agentcore_trial_finished(result: TrialResult, folder: Path, config: pytest.Config) -> None:
    """A trial has been judged. Called once per trial, in the main process, also under xdist.

    The result line is written before anybody else is told; what an implementation raises is said below the summary, and
    the exit code is 75 where it would be 0. Under xdist the main process collects nothing: it knows the conftests that
    pytest loads at its start, in the rootdir's folder or beside a path that is given. An implementation in another one
    is named in a warning, since nobody calls it.

    Args:
        result: the trial's result.
        folder: the campaign's folder, which has the transcript already.
        config: pytest's.

    The plugin's own implementation writes the result line. Another could tell somebody::

        # conftest.py
        def pytest_agentcore_trial_finished(result, folder, config):
            if result.failure_mode == "infrastructure_error":
                print(f"{result.key}: {result.detail}; {folder}/data/transcripts/{result.attempt}.jsonl")
    """


@pytest.hookspec
def pytest_agentcore_campaign_finished(campaign: Campaign, config: pytest.Config) -> None:
    """A campaign is over for this session, whole or not. Called once per campaign, in the main process.

    Its folder is closed then and its reports are written; pytest's summary comes after it. What an implementation
    raises is treated as in `pytest_agentcore_trial_finished`, and the same conftests are known.

    Args:
        campaign: `folder.path`, `manifest`, `results` and `figures`, the numbers that every report shows; `has_ended`
            says whether all that was planned is scored.
        config: pytest's.

    The plugin's own implementation writes report.md and report.html. Another could copy the folder elsewhere, or post a
    line::

        # conftest.py
        def pytest_agentcore_campaign_finished(campaign, config):
            rates = campaign.figures.overall.rates
            print(f"{campaign.manifest.model}: {rates.passed} of {rates.scored} passed, {campaign.folder.path}")
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
    `engine.n_ctx`. A factory that takes long has a third parameter `say` and calls `say("loading", 0.4)`, which is
    shown. What a factory raises ends the session in a sentence, what
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


@pytest.hookspec(firstresult=True)
def pytest_agentcore_engine(config: pytest.Config, address: str, at_once: int, take: Take) -> Engine | None:
    """Open the engine behind an address of `--agentcore-on`. Called once, before the first trial; None is not mine.

    An engine carries orders to workers, where each calls `Worker.work(order, link)`: the contract on one screen is
    pytest_agentcore/elsewhere/base.py. Which worker runs what, and what is done about a lost one, it need not know.

    Args:
        config: pytest's.
        address: as it was typed.
        at_once: orders that a worker is to take at once, where the engine starts it.
        take: to be told what workers tell.

    The plugin's own implementation takes `dask://` addresses. Another could run trials on threads of this process::

        # conftest.py
        import threading
        from concurrent.futures import ThreadPoolExecutor
        from pytest_agentcore.elsewhere.worker import Worker

        class Link:
            def __init__(self, name, take):
                self.name, self.take, self.over = name, take, threading.Event()

            def tell(self, line):
                self.take(self.name, line)

            def stopped(self):
                return self.over.is_set()

        class Threads:
            def __init__(self, at_once, take):
                self.pool, self.worker, self.take = ThreadPoolExecutor(at_once), Worker(), take
                self.at_once, self.links = at_once, {}

            def workers(self):
                return {"here": self.at_once}

            def submit(self, worker, name, order):
                link = self.links[name] = Link(name, self.take)
                return self.pool.submit(self.worker.work, order, link)

            def stop(self, name):
                self.links[name].over.set()

            def close(self):
                self.pool.shutdown()
                self.worker.close()

        def pytest_agentcore_engine(config, address, at_once, take):
            return Threads(at_once, take) if address == "threads" else None
    """
