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
from pytest_agentcore.sandbox.process import PlainProcess
from pytest_agentcore.sandbox.workspace import create_workspace, scratch

Kind = Literal["bubblewrap", "process"]
SENTENCE = (
    "tools run in a sandbox and {problem}; install the package `bubblewrap` (Debian, Ubuntu, Fedora, Arch; user "
    "namespaces must be allowed), or choose `--sandbox process`, which confines much less (docs/sandbox.md)"
)


def open_sandbox(kind: Kind | None = None, *, may_fall_back: bool = False, hidden: Sequence[Path] = ()) -> Sandbox:
    """The sandbox of a session.

    Args:
        kind: what was asked for; None means bubblewrap.
        may_fall_back: take the plain process when nothing was asked for and bubblewrap does not work.
        hidden: folders that must not show in it wherever they lie, e.g. the suite; the package's own is always hidden.

    Raises:
        UsageError: bubblewrap is missing or does not work here; one sentence says what to do.
    """
    if kind == "process":
        return PlainProcess()
    as_root, package = os.geteuid() == 0, Path(__file__).resolve().parents[1]
    covered = (package, package.parent / "suites", *hidden)
    try:
        for program in ("bwrap", "setpriv") if as_root else ("bwrap",):
            if shutil.which(program) is None:
                raise SandboxError(f"there is no program `{program}`")
        executable, problem = shutil.which("bwrap") or "bwrap", ""
        # Being found is not enough: Ubuntu 24.04 restricts user namespaces.
        # The first variant that runs a Python: as root a user id of its own, else (or then) a user namespace.
        for uids in (ROOT_UIDS, None) if as_root else (None,):
            sandbox = Bubblewrap(executable=executable, uids=uids, hidden=covered)
            with scratch("probe") as folder:
                workspace = create_workspace(Path(folder) / "probe")
                command = Command(argv=["python3", "-c", "open('written', 'w').write('x')"])
                try:
                    completed = sandbox.run(workspace, command)
                except SandboxError as error:
                    problem = str(error)
                    continue
                if completed.exit_code == 0 and (workspace.root / "written").exists():
                    return sandbox
            said = " ".join(completed.output.decode(errors="replace").split())
            problem = said[:200] or "a Python does not start in it"
        raise SandboxError(f"bubblewrap does not work here ({problem})")
    except SandboxError as error:
        if kind is None and may_fall_back:
            return PlainProcess()
        raise UsageError(SENTENCE.format(problem=error)) from error
