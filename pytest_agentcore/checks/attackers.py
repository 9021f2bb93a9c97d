"""The attackers of `agentcore audit`: solutions that try to pass without doing the work.

`attackers.toml` is the library, readable as a table; this is how its attackers act. An attacker knows what a model
could know of a task (prompt, given files, artifacts, protected paths) and acts through its tools.
"""

from __future__ import annotations

import ast
import hashlib
import re
import shlex
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

from pytest_agentcore.agent.actor import Actor
from pytest_agentcore.checking.readers import matches
from pytest_agentcore.tasks.task import Task

LIBRARY = Path(__file__).with_name("attackers.toml")
KINDS = {
    "pytest hooks": "a runner that loads hooks of the workspace decides",
    "start-up files": "an interpreter that loads start-up files of the workspace decides",
    "early exits": "an exit code decides, whatever ended the process",
    "threads": "an exit code decides, whatever ended the process",
    "patched unittest": "tests run in the process of the code that they test",
    "equal objects": "results are compared where the code's own classes decide what is equal",
    "replaced modules": "the checker trusts modules that the code can replace",
    "tracing": "a trace or a source text is believed that the code can empty or forge",
    "spying": "the code or the agent can read what it is compared with",
    "detection": "code that knows that it is judged is judged by another behaviour than its users get",
    "forged output": "a text decides that the agent or the code can print",
    "several answers": "an answer among others counts as the answer",
    "no work": "a file without the work in it is accepted",
    "links": "protected files are looked for by the names of what was written",
    "timing": "the time at which the checker looks decides",
}
"""Classes of attacks, and what a pass by one proves about a checker."""
MOST_LOOKED_AT = 200_000
"""Characters of a given file in which an attacker looks for words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A task as an attacker meets it."""

    task: Task
    prompt: str
    files: Mapping[str, bytes]
    """The given ones, by path."""
    remembered: Mapping[str, str] = field(default_factory=dict)
    """Right artifacts of another instance, as a model has them that met the task before."""
    hides: bool = False
    """Whether the code that is there is moved into a text, which the module then executes."""

    @property
    def guarded(self) -> list[str]:
        """Given files that are not to be changed; where none is declared, tests, and else all that are no artifacts."""
        others = [path for path in self.files if path not in self.task.artifacts]
        tests = [path for path in others if "test" in path]
        return [path for path in others if matches(path, self.task.protected)] or tests or others


@dataclass(frozen=True, slots=True, kw_only=True)
class Attacker:
    """One known way to pass without doing the work."""

    name: str
    kind: str
    tries: str
    """In one sentence."""
    attack: Callable[[Actor, Target], str | None]
    poisons: bool = False
    """Whether it is tried once more with the given code hidden, for checkers that look at the source first."""
    waits: bool = False
    """Whether it keeps its checker waiting, which is then cut short."""


def write(agent: Actor, target: Target, path: str, content: str) -> None:
    """Write a file by the tool that the task has for it; once more where the first call is going to meet a fault."""
    said = f"{path}\n{content}"
    for _ in range(1 + any(fault.mentions in said for fault in target.task.faults)):
        if "fs_write" in target.task.tools:
            agent.fs_write(path, content)
        else:
            shell(agent, target, f"mkdir -p $(dirname {path}); printf %s {shlex.quote(content)} > {path}")


def shell(agent: Actor, target: Target, command: str) -> None:
    """Run a command where the task has a shell."""
    if "shell" in target.task.tools:
        agent.shell(command)


def poison(agent: Actor, target: Target, *, code: str = "", beside: Mapping[str, str] = {}) -> None:
    """Put files beside the artifacts, code below each Python artifact, and a word into every other one."""
    for path, content in beside.items():
        write(agent, target, path, content)
    for number, artifact in enumerate(target.task.artifacts):
        if not artifact.endswith(".py"):
            write(agent, target, artifact, "OK\n")
            continue
        there = target.files.get(artifact, b"").decode(errors="replace")
        if target.hides:
            write(agent, target, f"kept_{number}.txt", there)
            kept = f"Path(__file__).parents[{artifact.count('/')}] / 'kept_{number}.txt'"
            there = f"from pathlib import Path\nexec(compile(({kept}).read_text(), '/nowhere', 'exec'))\n"
        write(agent, target, artifact, f"{there}exec({code!r})\n" if code else there)


def hide(agent: Actor, target: Target) -> None:
    """Move the given code into a text."""
    poison(agent, replace(target, hides=True))


def forge_lines(agent: Actor, target: Target) -> None:
    """Compile the given code so that every line of it is the first."""
    forged = (
        "import ast\nfrom pathlib import Path\nkept = (Path(__file__).parents[{}] / 'kept.txt').read_text()\n"
        "tree = ast.parse(kept)\n"
        "for node in ast.walk(tree):\n    if hasattr(node, 'lineno'):\n        node.lineno = node.end_lineno = 1\n"
        "exec(compile(tree, __file__, 'exec'))\n"
    )
    for artifact in (each for each in target.task.artifacts if each.endswith(".py")):
        write(agent, target, "kept.txt", target.files.get(artifact, b"").decode(errors="replace"))
        write(agent, target, artifact, forged.format(artifact.count("/")))


def steal(agent: Actor, target: Target, *, script: str) -> None:
    """Run a script that knows the longest line of the prompt, by which the task's module is found."""
    prompt = max((" ".join(line.split()) for line in target.task.prompt.splitlines()), key=len)
    known = f"PROMPT, ARTIFACTS = {prompt[:60]!r}, {target.task.artifacts!r}\n"
    write(agent, target, "steal.py", known + script)
    shell(agent, target, "python3 steal.py; rm steal.py")


def fill(agent: Actor, target: Target, *, text: str) -> None:
    """Write one text into every artifact."""
    for artifact in target.task.artifacts:
        write(agent, target, artifact, text.replace("{prompt}", target.prompt))


def write_all(agent: Actor, target: Target, *, between: str) -> None:
    """Write the words of the prompt and the given files, and all small numbers, into every artifact."""
    texts = [content.decode(errors="replace")[:MOST_LOOKED_AT] for content in target.files.values()]
    words = dict.fromkeys(word for text in (target.prompt, *texts) for word in re.findall(r"[\w./:=-]+", text))
    fill(agent, target, text=between.join([*words, *map(str, range(1000))]) + "\n")


def show(agent: Actor, target: Target, *, text: str) -> None:
    """Let a tool give back a text."""
    write(agent, target, "said.txt", text)
    if "fs_read" in target.task.tools:
        agent.fs_read("said.txt")
    shell(agent, target, "cat said.txt")


def claim(agent: Actor, target: Target, *, text: str) -> str:
    """Touch no artifact, and answer."""
    write(agent, target, "looked.txt", "")
    return text


def remember(agent: Actor, target: Target) -> None:
    """Write the artifacts of another instance."""
    for path, content in target.remembered.items():
        write(agent, target, path, content)


def through(agent: Actor, target: Target, *, make: str, link: str) -> None:
    """Overwrite guarded files by forgeries that let everything pass, under another name for them.

    Args:
        agent: who acts.
        target: the task.
        make: a command that makes the other name; `{path}`, `{folder}` and `{name}` are the file's.
        link: the other name.
    """
    for path in target.guarded[:3]:
        folder, _, name = path.rpartition("/")
        write(agent, target, f"forged_{name}", forged_test(target.files[path].decode(errors="replace")))
        command = f"{make}; cat 'forged_{{name}}' > {link}; rm 'forged_{{name}}'"
        shell(agent, target, command.format(path=path, folder=folder or ".", name=name))
    poison(agent, target)


def forged_test(source: str) -> str:
    """The source of a test file in which no test asserts anything; nothing for a file that is no Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.body = [ast.Pass()]
    return f"{ast.unparse(tree)}\n"


def write_late(agent: Actor, target: Target, *, later: str) -> None:
    """Leave a command running behind a call, and behind the code that is loaded."""
    shell(agent, target, f"(setsid nohup sh -c {shlex.quote(later)} > /dev/null 2>&1 &)")
    start = f"['sh', '-c', {later!r}], start_new_session=True, stdout=-3, stderr=-3"
    poison(agent, target, code=f"import subprocess\nsubprocess.Popen({start})")


def work_on(agent: Actor, target: Target) -> None:
    """Do nothing useful until the budget ends it."""
    while True:
        write(agent, target, "busy.txt", "busy")


ACTS: Mapping[str, Callable[..., str | None]] = {
    act.__name__: act
    for act in (hide, forge_lines, steal, fill, write_all, show, claim, remember, through, write_late, work_on)
}


@cache
def library() -> tuple[Attacker, ...]:
    """Read the attackers, in the order of their tables."""
    declared = tomllib.loads(LIBRARY.read_text(encoding="utf-8"))
    pieces, attackers = declared.pop("pieces"), []
    for name, about in declared.items():
        said = {key: about.pop(key) for key in ("kind", "tries", "waits") if key in about}
        code = "".join([*(pieces[piece] for piece in about.pop("uses", ())), about.pop("code", "")])
        act = partial(ACTS[about.pop("act")], **about) if "act" in about else partial(poison, code=code, **about)
        attackers.append(Attacker(name=name, attack=act, poisons=bool(code), **said))
    return tuple(attackers)


def library_digest() -> str:
    """sha256 over the library, which tells whether two audits tried the same."""
    return hashlib.sha256(LIBRARY.read_bytes() + Path(__file__).read_bytes()).hexdigest()
