"""Draws Vega-Lite specifications as SVG, by the library vl-convert, which is Vega itself in one compiled package.

The colours of a drawing are CSS variables, so one drawing serves light, dark and paper; it holds no style attribute and
no script, so the page's content policy admits it.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

MISSING = "Charts are not drawn: vl-convert-python is not installed (pip install vl-convert-python)."

LEFT_OUT = (
    "Charts are left out: this campaign took less time than drawing them. `agentcore report CAMPAIGN` draws them."
)

VEGA_LITE = "6.1"

LOOK: Mapping[str, Any] = {
    "background": None,
    "padding": {"left": 14, "right": 8, "top": 2, "bottom": 2},
    "config": {
        "aria": False,  # the page says what a chart shows
        "font": "sans-serif",
        "view": {"stroke": None},
        "axis": {
            "labelColor": "var(--ink)",
            "titleColor": "var(--muted)",
            "titleFontWeight": "normal",
            "gridColor": "var(--line)",
            "domainColor": "var(--line)",
            "tickColor": "var(--line)",
            "labelFontSize": 11,
            "titleFontSize": 11,
            "labelLimit": 150,
        },
        "legend": {
            "labelColor": "var(--ink)",
            "labelFontSize": 11,
            "labelLimit": 200,
            "columnPadding": 20,
            "orient": "top",
            "title": None,
            "symbolType": "square",
        },
        "text": {"color": "var(--ink)", "fontSize": 11},
    },
}


def can_draw() -> bool:
    """Whether the library is installed; asks without loading it."""
    return importlib.util.find_spec("vl_convert") is not None


@contextmanager
def drawing(specs: Sequence[Mapping[str, Any]]) -> Iterator[Callable[[Mapping[str, Any]], str]]:
    """Begins to draw, and gives what waits for the drawing of one of `specs`.

    The library works without Python's lock, so a large page is put together meanwhile.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="agentcore-drawing") as pool:
        drawings = {id(spec): pool.submit(draw, spec) for spec in specs}
        yield lambda spec: drawings[id(spec)].result()


def draw(spec: Mapping[str, Any]) -> str:
    """An `<svg>` element; every text of the specification is escaped in it."""
    import vl_convert  # noqa: PLC0415 - half a second of CPU for the first drawing

    svg: str = vl_convert.vegalite_to_svg(json.dumps({**LOOK, **spec}), vl_version=VEGA_LITE)
    return svg
