"""The backend for endpoints over a server with a made-up model."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from models.conformance import Conformance
from models.fault_server import FaultServer
from pytest_agentcore.models.entry import ModelEntry
from pytest_agentcore.models.openai_api import OpenAIBackend, open_backend


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as server:
        yield server


@pytest.fixture
def backend(server: FaultServer) -> Iterator[OpenAIBackend]:
    backend = open_backend(entry(server), {})
    yield backend
    backend.close()


def entry(server: FaultServer) -> ModelEntry:
    return ModelEntry(name="made-up", slug="made-up", backend="openai", base_url=server.url)


class TestConformance(Conformance):
    """Over HTTP."""


@pytest.mark.parametrize("enabled", [True, False])
def test_the_package_is_set_aside_for_the_collector_which_stays_as_it_was(server: FaultServer, enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()
    gc.unfreeze()
    try:
        backend = open_backend(entry(server), {})
        assert gc.isenabled() is enabled
        assert gc.get_freeze_count() > 0
    finally:
        gc.enable()
    backend.close()
