"""Asks conftests and other plugins for the tools and backends that they register."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from pytest_agentcore.backends.base import BackendFactory
from pytest_agentcore.errors import UsageError
from pytest_agentcore.tools.base import Tool
from pytest_agentcore.tools.toolbox import KnownTools


class RegisteredTools:
    """Every tool that was registered so far; pytest loads a conftest only when it collects beside it."""

    def __init__(self, config: pytest.Config) -> None:
        """Ask everybody who is there.

        Raises:
            UsageError: two tools of one name, or an answer that is none.
        """
        self._config = config
        self._asked: list[object] = []
        self._known = KnownTools()
        self.ask()

    @property
    def tools(self) -> Mapping[str, Tool]:
        """By name; grows while tasks are collected."""
        return self._known.tools

    def ask(self) -> None:
        """Ask everybody who was not asked before.

        Raises:
            UsageError: two tools of one name, or an answer that is none.
        """
        for origin, found in _answers(self._config, "pytest_agentcore_tools", self._asked):
            self._known.add(found, origin)


def registered_backends(config: pytest.Config) -> dict[str, BackendFactory]:
    """Factories by the prefix that asks for them.

    Raises:
        UsageError: two of one prefix, or an answer that is none.
    """
    factories: dict[str, BackendFactory] = {}
    origins: dict[str, str] = {}
    for origin, found in _answers(config, "pytest_agentcore_backends", []):
        if not isinstance(found, Mapping) or not all(isinstance(name, str) and callable(found[name]) for name in found):
            raise UsageError(f"{origin}: backends must come as a dict of factories by name")
        for name, factory in found.items():
            if name in factories:
                raise UsageError(
                    f"two backends are named {name!r}, one of {origins[name]} and one of {origin}; rename one"
                )
            factories[name], origins[name] = factory, origin
    return factories


def _answers(config: pytest.Config, hook: str, asked: list[object]) -> Iterator[tuple[str, object]]:
    """Yield who answers the hook, and the answer, of everybody not among the `asked`, who are added to them."""
    implementations = getattr(config.hook, hook).get_hookimpls()
    for one in implementations:
        if one.plugin in asked:
            continue
        asked.append(one.plugin)
        # one at a time, so that an answer that is none can be laid to somebody
        others = [other.plugin for other in implementations if other.plugin is not one.plugin]
        try:
            found = [
                list(answer) if isinstance(answer, Iterator) else answer
                for answer in config.pluginmanager.subset_hook_caller(hook, others)(config=config)
            ]
        except Exception as error:
            raise UsageError(f"{one.plugin_name}: {hook} raised {type(error).__name__}: {error}") from error
        yield from ((one.plugin_name, answer) for answer in found)
