"""Arguments that several commands take, and how a command's lines are written."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from pytest_agentcore.console import write_out


def write_lines(lines: Iterable[str]) -> None:
    """Write each with a line end, and all of it out before the next is asked for."""
    for line in lines:
        write_out(sys.stdout, f"{line}\n")


def add_campaign(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add one campaign, or several, that may be left out, and the folder in which it is looked up."""
    name, number = ("campaigns", "*") if several else ("campaign", "?")
    which = "its folder, or its id in the results folder; default: the newest"
    parser.add_argument(name, metavar="CAMPAIGN", nargs=number, help=which)
    add_results(parser)


def add_results(parser: argparse.ArgumentParser) -> None:
    """Add the folder in which campaigns are looked up by their ids."""
    from pytest_agentcore.pack.folder import RESULTS_FOLDER

    parser.add_argument(
        "--results", type=Path, default=Path(RESULTS_FOLDER), metavar="DIR", help=f"default: {RESULTS_FOLDER}"
    )


def add_sandbox_choice(parser: argparse.ArgumentParser) -> None:
    """Add the choice of the sandbox in which checkers run a workspace's code."""
    parser.add_argument(
        "--sandbox", choices=("bubblewrap", "process"), help="default: bubblewrap, or process where it does not work"
    )


def positive(text: str) -> int:
    """Read a whole number from 1.

    Raises:
        argparse.ArgumentTypeError: it is less, or no whole number.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 1")
    return int(text)


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
