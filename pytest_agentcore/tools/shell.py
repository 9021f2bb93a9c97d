"""`shell`: a command line in the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_agentcore.errors import ToolError
from pytest_agentcore.sandbox.base import MIB, Command, Completed, Limits
from pytest_agentcore.tools.base import ToolContext, ToolSpec
from pytest_agentcore.tools.text import decode

LEAST_SECONDS = 1.0
"""A command gets this much even when the trial's time is up in less."""
ARGUMENT_BYTES = 128 * 1024 - 1
"""Linux' limit on one argument of a program."""


class Shell:
    """Runs `sh -c` in the workspace."""

    spec = ToolSpec(
        name="shell",
        description="Run a command line with `sh -c` in the workspace. The result has the output (stdout and stderr) "
        "and the exit code. Nothing goes on running after the call; there is no network. `python3` is available.",
        parameters={
            "type": "object",
            "properties": {"command": {"type": "string", "description": "The command line."}},
            "required": ["command"],
            "additionalProperties": False,
        },
        see_more="write the output to a file and read parts of it, or use head, tail and grep",
    )

    def __call__(self, context: ToolContext, arguments: Mapping[str, Any]) -> str:
        command = arguments["command"]
        if "\0" in command:
            raise ToolError("a command cannot contain a NUL character")
        encoded = command.encode("utf-8", errors="replace")  # lone surrogates become `?`, as in `fs_write`
        if len(encoded) > ARGUMENT_BYTES:
            raise ToolError(f"the command is longer than {ARGUMENT_BYTES} bytes; write a file and run that")
        limits = Limits(wall_seconds=min(Limits().wall_seconds, max(LEAST_SECONDS, context.seconds_left)))
        run = Command(argv=["sh", "-c", encoded.decode()], limits=limits)
        completed = context.sandbox.run(context.workspace, run)
        text = decode(completed.output)
        if text and not text.endswith("\n"):
            text += "\n"
        if completed.dropped_bytes:
            text += f"[{completed.dropped_bytes} more bytes of output were dropped]\n"
        if completed.killed_for:
            raise ToolError(f"{text}{killed_sentence(completed, limits)}")
        return f"{text}exit code {completed.exit_code}"


def killed_sentence(completed: Completed, limits: Limits) -> str:
    """Why a process tree was ended, for a model."""
    reason = {
        "wall_seconds": f"it ran longer than {limits.wall_seconds:.0f} seconds",
        "memory_bytes": f"it used more than {limits.memory_bytes // MIB} MiB of memory",
        "disk_bytes": f"the workspace and /tmp held more than {limits.disk_bytes // MIB} MiB; delete something",
        "processes": f"it started more than {limits.processes} processes",
    }
    return f"killed: {reason[completed.killed_for]}"
