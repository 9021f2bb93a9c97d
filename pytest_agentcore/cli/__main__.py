# PYTHON_ARGCOMPLETE_OK
"""The `agentcore` command: finds the subcommand that was typed, runs it, and makes its errors an exit code."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from pytest_agentcore import __version__
from pytest_agentcore.console import standard_output
from pytest_agentcore.errors import AgentcoreError, instead
from pytest_agentcore.untrusted import visible

USAGE_ERROR = 2
"""As argparse's own."""
INTERRUPTED = 130
CUT_OFF = 141
"""As a shell counts SIGINT and SIGPIPE: 128 and the signal's number."""

WITHOUT_FACTS = ("completion", "open", "worker")
"""Commands that have no `--json`: what they print is for a shell, or about themselves."""

COMMANDS = {
    "audit": ("suites", "let known attackers try to pass the tasks of a suite without doing the work"),
    "compare": ("decide", "two campaigns side by side, and whether they differ by more than chance"),
    "completion": ("completion", "print the shell code that completes commands, campaigns, models, suites and tasks"),
    "dialect": ("dialect", "which tool-call dialect a model speaks, why, and what its prompt looks like"),
    "export": ("campaigns", "write a campaign as a log of Inspect, a record of Every Eval Ever or ATIF trajectories"),
    "preflight": ("models", "try whether a model's tool calls get through, and show what was sent and what came back"),
    "gate": ("decide", "apply --min-pass-rate and --agentcore-baseline to recorded or merged campaigns"),
    "group": ("decide", "compare the campaigns of a group again: format tax, context load"),
    "leaderboard": ("decide", "rank campaigns, and say what separates them"),
    "list": ("campaigns", "list the campaigns of a results folder and the state of each"),
    "models": ("models", "list models by name, what they take and which fit here; or show one"),
    "open": ("serve", "show the campaigns of a results folder in the browser, running ones live"),
    "plan": ("decide", "how many runs settle a question, and what they cost"),
    "predict": ("suites", "write a form for what is expected of a campaign"),
    "report": ("campaigns", "write the report of a campaign anew"),
    "sandbox": ("sandbox", "try what the sandbox needs, piece by piece, and build its images"),
    "selfcheck": ("suites", "examine the checkers of a suite or of one task file"),
    "show": ("campaigns", "show a campaign, or one of its trials turn by turn"),
    "merge": ("campaigns", "join campaigns that are parts of one experiment"),
    "recheck": ("campaigns", "judge a campaign's stored workspaces by today's checkers"),
    "worker": ("models", "run trials for sessions elsewhere (pytest --agentcore-on), on this machine's models"),
    "validate": ("campaigns", "check a campaign against its schemas, counts and digests"),
}
"""Command, the module beside this one that has its `add_<command>` and `run_<command>`, and the line of help.

What `run_<command>` returns is the exit code; nothing is 0."""


class _Parser(argparse.ArgumentParser):
    """A parser whose refusals name the nearest command, choice or option."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, unknown = super().parse_known_args(args, namespace)
        for word in (word.partition("=")[0] for word in unknown if word.startswith("--")):
            # the subcommand's parser is asked first, and only it knows its options
            self.error(f"unrecognized argument {word}; {instead(word, self._option_string_actions)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        if match := re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message):
            choices = re.findall(r"[^ ,']+", match[2])
            message = f"{message[: match.start()]}no {match[1]!r}; {instead(match[1], choices)}"
        super().error(message)


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = _Parser(prog="agentcore", description="Tools around tasks and campaigns of pytest-agentcore.")
    parser.add_argument("--version", action="version", version=f"agentcore {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, (module, line) in COMMANDS.items():
        command = commands.add_parser(name, help=line)
        if name in words:  # only commands that may have been typed get arguments: the others need not be loaded
            its = importlib.import_module(f"pytest_agentcore.cli.{module}")
            getattr(its, f"add_{name}")(command)
            if name not in WITHOUT_FACTS:
                command.add_argument("--json", action="store_true", help="print the facts as JSON (docs/commands.md)")
            command.set_defaults(run=getattr(its, f"run_{name}"), command=name)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand and return the exit code."""
    if "_ARGCOMPLETE" in os.environ:
        from pytest_agentcore.cli.completion import complete

        complete(_parser)
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        with standard_output():
            options = _parser(words).parse_args(words)
            return options.run(options) or 0
    except AgentcoreError as error:
        sys.stderr.write(f"agentcore: error: {visible(str(error))}\n")
        return USAGE_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return CUT_OFF


if __name__ == "__main__":
    sys.exit(main())
