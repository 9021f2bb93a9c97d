"""Writes the tables of these pages that follow from the code; run `python docs/tables.py` after changing an option."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_agentcore.analysis import columns as declared
from pytest_agentcore.backends.llama.fit import MAX_DEFAULT_CTX, need_of
from pytest_agentcore.catalogue.registry import shipped
from pytest_agentcore.cli import listing
from pytest_agentcore.format import bytes_of, gigabytes, thousands
from pytest_agentcore.options import OPTIONS, Option

PAGES = Path(__file__).parent


def options() -> str:
    """Every option of pytest: spellings, ini twin, values, default and meaning."""
    rows = ["| option | ini | values | default | |", "|---|---|---|---|---|"]
    for option in OPTIONS:
        bare = [f"`--{option.name}`"] if option.bare else []
        ini = f"`{option.dest}`" if option.ini else ""
        default = f"`{option.shown}`" if option.shown else ""
        spellings = ", ".join([*bare, f"`--agentcore-{option.name}`"])
        meaning = option.help.replace("|", "\\|").replace("=PATH", "`=PATH`").replace("=DIR", "`=DIR`")
        rows.append(f"| {spellings} | {ini} | {_values(option)} | {default} | {meaning} |")
    return "\n".join(rows)


def _values(option: Option[Any]) -> str:
    if option.choices:
        return ", ".join(f"`{word}`" for word in option.choices)
    least = "" if option.least is None else f" from {option.least:g}"
    most = "" if option.most is None else f" to {option.most:g}"
    zero = "0 or " if option.or_zero else ""
    kind = "" if option.kind is bool else f"`{option.metavar}`".replace("|", "\\|")
    return f"{kind} {zero}{least.strip()}{most}".strip()


def local_models() -> str:
    """Every shipped model that runs in this process, and what it takes as its entry says."""
    rows = ["| name | file | size | memory | context | licence |", "|---|---|---|---|---|---|"]
    for entry in shipped().values():
        if need := need_of(replace(entry, path=None), MAX_DEFAULT_CTX, None) if not entry.base_url else None:
            memory = f"{listing.SIGNS[need.known_from]} {bytes_of(need.memory)}"
            known = (gigabytes(need.size), memory, thousands(entry.context or 0), entry.licence)
            rows.append(f"| `{entry.name}` | {listing.source_of(entry)} | {' | '.join(known)} |")
    return "\n".join(rows)


def endpoint_models() -> str:
    """Every shipped model at an endpoint, and its prices."""
    rows = ["| name | where | context | USD |", "|---|---|---|---|"]
    for entry in shipped().values():
        if entry.base_url and (prices := entry.prices):
            usd = f"{prices.prompt:g} / {prices.cached:g} / {prices.reply:g}"
            rows.append(f"| `{entry.name}` | {listing.source_of(entry)} | {thousands(entry.context or 0)} | {usd} |")
    return "\n".join(rows)


def columns(of: tuple[declared.Column, ...]) -> str:
    """The columns of a DataFrame with their dtypes and meanings; those that mean the same share an item."""
    known = () if of is declared.CAMPAIGNS else {(one.name, one.dtype, one.meaning) for one in declared.CAMPAIGNS}
    items: dict[tuple[str, str], list[str]] = {}
    for name, dtype, _, meaning in of:
        said = "as in campaigns" if (name, dtype, meaning) in known else meaning
        items.setdefault((said, dtype), []).append(f"`{name}`")
    return "\n".join(f"- {', '.join(names)} (`{dtype}`): {said}" for (said, dtype), names in items.items())


TABLES: Mapping[tuple[str, str], Callable[[], str]] = {
    ("models.md", "local"): local_models,
    ("models.md", "endpoints"): endpoint_models,
    ("options.md", "options"): options,
    ("results-in-python.md", "campaigns"): lambda: columns(declared.CAMPAIGNS),
    ("results-in-python.md", "tasks"): lambda: columns(declared.TASKS),
    ("results-in-python.md", "trials"): lambda: columns(declared.TRIALS),
    ("results-in-python.md", "turns"): lambda: columns(declared.TURNS),
    ("results-in-python.md", "calls"): lambda: columns(declared.CALLS),
}
"""By page and by the name in the comments around the table."""


def with_table(page: str, name: str, table: str) -> str:
    """The text of a page with the table in its place."""
    begin, end = f"<!-- table {name}: written by docs/tables.py -->\n", f"\n<!-- end of table {name} -->"
    pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
    return re.sub(pattern, lambda _: begin + table + end, page, count=1, flags=re.DOTALL)


if __name__ == "__main__":
    for (file, name), table in TABLES.items():
        path = PAGES / file
        path.write_text(with_table(path.read_text(encoding="utf-8"), name, table()), encoding="utf-8")
