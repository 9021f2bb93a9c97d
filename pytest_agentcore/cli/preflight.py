"""`agentcore preflight`: whether a model's tool calls get through, with what was sent and what came back."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from pytest_agentcore.catalogue.registry import open_registry, project_above
from pytest_agentcore.catalogue.resolve import fetch
from pytest_agentcore.checks.preflight import Check, Preflight, Subject, preflight
from pytest_agentcore.cli.__main__ import write_lines
from pytest_agentcore.errors import UsageError
from pytest_agentcore.options import OPTIONS, Option
from pytest_agentcore.plugin import pytest_agentcore_backends
from pytest_agentcore.setup import Setup, check_files, settle, settle_models
from pytest_agentcore.untrusted import clip_middle

TAKEN = ("tool-calls", "engine", "sampling", "base-url", "api-key-env", "models-file", "trial-timeout")
"""Options of a campaign that decide how a model is asked; spelled here without `agentcore-`."""
LINES = 40
"""Of what was sent, and of what came."""


def add(parser: argparse.ArgumentParser) -> None:
    """The model, and the options of a campaign that decide how it is asked."""
    parser.description = (
        "Five checks before a campaign: a structured call, an exchange with a tool's result, a call without text, a "
        "nested argument, the refusal of an unknown tool. The exit code is 1 when calls do not get through; a model "
        "that does not care to call is reported and is no failure."
    )
    parser.add_argument("model", metavar="MODEL", help="as for pytest --model")
    for option in OPTIONS:
        if option.name in TAKEN:
            option.add(parser.add_argument, f"--{option.name}")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """1 when something between model and harness is broken, else 0."""

    def given(option: Option[Any]) -> Any:
        return [options.model] if option.name == "model" else getattr(options, option.dest, None)

    settings = settle(given)
    backends = pytest_agentcore_backends()
    file = Path(settings.models_file).expanduser() if settings.models_file else None
    registry = open_registry(project_above(Path.cwd()), file)
    failed = False
    for setup in settle_models(settings, backends, registry):
        found = _examine(setup, backends)
        write_lines(_lines(setup, found))
        failed |= not found.passed
    return int(failed)


def _examine(setup: Setup, backends: Any) -> Preflight:
    if not setup.has_plumbing:
        raise UsageError(f"{setup.entry.name}: there is no way to examine, its replies are made here")
    entry = fetch(setup.entry, lambda line: write_lines([line])) if setup.entry.is_to_fetch else setup.entry
    check_files([setup])
    with closing(backends[entry.backend](entry, setup.engine)) as backend:
        subject = Subject(
            backend=backend,
            model=setup.slug,
            policy=setup.policy,
            sampling=setup.sampling,
            seconds=setup.limit.seconds,
            cancel=threading.Event(),
        )
        return preflight(subject)


def _lines(setup: Setup, found: Preflight) -> Iterator[str]:
    yield f"{setup.slug} · policy {found.policy} · preflight {found.verdict}"
    for number, check in enumerate(found.checks, 1):
        yield ""
        yield f"{number} {check.name}: {check.finding}, {check.says}"
        yield from _sides(check)


def _sides(check: Check) -> Iterator[str]:
    for label, text in (("sent", check.sent), ("came", check.came)):
        for index, line in enumerate(clip_middle(text, LINES)):
            yield f"  {label if index == 0 else '':<5} {line}"
