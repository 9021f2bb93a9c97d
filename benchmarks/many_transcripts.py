"""What a report over 10,000 trials takes: wall clock and peak memory of the commands that read transcripts.

    python benchmarks/many_transcripts.py [TRIALS]

Generates a campaign of that many trials (ten tasks) with a transcript of about 9 kB each, six turns with calls and
results, and runs every command of `COMMANDS` over it in a process of its own. The limits are 5 s and 300 MB; the exit
code is 1 when one is exceeded. Generating takes longer than measuring.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from many_trials import MEGABYTES, SECONDS, asked_trials, generate, measure

from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.pack.transcript import TranscriptWriter
from pytest_agentcore.trial.fold import reply_digest, verdict_event
from pytest_agentcore.trial.result import TrialResult

COMMANDS = {
    "report": ("report", "{campaign}", "-o", "{out}"),
    "show": ("show", "{campaign}"),
    "show, one trial": ("show", "{campaign}", "task_05:7"),
}
"""By name: words of `agentcore`."""

TURNS = 6

WORDS = (
    "the",
    "test",
    "fails",
    "because",
    "price",
    "is",
    "read",
    "before",
    "it",
    "total",
    "of",
    "an",
    "empty",
    "order",
)


def main(trials: int) -> int:
    """1 when a limit is exceeded."""
    slow = False
    with tempfile.TemporaryDirectory() as folder:
        places = {"campaign": str(Path(folder, "campaign")), "out": str(Path(folder, "out"))}
        size = generate_with_transcripts(Path(places["campaign"]), trials)
        print(f"{trials} trials, {size / 1e6:.0f} MB of transcripts; limits: {SECONDS:g} s, {MEGABYTES:g} MB.\n")
        print("| command | seconds | of them CPU | peak MB |\n|---|---|---|---|")
        for name, words in COMMANDS.items():
            seconds, cpu, megabytes = measure([word.format(**places) for word in words])
            slow |= seconds > SECONDS or megabytes > MEGABYTES
            print(f"| {name} | {seconds:.2f} | {cpu:.2f} | {megabytes:.0f} |", flush=True)
    return int(slow)


def generate_with_transcripts(path: Path, trials: int) -> int:
    """Bytes of the transcripts."""
    generate(path, trials, 0.5)
    folder = CampaignFolder(path)
    rng = random.Random(0)
    for result in read_campaign(path).results:
        with closing(TranscriptWriter(folder.transcript(result.attempt))) as record:
            for event in events(result, rng):
                record(event)
    return sum(file.stat().st_size for file in folder.transcripts.iterdir())


def events(result: TrialResult, rng: random.Random) -> list[dict[str, Any]]:
    """What a trial of six turns leaves: a third of them call again what they called before."""
    told = ("attempt", "model", "task", "run", "policy", "sandbox", "seed", "instance", "started")
    start: dict[str, Any] = {name: getattr(result, name) for name in told}
    start |= {"event": "start", "number": 1, "nodeid": "", "system": text(rng, 60), "prompt": text(rng, 80)}
    start |= {"tools": [], "budget": {"turns": 15, "reply_tokens": 4096, "seconds": 3600.0}}
    made = [start]
    for turn in range(1, TURNS + 1):
        call = {"id": f"call_{turn}_1", "name": "shell", "arguments": {"command": f"cat {rng.randrange(3)}.py"}}
        read = "\n".join(text(rng, 12) for _ in range(12))
        answer = {"event": "tool_result", "turn": turn, "index": 0, "call": call, "outcome": "ok", "text": read}
        made += [reply(turn, call, text(rng, 20)), {**answer, "seconds": 0.01}]
    end = {"event": "end", "stop_reason": result.stop_reason.value, "detail": "", "seconds": 9.0}
    return [*made, end, verdict_event(result.passed, detail=result.detail, changed=["a.py"])]


def reply(turn: int, call: dict[str, Any], content: str) -> dict[str, Any]:
    """One reply with one call."""
    written = f"{content}\n{json.dumps(call)}"
    wrote = {"text": written, "content": content, "reasoning": "", "tool_calls": [call]}
    remarks: dict[str, Any] = {"problems": [], "repairs": [], "resembles": None, "finish": "stop", "seconds": 1.5}
    usage = {"prompt_tokens": 1000, "cached_tokens": 900, "reply_tokens": 50}
    return {"event": "reply", "turn": turn, **wrote, **remarks, "usage": usage, "digest": reply_digest(written, ())}


def text(rng: random.Random, words: int) -> str:
    """So many words."""
    return " ".join(rng.choices(WORDS, k=words))


if __name__ == "__main__":
    sys.exit(main(asked_trials(__doc__)))
