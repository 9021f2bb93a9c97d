"""Writes the tables of these pages that follow from the code; run `python docs/tables.py` after changing an option."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_agentcore.analysis import columns as declared
from pytest_agentcore.backends.llama.fit import MAX_DEFAULT_CTX, need_of
from pytest_agentcore.catalogue.entry import AnySettings, EndpointSettings, EngineSettings, Sampling, settings_of
from pytest_agentcore.catalogue.registry import shipped
from pytest_agentcore.cli import listing
from pytest_agentcore.options import OPTIONS, Option

PAGES = Path(__file__).parent


def options() -> str:
    """Every option of pytest: shortest spelling, values, default and meaning; a star where there is no ini key."""
    rows = ["| option | values | default | |", "|---|---|---|---|"]
    for option in OPTIONS:
        spelling = f"`--{'' if option.bare else 'agentcore-'}{option.name}`{'' if option.ini else '*'}"
        default = f"`{option.shown}`" if option.shown else ""
        meaning = option.help.replace("|", "\\|").replace("=PATH", "`=PATH`").replace("=DIR", "`=DIR`")
        rows.append(f"| {spelling} | {_values(option)} | {default} | {meaning} |")
    return "\n".join(rows)


def _values(option: Option[Any]) -> str:
    if option.choices:
        return f"`{'`/`'.join(option.choices)}`"
    least = "" if option.least is None else f" from {option.least:g}"
    most = "" if option.most is None else f" to {option.most:g}"
    zero = "0 or " if option.or_zero else ""
    kind = "" if option.kind is bool else f"`{option.metavar}`".replace("|", "\\|")
    return f"{kind} {zero}{least.strip()}{most}".strip()


def local_models() -> str:
    """Every shipped model that runs in this process, by the memory that it takes as its entry says, in GiB."""
    found: dict[float, list[str]] = {most: [] for most in MEMORY}
    for entry in shipped().values():
        if need := need_of(replace(entry, path=None), MAX_DEFAULT_CTX, None) if not entry.base_url else None:
            memory = need.memory / 2**30
            name = f"[`{entry.name}`](https://huggingface.co/{entry.repo})" if entry.repo else f"`{entry.name}`"
            least = next(most for most in MEMORY if memory <= most)
            found[least].append(f"{name} {listing.SIGNS[need.known_from]}{memory:.1f}")
    bands = [f"up to {most:g} GiB" if most < math.inf else "more" for most in MEMORY]
    rows = [f"| {band} | {', '.join(names)} |" for band, names in zip(bands, found.values(), strict=True)]
    return "\n".join(["| memory | models |", "|---|---|", *rows])


MEMORY = (4, 8, 16, 24, 48, math.inf)
"""What machines have, in GiB."""


def endpoint_models() -> str:
    """Every shipped model at an endpoint, by the endpoint, and its prices."""
    found: dict[str, list[str]] = {}
    for entry in shipped().values():
        if entry.base_url and (prices := entry.prices):
            host = listing.source_of(entry).partition(" ")[0]
            usd = f"{prices.prompt:g}/{prices.cached:g}/{prices.reply:g}"
            found.setdefault(host, []).append(f"`{entry.name}` {usd}")
    rows = [f"| {host} | {', '.join(names)} |" for host, names in found.items()]
    return "\n".join(["| endpoint | models |", "|---|---|", *rows])


def settings(kind: type[AnySettings]) -> str:
    """Every setting of a kind: default and meaning."""
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for key, (to, about) in settings_of(kind).items():
        known = about.metadata
        words = "yes/no" if to is bool and about.default is None else "/".join(known["words"])
        off = "" if known["off"] in (None, about.default) else f"{_shown(known['off'])} is off"
        meaning = known["meaning"] + (f" ({words})" if words else "") + (f"; {off}" if off else "")
        rows.append(f"| `{key}` | {_shown(about.default)} | {meaning} |")
    return "\n".join(rows)


def _shown(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return ("yes" if value else "no") if isinstance(value, bool) else f"{value:g}"


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
    ("models.md", "engine"): lambda: settings(EngineSettings),
    ("models.md", "sampling"): lambda: settings(Sampling),
    ("endpoints.md", "endpoint"): lambda: settings(EndpointSettings),
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
