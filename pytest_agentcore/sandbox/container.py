"""The sandbox for any toolchain: a container of podman or docker, in an image that a suite may choose.

A trial has a container of its own, which starts while the model writes its first reply. Commands do not start a process
of the engine each, which would cost a quarter of a second: the container's first process (`within.py`) takes them over
its standard input. What checkers run over short-lived copies goes into containers that are kept for it: a copy's
contents are moved in and out, and nothing else of a run is left when the next one begins.

The workspace is the host's folder, so a container is nothing that could not be lost: one that breaks is made anew.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import json
import os
import secrets
import select
import shutil
import subprocess
import tempfile
import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from pytest_agentcore.errors import SandboxError, UsageError
from pytest_agentcore.sandbox.base import MIB, Command, Completed, Limits, Sandbox, Workspace
from pytest_agentcore.sandbox.engine import Engine, cure, one_line
from pytest_agentcore.sandbox.python import environment
from pytest_agentcore.sandbox.supervise import settled
from pytest_agentcore.sandbox.watch import LONGEST_PAUSE, SPARE_PROCESSES
from pytest_agentcore.sandbox.workspace import (
    accounts,
    clear,
    create_workspace,
    hand_over,
    mend,
    require,
    scratch,
    user_of,
)

IMAGE = "localhost/agentcore-sandbox"
"""The image of suites that name none; `agentcore sandbox build` makes it."""
CHECKER = "/checker"
"""The folder that shows what a checker gives to a command; for all others there is none, as in a trial."""
START_SECONDS, GRACE = 60.0, 10.0
"""How long a container may take to start, and a command to be ended once its time is up."""
MEMORY, PROCESSES = Limits().memory_bytes + 256 * MIB, Limits().processes + SPARE_PROCESSES + 1
"""What a whole container may use at most: a command's, and some for the first process and for files in memory."""
KILLED = 137
"""The exit code of an engine whose container was killed from outside it, which the kernel does for its memory."""
SENT = ("base", "reaper", "tree", "syscalls", "watch", "within")
"""Modules of this folder that the first process consists of, in the order of their imports."""
BOOT = """\
import base64, json, sys, types, zlib
if sys.version_info < (3, 11): sys.exit("its Python is older than 3.11")
for name, source in json.loads(zlib.decompress(base64.b64decode(sys.stdin.buffer.readline()))).items():
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name, "exec"), vars(module))
module.main()
"""


@dataclass(frozen=True, kw_only=True)
class Container(Sandbox):
    """`Sandbox` with a container per trial. Made by `open_sandbox`, which has probed it."""

    engine: Engine
    images: Mapping[str, str] = field(default_factory=dict)
    """Names of images by task id, where tasks name any; an empty name is ours."""
    is_limited: bool = True
    """Whether the engine bounds memory and processes of a container; without that right only the watch does."""
    image: str = IMAGE
    name: str = "container"

    def of(self, task: str) -> Container:
        """See `Sandbox.of`."""
        return replace(self, image=self.images.get(task) or IMAGE)

    @contextlib.contextmanager
    def over(self, workspace: Workspace) -> Iterator[None]:
        """See `Sandbox.over`: the workspace's own container."""
        with _LOCK:
            box = _OWN[workspace.root] = self._box(workspace)
        try:
            yield
        finally:
            with _LOCK:
                box = _OWN.pop(workspace.root, box)
            box.close()

    def run(self, workspace: Workspace, command: Command) -> Completed:
        """See `Sandbox.run`. Costs a few milliseconds beyond the command's own time once the container is there."""
        require(workspace)
        if workspace.root in _OWN and not command.read_only:
            done = self._in_its_own(workspace, command)
        else:
            done = self._in_a_shared_one(workspace, command)
        return settled(done, workspace, command.limits)

    def path(self, workspace: Workspace, inside: str) -> str:  # noqa: ARG002
        """Mounts are where they are said to be."""
        return inside

    def describe(self) -> Mapping[str, Any]:
        """See `Sandbox.describe`."""
        facts = self.facts
        loose = [] if facts["filtered"] else ["system calls (no filter is known for the container's machine)"]
        if not self.is_limited:
            loose.append("memory and number of processes between two looks (the engine may not limit them here)")
        return {
            "name": self.name,
            "version": self.engine.version,
            "engine": " ".join(self.engine.words),
            "python": facts["python"],
            "images": {name: str(image_of(self.engine, name)["Id"]).removeprefix("sha256:") for name in self.names},
            "uid": "its own" if os.geteuid() == 0 else "the user's",
            "system_call_filter": facts["filtered"],
            "not_confined": loose,
        }

    @property
    def names(self) -> list[str]:
        """The images that are used; ours where tasks name none."""
        return sorted({name or IMAGE for name in self.images.values()}) or [IMAGE]

    @property
    def is_as_limited_as_it_says(self) -> bool:
        """Whether the engine has set its limits: some leave them out with a warning."""
        return not self.is_limited or self.facts["processes"] == str(PROCESSES)

    @property
    def facts(self) -> Mapping[str, Any]:
        """Facts that the first process of a container tells of itself; starts one if there is none yet."""
        with self._shared() as (box, _):
            return box.facts

    def _box(self, workspace: Workspace) -> _Box:
        return _Box(self, workspace, user_of(workspace))

    def _in_its_own(self, workspace: Workspace, command: Command) -> Completed:
        box = _OWN[workspace.root]
        if box.is_broken:
            box.wait()
            box = _OWN[workspace.root] = self._box(workspace)
        hand_over(workspace, box.user)
        return box.run(command, self._order(command, box), workspace.cancel)

    def _in_a_shared_one(self, workspace: Workspace, command: Command) -> Completed:
        with self._shared(bool(command.read_only)) as (box, inner):
            if inner.root.stat().st_dev != workspace.root.stat().st_dev:  # nothing can be moved
                alone = _Box(self, workspace, box.user, shows=bool(command.read_only))
                hand_over(workspace, alone.user)
                try:
                    return alone.run(command, self._order(command, alone), workspace.cancel)
                finally:
                    alone.close()
            hand_over(workspace, box.user)
            hand_over(inner, box.user)
            try:
                _move(workspace, inner)
                return box.run(command, self._order(command, box), workspace.cancel)
            finally:
                _move(inner, workspace)

    @contextlib.contextmanager
    def _shared(self, shows: bool = False) -> Iterator[tuple[_Box, Workspace]]:
        """A container that nobody else uses meanwhile, and its own two folders, which are empty."""
        kind = (self.engine, self.image, self.is_limited, shows)
        with _LOCK:
            found = _IDLE[kind].pop() if _IDLE[kind] else None
        if found is None or found[0].is_broken:
            if found:
                found[0].close()
            home = scratch("container")
            inner = create_workspace(Path(home.name))
            box = _Box(self, inner, user_of(inner), shows=shows)
            box.folders.callback(home.cleanup)
            found = box, inner
        yield found
        with _LOCK:
            if not found[0].is_broken:
                _IDLE[kind].append(found)
                return
        found[0].wait()

    def _order(self, command: Command, box: _Box) -> dict[str, Any]:
        variables = image_of(self.engine, self.image)["Config"].get("Env") or ()
        own = dict(each.partition("=")[::2] for each in variables)
        path = own.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        return {
            "argv": list(command.argv),
            "stdin": base64.b64encode(command.stdin).decode(),
            "env": {**own, **environment(path=path, home="/tmp", extra=command.env)},  # noqa: S108
            "limits": asdict(command.limits),
            "counted": not self.is_limited and (os.geteuid() == 0 or self.engine.is_rootless),
            "user": box.user,
            "group": box.group,
        }


_LOCK = threading.RLock()
_OWN: dict[Path, _Box] = {}
"""Containers of trials, by their workspace's folder."""
_IDLE: dict[tuple[Engine, str, bool, bool], list[tuple[_Box, Workspace]]] = defaultdict(list)
"""Containers that runs over short-lived copies take turns in, each with its own two folders: by engine, image, limits,
and whether they show anything."""
_ENDING: list[_Box] = []
"""Containers that were told to end."""


@atexit.register
def close_all() -> None:
    """End every container of this process, and wait until they are gone."""
    with _LOCK:
        boxes = [*_OWN.values(), *(box for idle in _IDLE.values() for box, _ in idle)]
        _OWN.clear()
        _IDLE.clear()
    for box in boxes:
        box.close()
    for box in _ENDING:
        box.wait()
    _ENDING.clear()


class _Box:
    """A container, from its start to its end."""

    def __init__(self, sandbox: Container, workspace: Workspace, user: int, *, shows: bool = False) -> None:
        """Start it; returns before it is there."""
        self.user, self.group = user, user if os.geteuid() == 0 else os.getegid()
        self._ended = False
        self.folders = contextlib.ExitStack()
        self._engine, self._lock, self._heard = sandbox.engine, threading.Lock(), bytearray()
        self._facts: Mapping[str, Any] = {}
        self._said = self.folders.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        home = Path(self.folders.enter_context(scratch("container")))
        self._shown = home / "checker"
        self._shown.mkdir(mode=0o755)
        mounts = [(workspace.root, "/workspace", ""), (workspace.tmp, "/tmp", "")]  # noqa: S108
        # shared memory is a file below /dev/shm; in the trial's tmp it counts as disk
        mounts += [(workspace.tmp, "/dev/shm", ""), *([(self._shown, CHECKER, ",readonly")] if shows else [])]  # noqa: S108
        for name, text in accounts(self.user, self.group).items():
            (home / name).write_text(text, encoding="ascii")
            mounts.append((home / name, f"/etc/{name}", ",readonly"))
        words = [w for at, to, how in mounts for w in ("--mount", f"type=bind,source={at},target={to}{how}")]
        self._name = f"agentcore-{secrets.token_hex(8)}"
        words += ["--name", self._name, "--entrypoint", "python3", sandbox.image, "-I", "-S", "-X", "utf8", "-c", BOOT]
        argv = sandbox.engine.started(words, *((MEMORY, PROCESSES) if sandbox.is_limited else (0, 0)))
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            self.folders.close()
            raise SandboxError(f"{argv[0]} could not be started: {error}") from error
        with contextlib.suppress(OSError):  # it has ended, and will be heard of
            self._write(_sources())

    @property
    def is_broken(self) -> bool:
        """Whether no command can be run in it any more."""
        return self._ended or self._process.poll() is not None

    @property
    def facts(self) -> Mapping[str, Any]:
        """Facts that its first process tells of itself; waits for it.

        Raises:
            SandboxError: it did not start.
        """
        with self._lock:
            return self._hello()

    def run(self, command: Command, order: Mapping[str, Any], cancel: threading.Event | None) -> Completed:
        """Run one command to its end, or until it is cancelled; a container that does not answer is not used again.

        Raises:
            SandboxError: nothing could be started.
        """
        with self._lock:
            self._hello()
            try:
                self._show(command.read_only)
                self._write(json.dumps(order).encode())
                facts = self._read(command.limits.wall_seconds + GRACE, cancel)
            except TimeoutError:  # what was started outwits even its end
                self.end()
                return Completed(exit_code=None, output=b"", killed_for="wall_seconds")
            except (OSError, EOFError) as error:
                said = self.end()
                if self._process.returncode == KILLED:
                    return Completed(exit_code=None, output=b"", killed_for="memory_bytes")
                raise SandboxError(f"a command's container has ended: {said or error}") from error
            except BaseException:  # nobody waits for the answer any more, which must not be taken for the next one's
                self.end()
                raise
            finally:
                for each in self._shown.iterdir() if command.read_only else ():
                    clear(each)
        return Completed(**{**facts, "output": base64.b64decode(facts["output"])})

    def close(self) -> None:
        """Tell it to end, without waiting for that."""
        self._tell()
        with _LOCK:
            ended = [box for box in _ENDING if box.is_broken]
            _ENDING[:] = [*(box for box in _ENDING if box not in ended), self]
        for box in ended:
            box.wait()

    def _tell(self) -> None:
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def wait(self) -> None:
        """Return once it is gone, and its own folders with it."""
        self._gone()
        self.folders.close()

    def _gone(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
        if self._process.returncode is None or self._process.returncode < 0:  # nobody removes it now
            self._engine.remove([self._name])
            self._process.kill()
            self._process.wait()
        self._tell()
        if self._process.stdout:
            self._process.stdout.close()

    def end(self) -> str:
        """Have it gone now, whatever runs in it; returns what the engine said."""
        if self._ended:
            return ""
        self._ended = True
        self._tell()
        with contextlib.suppress(ValueError, subprocess.TimeoutExpired):
            self._process.wait(1)  # of its own accord
        self._said.seek(0)
        said = one_line(self._said.read().decode(errors="replace"))
        self._gone()
        return said

    def _hello(self) -> Mapping[str, Any]:
        if not self._facts:
            try:
                self._facts = self._read(START_SECONDS)
            except (OSError, EOFError, TimeoutError) as error:
                said = self.end() or str(error) or "it said nothing"
                raise SandboxError(f"no container could be started: {said}; {cure(said)}") from error
        return self._facts

    def _show(self, files: Mapping[str, Path]) -> None:
        """Copy what this command is to see read-only.

        Raises:
            SandboxError: it is to be seen outside `/checker`.
        """
        for inside, host in files.items():
            if inside != CHECKER and not inside.startswith(f"{CHECKER}/"):
                raise SandboxError(f"{inside}: a container shows further files below {CHECKER} only")
            target = Path(f"{self._shown}{inside.removeprefix(CHECKER)}")
            target.parent.mkdir(parents=True, exist_ok=True)
            if host.is_dir():
                shutil.copytree(host, target, dirs_exist_ok=True)
            else:
                shutil.copyfile(host, target)

    def _write(self, line: bytes) -> None:
        assert self._process.stdin
        left = memoryview(line + b"\n")
        while left:
            left = left[self._process.stdin.write(left) or 0 :]

    def _read(self, seconds: float, cancel: threading.Event | None = None) -> dict[str, Any]:
        """The next line of its output; once it is cancelled, what runs is told to end.

        Raises:
            TimeoutError: it does not come.
            EOFError: none comes any more.
        """
        assert self._process.stdout
        pipe, deadline = self._process.stdout.fileno(), time.monotonic() + seconds
        poller = select.poll()
        poller.register(pipe, select.POLLIN)
        while not self._heard.endswith(b"\n"):
            if cancel and cancel.is_set():  # again and again: one that comes with the order itself is not noticed
                self._write(b"")
            if not poller.poll(min(LONGEST_PAUSE, max(0, deadline - time.monotonic())) * 1000):
                if time.monotonic() < deadline:
                    continue
                raise TimeoutError
            block = os.read(pipe, MIB)
            if not block:
                raise EOFError
            self._heard += block
        line = bytes(self._heard)
        self._heard.clear()
        return dict(json.loads(line))


@cache
def _sources() -> bytes:
    """The first process as one line."""
    here = Path(__file__).parent
    texts = {f"{__package__}.{name}": (here / f"{name}.py").read_text(encoding="utf-8") for name in SENT}
    return base64.b64encode(zlib.compress(json.dumps(texts).encode()))


def _move(source: Workspace, target: Workspace) -> None:
    """Move what lies in two folders into two others of the same file system."""
    mend(source)
    for old, new in ((source.root, target.root), (source.tmp, target.tmp)):
        for name in os.listdir(old):  # noqa: PTH208 - names may be no text
            try:
                os.rename(old / name, new / name)  # noqa: PTH104
            except PermissionError:  # a folder that a command has closed
                (old / name).chmod(0o700)
                os.rename(old / name, new / name)  # noqa: PTH104


@cache
def image_of(engine: Engine, name: str) -> Mapping[str, Any]:
    """An image as the engine describes it.

    Raises:
        UsageError: it has none of the name.
    """
    if (found := engine.image(name)) is not None:
        return found
    program = engine.words[0]
    is_ours = name.startswith("localhost/agentcore-")
    what = "`agentcore sandbox build SUITE`" if is_ours and name != IMAGE else "`agentcore sandbox build`"
    raise UsageError(f"{program} has no image {name}; make it with {what if is_ours else f'`{program} pull {name}`'}")
