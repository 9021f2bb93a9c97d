"""Asks a checker about a trial again, in another process (`asked_again`) where all that may not decide is otherwise.

There hashes have another seed, sets and folders are gone through forwards in one asking and backwards in another, calls
took no time or very long. The sandbox's answers are those of the first asking, so that only the checker itself can say
something else.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from pytest_agentcore.runner import Finished
from pytest_agentcore.sandbox.base import Command, Completed, Sandbox, Workspace
from pytest_agentcore.sandbox.workspace import content_digest

SEED = "1"
"""Of hashes, in the other process; here Python draws one for each process."""
BY_CHANCE = re.compile(
    r"\$RANDOM|/dev/u?random|\b(?:shuf|uuidgen|mktemp)\b|(?:^|[;&|(`])\s*(?:date|uptime)\b(?!\.)"
    r"|\b(?:random|secrets|time|datetime)\.\w*(?:random|rand|choice|time|now|today)\w*\("
)
"""What in a checker's shell command gives something else each time."""


@dataclass(slots=True)
class Recording(Sandbox):
    """A sandbox that runs the same command of a checker over the same files once, and remembers what it gave."""

    inner: Sandbox
    taken: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """What the checker's commands gave since it was last asked, as JSON, by `command_key`."""
    chance: set[str] = field(default_factory=set)
    """Words of its shell commands that give something else each time."""
    _known: dict[str, Completed] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """See `Sandbox`, here and below."""
        return self.inner.name

    def run(self, workspace: Workspace, command: Command) -> Completed:
        key = command_key(workspace, command)
        done = self._known[key] = self._known.get(key) or self.inner.run(workspace, command)
        self.taken.setdefault(key, []).append({**asdict(done), "output": done.output.decode("latin-1")})
        if command.argv[0] == "sh" and (found := BY_CHANCE.search(command.argv[-1])):
            self.chance.add(found[0].strip(" ;&|(`"))
        return done

    def forget(self) -> None:
        """Begin with what is run for the next verdict."""
        self.taken.clear()
        self.chance.clear()

    def path(self, workspace: Workspace, inside: str) -> str:
        return self.inner.path(workspace, inside)

    def describe(self) -> Mapping[str, Any]:
        return self.inner.describe()


def command_key(workspace: Workspace, command: Command) -> str:
    """The same for the same command over the same files, wherever they lie."""
    asked = json.dumps([*command.argv, command.stdin.decode("latin-1")])
    asked = asked.replace(str(workspace.root.parents[1]), "")
    return hashlib.sha256(f"{content_digest(workspace.root)} {asked}".encode()).hexdigest()


class Witness:
    """The other process; it is started when it is first asked."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def doubts(
        self, finished: Finished, said: str, recording: Recording, *, afresh: bool = False, briefly: bool = False
    ) -> Iterator[str]:
        """Ask about a finished trial again, and say why the verdict cannot be relied on, if it cannot.

        Args:
            finished: the trial, about which its checker was asked.
            said: what the checker said.
            recording: what it ran in the sandbox.
            afresh: whether that is run again, too.
            briefly: whether it is asked once, backwards, which shows what it consults, and not three times.
        """
        yield from (f"runs `{word}` in the shell, which gives something else each time" for word in recording.chance)
        job, frozen = finished.job, finished.frozen
        order = {
            "module": str(job.task.module),
            "name": job.task.checker.__module__,
            "suite": str(job.suite.path),
            "version": job.suite.version,
            "run": job.key.run,
            "workspace": [str(frozen.workspace.root), str(frozen.workspace.tmp)],
            "skipped": dict(frozen.skipped),
            "changed": sorted(finished.trial.changed()),
            "calls": [asdict(call) for call in finished.attempt.calls],
            "answer": finished.attempt.answer,
            "stop_reason": finished.attempt.stop_reason.value,
            "sandbox": dict(recording.describe()),
            "image": job.suite.image_names.get(job.task.id, ""),
            "taken": {} if afresh else recording.taken,
        }
        heard = self._exchange(order, [(True, 1)] if briefly else [(False, 1), (True, 2)])
        if "problem" in heard:
            yield f"cannot be asked again: {heard['problem']}"
            return
        if heard["instance"] != {finished.instance.digest()}:
            yield "is given another instance where hashes, sets or folders have another order"
        yield from (
            f"consults {source}, so that it may say something else another time" for source in heard["consulted"]
        )
        if heard["said"] != {said}:
            others = " and ".join(sorted(heard["said"] - {said}))
            yield f"{said} here, and {others} when asked again (other hashes, orders of sets and folders, durations)"

    def _exchange(self, order: Mapping[str, Any], askings: Sequence[tuple[bool, int]]) -> dict[str, Any]:
        """Have it asked in each of the directions, so many times each."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pytest_agentcore.checks.asked_again"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONHASHSEED": SEED, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        said: set[str] = set()
        heard: dict[str, Any] = {"consulted": set(), "instance": set(), "said": said}
        for backwards, times in askings:
            line = b""
            with suppress(OSError):
                assert self._process.stdin
                assert self._process.stdout
                self._process.stdin.write(
                    json.dumps({**order, "backwards": backwards, "times": times}).encode() + b"\n"
                )
                self._process.stdin.flush()
                line = self._process.stdout.readline()
            if not line:
                self.close()
                return {"problem": "the process that asked it has ended"}
            answer = json.loads(line)
            if "problem" in answer:
                return {"problem": answer["problem"]}
            heard["consulted"].update(answer["consulted"])
            heard["instance"].add(answer["instance"])
            said.update(answer["said"])
        return heard

    def close(self) -> None:
        """End the other process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
