"""Rounds and writes numbers, one function per rule; no format string with digits stands elsewhere in reports.

Undefined is a dash. CSV tables keep more digits, see `pack.csv`.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence

from pytest_agentcore.stats.intervals import Interval
from pytest_agentcore.untrusted import columns, visible

UNDEFINED = "-"

MINUTE, HOUR = 60, 3600

CENT = 0.01

TINY = 0.001
"""A p below is not worth telling from another."""


def percent(rate: float | None) -> str:
    """One decimal: `73.3%`. Only a rate of exactly 1 reads 100.0%, only exactly 0 reads 0.0%."""
    if rate is None:
        return UNDEFINED
    shown = round(rate * 100, 1)
    if rate < 1:
        shown = min(shown, 99.9)
    if rate > 0:
        shown = max(shown, 0.1)
    return f"{shown:.1f}%"


def fraction(part: int, whole: int) -> str:
    """`22/30`."""
    return f"{part}/{whole}"


def score(part: int, whole: int) -> str:
    """`22/30 (73.3%)`."""
    return f"{fraction(part, whole)} ({percent(part / whole if whole else None)})"


def average(value: float | None) -> str:
    """One decimal: `4.3`."""
    return UNDEFINED if value is None else f"{value:.1f}"


def latency(seconds: float | None) -> str:
    """One decimal: `14.6s`."""
    return UNDEFINED if seconds is None else f"{seconds:.1f}s"


def overlapping(name: str, parallel: int) -> str:
    """A latency column's name, marked where trials overlapped: `latency (4 at once)`."""
    return f"{name} ({parallel} at once)" if parallel > 1 else name


def duration(seconds: float) -> str:
    """Whole seconds, the two largest units: `45s`, `3m12s`, `1h04m`."""
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole}s"
    if whole < HOUR:
        return f"{whole // MINUTE}m{whole % MINUTE:02}s"
    return f"{whole // HOUR}h{whole % HOUR // MINUTE:02}m"


def estimate(seconds: float) -> str:
    """A guess must not look exact: `~10s` steps below a minute, minutes below two hours, then hours."""
    if seconds < MINUTE:
        return f"~{max(10, 10 * round(seconds / 10))}s"
    if seconds < 2 * HOUR:
        return f"~{round(seconds / MINUTE)}m"
    return f"~{round(seconds / HOUR)}h"


def count(n: int, noun: str, plural: str = "") -> str:
    """`1 trial`, `2 trials`; `2 replies` where the plural is given."""
    return f"{n} {noun}" if n == 1 else f"{n} {plural or noun + 's'}"


def dollars(amount: float | None) -> str:
    """Cents; below a cent, two significant digits: `$7.34`, `$0.0014`, `$0.00`."""
    if amount is None:
        return UNDEFINED
    if 0 < amount < CENT:
        return f"${amount:.{1 - math.floor(math.log10(amount))}f}"
    return f"${amount:.2f}"


def thousands(n: int) -> str:
    """Digits in threes: `405,129`."""
    return f"{n:,}"


def short(n: float) -> str:
    """A round number below the tick of an axis: `500`, `20k`, `1.5M`."""
    for unit, name in ((10**6, "M"), (1000, "k")):
        if n >= unit:
            return f"{n / unit:g}{name}"
    return f"{n:g}"


def points(change: float | None) -> str:
    """A difference of rates in percentage points, always with its sign: `-8.3`, `+20.0`; only none at all is `0.0`."""
    if change is None:
        return UNDEFINED
    if abs(change) < _NOTHING:
        return "0.0"
    return f"{math.copysign(max(0.1, abs(round(change * 100, 1))), change):+.1f}"


def interval(found: Interval | None, show: Callable[[float], str] = percent) -> str:
    """An interval of a rate, `54.1% to 87.7%`, or of what else `show` writes, e.g. `points`: `-24.9 to +11.3`."""
    return UNDEFINED if found is None else f"{show(found.low)} to {show(found.high)}"


def p_value(p: float | None) -> str:
    """`0.40`, `0.053`, `0.005`: rounded up, since evidence must not look stronger than it is; at least two decimals."""
    if p is None:
        return UNDEFINED
    if p < TINY:
        return f"<{TINY:g}"
    decimals = max(2, 1 - math.floor(math.log10(p)))
    shown = f"{math.ceil(p * 10**decimals - _NOTHING) / 10**decimals:.{decimals}f}"
    return shown[:4] + shown[4:].rstrip("0")


def p_is(p: float) -> str:
    """p within a sentence: `p = 0.40`, `p < 0.001`."""
    return f"p < {TINY:g}" if p < TINY else f"p = {p_value(p)}"


def threshold(p: float) -> str:
    """The limit of a p: two significant digits, rounded down, for the same reason."""
    decimals = 1 - math.floor(math.log10(p))
    return f"{math.floor(p * 10**decimals + _NOTHING) / 10**decimals:g}"


def odds(p: float) -> str:
    """A frequency: `63 of 100`, `16 of 1000`, `fewer than 1 of 1000`; rounded up, and never `0 of`."""
    if p < TINY:
        return "fewer than 1 of 1000"
    for whole in (100, 1000):
        if p * whole >= 2:  # noqa: PLR2004 - one of 100 could be half of that
            return f"{math.ceil(p * whole - _NOTHING)} of {whole}"
    return "at most 2 of 1000"


_NOTHING = 1e-9
"""Less than rounding errors leave behind."""


LABEL = 11
"""Columns of a label and the space behind it."""


def labelled(label: str, text: str, width: int) -> list[str]:
    """`label   text`, wrapped between words with the text hanging behind the label; words are never broken."""
    return textwrap.wrap(
        visible(text),
        width,
        initial_indent=f"{label:<{LABEL}}",
        subsequent_indent=" " * LABEL,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [label]


def wrapped(text: str, width: int) -> list[str]:
    """A sentence in lines, broken between words alone."""
    return textwrap.wrap(visible(text), width, break_long_words=False, break_on_hyphens=False)


Line = tuple[str, str]
"""A label, empty where the line goes on with what the line before is about, and a text."""


def labelled_lines(lines: Iterable[Line], width: int) -> list[str]:
    """Each text behind its label, wrapped."""
    return [written for label, text in lines for written in labelled(label, text, width)]


def joined(parts: Iterable[object]) -> str:
    """`a · b`, empty parts left out."""
    return " · ".join(text for part in parts if (text := str(part)))


def table(rows: Sequence[Sequence[str]], notes: Sequence[str], width: int) -> list[str]:
    """Rows in columns, the first to the left and the others to the right, each with a note.

    A note that does not fit behind its row goes below it. The first row is the header and its note the notes' header.
    Where the columns do not fit, each row becomes a paragraph in which every cell stands behind its head.
    """
    shown = [[visible(cell) for cell in row] for row in rows]
    widths = [max(columns(row[i]) for row in shown) for i in range(len(shown[0]))]
    lines: list[str] = []
    if sum(widths) + 2 * len(widths) - 2 > width:
        for row, note in zip(shown[1:], notes[1:], strict=True):
            cells = [f"{head} {cell}" for head, cell in zip(shown[0][1:], row[1:], strict=True) if cell]
            lines += wrapped(row[0], width) + _below(joined([*cells, visible(note)]), width)
        return lines
    for row, note in zip(shown, notes, strict=True):
        spaces = [" " * (column - columns(cell)) for cell, column in zip(row, widths, strict=True)]
        numbers = [space + cell for space, cell in zip(spaces[1:], row[1:], strict=True)]
        line, told = "  ".join([row[0] + spaces[0], *numbers]), visible(note)
        if not told or columns(line) + 2 + columns(told) <= width:
            lines.append(f"{line}  {told}" if told else line)
        else:
            lines += [line, *_below(told, width)]
    return lines


def _below(text: str, width: int) -> list[str]:
    """Lines that hang below a table's row."""
    indent = "    "
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False)


def bytes_of(size: float) -> str:
    """Memory in GiB, or MiB below one: `6.1 GiB`, `310 MiB`."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def gigabytes(size: float) -> str:
    """A file's size as hubs show it, in GB of 10⁹ bytes: `7.1 GB`, `138 GB`, `92 MB`."""
    if size < 10**9:
        return f"{size / 10**6:.0f} MB"
    return f"{size / 10**9:.{0 if size >= 10**10 else 1}f} GB"
