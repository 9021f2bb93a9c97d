"""Choosing a sandbox: probed, not just found."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agentcore.errors import UsageError
from pytest_agentcore.sandbox.open import open_sandbox

BROKEN = "#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2; exit 1\n"
"""What bubblewrap says where user namespaces are restricted."""


@pytest.fixture
def no_bubblewrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH without any program."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("no_bubblewrap")
@pytest.mark.parametrize("kind", ["bubblewrap", None])
def test_without_bubblewrap_one_sentence_says_what_to_do(kind: str | None) -> None:
    with pytest.raises(UsageError) as raised:
        open_sandbox(kind)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)
    assert "install the package `bubblewrap`" in str(raised.value)
    assert "--sandbox process" in str(raised.value)


@pytest.mark.usefixtures("no_bubblewrap")
def test_falling_back_must_be_allowed_and_not_asked_against() -> None:
    assert open_sandbox(None, may_fall_back=True).name == "process"
    with pytest.raises(UsageError):
        open_sandbox("bubblewrap", may_fall_back=True)


def test_a_bubblewrap_that_does_not_work_is_noticed(no_bubblewrap: Path) -> None:
    for name in ("bwrap", "setpriv"):
        (no_bubblewrap / name).write_text(BROKEN)
        (no_bubblewrap / name).chmod(0o755)
    with pytest.raises(UsageError, match=r"does not work here: no user id map .*Permission denied"):
        open_sandbox("bubblewrap")


@pytest.mark.usefixtures("no_bubblewrap")
def test_the_plain_process_needs_nothing() -> None:
    assert open_sandbox("process").name == "process"
