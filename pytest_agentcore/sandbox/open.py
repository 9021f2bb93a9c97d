"""Choose a sandbox and prove that it works before the first trial."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pytest_agentcore.errors import SandboxError, UsageError
from pytest_agentcore.sandbox.base import Command, Sandbox
from pytest_agentcore.sandbox.bubblewrap import ROOT_UIDS, Bubblewrap
from pytest_agentcore.sandbox.probe import refusal
from pytest_agentcore.sandbox.process import PlainProcess
from pytest_agentcore.sandbox.workspace import create_workspace, scratch

Kind = Literal["bubblewrap", "process"]


def open_sandbox(kind: Kind | None = None, *, may_fall_back: bool = False, hidden: Sequence[Path] = ()) -> Sandbox:
    """The sandbox of a session.

    Args:
        kind: what was asked for; None means bubblewrap.
        may_fall_back: take the plain process when nothing was asked for and bubblewrap does not work.
        hidden: folders that must not show in it wherever they lie, e.g. the suite; the package's own is always hidden.

    Raises:
        UsageError: bubblewrap is missing or does not work here; one sentence says why and what to do.
    """
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
