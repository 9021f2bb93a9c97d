"""How many digits the CSVs keep. Undefined stays None: an empty cell.

Enough that every number in a report can be checked against them, few enough that a diff of two packs is readable.
"""

from __future__ import annotations


def to_milliseconds(seconds: float | None) -> float | None:
    """Milliseconds are kept."""
    return None if seconds is None else round(seconds, 3)


def to_ratio(value: float | None) -> float | None:
    """Four decimals: rates and averages of counts."""
    return None if value is None else round(value, 4)


def to_micro_dollars(dollars: float | None) -> float | None:
    """A millionth of a dollar is kept: one token of a cheap model."""
    return None if dollars is None else round(dollars, 6)
