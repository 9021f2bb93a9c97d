"""Arguments that several commands take, and how a command's lines are written."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_agentcore.console import no_command, write_out
from pytest_agentcore.options import SANDBOXES
from pytest_agentcore.untrusted import visible

if TYPE_CHECKING:
    from pytest_agentcore.pack.folder import CampaignFolder
    from pytest_agentcore.pack.read import Campaign
    from pytest_agentcore.sandbox.base import Sandbox
    from pytest_agentcore.tasks.suite import Suite

FACTS_SCHEMA = 1
"""Version of what `--json` prints; raised when a key of any command changes its meaning or goes away."""


_DEFAULT = "default: %(default)s"


def tell(options: argparse.Namespace, lines: Iterable[str], **facts: Any) -> None:
    """Write the lines of a command, every character visible, or with `--json` its facts as one JSON object and no line.

    A command that tells of its work while it goes on gives the facts with its last lines.
    """
    if not options.json:
        write_lines(map(visible, lines))
    elif facts:
        known = {"command": options.command, "schema": FACTS_SCHEMA, **facts}
        write_lines([json.dumps(_plain(known), indent=2, allow_nan=False)])


def _plain(value: Any) -> Any:
    """Give a value in types that JSON has; a number that is none becomes null."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int | float):
        return None if isinstance(value, float) and not math.isfinite(value) else value
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [_plain(item) for item in value]
    return str(value)


def write_lines(lines: Iterable[str]) -> None:
    """Write lines one by one, each flushed before the next is made."""
    for line in lines:
        write_out(sys.stdout, f"{no_command(line)}\n")


def add_campaign(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add one campaign, or several, that may be left out, and the folder in which it is looked up."""
    name, number = ("campaigns", "*") if several else ("campaign", "?")
    which = "its folder, or its id in the results folder; default: the newest"
    parser.add_argument(name, metavar="CAMPAIGN", nargs=number, help=which)
    add_results(parser)


def find(place: str | None, results: Path) -> Campaign:
    """Read the campaign that is named; where none is, the newest, and say which that is.

    Raises:
        UsageError: there is no such campaign, or a file of it cannot be read.
    """
    from pytest_agentcore.pack.read import read_campaign

    return read_campaign(find_folder(place, results).path)


def find_folder(place: str | None, results: Path) -> CampaignFolder:
    """Find the campaign that is named; where none is, the newest, and say which that is.

    Raises:
        UsageError: there is no such campaign.
    """
    from pytest_agentcore.pack.read import find_campaign

    folder = find_campaign(place, results)
    if place is None:
        sys.stderr.write(f"agentcore: the newest campaign is {visible(folder.id)}\n")
    return folder


def add_results(parser: argparse.ArgumentParser) -> None:
    """Add the folder in which campaigns are looked up by their ids."""
    from pytest_agentcore.pack.folder import RESULTS_FOLDER

    parser.add_argument("--results", type=Path, default=Path(RESULTS_FOLDER), metavar="DIR", help=_DEFAULT)


def add_results_place(parser: argparse.ArgumentParser) -> None:
    """Add the folder that a command is about as a whole."""
    from pytest_agentcore.pack.folder import RESULTS_FOLDER

    parser.add_argument("results", nargs="?", type=Path, default=Path(RESULTS_FOLDER), metavar="RESULTS", help=_DEFAULT)


def add_sandbox_choice(parser: argparse.ArgumentParser) -> None:
    """Add the choice of the sandbox in which checkers run a workspace's code."""
    parser.add_argument(
        "--sandbox",
        choices=SANDBOXES,
        help="default: container for suites that name an image, else bubblewrap, or process where it does not work",
    )
    add_engine(parser)


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add the engine that makes containers."""
    parser.add_argument(
        "--container", default="", metavar="ENGINE", help='e.g. "podman --runtime runc"; default: whichever answers'
    )


def open_chosen(options: argparse.Namespace, suites: Iterable[Suite]) -> Sandbox:
    """Open the chosen sandbox for the tasks of these suites, whose folders are hidden in it."""
    from pytest_agentcore.sandbox.open import open_sandbox

    whole = {suite.path: suite for suite in suites}
    images = {task: name for suite in whole.values() for task, name in suite.image_names.items()}
    return open_sandbox(options.sandbox, may_fall_back=True, hidden=[*whole], engine=options.container, images=images)


def positive(text: str) -> int:
    """Read a whole number from 1.

    Raises:
        argparse.ArgumentTypeError: it is less, or no whole number.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 1")
    return int(text)


def gibibytes(text: str) -> int:
    """Read an amount of memory in GiB, `24` or `7.5`, as bytes.

    Raises:
        argparse.ArgumentTypeError: it is none, or not above 0.
    """
    try:
        size = float(text) * 2**30
    except ValueError:
        size = 0.0
    if not 1 <= size <= 2**60:
        raise argparse.ArgumentTypeError(f"{text!r} must be an amount of memory in GiB, such as 24")
    return int(size)


def change(text: str) -> float:
    """Read a difference of rates above 0 and below 1: `10pp`, `10%` or `0.1`.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    found = _fraction(text.removesuffix("pp") + "%" if text.endswith("pp") else text)
    if not 0 < found < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a difference such as 10pp or 0.1, between 0 and 1")
    return found


def chance(text: str) -> float:
    """Read a chance to find something: above one half and below 1, as `0.8` or `80%`.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    found = _fraction(text)
    if not 0.5 < found < 1:  # noqa: PLR2004 - below, a coin would do
        raise argparse.ArgumentTypeError(f"{text!r} must lie between 0.5 and 1, e.g. 0.8")
    return found


def _fraction(text: str) -> float:
    """A number, or a hundredth of one with a percent sign; 0 where it is neither."""
    number = text.removesuffix("%")
    try:
        return float(number) / (1 if number == text else 100)
    except ValueError:
        return 0.0
