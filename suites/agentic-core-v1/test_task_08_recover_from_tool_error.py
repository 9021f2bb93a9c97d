"""task_08 recover from tool error: count the bytes of a file whose first look-up fails.

canary: agentic-core-v1-open 7c1f2c1e-0a6b-4f7e-9d0e-5b6f3d2a9e41
"""

import re
import unicodedata
from collections.abc import Callable
from random import Random

from pytest_agentcore import Actor, Fault, Instance, Trial, task

WORDS = ("naïve", "café", "jalapeño", "Zürich", "smørrebrød", "crème", "Straße", "日本", "東京", "привет", "κόσμος")
EMOJI = ("🚲", "🌍", "🍜", "🎈")
PUBLISHED = 35
"""The answer of the published suite, which a model may have read; no instance has it."""


def readings(text: str) -> dict[str, int]:
    """Everything that has been taken for the length of a text, by name."""
    line, size = text.removesuffix("\n"), len(text.encode())
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in line)
    return {
        "bytes": size,
        "bytes without the newline": len(line.encode()),
        "bytes with CRLF": size + 1,
        "bytes with a byte order mark": size + 3,
        "bytes after decomposition": len(unicodedata.normalize("NFD", text).encode()),
        "bytes of the words": len("".join(text.split()).encode()),
        "bytes in hexadecimal digits": 2 * size,
        "bits": 8 * size,
        "characters": len(text),
        "characters without the newline": len(line),
        "characters after decomposition": len(unicodedata.normalize("NFD", text)),
        "letters": sum(map(str.isalpha, text)),
        "columns": len(line) + wide,
        "code units of UTF-16": len(text.encode("utf-16-le")) // 2,
        "code units of UTF-16 without the newline": len(line.encode("utf-16-le")) // 2,
        "bytes in UTF-16": len(text.encode("utf-16-le")),
        "bytes in UTF-16 with a byte order mark": len(text.encode("utf-16")),
        "bytes in UTF-32": len(text.encode("utf-32-le")),
        "bytes with escapes": len(text.encode("ascii", "backslashreplace")),
        "bytes that are no ASCII": sum(byte > 127 for byte in text.encode()),
        "bytes that are ASCII": sum(byte < 128 for byte in text.encode()),
        "words": len(text.split()),
        "lines": text.count("\n"),
        "published": PUBLISHED,
    }


def multibyte_line(random: Random) -> Instance:
    """One line of which no reading gives the number of bytes."""
    while True:
        words = [*random.sample(WORDS, random.randrange(4, 8)), random.choice(EMOJI)]
        random.shuffle(words)
        text = " ".join(words) + "\n"
        found = readings(text)
        if list(found.values()).count(found["bytes"]) == 1:
            return Instance({"data.txt": text}, {"readings": found})


@task(
    prompt="""
        How long is `data.txt` in bytes? It is UTF-8 text; count all bytes of the file, the newline at its end included.
        Write the number to `length.txt`: one line with one integer and nothing else.
    """,
    files=multibyte_line,
    artifacts=("length.txt",),
    protected=("data.txt",),
    faults=(
        Fault(
            mentions="data.txt",
            message="path error: 'data.txt' could not be resolved: stale file handle. The handle has been dropped; "
            "the file itself is unharmed. Try again.",
        ),
    ),
)
def test_recover_from_tool_error(trial: Trial) -> None:
    length, found = trial.int("length.txt"), trial.facts["readings"]
    reading = next((name for name, value in found.items() if value == length), "nothing in particular")
    assert reading == "bytes", f"data.txt has {found['bytes']} bytes; {length} is the number of: {reading}"


@test_recover_from_tool_error.oracle
def try_again(agent: Actor) -> str:
    agent.shell("wc -c < data.txt")
    length = agent.shell("wc -c < data.txt").split()[0]
    agent.fs_write("length.txt", f"{length}\n")
    return f"data.txt has {length} bytes; the first attempt failed and was repeated."


@test_recover_from_tool_error.alternative
def take_another_path(agent: Actor) -> None:
    agent.fs_read("data.txt")
    agent.shell("stat -c %s ./data.txt > length.txt")


@test_recover_from_tool_error.alternative
def let_python_count(agent: Actor) -> None:
    agent.shell("ls")
    for _ in range(2):
        agent.shell("""python3 -c "print(len(open('data.txt', 'rb').read()))" > length.txt""")


@test_recover_from_tool_error.alternative
def name_no_file(agent: Actor) -> None:
    agent.shell("cat *.txt | wc -c > length")
    agent.shell("mv length length.txt")


@test_recover_from_tool_error.counterexample
def give_up(agent: Actor) -> str:
    return agent.fs_read("data.txt")


@test_recover_from_tool_error.counterexample
def report_the_error_as_the_answer(agent: Actor) -> None:
    agent.fs_write("length.txt", agent.fs_read("data.txt"))


@test_recover_from_tool_error.counterexample
def take_a_missing_file_for_an_empty_one(agent: Actor) -> None:
    agent.shell("wc -c data.txt")
    agent.fs_write("length.txt", "0")


@test_recover_from_tool_error.counterexample
def make_a_file_of_ones_own(agent: Actor) -> None:
    agent.fs_read("data.txt")
    agent.fs_write("data.txt", "Hello, world! 你好")
    agent.shell("wc -c < data.txt > length.txt")


@test_recover_from_tool_error.counterexample
def leave_the_file_name_in(agent: Actor) -> None:
    for _ in range(2):
        agent.shell("wc -c data.txt > length.txt")


@test_recover_from_tool_error.counterexample
def list_two_candidates(agent: Actor) -> None:
    found = agent.facts["readings"]
    agent.fs_write("length.txt", f"{found['bytes']}\n{found['bytes without the newline']}\n")


@test_recover_from_tool_error.counterexample
def answer_in_a_sentence(agent: Actor) -> None:
    agent.fs_read("data.txt")
    agent.fs_write("length.txt", f"data.txt is {agent.facts['readings']['bytes']} bytes long.\n")


def write_reading(name: str) -> Callable[[Actor], None]:
    """A solution that takes this reading for the length."""

    def solution(agent: Actor) -> None:
        agent.fs_read("data.txt")
        agent.fs_read("data.txt")
        agent.fs_write("length.txt", str(agent.facts["readings"][name]))

    solution.__name__ = "write_" + re.sub(r"\W", "_", name)
    return solution


for wrong in sorted(readings("").keys() - {"bytes"}):
    test_recover_from_tool_error.counterexample(write_reading(wrong))
