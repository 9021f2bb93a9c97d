"""`agentcore models`: which models are known by name, and all that is known of one."""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_agentcore.catalogue.listing import entry_lines, table_lines
from pytest_agentcore.catalogue.registry import open_registry, project_above, shipped
from pytest_agentcore.catalogue.resolve import fetch, resolve
from pytest_agentcore.cli.__main__ import write_lines


def add(parser: argparse.ArgumentParser) -> None:
    """Names to show, and where else to look for entries."""
    parser.description = (
        "Models that --model knows by name: those that ship, and over them those of [tool.agentcore.models] in the "
        "nearest pyproject.toml and of --models-file. With a NAME (or hf:REPO[:QUANT], ollama:NAME, a path): all that "
        "is known of it, and where its file is."
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="one model; without it all are listed")
    parser.add_argument("--models-file", type=Path, metavar="FILE", help="TOML file of further models")
    parser.add_argument("--fetch", action="store_true", help="put the model's file on this machine")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """0; what cannot be found or fetched is a usage error."""
    registry = open_registry(project_above(Path.cwd()), options.models_file)
    if options.name is None:
        write_lines(table_lines(registry))
        return 0
    entry = registry[options.name] if options.name in registry and not options.fetch else None
    entry = entry or resolve(options.name, registry=registry)
    if options.fetch:
        entry = fetch(entry, lambda line: write_lines([line]))
    write_lines(entry_lines(entry, over_shipped=bool(entry.origin) and entry.name in shipped()))
    return 0
