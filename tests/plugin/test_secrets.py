"""Secrets of addresses and headers are sent, and then looked for in everything that a campaign writes."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from backends.openai.fault_server import FaultServer, Said, answer, raw
from tiny import campaign, result_lines

PASSWORD, CODE, KEY = "p4ss/w+rd%=&x", "c0de/that+must%not=show", "key-that-must-not-show"
SPOKEN = (PASSWORD, CODE, KEY)

CHECKED = """
import logging
import os

from pytest_agentcore import task

@task(prompt="Write the word hello into hello.txt.", artifacts=("hello.txt",))
def test_hello(trial):
    address, keys, said = os.environ["ADDRESS"], {"key": os.environ["MY_KEY"].encode()}, trial.answer
    logging.getLogger("the.suite").warning("asked %s with %s", address, keys)
    try:
        raise ConnectionError(f"cannot reach {address}")
    except ConnectionError:
        logging.getLogger("the.suite").exception("the checker logs what it knows")
    assert trial.line("hello.txt") == keys["key"].decode()

@test_hello.oracle
def greet(agent):
    agent.fs_write("hello.txt", os.environ["MY_KEY"])

@test_hello.counterexample
def shout(agent):
    agent.fs_write("hello.txt", "HELLO")
"""


def spellings(secret: str) -> set[bytes]:
    """A secret as addresses, JSON, XML, Python and headers write it."""
    forms = {
        *(secret, quote(secret), quote(secret, safe=""), quote_plus(secret), html.escape(secret)),
        *(json.dumps(secret)[1:-1], repr(secret)[1:-1], base64.b64encode(secret.encode()).decode().rstrip("=")),
    }
    forms |= {form.lower() for form in forms if "%" in form}
    return {form.encode() for form in forms}


def echo(request: dict[str, Any]) -> Said:
    """A model that was told all secrets, and tells them."""
    told = json.dumps({"path": "hello.txt", "content": " ".join(SPOKEN)}).replace("k", "\\u006b")
    if request["messages"][-1]["role"] == "tool":
        return Said(reasoning=f"I know {KEY}.", content=f"The code is {CODE}, and {quote(PASSWORD, safe='')} too.")
    return Said(calls=(("fs_write", told),))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    """A server that refuses in words with all secrets in them before it answers."""
    with FaultServer(say=echo, context=8000).running() as server:
        place = server.url.removeprefix("http://")
        server.url = f"http://me:{quote(PASSWORD, safe='')}@{place}?api/code={quote(CODE, safe='')}&version=2"
        said = f"{server.url} does not know {quote_plus(CODE)}, {KEY}, {PASSWORD}"
        cookie = {"Set-Cookie": f"session={KEY}", "Location": server.url}
        # the attempt ends with the second, and is made again
        server.faults.extend([raw({"error": {"message": said}}), answer(400, {"detail": said}, **cookie)])
        monkeypatch.setenv("ADDRESS", server.url)
        monkeypatch.setenv("MY_KEY", KEY)
        yield server


LOUD = (
    *("--log-level=DEBUG", "-olog_cli=true", "--log-cli-level=DEBUG", "--log-file=all.log", "--log-file-level=DEBUG"),
    *("-ojunit_logging=all", "--junitxml=j.xml", "--showlocals", "-vv", "-rA"),
)


@pytest.mark.parametrize(
    "words",
    [
        (*LOUD, "--full-trace", "--capture=no"),
        (*LOUD, "--tb=native", "-n1"),
        ("--log-level=INFO", "-olog_cli=true", "--log-file=all.log", "-ojunit_logging=all", "--junitxml=j.xml"),
    ],
    ids=["full", "workers", "INFO"],
)
def test_secrets_are_sent_and_written_nowhere(
    pytester: pytest.Pytester, server: FaultServer, words: tuple[str, ...]
) -> None:
    suite = pytester.mkdir("tiny")
    (suite / "test_task_01_hello.py").write_text(CHECKED)
    address = (f"--agentcore-base-url={server.url}", "--agentcore-api-key-env=MY_KEY", "--model=made-up")
    more = ("--agentcore-preflight=off", "--runs=1", "--agentcore-retries=1")
    result = pytester.runpytest_subprocess(*address, *more, *words, "tiny")
    assert server.paths[-1].endswith(f"/v1/chat/completions?api%2Fcode={quote(CODE, safe='')}&version=2")
    assert server.keys[-1] == f"Basic {base64.b64encode(f'me:{PASSWORD}'.encode()).decode()}"
    (line,) = result_lines(campaign(pytester))
    assert line["outcome"] == "wrong_answer"
    written = {str(path): path.read_bytes() for path in pytester.path.rglob("*") if path.is_file()}
    written |= {"stdout": result.stdout.str().encode(), "stderr": result.stderr.str().encode()}
    if "--log-level=DEBUG" in words:
        assert b"HTTP Request: POST" in written[str(pytester.path / "all.log")]
        assert b"the checker logs what it knows" in written[str(pytester.path / "j.xml")]
    assert leaks(written) == []


def leaks(written: dict[str, bytes]) -> list[str]:
    """Where which spelling of a secret stands."""
    known = {form for secret in (*SPOKEN, f"me:{PASSWORD}") for form in spellings(secret)}
    return [f"{name}: {form!r}" for name, content in written.items() for form in known if form in content]


def test_what_is_looked_for_would_be_found() -> None:
    assert len(leaks({"log": f"GET /v1?api%2Fcode={quote(CODE, safe='')} {KEY}".encode()})) == 2


@pytest.mark.parametrize(
    "url",
    [
        f"http://me:{PASSWORD}@127.0.0.1:9/v1",
        f"me:{KEY}@127.0.0.1:9/v1",
        f"http://127.0.0.1:9/v1?{KEY}",
        f"http://127.0.0.1:x/v1?code={KEY}",
        f"http://{KEY}@127.0.0.1:9/v1?api/code={KEY}#{KEY}",
    ],
)
def test_an_address_that_does_not_work_is_shown_without_its_secrets(
    pytester: pytest.Pytester, suite: Path, url: str
) -> None:
    result = pytester.runpytest("--model=made-up", f"--agentcore-base-url={url}", "--runs=1", "tiny")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *127.0.0.1:*"])
    assert leaks({"out": result.stdout.str().encode(), "err": result.stderr.str().encode()}) == []
