"""Which campaigns are one and the same experiment: only those may share trials.

The identity of a campaign is everything that can decide how a trial of it ends and that is known before a model is
loaded: the model's content, the suite's (system prompt included), how the model is asked, every limit, the seed, the
sandbox and the version of the harness. Which trials are run, how often, in which order, and on which machine is not
part of it; what of that can still move a number is a remark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_agentcore.pack.manifest import Manifest
from pytest_agentcore.redact import redact

Facet = str | int | float | bool | None

_ENTRY = {"dialect": "dialect", "base_url": "endpoint", "model": "endpoint's model"}
"""Keys of the registry's entry that decide replies and that the model's file does not hold, and their words."""

_SHOWN = 16
"""Characters of a digest."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A value by name, in the order in which differences are told."""

    facets: Mapping[str, Facet]

    def differences(self, other: Identity) -> tuple[str, ...]:
        """A line per facet that differs, as `name: mine → the other's`."""
        names = dict.fromkeys([*self.facets, *other.facets])
        pairs = ((name, self.facets.get(name), other.facets.get(name)) for name in names)
        return tuple(_line(name, mine, theirs) for name, mine, theirs in pairs if mine != theirs)


def identity(manifest: Manifest) -> Identity:
    """The identity of a campaign, whether it is about to start or has ended."""
    suite, backend, entry = manifest.suite, manifest.backend, manifest.entry
    facets: dict[str, Facet] = {
        "model": manifest.model,
        "model's content": backend.get("sha256") or entry.get("sha256") or manifest.requested,
        **{word: redact(entry.get(key) or "") for key, word in _ENTRY.items()},
        "suite": f"{suite.name} {suite.version}",
        "suite's content": manifest.judged_by,
        "policy": manifest.policy,
        **{f"sampling {name}": float(value) for name, value in manifest.sampling.items()},
        "seed": manifest.seed,
        "context": context(manifest),
        "context load": manifest.context_load,
        **{f"limit of {name}": float(value) for name, value in manifest.budget.items()},
        "sandbox": manifest.sandbox.get("name"),
        "harness": manifest.harness,
    }
    return Identity(facets)


def context(manifest: Manifest) -> str:
    """Tokens of context as they were asked for; what the backend chose by itself follows from the model."""
    return str(manifest.engine.get("n_ctx", "default"))


def remarks(old: Manifest, new: Manifest) -> tuple[str, ...]:
    """Differences beside the identity that may still move a latency, or a tie between two tokens."""
    return tuple(_remarks(old, new))


def _remarks(old: Manifest, new: Manifest) -> Iterator[str]:
    for kind, before, after in (
        ("", old.machine, new.machine),
        ("", old.packages, new.packages),
        ("engine ", _engine(old), _engine(new)),
    ):
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                yield _line(kind + name, before.get(name), after.get(name))


def _engine(manifest: Manifest) -> Mapping[str, Any]:
    return {name: value for name, value in manifest.engine.items() if name != "n_ctx"}


def _line(name: str, mine: Any, theirs: Any) -> str:
    return f"{name}: {_shown(mine)} → {_shown(theirs)}"


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "none"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text[:_SHOWN] if _is_digest(text) else text


def _is_digest(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")  # noqa: PLR2004 - sha256 in hexadecimal


def summarise(differences: Sequence[str], most: int = 4) -> str:
    """Differences in one sentence's part: the first few, and how many more there are."""
    shown = "; ".join(differences[:most])
    return f"{shown}; and {len(differences) - most} more" if len(differences) > most else shown
