"""Orders over Dask: a scheduler that is there already, or workers on this machine; and what starts a worker.

Dask only carries here. Every order is for one worker and is never run again by Dask itself, which would not say so:
the task of a worker that died stays pending, is noticed by our own look at who is there, and is given up.
Nothing but bytes and texts is pickled. API: https://distributed.dask.org/en/stable/api.html
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
import warnings
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import distributed
from distributed import Client, Nanny, Scheduler, Security, SpecCluster, get_worker
from distributed.versions import VersionMismatchWarning

from pytest_agentcore.elsewhere.base import Take
from pytest_agentcore.elsewhere.worker import Worker
from pytest_agentcore.errors import UsageError, WorkerLost

CONNECT_SECONDS = 20.0
"""A scheduler is waited for so long."""
WATCH_SECONDS = 0.5
"""How often the scheduler is asked which workers are there."""
SILENT_SECONDS = 20.0
"""A worker whose heartbeat has stopped for so long gets no orders, though its connection may stand: it is frozen."""
LOCAL = 2
"""Workers of `dask://local` on a machine without several GPUs: enough to see how it works."""


class Dask:
    """An `Engine` over a Dask scheduler."""

    def __init__(self, address: str, take: Take, threads: int) -> None:
        """Connect.

        Args:
            address: as `--agentcore-on` has it.
            take: is told what workers tell.
            threads: of each worker that is started here.

        Raises:
            UsageError: there is no scheduler, or it could be listened to on the way.
        """
        self._cluster: SpecCluster | None = None
        try:
            if local := re.fullmatch(r"dask://local(?::(\d+))?", address):
                self._cluster = start_here(gpus_here(), int(local[1] or 0), threads)
            place: Any = self._cluster or tcp_address(address)
            with warnings.catch_warnings():
                # whose versions differ is our own question to each worker, and ends no session
                warnings.simplefilter("default", VersionMismatchWarning)
                self._client = Client(place, timeout=CONNECT_SECONDS, set_as_default=False, security=Security())
        except (OSError, RuntimeError, ValueError) as error:  # ValueError also where one side alone has TLS
            raise UsageError(f"--agentcore-on {address}: {_unanswered(error)}") from error
        self._topic, self._take = f"agentcore-{uuid.uuid4()}", take
        self._known: Mapping[str, Any] = {}
        """What the scheduler said of its workers when it answered last."""
        self._is_connected = False
        self._out: dict[str, tuple[str, Future[bytes], distributed.Future[bytes]]] = {}
        """Worker and futures of each order that is out, by its name."""
        self._beats: dict[str, tuple[float, float]] = {}
        """Of each worker: its last heartbeat by the scheduler's clock, and when that came to be known by ours."""
        self._workers: Mapping[str, int] = {}
        self._closed = threading.Event()
        self._look()
        self._watcher = threading.Thread(target=self._watch, name="agentcore-dask", daemon=True)
        self._watcher.start()

    def workers(self) -> Mapping[str, int]:
        """See `Engine.workers`."""
        return self._workers

    def submit(self, worker: str, name: str, order: bytes) -> Future[bytes]:
        """See `Engine.submit`."""
        mine: Future[bytes] = Future()
        options: Any = {"key": name, "workers": [worker], "allow_other_workers": False, "pure": False, "retries": 0}
        theirs = self._client.submit(_work, order, name, self._topic, **options)
        self._out[name] = worker, mine, theirs
        theirs.add_done_callback(partial(self._fetch, name))
        return mine

    def stop(self, name: str) -> None:
        """See `Engine.stop`: the worker sees that nobody wants the task any more."""
        if out := self._out.pop(name, None):
            out[2].cancel()

    def close(self) -> None:
        """See `Engine.close`."""
        self._closed.set()
        self._watcher.join()
        for name in tuple(self._out):
            self.stop(name)
        with suppress(OSError, TimeoutError, ValueError):
            self._client.close(timeout=5)
        if self._cluster:
            self._cluster.close(timeout=10)

    def _fetch(self, name: str, theirs: distributed.Future[bytes]) -> None:
        """Fetch an answer from its worker; in the thread that Dask has for callbacks."""
        out = self._out.pop(name, None)
        if out is None:
            return
        try:
            out[1].set_result(theirs.result(timeout=CONNECT_SECONDS))
        except BaseException as error:  # noqa: BLE001 - whatever the task raised there is for whoever waits for it
            lost = distributed.CancelledError, distributed.KilledWorker, asyncio.CancelledError, OSError
            out[1].set_exception(WorkerLost(f"the worker {out[0]} is gone") if isinstance(error, lost) else error)

    def _hear(self, event: tuple[float, Any]) -> None:
        self._take(*event[1])

    def _watch(self) -> None:
        while not self._closed.wait(WATCH_SECONDS):
            self._look()

    def _look(self) -> None:
        """See who is there and heard of, and give up the orders of those that are not there any more."""
        client: Any = self._client
        if client.status != "running":  # the scheduler is gone, and its workers with it
            self._known, self._is_connected = {}, False
        else:
            if not self._is_connected:  # it came back, and knows nothing of who listens
                self._is_connected = True
                client.subscribe_topic(self._topic, self._hear)
            with suppress(Exception):  # in whatever way Dask says it: one that does not answer may only be busy
                options = {"n_workers": -1, "callback_timeout": WATCH_SECONDS * 10}
                self._known = client.sync(client.scheduler.identity, **options)["workers"]
        now = time.monotonic()
        for name, facts in self._known.items():
            if self._beats.get(name, (None, 0))[0] != facts["last_seen"]:
                self._beats[name] = facts["last_seen"], now
        self._workers = {
            name: int(facts["nthreads"])
            for name, facts in self._known.items()
            if facts["status"] == "running" and now - self._beats[name][1] < SILENT_SECONDS
        }
        for name, (worker, mine, theirs) in tuple(self._out.items()):
            if worker not in self._known and name in self._out:
                del self._out[name]
                mine.set_exception(WorkerLost(f"the worker {worker} is gone"))
                with suppress(Exception):  # a scheduler that is gone too
                    theirs.cancel()


class DaskLink:
    """A `Link` through the Dask worker that an order runs in."""

    def __init__(self, name: str, topic: str) -> None:
        self._worker, self._name, self._topic = get_worker(), name, topic

    def tell(self, line: bytes) -> None:
        """See `Link.tell`."""
        self._worker.log_event(self._topic, [self._name, line])

    def stopped(self) -> bool:
        """See `Link.stopped`: the scheduler takes a task back when its future is cancelled, or its client is gone."""
        task = self._worker.state.tasks.get(self._name)
        return task is None or task.state != "executing"


@cache
def _this_process() -> Worker:
    """The one worker of a process, whatever orders come to it: it holds the model."""
    return Worker()


def _work(order: bytes, name: str, topic: str) -> bytes:
    return _this_process().work(order, DaskLink(name, topic))


# Addresses, and what is started.


def tcp_address(address: str) -> str:
    """Dask's own address for ours.

    Raises:
        UsageError: it is none, or a key, a prompt and a model's words would travel in the open.
    """
    parts = urlsplit(address)
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if parts.scheme not in ("dask", "dask+tcp") or not host or not port:
        raise UsageError(f"{address!r}: must be dask://HOST:PORT of a scheduler, or dask://local[:N]")
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if protocol() == "tcp" and parts.scheme == "dask" and not _is_loopback(host):
        raise UsageError(
            f"{address}: whoever reaches a scheduler without TLS runs code on workers and reads what they send; give "
            "Dask its certificates (distributed.comm.tls in its configuration), or write dask+tcp:// in a network that "
            "nobody else is in"
        )
    return f"{protocol()}://{place}"


def protocol() -> str:
    """How this machine talks to schedulers and workers: over TLS, where Dask is configured with certificates."""
    security: Any = Security()
    return "tls" if security.tls_ca_file else "tcp"


def _unanswered(error: Exception) -> str:
    why = error.__cause__ or error
    return f"no Dask scheduler answers there over {protocol().upper()} ({str(why) or type(why).__name__})"


def _is_loopback(host: str) -> bool:
    with suppress(OSError, ValueError):
        found = {info[4][0] for info in socket.getaddrinfo(host, None)}
        return all(ipaddress.ip_address(each).is_loopback for each in found)
    return False


def gpus_here() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    there = sorted(path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return there if given is None else [word for word in given.split(",") if word.strip()]


def environments(gpus: list[str], workers: int) -> list[dict[str, str]]:
    """Variables of each worker: a GPU each, in turn where there are fewer than workers; one worker per GPU unasked."""
    number = workers or (len(gpus) if len(gpus) > 1 else LOCAL)
    return [{"CUDA_VISIBLE_DEVICES": gpus[n % len(gpus)]} if gpus else {} for n in range(number)]


def start_here(gpus: list[str], workers: int, threads: int) -> SpecCluster:
    """Start a scheduler and workers on this machine, which nobody else can reach."""
    quiet: Any = {"silence_logs": logging.ERROR}
    alone = {"host": "127.0.0.1", "protocol": protocol(), "dashboard": False}
    options = {**alone, "nthreads": threads, "memory_limit": 0, **quiet}
    each = [{"cls": Nanny, "options": {**options, "env": env}} for env in environments(gpus, workers)]
    scheduler = {"cls": Scheduler, "options": {**alone, "port": 0, "dashboard_address": "127.0.0.1:0"}}
    return SpecCluster(workers=dict(enumerate(each)), scheduler=scheduler, name="agentcore", **quiet)


def serve(address: str, *, threads: int, gpu: str | None, name: str | None) -> int:
    """Work for the sessions of a scheduler until it is gone or a signal comes; a worker that dies is started anew.

    Raises:
        UsageError: the address is none, or may not be used.
    """
    place = tcp_address(address)
    if os.getpid() == 1:
        return _as_init()
    environment = {} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}

    async def run() -> None:
        options: Any = {"nthreads": threads, "memory_limit": 0, "name": name, "env": environment, "dashboard": False}
        async with Nanny(place, **options, security=Security()) as nanny:
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, lambda: asyncio.ensure_future(nanny.close()))
            await nanny.finished()

    try:
        asyncio.run(run())
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"{address}: {_unanswered(error)}") from error
    return 0


def _as_init() -> int:
    """Be the init of a container: processes that lost their parent are children of process 1, which must wait for them.

    The worker itself is a child, so that what it waits for is not taken from it.
    """
    child = subprocess.Popen([sys.executable, "-m", "pytest_agentcore.cli", *sys.argv[1:]]).pid
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _frame: os.kill(child, received))
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)
