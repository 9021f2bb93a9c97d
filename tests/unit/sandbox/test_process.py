"""The plain process keeps copies and a Python in the trial's tmp, where the agent may do with them what it likes."""

from __future__ import annotations

from pathlib import Path

import pytest
from confined import PROCESS, Cell

SPOILED = {
    "closed": "mkdir -p .mounts/x; chmod 000 .mounts/x .mounts; chmod 000 .python/bin .python",
    "removed": "rm -rf .mounts .python",
    "replaced by files": "rm -rf .mounts .python; touch .mounts .python",
    "replaced by links": "rm -rf .mounts .python; ln -s /usr .mounts; ln -s /usr .python",
}


@pytest.mark.parametrize("cell", [PROCESS], indirect=True)
@pytest.mark.parametrize("how", SPOILED)
def test_the_next_command_finds_all_in_order(cell: Cell, how: str, tmp_path: Path) -> None:
    """Root may enter a closed folder; for anybody else a trial that has closed these could not go on."""
    shown = tmp_path / "shown.txt"
    shown.write_text("shown\n")
    cell.run("sh", "-c", f'cd "$TMPDIR"; {SPOILED[how]}')
    seen = cell.sandbox.path(cell.workspace, "/checker/shown.txt")
    done = cell.run("python3", "-c", f"print(open({seen!r}).read())", read_only={"/checker/shown.txt": shown})
    assert (done.exit_code, done.output) == (0, b"shown\n\n")


@pytest.mark.parametrize("cell", [PROCESS], indirect=True)
def test_paths_are_the_hosts_without_mounts(cell: Cell) -> None:
    def path(inside: str) -> str:
        return cell.sandbox.path(cell.workspace, inside)

    assert path("/workspace") == str(cell.workspace.root)
    assert path("/workspace/a") == f"{cell.workspace.root}/a"
    assert path("/tmp/a") == f"{cell.workspace.tmp}/a"
    assert path("/workspaces").startswith(str(cell.workspace.tmp))
