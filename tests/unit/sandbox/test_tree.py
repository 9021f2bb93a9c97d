"""Names of files in a locale that has no letters for them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_agentcore.sandbox.workspace import require_locale

SCRIPT = """
import sys
from pathlib import Path
from pytest_agentcore.errors import SandboxError
from pytest_agentcore.sandbox.workspace import copyable, write_files

root = Path(sys.argv[1])
for name in ("plain.txt", "caf\\xe9.txt", "\\udc80.txt"):
    try:
        write_files(root, {name: "x"})
        said = "written"
    except (SandboxError, UnicodeError) as error:
        said = str(error)
    print(ascii(name), ascii(said))
try:
    print(len([file.close() for _, file in copyable(root / "given", 99, {}) if file]))
except SandboxError as error:
    print(ascii(str(error)))
"""


def test_a_name_that_the_locale_cannot_tell_is_nobodys_failure(tmp_path: Path) -> None:
    """A trial must not fail for what it would pass elsewhere."""
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "na\xefve.txt").touch()
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path], env=os.environ | locale, capture_output=True, check=True
    )
    lines = done.stdout.decode("ascii").splitlines()
    assert lines[0] == "'plain.txt' 'written'"
    assert "cannot be told in this locale; set PYTHONUTF8=1" in lines[1]
    assert lines[2].endswith("'written'")
    assert "cannot be told in this locale; set PYTHONUTF8=1" in lines[3]


@pytest.mark.parametrize("name", ["plain", "caf\xe9", "\udc80"])
def test_every_name_can_be_told_where_names_are_utf_8(name: str) -> None:
    require_locale(name)
