"""The `agentcore` command. Each subcommand is a module of `commands`, and only the one that was typed is imported."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Iterable, Sequence

from pytest_agentcore import __version__
from pytest_agentcore.errors import AgentcoreError

USAGE_ERROR = 2
"""As argparse's own."""
INTERRUPTED = 130
CUT_OFF = 141
"""As a shell counts SIGINT and SIGPIPE: 128 and the signal's number."""

COMMANDS = {
    "compare": "two campaigns side by side, and whether they differ by more than chance",
    "dialect": "which tool-call dialect a model speaks, why, and what its prompt looks like",
    "preflight": "try whether a model's tool calls get through, and show what was sent and what came back",
    "group": "compare the campaigns of a group again: format tax, context load",
    "leaderboard": "rank campaigns, as Markdown or CSV",
    "models": "list models by name, and show all that is known of one",
    "plan": "how many runs settle a question, and what they cost",
    "predict": "write a form for what is expected of a campaign",
    "report": "write the report of a campaign anew",
    "selfcheck": "examine the checkers of a suite or of one task file",
    "show": "show a campaign, or one of its trials turn by turn",
    "merge": "join campaigns that are parts of one experiment",
    "recheck": "judge a campaign's stored workspaces by today's checkers",
    "validate": "hold a campaign against its schemas, counts and digests",
}
"""Name, which is also the module's in `commands`, and the line of help."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand and return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    options = _parser(words).parse_args(words)
    try:
        code: int = options.run(options)
    except AgentcoreError as error:
        sys.stderr.write(f"agentcore: error: {error}\n")
        return USAGE_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # who read the output has seen enough; Python would complain once more while it exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CUT_OFF
    return code


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="agentcore", description="Tools around tasks and campaigns of pytest-agentcore."
    )
    parser.add_argument("--version", action="version", version=f"agentcore {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, line in COMMANDS.items():
        command = commands.add_parser(name, help=line)
        if name in words:
            importlib.import_module(f"pytest_agentcore.cli.{name}").add(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())


def write_lines(lines: Iterable[str]) -> None:
    """Each with a line end, and all of it out before this returns."""
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def positive(text: str) -> int:
    """A whole number from 1.

    Raises:
        argparse.ArgumentTypeError: it is less.
        ValueError: it is no number; argparse has a sentence for that.
    """
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def change(text: str) -> float:
    """A difference of rates above 0 and below 1: `10pp`, `10%` or `0.1`.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    number = text.removesuffix("pp").removesuffix("%")
    try:
        found = float(number) / (1 if number == text else 100)
    except ValueError:
        found = 0.0
    if not 0 < found < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a difference such as 10pp or 0.1, between 0 and 1")
    return found


def chance(text: str) -> float:
    """A chance to find something: above one half and below 1, as `0.8` or `80%`.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    number = text.removesuffix("%")
    try:
        found = float(number) / (1 if number == text else 100)
    except ValueError:
        found = 0.0
    if not 0.5 < found < 1:  # noqa: PLR2004 - below, a coin would do
        raise argparse.ArgumentTypeError(f"{text!r} must lie between 0.5 and 1, e.g. 0.8")
    return found
