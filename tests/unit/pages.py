"""What every HTML page of ours is held to in a browser."""

from __future__ import annotations

from typing import Any

SCRIPTS = ("<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", "<!--<script>", "javascript:alert(3)")
"""Markup that models and names may hold and that must stay text."""

WIDTHS = (390, 500, 768, 1000, 1400, 1920, 2560)
"""Of a window, from a phone to a large screen."""

CLIPPED = """[...document.querySelectorAll('body *')].filter((e) => e.checkVisibility()
  && !e.closest('.skip, svg, thead') && (e.getBoundingClientRect().right > innerWidth + 1
      || (getComputedStyle(e).overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1))
).map((e) => e.outerHTML.slice(0, 99))"""
"""JavaScript: the beginnings of elements that are wider than their place."""

BROKEN = """[...document.querySelectorAll('.tiles dt, .tiles dd, .chips li')].flatMap((e) => {
  const walker = document.createTreeWalker(e, NodeFilter.SHOW_TEXT), broken = [];
  while (walker.nextNode()) for (const word of walker.currentNode.data.matchAll(/\\S+/g)) {
    const range = new Range();
    range.setStart(walker.currentNode, word.index);
    range.setEnd(walker.currentNode, word.index + word[0].length);
    if (range.getClientRects().length > 1) broken.push(word[0]);
  }
  return broken;
})"""
"""JavaScript: words of tiles and chips that are broken."""

BLOCKED = """() => new Promise((done) => {
  addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective));
  document.body.insertAdjacentHTML("beforeend", "<div id=planted onclick='window.hit = 1'></div>");
  document.getElementById("planted").click();
})"""
"""JavaScript: plants markup that acts when it is clicked, and gives the directive that kept it from that."""


def held_at_every_width(page: Any, place: str) -> None:
    """Assert that nothing of a page is clipped, broken or wider than the window, from a phone to a large screen."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        found = page.evaluate("document.documentElement.scrollWidth"), page.evaluate(CLIPPED), page.evaluate(BROKEN)
        assert (place, *found) == (place, width, [], [])
