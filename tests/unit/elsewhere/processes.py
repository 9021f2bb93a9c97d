"""An engine over processes of this machine, a pipe to each: that no worker needs anything of this process."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from multiprocessing.connection import Connection
from typing import Any

from pytest_agentcore.elsewhere.base import Take
from pytest_agentcore.elsewhere.worker import Worker
from pytest_agentcore.errors import WorkerLost


class PipeLink:
    """A link through the pipe of a worker's process."""

    def __init__(self, send: Any, name: str, stopped: set[str]) -> None:
        self._send, self._name, self._stopped = send, name, stopped

    def tell(self, line: bytes) -> None:
        self._send(("told", self._name, line))

    def stopped(self) -> bool:
        return self._name in self._stopped


def serve(pipe: Connection) -> None:
    """Do the orders of a pipe, each on a thread, until its other end is closed."""
    worker, stopped, one_at_a_time = Worker(), set[str](), threading.Lock()

    def send(message: tuple[str, str, bytes]) -> None:
        with one_at_a_time:
            pipe.send(message)

    def work(name: str, order: bytes) -> None:
        send(("answer", name, worker.work(order, PipeLink(send, name, stopped))))

    while True:
        try:
            kind, name, order = pipe.recv()
        except EOFError:
            os._exit(0)
        if kind == "stop":
            stopped.add(name)
        else:
            threading.Thread(target=work, args=(name, order), daemon=True).start()


class Processes:
    """A worker, which is a process that is started from nothing."""

    def __init__(self, take: Take) -> None:
        self._take, self._futures = take, dict[str, Future[bytes]]()
        self._pipes, self._processes = dict[str, Connection](), list[Any]()
        context = multiprocessing.get_context("spawn")
        for name in ("only",):
            self._pipes[name], theirs = context.Pipe()
            self._processes.append(context.Process(target=serve, args=(theirs,), daemon=True))
            self._processes[-1].start()
            theirs.close()
            threading.Thread(target=self._listen, args=(name,), daemon=True).start()

    def _listen(self, worker: str) -> None:
        while True:
            try:
                kind, name, data = self._pipes[worker].recv()
            except (EOFError, OSError):
                for future in self._futures.values():
                    if not future.done():
                        future.set_exception(WorkerLost(f"{worker} is gone"))
                return
            if kind == "told":
                self._take(name, data)
            elif not self._futures[name].done():
                self._futures[name].set_result(data)

    def workers(self) -> Mapping[str, int]:
        return dict.fromkeys(self._pipes, 2)

    def submit(self, worker: str, name: str, order: bytes) -> Future[bytes]:
        self._futures[name] = Future()
        self._pipes[worker].send(("order", name, order))
        return self._futures[name]

    def stop(self, name: str) -> None:
        for pipe in self._pipes.values():
            pipe.send(("stop", name, b""))

    def close(self) -> None:
        for process, pipe in zip(self._processes, self._pipes.values(), strict=True):
            process.kill()
            process.join()
            pipe.close()
