"""The manifest of a campaign before anything of it has run: what was asked for, of whom and on what."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from pytest_agentcore import __version__
from pytest_agentcore.campaign.machine import machine_facts, package_versions
from pytest_agentcore.campaign.manifest import Manifest, SuiteFacts, utc
from pytest_agentcore.hooks.running import Running
from pytest_agentcore.models.digest import file_digest
from pytest_agentcore.prices import Prices
from pytest_agentcore.setup import Setup
from pytest_agentcore.suite import Suite


def foresee(setup: Setup, running: Running, suite: Suite) -> Manifest:
    """All that follows from model, settings and machine; who asks, and for which trials, comes later."""
    settings = running.settings
    return Manifest(
        suite=SuiteFacts.of(suite),
        model=setup.slug,
        requested=setup.entry.name,
        entry=_entry_facts(setup),
        backend=_foreseen(setup),
        policy=setup.policy.value,
        context_load=setup.load,
        sampling={key: value for key, value in asdict(setup.sampling).items() if key not in setup.entry.not_sent},
        seed=settings.seed,
        runs=settings.runs,
        order=settings.order,
        budget=asdict(setup.limit),
        tools=(),
        sandbox=running.sandbox.describe(),
        harness=__version__,
        machine=machine_facts(),
        packages=package_versions(),
        arguments=(),
        planned=(),
        engine=dict(setup.engine),
        group=setup.slug if setup.grouped else "",
        prices=_prices(setup),
        started=utc(datetime.now(UTC)),
    )


def _prices(setup: Setup) -> Prices | None:
    """Of the entry; without any an endpoint's costs are not known, and nothing is paid for what runs here."""
    return setup.entry.prices or (None if setup.entry.base_url else Prices())


def _entry_facts(setup: Setup) -> dict[str, Any]:
    """The registry's entry without the paths of this machine."""
    return {key: value for key, value in asdict(setup.entry).items() if key not in ("path", "argument")}


def _foreseen(setup: Setup) -> dict[str, Any]:
    """What is known of a model before it is loaded."""
    entry = setup.entry
    if not entry.path:
        return {}
    return {
        "file": entry.path.name,
        "quant": entry.quant,
        "device": "in the workers",
        "sha256": file_digest(entry.path),
    }
