"""task_04 trace through codebase: a number is renamed three times on its way through the modules; where is it from?

Each instance draws its names, its modules and the way each renaming is written. Other constants have the same number,
the same expression, the final name or the very name of the right one, are read from the environment, or are a default
that the caller overrides. Of each kind there is one before and one behind the right one, in whatever order one looks.

canary: agentic-core-v1-open 7c1f2c1e-0a6b-4f7e-9d0e-5b6f3d2a9e41
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from string import Template
from typing import Any

from pytest_agentcore import Actor, Instance, Trial, task

PACKAGES = ("depot", "harbor", "kiosk", "orchard", "relay", "studio")
MODULES = ("broker", "channel", "intake", "limits", "outbox", "policy", "presets", "roster", "tariff", "tuning")
SETTINGS = ("config", "constants", "defaults", "settings")
WORDS = ("BACKOFF", "COOLDOWN", "GRACE", "HOLD", "LEASE", "LINGER", "PATIENCE", "QUIET", "SETTLE", "STANDBY")
UNITS = ("PERIOD", "SECONDS", "TIME", "WINDOW")
FINAL_NAMES = ("delay", "expiry", "interval", "pause", "timeout")

MAIN = """\
from $package.$d import start

print("$final:", start()["$final"], "seconds")
"""
DOCSTRINGS = (
    "Agreed on with the customers.",
    "Kept for the old clients.",
    "Changed rarely; ask before you touch it.",
    "Read once when the service starts.",
    "Shared by all parts of the service.",
    "The part of the service that talks to its clients.",
    "Written in the first year and still in use.",
)
PARTS = Path(__file__).parent / "files" / "task_04"
"""Templates of modules. The value is called $origin, $second, $third and $final, in the modules $a, $b, $c and $d."""


def make_package(random: Random) -> Instance:
    """A package in which no way of looking but the right one ends at the origin."""
    while True:
        files, facts = draw_package(random)
        if facts["origin"] not in facts["readings"].values():
            return Instance(files, facts)


def draw_package(random: Random) -> tuple[dict[str, str], dict[str, Any]]:
    """Seven modules and a `main.py` that prints the number, where the number is from, and what misleads."""
    minutes, final = random.randint(2, 90), random.choice(FINAL_NAMES)
    words = [f"{word}_{random.choice(UNITS)}" for word in random.sample(WORDS, 5)]
    names = {
        **dict(zip(("a", "b", "c", "d", "e", "f"), random.sample(MODULES, 6), strict=True)),
        "origin": words[0],
        "second": words[1],
        "third": words[2].lower(),
        "sibling": words[3],
        "cousin": words[4],
        "final": final,
        "default": final.upper(),
        "settings": random.choice(SETTINGS),
        "package": random.choice(PACKAGES),
        "minutes": str(minutes),
        "number": str(minutes * 60),
    }
    spare = random.sample([word for word in WORDS if not any(taken.startswith(word) for taken in words)], 4)
    more = ("cousin2", "cousin3", "cousin4", "environment")
    names |= {name: f"{word}_{random.choice(UNITS)}" for name, word in zip(more, spare, strict=True)}
    bodies = {
        "a": constants(random),
        "b": random.choice(variants("second_name")),
        "c": random.choice(variants("third_name")),
        "d": random.choice(variants("final_name")),
        "e": variants("bystander")[1],
        "f": variants("bystander")[0],
        "settings": variants("settings")[0],
    }
    path = {key: f"{names['package']}/{names[key]}.py" for key in bodies}
    docstrings, fillers = random.sample(DOCSTRINGS, len(bodies)), random.sample(variants("filler"), len(bodies))
    files = {"main.py": Template(MAIN).substitute(names)}
    for (key, body), docstring, filler in zip(bodies.items(), docstrings, fillers, strict=True):
        source = f'"""{docstring}"""\n\n{body.strip()}\n\n\n{filler}'
        files[path[key]] = Template(source).substitute(names)
    places = {
        "second name": f"{path['b']}:{names['second']}",
        "third name": f"{path['c']}:{names['third']}",
        "final name": f"{path['d']}:{final}",
        "default that is overridden": f"{path['settings']}:{names['default']}",
        "same name elsewhere": f"{path['f']}:{names['origin']}",
        "environment": f"{path['f']}:{names['environment']}",
        **{f"neighbour {name}": f"{path['a']}:{names[name]}" for name in ("sibling", "cousin", "cousin2")},
        **readings(files, names["number"], names["default"]),
    }
    return files, {"origin": f"{path['a']}:{names['origin']}", "readings": places}


NUMBER = r"\d[\d *]*"


def readings(files: Mapping[str, str], number: str, default: str) -> dict[str, str]:
    """The first and the last constant of each kind, in the order of paths."""
    kinds = {
        "constant": rf"[A-Z_]+ = {NUMBER}",
        "product": r"[A-Z_]+ = \d+ \* 60",
        "number": rf"[A-Z_]+ = {number}",
        "name like the final one": rf"[A-Z_]*{default}[A-Z_]* = {NUMBER}",
        **{f"name in {unit}": rf"[A-Z]+_{unit} = {NUMBER}" for unit in UNITS},
    }
    found = {}
    for kind, pattern in kinds.items():
        matches = [
            f"{path}:{line.split(' ')[0]}"
            for path, text in sorted(files.items())
            for line in text.splitlines()
            if re.fullmatch(pattern, line)
        ]
        found[f"first {kind}"], found[f"last {kind}"] = (matches[0], matches[-1]) if matches else ("", "")
    return found


def constants(random: Random) -> str:
    """The module of the origin, which is neither the first nor the last constant there, nor of those like it."""
    others, equal = (part.splitlines() for part in variants("origin")[0].split("\n\n"))
    random.shuffle(equal)
    equal.insert(random.randrange(1, len(equal)), "$origin = $minutes * 60")
    for line in random.sample(others, len(others)):
        equal.insert(random.randrange(len(equal) + 1), line)
    return "\n".join(equal)


def variants(part: str) -> list[str]:
    """How one part of the package can be written."""
    return [path.read_text(encoding="utf-8") for path in sorted((PARTS / part).glob("*.txt"))]


@task(
    prompt="""
        Run `python3 main.py`: it prints a number of seconds.
        Find the constant that this number comes from. On its way to main.py the value is passed through several
        modules and gets other names. Follow it back to the one place where a number is assigned to a name,
        not just another name. Beware: there are other constants with the same number that are not used here.

        Write the file answer.txt with exactly one line path:NAME, which is the path of the file in which that constant
        is assigned, a colon, and its name in that file, for example app/example.py:EXAMPLE_TIME
    """,
    files=make_package,
    artifacts=["answer.txt"],
)
def test_trace_through_codebase(trial: Trial) -> None:
    answer = ":".join(trial.fields("answer.txt", "{}:{}")).strip("_")  # the workspace's own names have none at an end
    origin = trial.facts["origin"]
    found = re.fullmatch(rf"((\./)*|/([^:]*/)?){re.escape(origin)}", answer)
    assert found, f"the number printed by main.py does not come from {answer!r}"


@test_trace_through_codebase.oracle
def read_from_main_backwards(agent: Actor) -> str:
    agent.shell("cat main.py; head -40 */*.py")
    agent.fs_write("answer.txt", f"{agent.facts['origin']}\n")
    return f"The number comes from {agent.facts['origin']}."


@test_trace_through_codebase.alternative
def change_each_constant_and_see(agent: Actor) -> None:
    """An experiment instead of reading: which constant changes what main.py prints?"""
    agent.fs_write(
        "experiment.py",
        """\
import pathlib, re, subprocess

for path in pathlib.Path(".").glob("*/*.py"):
    text = path.read_text()
    for line, name in re.findall(r"^(([A-Z_]+) = [0-9 *]+)$", text, re.M):
        path.write_text(text.replace(line, f"{name} = 1234567"))
        if b"1234567" in subprocess.run(["python3", "-B", "main.py"], capture_output=True).stdout:
            print(f"./{path}:{name}")
    path.write_text(text)
""",
    )
    agent.shell("python3 experiment.py > answer.txt")


@test_trace_through_codebase.alternative
def look_for_what_the_second_name_stands_for(agent: Actor) -> None:
    second = agent.facts["readings"]["second name"].partition(":")[0]
    found = re.findall(r"(\w+)(?: import |\.)([A-Z]+_[A-Z]+)\b", agent.shell(f"grep -E 'import|if STRICT' {second}"))[0]
    agent.shell(f"echo {second.partition('/')[0]}/{found[0]}.py:{found[1]} > answer.txt")


def answer(agent: Actor, text: str) -> None:
    agent.fs_write("answer.txt", f"{text}\n")


@test_trace_through_codebase.alternative
def give_the_whole_path(agent: Actor) -> None:
    answer(agent, f"/workspace/{agent.facts['origin']}")


@test_trace_through_codebase.counterexample
def grep_for_the_number(agent: Actor) -> None:
    number = re.findall(r"\d+", agent.shell("python3 main.py"))[0]
    agent.shell(f"grep -rn ' = {number}$' --include=*.py . | sed -E 's/:[0-9]+:/:/; s/ = .*//' | head -1 > answer.txt")


@test_trace_through_codebase.counterexample
def list_several_candidates(agent: Actor) -> None:
    answer(agent, "\n".join([agent.facts["origin"], agent.facts["readings"]["default that is overridden"]]))


@test_trace_through_codebase.counterexample
def list_several_candidates_on_one_line(agent: Actor) -> None:
    answer(agent, f"{agent.facts['origin']} or {agent.facts['readings']['second name']}")


@test_trace_through_codebase.counterexample
def name_the_file_only(agent: Actor) -> None:
    answer(agent, agent.facts["origin"].partition(":")[0])


@test_trace_through_codebase.counterexample
def write_the_number(agent: Actor) -> None:
    agent.shell("python3 main.py > answer.txt")


@test_trace_through_codebase.counterexample
def copy_the_example(agent: Actor) -> None:
    answer(agent, "app/example.py:EXAMPLE_TIME")


@test_trace_through_codebase.counterexample
def answer_in_the_chat_only(agent: Actor) -> str:
    agent.shell("cat main.py; head -40 */*.py")
    return f"The number comes from {agent.facts['origin']}."


def take(name: str) -> Callable[[Actor], None]:
    """A solution that stops looking here."""

    def solution(agent: Actor) -> None:
        answer(agent, agent.facts["readings"][name])

    solution.__name__ = "take_the_" + name.replace(" ", "_")
    return solution


for place in draw_package(Random("any"))[1]["readings"]:
    test_trace_through_codebase.counterexample(take(place))
