"""What the harness runs on, as far as it can decide a number: never host names, users or environment variables."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import Any

PACKAGES = ("jinja2", "jsonschema", "llama-cpp-python", "openai", "pytest", "pytest-xdist")
"""Distributions whose version can change what a campaign does."""


def machine_facts() -> dict[str, Any]:
    """Interpreter, system, processor, memory."""
    system = os.uname()
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "system": system.sysname,
        "release": system.release,
        "architecture": system.machine,
        "processor": _processor(),
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }


def package_versions() -> dict[str, str]:
    """Of `PACKAGES`, those that are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    """The model's name as Linux tells it, else empty."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
