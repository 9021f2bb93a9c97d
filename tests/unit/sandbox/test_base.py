"""The contract of a sandbox, held by each: what a process finds in it, and what comes back."""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from confined import BUBBLEWRAP, EVERYWHERE, MOUNTED, NAMESPACE, PROCESS, TRIAL, Cell

from pytest_agentcore.errors import Cancelled, SandboxError
from pytest_agentcore.sandbox.base import Command, Workspace

PACKAGES = ("numpy", "yaml", "pytest", "pip", "setuptools", "jsonschema")
IMPORT_ALL = f"""
import importlib
for name in {PACKAGES}:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        print(error)
"""


@EVERYWHERE
@pytest.mark.parametrize("python", ["python3", "python"])
def test_no_installed_package_can_be_imported(cell: Cell, python: str) -> None:
    said = cell.run(python, "-c", IMPORT_ALL).output.decode().splitlines()
    assert said == [f"No module named '{name}'" for name in PACKAGES]


@MOUNTED
@pytest.mark.parametrize("python", ["/usr/bin/python3", '"$(readlink -f "$(command -v python3)")"'])
def test_nor_by_the_interpreters_real_name_or_the_systems(cell: Cell, python: str) -> None:
    done = cell.run("sh", "-c", f'[ -x {python} ] || exit 0; {python} -c "$0"', IMPORT_ALL)
    said = done.output.decode().splitlines()
    assert done.exit_code == 0
    assert said in ([], [f"No module named '{name}'" for name in PACKAGES])


@EVERYWHERE
def test_the_python_is_the_one_that_is_named_and_has_its_library(cell: Cell) -> None:
    done = cell.python("import sys, json, sqlite3, unittest; print(sys.version.split()[0]); print(json.dumps('x'))")
    assert done.output.decode() == f'{cell.sandbox.describe()["python"]}\n"x"\n'


@EVERYWHERE
def test_a_child_python_is_the_same(cell: Cell) -> None:
    source = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import numpy'])"
    assert b"No module named 'numpy'" in cell.python(source).output


@EVERYWHERE
def test_the_environment_is_the_same_whoever_runs_it(cell: Cell) -> None:
    names = {line.partition("=")[0] for line in cell.run("env").output.decode().splitlines()}
    assert names - {"AGENTCORE_CALL", "PWD", "LC_CTYPE"} == {
        *("PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "LANG", "TZ"),
        *("PYTHONHASHSEED", "PYTHONNOUSERSITE", "PYTHONDONTWRITEBYTECODE"),
    }


@EVERYWHERE
def test_a_command_starts_in_the_workspace_and_owns_it(cell: Cell) -> None:
    (cell.root / "given").mkdir()
    (cell.root / "given" / "a.txt").write_text("a")
    done = cell.run(
        "sh", "-c", "pwd; cat given/a.txt; echo b >> given/a.txt; mkdir -p given/new; rm -r given; echo c > made"
    )
    assert done.output.decode() == f"{cell.sandbox.path(cell.workspace, '/workspace')}\na"
    assert [path.name for path in cell.root.iterdir()] == ["made"]


@EVERYWHERE
def test_what_the_harness_wrote_later_can_be_changed_too(cell: Cell) -> None:
    cell.shell("mkdir folder")
    cell.call("fs_write", path="folder/new/a.txt", content="a")
    assert cell.shell("echo b >> folder/new/a.txt; mv folder/new/a.txt .; cat a.txt") == "ab\nexit code 0"


@EVERYWHERE
def test_tmp_lasts_for_the_trial_and_is_not_the_hosts(cell: Cell) -> None:
    cell.run("sh", "-c", 'echo kept > "$TMPDIR/note"; echo kept > "$HOME/note2"')
    assert cell.run("sh", "-c", 'cat "$TMPDIR/note" "$HOME/note2"').output == b"kept\nkept\n"
    assert (cell.workspace.tmp / "note").read_text() == "kept\n"


@MOUNTED
def test_names_of_users_do_not_depend_on_the_host(cell: Cell) -> None:
    assert cell.shell("touch a; whoami; stat -c '%U %G' a .") == "agent\nagent agent\nagent agent\nexit code 0"


@EVERYWHERE
@pytest.mark.parametrize(
    ("command", "code"),
    [("true", 0), ("exit 7", 7), ("no-such-program", 127), ("kill -9 $$", 128 + 9), ("kill -TERM $$", 128 + 15)],
)
def test_exit_codes_are_a_shells(cell: Cell, command: str, code: int) -> None:
    assert cell.run("sh", "-c", command).exit_code == code


@EVERYWHERE
def test_a_program_that_does_not_exist_is_127(cell: Cell) -> None:
    assert cell.run("no-such-program").exit_code == 127


@EVERYWHERE
def test_a_file_that_cannot_be_run_is_126(cell: Cell) -> None:
    (cell.workspace.root / "notes.txt").write_text("no program")
    assert cell.run("/workspace/notes.txt" if cell.sandbox.name != "process" else "./notes.txt").exit_code == 126


@EVERYWHERE
@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
def test_input_and_output_of_any_size_pass(cell: Cell, size: int) -> None:
    data = os.urandom(size)
    done = cell.run("cat", stdin=data, output_bytes=4_000_000)
    assert (done.output, done.dropped_bytes, done.exit_code) == (data, 0, 0)


@EVERYWHERE
def test_output_keeps_the_order_of_stdout_and_stderr(cell: Cell) -> None:
    assert cell.run("sh", "-c", "echo 1; echo 2 >&2; echo 3").output == b"1\n2\n3\n"


@EVERYWHERE
def test_variables_of_a_command_come_on_top(cell: Cell) -> None:
    command = Command(argv=["sh", "-c", "echo $TZ $MINE"], env={"TZ": "Asia/Tokyo", "MINE": "x"})
    assert cell.sandbox.run(cell.workspace, command).output == b"Asia/Tokyo x\n"


@EVERYWHERE
def test_further_files_are_shown_where_they_are_said_to_be(cell: Cell, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("print(open(__file__).readable())")
    seen = cell.sandbox.path(cell.workspace, "/checker/inside/program.py")
    done = cell.run("python3", seen, read_only={"/checker/inside/program.py": program})
    assert done.output == b"True\n"


@MOUNTED
def test_a_command_that_is_shown_nothing_cannot_tell_that_it_is_a_checkers(cell: Cell, tmp_path: Path) -> None:
    (tmp_path / "shown").write_text("x")
    assert cell.run("ls", "/checker", read_only={"/checker/shown": tmp_path / "shown"}).output == b"shown\n"
    assert cell.run("ls", "/checker").exit_code == 2


@EVERYWHERE
def test_a_workspace_that_is_gone_is_a_sandbox_error(cell: Cell, tmp_path: Path) -> None:
    gone = Workspace(root=tmp_path / "none", tmp=tmp_path / "none")
    with pytest.raises(SandboxError):
        cell.sandbox.run(gone, Command(argv=["true"]))


@pytest.mark.parametrize("cell", [BUBBLEWRAP, NAMESPACE, TRIAL, PROCESS], indirect=True)
def test_a_command_is_killed_once_its_trial_is_cancelled(cell: Cell) -> None:
    begun, cancel = cell.workspace.root / "begun", threading.Event()

    def end() -> None:
        while not begun.exists():
            time.sleep(0.01)
        cancel.set()

    threading.Thread(target=end).start()
    command = Command(argv=["sh", "-c", "touch begun; (sleep 600; touch late) & sleep 600"])
    for _ in range(2):  # and one that would begin after that
        with pytest.raises(Cancelled):
            cell.sandbox.run(replace(cell.workspace, cancel=cancel), command)


@EVERYWHERE
def test_calls_in_threads_do_not_disturb_each_other(cell: Cell) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    with ThreadPoolExecutor(4) as pool:
        outputs = list(pool.map(lambda n: cell.run("sh", "-c", f"sleep 0.05; echo {n}").output, range(12)))
    assert outputs == [f"{n}\n".encode() for n in range(12)]


@EVERYWHERE
def test_describe_is_plain_data(cell: Cell) -> None:
    facts = cell.sandbox.describe()
    assert facts["name"] == cell.sandbox.name
    assert facts["python"] == ".".join(map(str, sys.version_info[:3])) or facts["images"]
    # the kernel does not count the processes of a root who runs it as anybody else does
    loose = cell.sandbox.name == "process" or (facts["uid"] == "user namespace" and os.geteuid() == 0)
    assert bool(facts["not_confined"]) == loose
