"""How often the overall intervals hold the truth, over made-up models whose pass rates are known. Goal: 95 of 100.

Run `python benchmarks/interval_coverage.py`; prints a Markdown table. For *the same tasks again* each task has its rate
and 4000 campaigns are drawn; for *other tasks like these* the ten tasks themselves are drawn anew for each campaign.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from pytest_agentcore.stats.counting import Observed
from pytest_agentcore.stats.intervals import Interval, clustered, stratified, wilson

CAMPAIGNS = 4000

SUITES = {
    "alike, 90%": [0.9] * 10,
    "like the seed's": [0.95, 0.95, 0.7, 0.95, 0.7, 0.95, 0.95, 0.95, 0.1, 0.9],
    "10% to 95%": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95],
    "weak": [0.02] * 8 + [0.5] * 2,
}
"""Pass rates of ten tasks."""

Method = Callable[[Sequence[Observed]], Interval | None]


def pooled(strata: Sequence[Observed]) -> Interval | None:
    """Wilson's interval as if all trials were of one task."""
    return wilson(sum(s.passed for s in strata), sum(s.n for s in strata))


def tried(method: Method, rates: Sequence[float], runs: int, *, redraw: bool, seed: str) -> tuple[float, float]:
    """Share of campaigns whose interval holds the mean of `rates`, and the mean width in points."""
    rng = random.Random(seed)
    truth, hits, width = sum(rates) / len(rates), 0, 0.0
    for _ in range(CAMPAIGNS):
        tasks = rng.choices(rates, k=len(rates)) if redraw else rates
        found = method([Observed(n=runs, passed=sum(rng.random() < rate for _ in range(runs))) for rate in tasks])
        if found:
            hits += found.low <= truth <= found.high
            width += found.high - found.low
    return hits / CAMPAIGNS, 100 * width / CAMPAIGNS


def main() -> None:
    """Print the table."""
    print("| pass rates of ten tasks | runs | same tasks again | (pooled Wilson) | other tasks like these |")
    print("|---|---|---|---|---|")
    for name, rates in SUITES.items():
        for runs in (1, 3, 10):
            cells = [
                tried(method, rates, runs, redraw=redraw, seed=f"{name}/{runs}")
                for method, redraw in ((stratified, False), (pooled, False), (clustered, True))
            ]
            shown = " | ".join(f"{share:.1%}, {width:.0f} points" for share, width in cells)
            print(f"| {name} | {runs} | {shown} |")


if __name__ == "__main__":
    main()
