"""The backend for endpoints over a server with a made-up model."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from backends.conformance import Conformance
from backends.openai.fault_server import FaultServer
from pytest_agentcore.backends.openai.backend import OpenAIBackend
from pytest_agentcore.catalogue.entry import EndpointSettings, ModelEntry


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as server:
        yield server


@pytest.fixture
def backend(server: FaultServer) -> Iterator[OpenAIBackend]:
    backend = OpenAIBackend(entry(server), EndpointSettings())
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
        backend = OpenAIBackend(entry(server), EndpointSettings())
        assert gc.isenabled() is enabled
        assert gc.get_freeze_count() > 0
    finally:
        gc.enable()
    backend.close()
