"""task_04 trace through codebase: a number is renamed three times on its way through the modules; where is it from?

Each instance draws its names, its modules and the way each renaming is written. Other constants have the same number
or the final name, and one of them is a default that the caller overrides.

canary: agentic-core-v1-open 7c1f2c1e-0a6b-4f7e-9d0e-5b6f3d2a9e41
"""

import re
from pathlib import Path
from random import Random
from string import Template

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
    """A package of seven modules, a `main.py` that prints the number, and what the checker must know."""
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
    spare = random.sample([word for word in WORDS if not any(taken.startswith(word) for taken in words)], 2)
    names |= {f"cousin{n}": f"{word}_{random.choice(UNITS)}" for n, word in enumerate(spare, 2)}
    constants = variants("origin")[0].splitlines()
    bodies = {
        "a": "\n".join(random.sample(constants, len(constants))),
        "b": random.choice(variants("second_name")),
        "c": random.choice(variants("third_name")),
        "d": random.choice(variants("final_name")),
        **dict(zip(("e", "f"), variants("bystander"), strict=True)),
        "settings": variants("settings")[0],
    }
    path = {key: f"{names['package']}/{names[key]}.py" for key in bodies}
    docstrings, fillers = random.sample(DOCSTRINGS, len(bodies)), random.sample(variants("filler"), len(bodies))
    files: dict[str, str | bytes] = {"main.py": Template(MAIN).substitute(names)}
    for (key, body), docstring, filler in zip(bodies.items(), docstrings, fillers, strict=True):
        source = f'"""{docstring}"""\n\n{body.strip()}\n\n\n{filler}'
        files[path[key]] = Template(source).substitute(names)
    return Instance(
        files=files,
        facts={
            "origin": f"{path['a']}:{names['origin']}",
            "stops": [f"{path['b']}:{names['second']}", f"{path['c']}:{names['third']}", f"{path['d']}:{final}"],
            "default": f"{path['settings']}:{names['default']}",
            "neighbours": [f"{path['a']}:{names[name]}" for name in ("sibling", "cousin", "cousin2", "cousin3")],
        },
    )


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
    found = re.fullmatch(rf"(\./|/(.*/)?)?{re.escape(origin)}", answer)
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
    second = agent.facts["stops"][0].partition(":")[0]
    found = re.findall(r"(?:import |\w\.)([A-Z]+_[A-Z]+)\b", agent.shell(f"grep -E 'import|if STRICT' {second}"))[0]
    where = agent.shell(f"grep -rl '^{found} = ' --include=*.py .").split()[0]
    agent.shell(f"echo {where}:{found} > answer.txt")


def answer(agent: Actor, text: str) -> None:
    agent.fs_write("answer.txt", f"{text}\n")


@test_trace_through_codebase.alternative
def give_the_whole_path(agent: Actor) -> None:
    answer(agent, f"/workspace/{agent.facts['origin']}")


@test_trace_through_codebase.counterexample
def grep_for_the_final_name(agent: Actor) -> None:
    name = agent.facts["default"].partition(":")[2]
    agent.shell(f"grep -rn '{name} = ' --include=*.py . | sed -E 's/:[0-9]+:/:/; s/ = .*//' | tail -1 > answer.txt")


@test_trace_through_codebase.counterexample
def grep_for_the_number(agent: Actor) -> None:
    number = re.findall(r"\d+", agent.shell("python3 main.py"))[0]
    agent.shell(f"grep -rn ' = {number}$' --include=*.py . | sed -E 's/:[0-9]+:/:/; s/ = .*//' | head -1 > answer.txt")


@test_trace_through_codebase.counterexample
def take_the_default_that_is_overridden(agent: Actor) -> None:
    answer(agent, agent.facts["default"])


@test_trace_through_codebase.counterexample
def stop_at_the_second_name(agent: Actor) -> None:
    answer(agent, agent.facts["stops"][0])


@test_trace_through_codebase.counterexample
def stop_at_the_third_name(agent: Actor) -> None:
    answer(agent, agent.facts["stops"][1])


@test_trace_through_codebase.counterexample
def stop_at_the_final_name(agent: Actor) -> None:
    answer(agent, agent.facts["stops"][2])


@test_trace_through_codebase.counterexample
def take_the_neighbour_with_the_same_number(agent: Actor) -> None:
    answer(agent, agent.facts["neighbours"][0])


@test_trace_through_codebase.counterexample
def take_the_neighbour_with_the_same_expression(agent: Actor) -> None:
    answer(agent, agent.facts["neighbours"][1])


@test_trace_through_codebase.counterexample
def take_another_neighbour_with_the_same_expression(agent: Actor) -> None:
    answer(agent, agent.facts["neighbours"][3])


@test_trace_through_codebase.counterexample
def list_several_candidates(agent: Actor) -> None:
    answer(agent, "\n".join([agent.facts["origin"], agent.facts["default"]]))


@test_trace_through_codebase.counterexample
def list_several_candidates_on_one_line(agent: Actor) -> None:
    answer(agent, f"{agent.facts['origin']} or {agent.facts['default']}")


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
