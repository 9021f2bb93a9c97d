"""The work that both harnesses are measured on: a trial makes five shell calls and then answers."""

from __future__ import annotations

TRIALS = 30
COMMANDS = (
    "mkdir -p notes",
    "echo one > notes/a.txt && echo two >> notes/a.txt",
    "cat notes/a.txt",
    "wc -l < notes/a.txt > lines.txt",
    "ls",
)
ANSWER = "done"
PROMPT = "Write the number of lines of notes/a.txt into lines.txt."
