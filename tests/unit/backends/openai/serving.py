"""Starts a real server of models on loopback, and waits until it answers."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

THREADS = os.environ.get("AGENTCORE_TEST_THREADS", "1")
START = 120.0
"""Seconds that a server may take on a busy machine."""


@contextmanager
def serving(words: Sequence[str], log: Path) -> Iterator[str]:
    """The address at which the command answers, which takes `--host` and `--port`; it ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("wb") as out:
        process = subprocess.Popen([*words, "--host", "127.0.0.1", "--port", str(port)], stdout=out, stderr=out)
    try:
        _wait(f"http://127.0.0.1:{port}/v1/models", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(errors="replace")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text(errors="replace"))
