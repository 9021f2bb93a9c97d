"""Reading what belongs to the host: files, environments, the oracle and the checker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from confined import EVERYWHERE, MOUNTED, Cell, make_cell

import pytest_agentcore
from pytest_agentcore.sandbox.open import open_sandbox

SECRET = "the-host-keeps-this-to-itself"
PACKAGE = Path(pytest_agentcore.__file__).parent


@MOUNTED
def test_a_file_of_the_host_is_not_there(cell: Cell, tmp_path: Path) -> None:
    secret = tmp_path / "home" / ".ssh" / "id"
    secret.parent.mkdir(parents=True)
    secret.write_text(SECRET)
    secret.chmod(0o644)
    (cell.root / "link").symlink_to(secret)
    done = cell.run("sh", "-c", f"cat {secret} link /proc/self/root{secret} /proc/1/root{secret}; echo end")
    assert SECRET.encode() not in done.output
    assert done.output.endswith(b"end\n")


@MOUNTED
def test_the_hosts_homes_are_not_there(cell: Cell) -> None:
    """The interpreter's own installation may lie below a home; nothing else of it shows."""
    shown = cell.shell("ls -A ~root /home 2>/dev/null; ls -A /root 2>/dev/null").splitlines()[:-1]
    assert set(shown) <= {".pyenv", ".local", "/home:", "/root:", "/tmp:", ""} | {*Path(sys.base_prefix).parts[2:3]}


@EVERYWHERE
def test_an_environment_variable_of_the_host_is_not_inherited(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", SECRET)
    done = cell.run("sh", "-c", "env; cat /proc/self/environ; python3 -c 'import os; print(os.environ)'")
    assert SECRET.encode() not in done.output
    assert b"PATH=" in done.output


@MOUNTED
def test_environments_of_other_processes_cannot_be_read(cell: Cell) -> None:
    """The harness's, an unrelated process's, and that of the sandbox's own first process."""
    env = {**os.environ, "API_TOKEN": SECRET}
    with subprocess.Popen(["sleep", "60"], env=env) as other:
        try:
            done = cell.run(
                "sh", "-c", f"cat /proc/{os.getpid()}/environ /proc/{other.pid}/environ /proc/*/environ; echo end"
            )
        finally:
            other.kill()
    assert SECRET.encode() not in done.output
    assert done.output.endswith(b"end\n")


@MOUNTED
def test_other_processes_cannot_be_seen(cell: Cell) -> None:
    mine, *others = cell.run("sh", "-c", "echo $$; ls /proc | grep '^[0-9]'").output.split()
    assert {int(pid) - int(mine) for pid in others} - {1 - int(mine)} <= {*range(-3, 5)}


@MOUNTED
@pytest.mark.parametrize("path", [PACKAGE, PACKAGE.parent / "suites", Path(__file__).parent, Path.cwd()])
def test_the_suite_and_the_harness_are_not_there(cell: Cell, path: Path) -> None:
    assert b"No such file" in cell.run("ls", str(path)).output


@MOUNTED
def test_no_task_module_can_be_found(cell: Cell) -> None:
    command = "find / -xdev -name 'test_task_*' -o -name 'pytest_agentcore*' 2>/dev/null | head"
    assert cell.run("sh", "-c", command).output == b""


@EVERYWHERE
def test_the_package_cannot_be_imported(cell: Cell) -> None:
    assert b"No module named 'pytest_agentcore'" in cell.python("import pytest_agentcore").output


@pytest.mark.sandbox
def test_a_suite_below_the_system_folders_is_covered(tmp_path: Path) -> None:
    """A wheel may be installed below /usr, which is shown; whatever is named hidden is empty there."""
    folder = next(path for path in sorted(Path("/usr/share").iterdir()) if path.is_dir() and any(path.iterdir()))
    open_cell = make_cell(open_sandbox("bubblewrap"), tmp_path / "open")
    covered = make_cell(open_sandbox("bubblewrap", hidden=[folder]), tmp_path / "covered")
    assert open_cell.run("ls", "-A", str(folder)).output != b""
    assert covered.run("ls", "-A", str(folder)).output == b""
