"""Addresses, TLS, and a GPU for each worker."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_agentcore.errors import UsageError

pytestmark = pytest.mark.needs("distributed")


@pytest.fixture(scope="module", autouse=True)
def _distributed() -> None:
    pytest.importorskip("distributed")


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("dask://127.0.0.1:8786", "tcp://127.0.0.1:8786"),
        ("dask://localhost:1", "tcp://localhost:1"),
        ("dask://[::1]:8786", "tcp://[::1]:8786"),
        ("dask+tcp://10.9.8.7:8786", "tcp://10.9.8.7:8786"),
    ],
)
def test_an_address_is_dasks(address: str, place: str) -> None:
    from pytest_agentcore.elsewhere.dask import tcp_address  # noqa: PLC0415 - optional

    assert tcp_address(address) == place


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("dask://10.9.8.7:8786", "whoever reaches a scheduler without TLS"),
        ("dask://[2001:db8::1]:8786", "whoever reaches a scheduler without TLS"),
        ("dask://nowhere.invalid:8786", "whoever reaches a scheduler without TLS"),
        ("dask://127.0.0.1", "must be dask://HOST:PORT"),
        ("dask://:8786", "must be dask://HOST:PORT"),
        ("dask://127.0.0.1:port", "must be dask://HOST:PORT"),
        ("tcp://127.0.0.1:8786", "must be dask://HOST:PORT"),
    ],
)
def test_an_address_is_refused(address: str, sentence: str) -> None:
    from pytest_agentcore.elsewhere.dask import tcp_address  # noqa: PLC0415 - optional

    with pytest.raises(UsageError, match=sentence):
        tcp_address(address)


def test_with_certificates_it_is_tls(tmp_path: Path) -> None:
    import dask  # noqa: PLC0415 - optional

    from pytest_agentcore.elsewhere.dask import tcp_address  # noqa: PLC0415 - optional

    with dask.config.set({"distributed.comm.tls.ca-file": str(tmp_path / "ca.pem")}):
        assert tcp_address("dask://10.9.8.7:8786") == "tls://10.9.8.7:8786"


@pytest.mark.parametrize(
    ("gpus", "workers", "given"),
    [
        ([], 0, [None, None]),
        ([], 3, [None, None, None]),
        (["0"], 0, ["0", "0"]),
        (["0", "1"], 0, ["0", "1"]),
        (["0", "1"], 1, ["0"]),
        (["0", "1"], 4, ["0", "1", "0", "1"]),
        (["2", "5", "7"], 0, ["2", "5", "7"]),
    ],
)
def test_each_worker_has_a_gpu(gpus: list[str], workers: int, given: list[str | None]) -> None:
    from pytest_agentcore.elsewhere.dask import environments  # noqa: PLC0415 - optional

    assert [one.get("CUDA_VISIBLE_DEVICES") for one in environments(gpus, workers)] == given


@pytest.mark.parametrize(("given", "gpus"), [("", []), ("1", ["1"]), ("0,3", ["0", "3"])])
def test_gpus_are_those_that_the_process_may_use(given: str, gpus: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_agentcore.elsewhere.dask import gpus_here  # noqa: PLC0415 - optional

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert gpus_here() == given.split(",") if given else gpus == []


def test_each_workers_process_sees_its_gpu_alone() -> None:
    from distributed import Client  # noqa: PLC0415 - optional

    from pytest_agentcore.elsewhere.dask import start_here  # noqa: PLC0415 - optional

    with start_here(["3", "5"], 0, 1) as cluster, Client(cluster, set_as_default=False) as client:
        seen = client.run(os.getenv, "CUDA_VISIBLE_DEVICES")
    assert sorted(seen.values()) == ["3", "5"]
