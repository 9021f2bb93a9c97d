"""A suite that is laid out for workers, orders about it, and what was heard of them."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tiny import HELLO

from pytest_agentcore.elsewhere.order import SENT, describe_setup, versions, wrap, zip_suite
from pytest_agentcore.options import OPTIONS
from pytest_agentcore.plugin import pytest_agentcore_backends
from pytest_agentcore.setup import Setup, settle, settle_models
from pytest_agentcore.tasks.suite import Suite

TASK = "task_01_hello"


class Heard:
    """Takes the lines of orders."""

    def __init__(self) -> None:
        self.lines: defaultdict[str, list[bytes]] = defaultdict(list)
        self._news = threading.Condition()

    def __call__(self, name: str, line: bytes) -> None:
        with self._news:
            self.lines[name].append(line)
            self._news.notify_all()

    def wait_for(self, name: str, number: int) -> list[bytes]:
        with self._news:
            assert self._news.wait_for(lambda: len(self.lines[name]) >= number, 30)
            return self.lines[name]


class Nobody:
    """A link without a session."""

    def __init__(self, *, stopped: bool = False) -> None:
        self._stopped = stopped

    def tell(self, line: bytes) -> None:
        json.loads(line)

    def stopped(self) -> bool:
        return self._stopped


@dataclass(frozen=True)
class Laid:
    """A suite, and a model over it."""

    suite: Suite
    setup: Setup

    @property
    def told(self) -> dict[str, Any]:
        settings = settle(lambda option: None)
        assert OPTIONS
        return {
            "suite": self.suite.digest,
            "settings": {name: settings.values[name] for name in SENT},
            "sandbox": "process",
            "tasks": [TASK],
            "setups": {self.setup.label: describe_setup(self.setup)},
        }

    @property
    def digest(self) -> str:
        return f"{self.suite.digest}/{self.setup.slug}"


def lay(folder: Path, model: str, task: str = HELLO) -> Laid:
    folder.mkdir(exist_ok=True)
    (folder / f"test_{TASK}.py").write_text(task)
    given = {"model": [model], "preflight": "off"}
    settings = settle(lambda option: given.get(option.name))
    (setup,) = settle_models(settings, pytest_agentcore_backends())
    return Laid(Suite.load(folder), setup)


def look(laid: Laid, **changes: Any) -> bytes:
    told = {"versions": versions(), "do": "look", "of": laid.digest, **laid.told, **changes}
    return wrap(told, zip_suite(laid.suite, [laid.setup]))


def trial(laid: Laid, name: str, **changes: Any) -> bytes:
    facts: dict[str, Any] = {"key": [laid.setup.label, TASK, 1], "nodeid": f"test_{TASK}.py::test_hello"}
    facts |= {"attempt": name, "number": 1, "worker": "gpu1"}
    return wrap({"versions": versions(), "do": "trial", "of": laid.digest, **facts, **changes})


def keyed(laid: Laid, **changes: Any) -> Laid:
    return replace(laid, setup=replace(laid.setup, entry=replace(laid.setup.entry, **changes)))
