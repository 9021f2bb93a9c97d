"""Completion of what is typed behind `agentcore`: campaigns, trials, models, suites; argcomplete does the rest.

It loads nothing of this project but names: a shell asks at every press of a key.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from pytest_agentcore.cli.arguments import write_lines

INSTALLED_BY = {
    "bash": """put into ~/.bashrc:  eval "$(agentcore completion bash)\"""",
    "zsh": """put into ~/.zshrc, behind compinit:  eval "$(agentcore completion zsh)\"""",
    "fish": "agentcore completion fish > ~/.config/fish/completions/agentcore.fish",
}
"""What to do with a shell's code."""

RESULTS = Path("agentcore-results")
PACKAGE = Path(__file__).parents[1]


def add_completion(parser: argparse.ArgumentParser) -> None:
    """Add the shell."""
    parser.description = (
        "Prints the code by which a shell completes commands, options, campaigns, trials, models and suites: "
        + "; ".join(f"{shell}: {what}" for shell, what in INSTALLED_BY.items()).replace("%", "%%")
    )
    parser.add_argument("shell", choices=tuple(INSTALLED_BY))


def run_completion(options: argparse.Namespace) -> None:
    """Print the code, and what to do with it."""
    from argcomplete.shell_integration import shellcode

    write_lines([shellcode(["agentcore"], shell=options.shell).rstrip()])
    if sys.stdout.isatty():
        sys.stderr.write(f"agentcore: {INSTALLED_BY[options.shell]}\n")


def complete(build: Callable[[list[str]], argparse.ArgumentParser]) -> None:
    """Answer the shell that asks how the line goes on, and end the process.

    Args:
        build: makes the parser of a command line's words.
    """
    import argcomplete

    parser = build(os.environ["COMP_LINE"][: int(os.environ["COMP_POINT"])].split())
    for action in _actions(parser):
        option = action.option_strings[-1:] or [""]
        names = BY_OPTION.get(option[0]) or (BY_METAVAR | ({} if option[0] else BY_POSITION)).get(str(action.metavar))
        if names:
            action.completer = names  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)


def campaigns(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> Iterable[str]:
    """Name the campaigns of the results folder, and folders once a path is begun."""
    found = [folder.parent.name for folder in _results(parsed_args).glob("*/manifest.json")]
    return [*found, *folders(prefix)]


def trials(parsed_args: argparse.Namespace, **_: Any) -> Iterable[str]:
    """Name the planned trials of the campaign before them."""
    results, named = _results(parsed_args), getattr(parsed_args, "campaign", None)
    for folder in (results / str(named), Path(str(named))):
        with suppress(OSError, ValueError, LookupError, TypeError):
            planned = json.loads((folder / "manifest.json").read_bytes())["planned"]
            return [f"{trial['task']}:{trial['run']}" for trial in planned]
    return []


def models(**_: Any) -> Iterable[str]:
    """Name the models that ship, those of the nearest pyproject.toml, and agents without a model."""
    found = ["oracle", "null"]
    above = (parent / "pyproject.toml" for parent in (Path.cwd(), *Path.cwd().parents))
    mine = next(filter(Path.is_file, above), None)
    for file, keys in ((PACKAGE / "catalogue" / "registry.toml", ()), (mine, ("tool", "agentcore", "models"))):
        with suppress(OSError, ValueError, LookupError, AttributeError):
            table = tomllib.loads(file.read_text(encoding="utf-8")) if file else {}
            for key in keys:
                table = table[key]
            found += table
    return found


def dialects(**_: Any) -> Iterable[str]:
    """Name the dialects."""
    from pytest_agentcore.dialects.families import DIALECTS

    return [dialect.name for dialect in DIALECTS]


def suites(prefix: str, **_: Any) -> Iterable[str]:
    """Name the suites that ship, folders and task files."""
    homes = (PACKAGE / "suites", PACKAGE.parent / "suites")
    shipped = [file.parent.name for home in homes for file in home.glob("*/suite.toml")]
    return [*shipped, *folders(prefix, "test_*.py")]


def folders(prefix: str, files: str = "", **_: Any) -> Iterable[str]:
    """Name the folders that a path may go on with, and files of a pattern."""
    from argcomplete.completers import FilesCompleter

    paths = FilesCompleter(("py",) if files else (), directories=True)(prefix)
    return [path for path in paths if path.endswith("/") or (files and Path(path).match(files))]


def _results(parsed: argparse.Namespace) -> Path:
    return Path(getattr(parsed, "results", None) or RESULTS)


BY_METAVAR: dict[str, Callable[..., Iterable[str]]] = {
    **dict.fromkeys(("CAMPAIGN", "GROUP|CAMPAIGN", "A", "B"), campaigns),
    **dict.fromkeys(("MODEL", "MODEL|GGUF|TEMPLATE"), models),
    **dict.fromkeys(("SUITE", "SUITE|FILE"), suites),
    **dict.fromkeys(("DIR", "RESULTS", "PLACE"), folders),
    "TRIAL": trials,
}
"""By what a command's help calls an argument; files are completed as ever."""
BY_POSITION = {"NAME": models}
"""The same for arguments that are no options."""
BY_OPTION = {"--dialect": dialects, "--baseline": campaigns}
"""By option, where its name says more."""
