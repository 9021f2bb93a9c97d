"""The leaderboard page in Chromium: nothing sticks out at any width, nothing runs, the network is not asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page
from results import PASSED, WRONG, result
from small_packs import pack

from pytest_agentcore.analysis.rank import leaderboard
from pytest_agentcore.reports.leaderboard import leaderboard_page

Open = Callable[..., Page]

pytestmark = pytest.mark.browser

NAMES = ("qwen3-8b", "<img src=x onerror=alert(1)>", "a" * 100, "javascript:alert(2)")


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four campaigns, one of them with a hostile name, one with a long one."""
    folder = tmp_path_factory.mktemp("board")
    made = [
        pack(
            folder / f"2026-11-30-{n}-agentic-core-v1-constrained",
            [result("a", run, **(PASSED if run <= 9 - 2 * n else WRONG)) for run in range(1, 11)],
            model=name,
            backend={"quant": "UD-Q4_K_XL", "device": "CUDA0 (NVIDIA L4)", "memory": {"foretold": 12 * 2**30}},
        )
        for n, name in enumerate(NAMES)
    ]
    page = folder / "board.html"
    page.write_text("".join(leaderboard_page(leaderboard(made))), encoding="utf-8")
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400, 2560])
def test_it_fits_and_shows_every_fact(visit: Open, board: Path, width: int, scheme: str) -> None:
    page = visit(board, viewport={"width": width, "height": 900}, color_scheme=scheme)

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    sticking_out = "[...document.querySelectorAll('.scroll')].filter((box) => box.scrollWidth > box.clientWidth).length"
    assert page.evaluate(sticking_out) == 0
    for name in NAMES:
        assert page.get_by_role("rowheader", name=name, exact=True).is_visible()
    for shown in ("9/10 (90.0%)", "UD-Q4_K_XL", "CUDA0 (NVIDIA L4)", "12.0 GiB", "16.7"):
        assert page.get_by_text(shown, exact=True).first.is_visible()
    assert "not told apart: qwen3-8b and <img" in page.locator("section p").first.inner_text()
