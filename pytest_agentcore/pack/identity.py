"""Which campaigns are one and the same experiment: only those may share trials.

The identity of a campaign is everything that can decide how a trial of it ends and that is known before a model is
loaded: the model's content, the suite's (system prompt included), how the model is asked, every limit, the seed, the
sandbox and the version of the harness. Which trials are run, how often, in which order, and on which machine is not
part of it; what of that can still move a number is a remark.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from pytest_agentcore.pack.manifest import Manifest
from pytest_agentcore.redact import redact

_ENTRY = {"dialect": "dialect", "base_url": "endpoint", "model": "endpoint's model"}
"""Keys of the registry's entry that decide replies and that the model's file does not hold, and their words."""

_ENGINE = {
    "n_ctx": "context",
    "type_k": "cache of keys",
    "type_v": "cache of values",
    "split_mode": "split",
}
"""Engine settings that change what a model computes, and their words."""


def identity(manifest: Manifest) -> dict[str, Any]:
    """The values that make a campaign the experiment that it is, in the order in which differences are told."""
    suite, backend, entry = manifest.suite, manifest.backend, manifest.entry
    return {
        "model": manifest.model,
        "model's content": backend.get("sha256") or entry.get("sha256") or manifest.requested,
        **{word: redact({key: entry.get(key) or ""})[key] for key, word in _ENTRY.items()},
        "suite": f"{suite.name} {suite.version}",
        "suite's content": manifest.judged_by,
        "policy": manifest.policy,
        **{f"sampling {name}": float(value) for name, value in manifest.sampling.items()},
        "seed": manifest.seed,
        # as it was asked for; what the backend chose by itself follows from the model
        **{word: str(manifest.engine.get(key, "default")).lower() for key, word in _ENGINE.items()},
        "rows": manifest.rows,
        "context load": manifest.context_load,
        **{f"limit of {name}": float(value) for name, value in manifest.budget.items()},
        "sandbox": manifest.sandbox.get("name"),
        **{f"image {name}": digest for name, digest in manifest.sandbox.get("images", {}).items()},
        "harness": manifest.harness,
    }


def differences(old: Manifest, new: Manifest) -> tuple[str, ...]:
    """A line for each part of the identity that differs, as `name: old → new`; none for one and the same experiment."""
    was, is_now = identity(old), identity(new)
    if new.rows is None:  # it takes as many as it is given
        del was["rows"], is_now["rows"]
    return _differences(was, is_now, dict.fromkeys([*was, *is_now]))


def remarks(old: Manifest, new: Manifest) -> tuple[str, ...]:
    """Differences beside the identity that may still move a latency, or a tie between two tokens."""
    kinds = (
        ("", _machines(old), _machines(new)),
        ("", old.packages, new.packages),
        ("engine ", old.engine, new.engine),
    )
    found = (_differences(a, b, sorted({*a, *b} - {*_ENGINE}), kind) for kind, a, b in kinds)
    return tuple(chain.from_iterable(found))


def _machines(manifest: Manifest) -> Mapping[str, Any]:
    """The machine that trials ran on, or how many workers were on which."""
    return {"workers": name_workers(manifest)} if manifest.workers else manifest.machine


def name_workers(manifest: Manifest) -> str:
    """Name the kinds of machines that trials ran on, and how many workers were of each; empty where all ran here."""
    return "; ".join(f"{one['workers']} on {name_machine(one)}" for one in manifest.workers)


def name_machine(worker: Mapping[str, Any]) -> str:
    """Name the kind of machine that workers ran on: its device, and else its processor."""
    machine, device = worker["machine"], worker["device"]
    memory = f"{machine.get('memory_bytes', 0) / 2**30:.0f} GiB"
    return ", ".join(filter(None, [device if device != "none" else "", machine.get("processor"), memory]))


def _differences(
    old: Mapping[str, Any], new: Mapping[str, Any], names: Iterable[str], kind: str = ""
) -> tuple[str, ...]:
    pairs = ((name, old.get(name), new.get(name)) for name in names)
    return tuple(f"{kind}{name}: {_shown(a)} → {_shown(b)}" for name, a, b in pairs if a != b)


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "none"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text[:16] if re.fullmatch("[0-9a-f]{64}", text) else text  # the beginning of a digest tells it apart


def summarise(differences: Sequence[str], most: int = 4) -> str:
    """Differences in one sentence's part: the first few, and how many more there are."""
    shown = "; ".join(differences[:most])
    return f"{shown}; and {len(differences) - most} more" if len(differences) > most else shown
