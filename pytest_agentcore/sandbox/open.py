"""Choose a sandbox and prove that it works before the first trial."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pytest_agentcore.errors import SandboxError, UsageError
from pytest_agentcore.sandbox.base import Command, Sandbox
from pytest_agentcore.sandbox.bubblewrap import Bubblewrap
from pytest_agentcore.sandbox.container import Container, image_of
from pytest_agentcore.sandbox.engine import answering
from pytest_agentcore.sandbox.probe import refusal
from pytest_agentcore.sandbox.process import PlainProcess
from pytest_agentcore.sandbox.workspace import ROOT_UIDS, create_workspace, scratch

Kind = Literal["bubblewrap", "container", "process"]


def open_sandbox(
    kind: Kind | None = None,
    *,
    may_fall_back: bool = False,
    hidden: Sequence[Path] = (),
    engine: str = "",
    images: Mapping[str, str] = {},
) -> Sandbox:
    """The sandbox of a session.

    Args:
        kind: what was asked for; None means a container where images are named, else bubblewrap.
        may_fall_back: take the plain process when nothing was asked for and bubblewrap does not work.
        hidden: folders that must not show in it wherever they lie, e.g. the suite; the package's own is always hidden.
        engine: the program that makes containers, with its global options; empty means any that answers.
        images: names of the images that tasks run in, by task id, where any is named; an empty name is ours.

    Raises:
        UsageError: what was asked for is missing or does not work here; one sentence says why and what to do.
    """
    if kind == "container" or (kind is None and images):
        return open_container(engine, images)
    if images:
        task, image = next((task, image) for task, image in sorted(images.items()) if image)
        raise UsageError(f"--sandbox {kind}: {task} runs in the image {image}; leave it out, or ask for container")
    if kind == "process":
        return PlainProcess()
    package = Path(__file__).resolve().parents[1]
    executable, covered = shutil.which("bwrap"), (package, package.parent / "suites", *hidden)
    # The strictest that runs a Python; being found is not enough, Ubuntu 24.04 restricts user namespaces. For root with
    # a user id of the command's own, else in a user namespace; under the host's name only where none may be set, which
    # is what Podman's own rules forbid. What is not confined then stands in `describe`, and in the header.
    variants = ((ROOT_UIDS, True), (None, True), (None, False))
    problem = ""
    for uids, renames_host in variants[0 if os.geteuid() == 0 else 1 :]:
        if executable is not None:
            sandbox = Bubblewrap(executable=executable, uids=uids, renames_host=renames_host, hidden=covered)
            if not (problem := _problem(sandbox)):
                return sandbox
    if kind is None and may_fall_back:
        return PlainProcess()
    raise UsageError(refusal(problem))


def open_container(setting: str, images: Mapping[str, str]) -> Container:
    """Containers of the engine that is set, or of the first that answers; what killed processes left is removed.

    Raises:
        UsageError: there is none, it lacks an image, or a Python does not work in its containers.
    """
    engine = answering(setting)
    engine.sweep()
    problem = ""
    for is_limited in (True, False):  # without the right to limits of its own an engine has the watch's, which is said
        every = Container(engine=engine, images=dict(images), is_limited=is_limited)
        each = [replace(every, image=name) for name in every.names if image_of(engine, name)]
        problem = next(filter(None, map(_problem, each)), "")
        if not problem and each[0].is_as_limited_as_it_says:
            return each[0]
    raise UsageError(f"tools are to run in a container of {engine.version}: {problem}")


def _problem(sandbox: Sandbox) -> str:
    """How a Python fails in the sandbox; empty where it works."""
    with scratch("probe") as folder:
        workspace = create_workspace(Path(folder) / "probe")
        command = Command(argv=["python3", "-c", "open('written', 'w').write('x')"])
        try:
            completed = sandbox.run(workspace, command)
        except SandboxError as error:
            return str(error)
        if completed.exit_code == 0 and (workspace.root / "written").exists():
            return ""
    said = " ".join(completed.output.decode(errors="replace").split())
    return said[:200] or "a Python does not start in it"
