"""README and pages against the project: options exist, links resolve, code compiles."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_agentcore.catalogue.entry import EndpointSettings, EngineSettings, Sampling, settings_of
from pytest_agentcore.cli import __main__ as cli
from pytest_agentcore.options import OPTIONS

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "docs" / "dialects" / "families.md",
    *sorted((ROOT / "docs" / "ci").glob("*.yml")),
    *sorted((ROOT / ".github" / "workflows").glob("*.yml")),
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
OURS = {f"--{option.name}" for option in OPTIONS if option.bare} | {f"--agentcore-{o.name}" for o in OPTIONS}
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def blocks(page: Path, *languages: str) -> list[str]:
    """The fenced blocks of a page in one of the languages; of a workflow or a pipeline, what it runs."""
    if page.suffix == ".yml":
        said = yaml.safe_load(page.read_text(encoding="utf-8"))
        steps = [step["run"] for job in said.get("jobs", {}).values() for step in job["steps"] if "run" in step]
        steps += [each for job in said.values() if isinstance(job, dict) for each in job.get("script", ())]
        return steps if "yaml" in languages else []
    return [code for language, code in FENCE.findall(page.read_text(encoding="utf-8")) if language in languages]


def commands(page: Path, program: str) -> Iterator[list[str]]:
    """Words behind the program's name, of every call in a console, shell or YAML block and in the running text."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    lines = [span for span in re.findall(r"`([^`\n]+)`", text) if span.startswith(f"{program} ")]
    for code in blocks(page, "console", "sh", "bash", "yaml"):
        folded = re.sub(r"(\\|(?<=run: >))\n\s*", " ", code)
        lines += re.findall(rf"(?:^|[$:>;&] )({program} .*)", folded, re.MULTILINE)
    for line in lines:
        yield shlex.split(line.partition(" #")[0])[1:]


def anchors(page: Path) -> set[str]:
    """What `#…` may point to, made from the headings as code hosts make it."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_relative_links_resolve(page: Path) -> None:
    text = COMMENT.sub("", FENCE.sub("", page.read_text(encoding="utf-8")))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@every_page
def test_options_of_pytest_exist(page: Path, pytestconfig: pytest.Config) -> None:
    known = OURS | pytest_options(pytestconfig)
    for words in commands(page, "pytest"):
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known, words


@every_page
def test_our_options_in_running_text_exist(page: Path) -> None:
    mentioned = set(re.findall(r"--agentcore-[\w-]*\w(?!…)", page.read_text(encoding="utf-8")))
    assert mentioned <= OURS


@every_page
def test_engine_and_sampling_keys_exist(page: Path) -> None:
    given = re.findall(r"--agentcore-(engine|sampling)[ =]([a-z]\w*)=", page.read_text(encoding="utf-8"))
    for kind, key in given:
        kinds = (EngineSettings, EndpointSettings) if kind == "engine" else (Sampling,)
        assert any(key in settings_of(kind) for kind in kinds), (kind, key)


@every_page
def test_commands_of_agentcore_parse(page: Path) -> None:
    for words in commands(page, "agentcore"):
        assert {word.partition("=")[0] for word in words if word.startswith("-")} <= agentcore_options(words), words


def test_nobody_is_told_in_riddles() -> None:
    """Sentences that readers did not understand stay gone, from the pages and from what the program prints."""
    riddles = re.compile(r"\bleast p\b|noise alone decides|told from the will|chance makes a difference", re.IGNORECASE)
    package = ROOT / "pytest_agentcore"
    sources = [path for kind in ("py", "js", "jinja") for path in package.rglob(f"*.{kind}")]
    found = {path.name for path in [*PAGES, *sources] if riddles.search(path.read_text(encoding="utf-8"))}
    assert found == set()


@every_page
def test_python_blocks_compile(page: Path) -> None:
    for code in blocks(page, "python", "py"):
        ast.parse(code)


def test_the_checks_see_what_is_there() -> None:
    assert sum(1 for page in PAGES for _ in commands(page, "pytest")) > 10
    assert sum(1 for page in PAGES for _ in commands(page, "agentcore")) > 2
    assert sum(len(blocks(page, "python", "py")) for page in PAGES) > 2


def pytest_options(config: pytest.Config) -> set[str]:
    """Every long option of this session's pytest and its plugins."""
    parser: Any = config._parser
    groups = [*parser._groups, parser._anonymous]
    return {name for group in groups for option in group.options for name in option.names()}


def agentcore_options(words: list[str]) -> set[str]:
    """Options of the command that the words call.

    Raises:
        AssertionError: there is no such command.
    """
    parser = cli._parser(words)
    while words and not words[0].startswith("-"):
        subparsers = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        if not subparsers:
            break
        assert words[0] in subparsers[0].choices, words
        parser, words = subparsers[0].choices[words[0]], words[1:]
    return {name for action in parser._actions for name in action.option_strings}
