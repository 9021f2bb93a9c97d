"""What hundreds of trials at once against one endpoint cost the process that drives them: CPU, memory, threads.

    python benchmarks/many_in_flight.py [--trials 512] [--parallel 1,64,256] [--seconds 1] [--sandbox bubblewrap]

A scripted server on loopback, a process of its own, streams every reply over a second; a trial makes five shell calls
and answers, so that it waits for six seconds. Where one runs at a time there are six trials only. CPU seconds are those
of pytest and all its commands. Memory is the most that pytest held, and the most that the commands of its trials held
together, each process's own pages; threads are pytest's. What a session of one trial takes, with a server that answers
at once, is subtracted before CPU and memory are divided by trials, and by trials at a time. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
from harness import WORK, fresh, now
from harness_work.scripted_server import Handler
from harness_work.work import COMMANDS

PIECES = 10
"""Parts in which a reply comes."""
LOOK_SECONDS = 0.2
"""How often memory and threads are read: reading them takes CPU time of its own, which nobody counts."""
FEW = 6
"""Trials where there is one at a time."""


class SlowHandler(Handler):
    """Sends its stream a part at a time."""

    seconds = 1.0

    def answer(self, body: bytes, kind: str) -> None:
        """Send the parts evenly over the time; the tail, which ends the reply, comes last."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        slow = kind == "text/event-stream"
        step = -(-len(body) // PIECES) if slow else len(body)
        for begin in range(0, len(body), step):
            time.sleep(self.seconds / PIECES if slow else 0)
            self.wfile.write(body[begin : begin + step])
            self.wfile.flush()


class Server(ThreadingHTTPServer):
    """Takes hundreds of connections that come at the same time."""

    request_queue_size = 1024
    daemon_threads = True


def serve(seconds: float, port: Connection) -> None:
    """Serve until the process is ended, and tell the port."""
    SlowHandler.seconds = seconds
    server = Server(("127.0.0.1", 0), SlowHandler)
    port.send(server.server_address[1])
    server.serve_forever()


@contextmanager
def slow_server(seconds: float) -> Iterator[str]:
    """The base URL of a server whose CPU time is no part of what is measured."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(seconds, there), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}/v1"
    finally:
        process.terminate()
        process.join()


@dataclass
class Cost:
    """What a session took."""

    wall: float = 0.0
    cpu: float = 0.0
    own: float = 0.0
    """The most memory that pytest itself had, in MB."""
    commands: float = 0.0
    """The most that the commands of its trials had together, in MB."""
    processes: int = 0
    threads: int = 0

    def look(self, pid: int) -> None:
        """Read memory and threads now."""
        with contextlib.suppress(psutil.Error):
            pytest = psutil.Process(pid)
            self.own = max(self.own, pytest.memory_info().rss / 1e6)
            self.threads = max(self.threads, pytest.num_threads())
            children = pytest.children(recursive=True)
            self.processes = max(self.processes, len(children))
            self.commands = max(self.commands, sum(map(private, children)))


def private(process: psutil.Process) -> float:
    """Memory that a process shares with none, in MB; 0 where it is gone already."""
    with contextlib.suppress(psutil.Error):
        return float(process.memory_full_info().uss) / 1e6
    return 0.0


def session(folder: Path, url: str, trials: int, parallel: int, sandbox: str) -> Cost:
    """Run so many trials and measure them."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=.", "--model=bench"]
    command += [f"--runs={trials}", f"--parallel={parallel}", f"--sandbox={sandbox}", "--agentcore-preflight=off"]
    command += [f"--agentcore-results={fresh(folder)}", f"--agentcore-base-url={url}", str(WORK / "test_task_bench.py")]
    cost, began, over = Cost(), now(), threading.Event()
    with (folder / "output.txt").open("w+") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)

        def watch() -> None:
            while not over.wait(LOOK_SECONDS):
                cost.look(process.pid)

        watcher = threading.Thread(target=watch)
        watcher.start()
        process.wait()
        over.set()
        watcher.join()
        output.seek(0)
        if f"{trials} passed" not in (said := output.read()):
            sys.exit(said[-5000:])
    spent = now() - began
    cost.wall, cost.cpu = spent.wall, spent.cpu
    return cost


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--trials", type=int, default=512)
    parser.add_argument("--parallel", type=lambda text: [int(word) for word in text.split(",")], default=[1, 64, 256])
    parser.add_argument("--seconds", type=float, default=1.0, help="of each reply")
    parser.add_argument("--sandbox", default="bubblewrap", choices=["bubblewrap", "process"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, slow_server(options.seconds) as url:
        folder = Path(temporary)
        (folder / "pytest.ini").write_text("[pytest]\n")
        with slow_server(0.0) as quick:
            empty = session(folder, quick, 1, 1, options.sandbox)
        waits = (len(COMMANDS) + 1) * options.seconds
        print(f"{len(COMMANDS)} shell calls and an answer each, {waits:g} s of waiting; {options.sandbox}, ", end="")
        print(f"{os.cpu_count()} cores; of its own a session takes {empty.cpu:.1f} CPU seconds, {empty.own:.0f} MB\n")
        heads = ["at a time", "trials", "seconds", "CPU seconds a trial", "MB a trial at a time", "threads"]
        heads += ["processes of commands", "MB of these"]
        print(f"| {' | '.join(heads)} |\n|{'---:|' * len(heads)}")
        for parallel in options.parallel:
            trials = FEW if parallel == 1 else options.trials
            cost = session(folder, url, trials, parallel, options.sandbox)
            cpu, more = (cost.cpu - empty.cpu) / (trials - 1), (cost.own - empty.own) / min(parallel, trials)
            print(f"| {parallel} | {trials} | {cost.wall:.1f} | {cpu:.3f} | {more:.2f} | {cost.threads} | ", end="")
            print(f"{cost.processes} | {cost.commands:.0f} |", flush=True)


if __name__ == "__main__":
    main()
