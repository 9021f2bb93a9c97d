"""Whether the sandboxes work on this machine, and the images that containers are made from."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest_agentcore.sandbox
from pytest_agentcore.cli.arguments import add_engine, tell
from pytest_agentcore.errors import UsageError
from pytest_agentcore.sandbox.container import IMAGE
from pytest_agentcore.sandbox.engine import Engine, answering, one_line
from pytest_agentcore.tasks.suite import find_suite, suite_at

if TYPE_CHECKING:
    from pytest_agentcore.sandbox.open import Kind

CONTAINERFILE = Path(pytest_agentcore.sandbox.__file__).with_name("Containerfile")
"""What our image is built from."""
RELEASE = "bookworm"
"""Debian 12, as in the Containerfile: the same Python whichever way the image is made."""
BOOTSTRAP = (
    *("mmdebstrap", "--quiet", "--variant=apt", "--include=python3"),
    *("--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*"),
    *("--dpkgopt=path-exclude=/usr/share/locale/*", '--customize-hook=ln -s python3 "$1/usr/bin/python"', RELEASE, "-"),
)


def add_sandbox(parser: argparse.ArgumentParser) -> None:
    """Add what is built, and by which engine."""
    parser.description = (
        "Tries each thing that bubblewrap needs by itself, says which of them is missing here and what would help, and "
        "whether containers work. With `build` it makes the image of `--sandbox container`, and those of the suites "
        "that are named. The exit code is 1 when the default sandbox does not work, or an image cannot be made."
    )
    parser.add_argument("action", nargs="?", choices=("build",), help="make images")
    parser.add_argument("places", nargs="*", metavar="SUITE", help="whose Containerfiles are built too")
    parser.add_argument("--debian", action="store_true", help="make our image from Debian's packages, by mmdebstrap")
    add_engine(parser)


def run_sandbox(options: argparse.Namespace) -> int:
    """Return 1 when bubblewrap does not work here, or an image could not be made, else 0."""
    return _build(options) if options.action else _try(options)


def _try(options: argparse.Namespace) -> int:
    from pytest_agentcore.sandbox.open import open_sandbox
    from pytest_agentcore.sandbox.probe import OPTIONAL, probe, ways

    needs = []
    for as_root in ways():
        tell(options, ["with the rights of root:" if as_root else "in a user namespace:"])
        for one in probe(as_root=as_root):
            needs.append({"as_root": as_root, **asdict(one), "required": one.need not in OPTIONAL})
            says = "yes" if one.met else "NO" if one.stands_in_the_way else "no, and not required"
            tell(options, [f"  {one.need:<50} {says}{one.said and f': {one.said}'}"])
    found: dict[Kind, Mapping[str, Any]] = {}
    whys: dict[Kind, str] = {}
    kinds: tuple[Kind, ...] = ("container", "bubblewrap")  # the default stands last, where it is looked for
    for kind in kinds:
        try:
            found[kind] = open_sandbox(kind, engine=options.container).describe()
            loose = found[kind]["not_confined"]
            but = f", but not confined: {'; '.join(loose)}" if loose else ""
            said = f"sandbox {kind} {found[kind]['version']} works{but}"
        except UsageError as error:
            said = whys[kind] = str(error)
        tell(options, [said])
    code = int("bubblewrap" not in found)
    facts = {"sandbox": found.get("bubblewrap"), "why": whys.get("bubblewrap", "")}
    tell(
        options,
        [],
        needs=needs,
        **facts,
        container=found.get("container"),
        container_why=whys.get("container", ""),
        exit_code=code,
    )
    return code


def _build(options: argparse.Namespace) -> int:
    engine = answering(options.container)
    images = {
        image.name: image.containerfile
        for place in options.places
        for image in suite_at([find_suite(place)]).images.values()
        if image and image.containerfile
    }
    if options.debian or engine.image(IMAGE) is None or not images:
        tell(options, (f"{IMAGE}: {step}" for step in build_ours(engine, by_debian=options.debian)))
    for name, file in images.items():
        tell(options, [f"{name}: from {file.name}"])
        build(engine, name, file)
    made = {name: engine.image(name) or {} for name in (IMAGE, *images)}
    digests = {name: str(facts.get("Id", "")).removeprefix("sha256:") for name, facts in made.items()}
    sizes = {name: f"{facts.get('Size', 0) / 1e6:.0f} MB" for name, facts in made.items()}
    lines = [f"{name} {digests[name][:12]}, {sizes[name]}, in {engine.version}" for name in made]
    tell(options, lines, images=digests, engine=engine.version, exit_code=0)
    return 0


def build_ours(engine: Engine, *, by_debian: bool = False) -> Iterator[str]:
    """Make the image of suites that name none; says what it does before it does it.

    Args:
        engine: who keeps it.
        by_debian: do not ask a registry for the image that the Containerfile begins with.

    Raises:
        UsageError: neither way is open; says what either needs.
    """
    if not by_debian:
        yield "from debian:12-slim and its package python3"
        try:
            build(engine, IMAGE, CONTAINERFILE)
        except UsageError as error:
            if shutil.which(BOOTSTRAP[0]) is None:
                raise UsageError(
                    f"{error}; without a registry the package `mmdebstrap` makes it from packages"
                ) from error
            yield str(error)
        else:
            return
    if shutil.which(BOOTSTRAP[0]) is None:
        raise UsageError("there is no program `mmdebstrap`, which makes the image from packages; install it")
    yield "from Debian's packages, by mmdebstrap"
    # a file between the two: whether a pipe's writer has failed is known too late
    with tempfile.NamedTemporaryFile(suffix=".tar") as tar:
        _run(BOOTSTRAP, "mmdebstrap could not make it", tar.fileno())
        _run([*engine.words, "import", tar.name, IMAGE], "it could not be imported")


def build(engine: Engine, name: str, containerfile: Path) -> None:
    """Make an image from a Containerfile, which sees no other file and has the network of the host.

    Raises:
        UsageError: it cannot be made; has the engine's last words.
    """
    with tempfile.TemporaryDirectory() as nothing:
        words = ["build", "--network=host", f"--tag={name}", f"--file={containerfile.resolve()}", nothing]
        _run([*engine.words, *words], f"{containerfile.name} could not be built")


def _run(words: Sequence[str], problem: str, out: int = subprocess.DEVNULL) -> None:
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, check=False)
    except OSError as error:
        raise UsageError(f"{problem}: {error}") from error
    if done.returncode != 0:
        said = one_line(done.stderr.decode(errors="replace"))
        raise UsageError(f"{problem}: {said or f'exit code {done.returncode}'}")
