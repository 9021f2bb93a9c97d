"""Workers on machines that share nothing with the session, a network that breaks, and disks that are full."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tiny import Script, campaign, result_lines, say, shell, write

from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.validate import examine

pytestmark = [pytest.mark.needs("distributed"), pytest.mark.sandbox, pytest.mark.usefixtures("dask")]

MACHINE = [
    "unshare",
    "--user",
    "--map-root-user",
    "--mount",
    "--pid",
    "--uts",
    "--fork",
    "--kill-child",
    "--mount-proc",
]
"""Runs a command as process 1 of a machine with users, processes and mounts of its own."""
OWN_DISK = "mount -t tmpfs -o size=16m none {home} && cd {home} && TMPDIR={home} HOME={home} exec {worker}"
"""Where the session has its folder the machine has a small disk, and nothing else to write to."""

BOT = """
import json, os, time
from pathlib import Path

def processes():
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield (folder / "stat").read_text().rpartition(")")[2].split()[0], (folder / "cmdline").read_text()
        except OSError:
            pass

def reply(request):
    if request.trial.run == 2:
        command = "head -c 30000000 /dev/zero > big"
    else:
        command = "echo hello > hello.txt; (sleep 600 &) ; (true &)"
    if request.turn == 1:
        return {"tool_calls": [{"name": "shell", "arguments": {"command": command}}]}
    for _ in range(500):
        if not (zombies := [line for state, line in processes() if state == "Z"]):
            break
        time.sleep(0.01)
    left = [line for _, line in processes() if line.startswith("sleep")]
    first = Path("/proc/1/cmdline").read_text().split("\\0")
    return json.dumps([os.readlink("/proc/self/ns/user"), "worker" in first, os.path.exists("bot.py"), zombies, left])
"""


@pytest.fixture
def machine(pytester: pytest.Pytester) -> Iterator[str]:
    """The address of a scheduler whose only worker is process 1 of a machine of its own."""
    from pytest_agentcore.elsewhere.dask import start_here  # noqa: PLC0415 - optional

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pytest_agentcore.elsewhere.dask.environments", lambda _gpus, _workers: [])
        cluster = start_here([], 0, 1)
    with cluster:
        address = cluster.scheduler_address.replace("tcp://", "dask://")
        worker = f"{sys.executable} -m pytest_agentcore.cli worker {address}"
        command = [*MACHINE, "sh", "-c", OWN_DISK.format(home=pytester.path, worker=worker)]
        with (pytester.path / "worker.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        yield address
        process.kill()
        process.wait()


def test_a_worker_on_a_machine_of_its_own(pytester: pytest.Pytester, suite: Path, machine: str) -> None:
    """It is process 1 there, shares no disk, and a disk that is full is nobody's wrong answer."""
    bot = pytester.path / "bot.py"
    bot.write_text(BOT)
    words = (f"--model=scripted:{bot}", "--runs=3", "-k", "hello", "--parallel=1", "--agentcore-retries=0")
    result = pytester.runpytest(*words, f"--agentcore-on={machine}", suite)
    result.assert_outcomes(passed=2, errors=1)
    first, full, third = result_lines(campaign(pytester))
    assert (full["failure_mode"], full["cause"]) == ("infrastructure_error", "sandbox_failed")
    for line in (first, third):
        transcript = campaign(pytester) / "data" / "transcripts" / f"{line['attempt']}.jsonl"
        said = [json.loads(each) for each in transcript.read_text().splitlines()]
        (answer,) = (event["text"] for event in said if event["event"] == "reply" and not event["tool_calls"])
        users, *facts = json.loads(answer)
        assert users != str(Path("/proc/self/ns/user").readlink())
        assert facts == [True, False, [], []]


NETWORK = """
ip link set lo up
{there} sh -c '{elsewhere}' &
until [ "$(readlink /proc/$!/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
ip link add name near type veth peer name far netns $!
ip addr add 10.9.8.1/24 dev near
ip link set near up
{python} -m dask scheduler --host 10.9.8.1 --port 8786 --no-dashboard 2> scheduler.log &
{here}
{session}
"""
"""Two machines with a cable between them. The session is on one, which has a scheduler too."""
ELSEWHERE = "until ip addr add 10.9.8.2/24 dev far; do sleep 0.01; done; ip link set lo up; ip link set far up; "
ADDRESS = "dask+tcp://10.9.8.1:8786"
CABLE = """
import os, subprocess, time
from pathlib import Path

HOME, trials = Path({home!r}), set()

def reply(request):
    trials.add(request.trial.run)
    if (HOME / "bot.py").exists():  # not there: the other machine has a disk of its own
        while sum(1 for _ in HOME.glob("*/*/data/transcripts/*.jsonl")) < 3:
            time.sleep(0.01)
    elif len(trials) == 2:
        subprocess.run(["ip", "link", "set", "far", "down"], check=True)
        request.cancel.wait()
    if request.turn > 1:
        return " ".join([os.readlink("/proc/self/ns/net"), os.readlink("/proc/self/ns/user")])
    return {{"tool_calls": [{{"name": "fs_write", "arguments": {{"path": "hello.txt", "content": "hello"}}}}]}}
"""


def over_a_cable(folder: Path, session: str) -> None:
    """Run a session on a machine of its own; it has a worker there, and one on another."""
    probe = subprocess.run([*MACHINE, "--net", "ip", "link", "add", "name", "near", "type", "veth"], check=False)
    if probe.returncode:
        pytest.skip("no network between namespaces can be made here (ip link add type veth)")
    worker = f"{sys.executable} -m pytest_agentcore.cli worker {ADDRESS} --parallel 1 2> {{name}}.log"
    elsewhere = ELSEWHERE + OWN_DISK.format(home=folder, worker=worker.format(name="far"))
    machines = NETWORK.format(
        there=" ".join([*MACHINE, "--net"]),
        elsewhere=elsewhere,
        python=sys.executable,
        here=f"{worker.format(name='near')} &",
        session=session,
    )
    with (folder / "said.log").open("wb") as log:
        subprocess.run([*MACHINE, "--net", "sh", "-c", machines], cwd=folder, stdout=log, stderr=log, check=True)


def test_a_network_that_breaks_loses_an_attempt_and_no_trial(pytester: pytest.Pytester, suite: Path) -> None:
    """The worker behind the cable has a trial, gets another, and is cut off; the connection never ends."""
    (pytester.path / "bot.py").write_text(CABLE.format(home=str(pytester.path)))
    impatient = "import pytest_agentcore.elsewhere.dask as dask\ndask.SILENT_SECONDS = 2.0\n"
    pytester.makepyfile(impatient=impatient)
    command = f"PYTHONPATH={pytester.path}:$PYTHONPATH {sys.executable} -m pytest -p impatient -p no:cacheprovider"
    over_a_cable(pytester.path, f"{command} --model=scripted:bot.py --runs=4 -k hello {suite} --agentcore-on={ADDRESS}")
    folder = campaign(pytester)
    assert [str(problem) for problem in examine(CampaignFolder(folder)).problems] == []
    assert sorted(line["attempts"] for line in result_lines(folder)) == [1, 1, 1, 2]

    def told(kind: str) -> list[list[dict[str, Any]]]:
        paths = (folder / "data" / kind).glob("*.jsonl")
        return [[json.loads(line) for line in path.read_text().splitlines()] for path in paths]

    said_by = {urlsplit(begun["worker"]).hostname: reply["text"] for begun, *_, reply, _, _ in told("transcripts")}
    assert said_by.keys() == {"10.9.8.1", "10.9.8.2"}
    near, far = (set(said_by[host].split()) for host in sorted(said_by))
    assert not near & far  # neither the network nor the users are the same
    ((*_, lost),) = told("attempts")
    assert lost["detail"] == "another attempt at the trial was over first"


def in_small_place(place: Path, command: list[str], size: int, **variables: str) -> pytest.LineMatcher:
    """Run a command that finds a file system of so many bytes at a place."""
    bound = ["bwrap", "--dev-bind", "/", "/", "--size", str(size), "--tmpfs", str(place), *command]
    done = subprocess.run(bound, capture_output=True, text=True, check=False, env={**os.environ, **variables})
    return pytest.LineMatcher((done.stdout + done.stderr).splitlines())


def test_a_workspace_that_cannot_be_written_here_is_infrastructure(
    pytester: pytest.Pytester, suite: Path, script: Script
) -> None:
    bot = script(**{"*": [shell("head -c 30000000 /dev/zero > big"), {"text": "done"}]})
    words = (f"--model=scripted:{bot}", "--runs=1", "--agentcore-retries=0", "-p", "no:cacheprovider", str(suite))
    place = pytester.mkdir("small")
    in_small_place(place, [sys.executable, "-m", "pytest", *words], 16 * 2**20, TMPDIR=str(place))
    found = [(line["failure_mode"], line["cause"]) for line in result_lines(campaign(pytester))]
    assert found == [("infrastructure_error", "sandbox_failed")] * 2


def test_a_disk_that_is_full_here_ends_the_session(
    pytester: pytest.Pytester, suite: Path, script: Script, dask: str
) -> None:
    """While trials run on workers; what was recorded before is whole."""
    bot = script(**{"*": [write("hello.txt", "hello"), say(" ".join(map(str, range(20_000))))]})
    words = f"--model=scripted:{bot} --runs=20 --agentcore-on={dask} -p no:cacheprovider --tb=no"
    place = pytester.mkdir("small")
    command = f"{sys.executable} -m pytest {words} --results={place}/r {suite}; echo code $?; "
    command += f"{sys.executable} -m pytest_agentcore.cli validate {place}/r/*; echo valid $?"
    said = in_small_place(place, ["bash", "-c", command], 1_500_000)
    said.fnmatch_lines(["*cannot be written (No space left on device); what was recorded before is whole*", "code 3"])
    said.fnmatch_lines(["*: as it was written (*", "valid 0"])
