"""Where our errors become pytest's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_agentcore.errors import InfrastructureError, RecordError, UsageError


@contextmanager
def usage_errors() -> Iterator[None]:
    """Our sentences as pytest's usage errors."""
    try:
        yield
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error


@contextmanager
def opening_errors(backend: str) -> Iterator[None]:
    """What keeps a backend from being opened, which may be anybody's code, as a sentence about what was asked for."""
    try:
        yield
    except (UsageError, RecordError):
        raise
    except (Exception, SystemExit) as error:
        said = str(error) if isinstance(error, InfrastructureError) else f"{type(error).__name__}: {error}"
        raise UsageError(f"backend {backend} cannot be opened: {said}") from error


@contextmanager
def record_errors() -> Iterator[None]:
    """A disk that takes no more ends the session in a sentence: whatever came after would be lost too."""
    try:
        yield
    except RecordError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.INTERNAL_ERROR)
