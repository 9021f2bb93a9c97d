"""Tasks of ours in Inspect AI; run by benchmarks/campaign.py in a virtual environment of its own.

Usage: `inspect_campaign.py BASE_URL TASKS_JSON LOG_DIR SLOTS TURNS REPLY_TOKENS RUNS TOOL_CHOICE`; prints JSON: how
many trials and replies there were, and how many tokens these had.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Literal

from inspect_ai import Task, eval  # noqa: A004 - the library's name
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig, ModelOutput, execute_tools, get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import Tool, tool
from inspect_ai.util import sandbox


@tool(name="fs_read")
def fs_read() -> Tool:
    async def execute(path: str) -> str:
        """Read a text file.

        Args:
            path: of the file.
        """
        return await sandbox().read_file(path)

    return execute


@tool(name="fs_write")
def fs_write() -> Tool:
    async def execute(path: str, content: str) -> str:
        """Write a text file.

        Args:
            path: of the file.
            content: all of it.
        """
        await sandbox().write_file(path, content)
        return "written"

    return execute


@tool(name="shell")
def shell() -> Tool:
    async def execute(command: str) -> str:
        """Run a command in the workspace.

        Args:
            command: for bash.
        """
        done = await sandbox().exec(["bash", "-c", command], timeout=60)
        return f"exit code {done.returncode}\n{done.stdout}{done.stderr}"

    return execute


@tool(name="sql_query")
def sql_query() -> Tool:
    async def execute(database: str, query: str) -> str:
        """Query a SQLite database.

        Args:
            database: its file.
            query: in SQL.
        """
        code = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchmany(50))"
        done = await sandbox().exec([sys.executable, "-c", code, database, query], timeout=60)
        return done.stdout or done.stderr

    return execute


@tool(name="finish")
def finish() -> Tool:
    async def execute(answer: str) -> str:
        """End the task.

        Args:
            answer: in a sentence.
        """
        return answer

    return execute


TOOLS = {"fs_read": fs_read, "fs_write": fs_write, "shell": shell, "sql_query": sql_query}


@solver
def calls(turns: int, reply_tokens: int, choice: Literal["auto", "any"]) -> Solver:
    """Ask for a call, run it, and so on; the first reply may not be the last."""

    async def solve(state: TaskState, _generate: Generate) -> TaskState:
        tools = [TOOLS[name]() for name in state.metadata["tools"]]
        config = GenerateConfig(max_tokens=reply_tokens, temperature=0.7, top_p=0.95)
        state.metadata |= {"replies": 0, "tokens": 0}
        for turn in range(turns):
            offered = [*tools, finish()] if turn else tools
            output: ModelOutput = await get_model().generate(state.messages, offered, choice, config)
            state.metadata["replies"] += 1
            state.metadata["tokens"] += output.usage.output_tokens if output.usage else 0
            state.messages.append(output.message)
            made = output.message.tool_calls or []
            if output.stop_reason == "max_tokens":  # what the server makes of a forced call has no end, most times
                state.messages.append(ChatMessageUser(content="Your reply was cut off. Call a tool."))
                continue
            if not made or any(call.function == "finish" for call in made):
                break
            results, _ = await execute_tools(state.messages, offered)
            state.messages.extend(results)
        return state

    return solve


def main() -> None:
    """Run the evaluation once."""
    base_url, told, log_dir = sys.argv[1:4]
    slots, turns, reply_tokens, runs = map(int, sys.argv[4:8])
    samples = [
        Sample(
            id=f"{one['id']}-{number}",
            input=[ChatMessageSystem(content=one["system"]), ChatMessageUser(content=one["prompt"])],
            files=one["files"],
            metadata={"tools": one["tools"]},
        )
        for number in range(runs)
        for one in json.loads(Path(told).read_text())
    ]
    task = Task(
        dataset=samples, solver=calls(turns, reply_tokens, "any" if sys.argv[8] == "any" else "auto"), sandbox="local"
    )
    model = get_model("openai/local", base_url=base_url, api_key="none", responses_api=False)
    words = {"max_samples": slots, "max_connections": slots, "display": "none", "log_dir": log_dir}
    (log,) = eval(task, model=model, fail_on_error=False, **words)
    done = log.samples or []
    told = {name: sum(sample.metadata.get(name, 0) for sample in done) for name in ("replies", "tokens")}
    print(json.dumps({"trials": len(done), **told, "errors": [str(s.error.message)[:200] for s in done if s.error]}))


if __name__ == "__main__":
    main()
