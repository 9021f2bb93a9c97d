"""`agentcore open`: what the server answers, to whom, and what it never does."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packs import write_pack
from results import WRONG, manifest, result

from pytest_agentcore.cli.__main__ import main
from pytest_agentcore.cli.serve import Server
from pytest_agentcore.pack.folder import CampaignFolder, lock_campaign

TRIALS = [result("a", 1), result("a", 2, **WRONG)]
ONE = TRIALS[0].attempt


class Client:
    """Asks a server, below its secret word unless told otherwise."""

    def __init__(self, server: Server) -> None:
        self.server, self.word = server, server.word

    def ask(self, path: str, *, method: str = "GET", raw: bool = False, **headers: str) -> tuple[int, str, Any]:
        """Status, content and headers of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=30)
        connection.putrequest(method, path if raw else f"/{self.word}/{path}", skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text, answer.headers


@pytest.fixture
def results(tmp_path: Path) -> Path:
    home = tmp_path / "results"
    for name in ("good", "odd & <b>"):
        write_pack(home / name, manifest([("a", 1), ("a", 2), ("a", 3)], campaign=name), TRIALS)
    return home


@pytest.fixture
def client(results: Path) -> Iterator[Client]:
    with Server(results) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield Client(server)
        server.shutdown()


def test_pages_transcripts_and_progress_are_given(client: Client) -> None:
    for path, kind, holds in (
        ("", "text/html", "good"),
        ("c/good/", "text/html", "1 of 2 scored trials passed"),
        ("c/odd%20%26%20%3Cb%3E/", "text/html", "odd &amp; &lt;b&gt;"),
        (f"c/good/data/transcripts/{ONE}.jsonl", "application/jsonl", '{"schema":1,"event":"start"'),
        (f"transcripts/good/{ONE}.js", "text/javascript", f'agentcoreTranscript("good/{ONE}", "'),
        ("c/good/live.json", "application/json", '"state": "interrupted"'),
        ("live.json", "application/json", '"campaigns": []'),
    ):
        status, text, headers = client.ask(path)
        assert (status, headers["Content-Type"]) == (200, f"{kind}; charset=utf-8"), path
        assert holds in text, path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
        assert "Access-Control-Allow-Origin" not in headers
    assert client.ask("c/good/", method="HEAD")[1] == ""


def test_a_transcript_is_given_from_where_the_reader_is(client: Client) -> None:
    whole = client.ask(f"c/good/data/transcripts/{ONE}.jsonl")[1]
    at = whole.index("\n") + 1
    assert client.ask(f"c/good/data/transcripts/{ONE}.jsonl?from={at}")[1] == whole[at:]
    assert client.ask(f"c/good/data/transcripts/{ONE}.jsonl?from={10**30}")[:2] == (200, "")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "[::1]:80", "", "127.0.0.1:1"])
def test_another_host_is_refused_since_its_name_may_lead_here(client: Client, host: str) -> None:
    assert client.ask("", Host=host)[0] == 403
    port = client.server.server_port
    assert client.ask("", Host=f"localhost:{port}")[0] == 200


def test_who_does_not_know_the_word_finds_nothing(client: Client) -> None:
    word = client.word
    for path in ("/", "/x/", f"/{word}", f"/{word}x/", f"/{word[:-1]}/", "/%00/", "[x"):
        status, text, _ = client.ask(path, raw=True)
        assert (status, text) == (404, "There is nothing here."), path


def test_nothing_outside_is_given(client: Client, results: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text("secret\n")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "manifest.json").write_text("secret")
    (results / "good" / "data" / "transcripts" / "linked.jsonl").symlink_to(tmp_path / "secret.jsonl")
    (results / "plain.txt").write_text("secret")
    ways = [
        "../secret.jsonl",
        "..%2f..%2fsecret.jsonl",
        "c/../secret/",
        "c/..%2Fsecret/",
        "c/%2e%2e/",
        "c/./",
        "plain.txt",
    ]
    ways += [f"c/good/data/transcripts/{name}.jsonl" for name in ("linked", "..%2F..%2F..%2F..%2Fsecret", "a%00b", "*")]
    ways += ["c/good/data/transcripts/", "c/good/data/", "c/good", "c/good/manifest.json", "c/good/data/results.jsonl"]
    ways += [
        "transcripts/good/linked.js",
        "transcripts/..%2Fsecret/x.js",
        "c/good/data/transcripts/..%5C..%5Cx.jsonl",
        "%",
    ]
    for path in ways:
        status, text, _ = client.ask(path)
        assert (status, "secret" in text) == (404, False), path


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_can_be_changed(client: Client, method: str, results: Path) -> None:
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    assert client.ask("c/good/", method=method)[0] == 501
    client.ask("")
    client.ask("c/good/")
    client.ask("c/good/live.json")
    assert {path: path.read_bytes() for path in results.rglob("*") if path.is_file()} == before


DAMAGE = {
    "no JSON": ("manifest.json", "{"),
    "a manifest of another kind": ("manifest.json", "[]"),
    "a manifest without end": ("manifest.json", "[" * 100_000),
    "an empty manifest": ("manifest.json", ""),
    "a line that is no JSON": ("data/results.jsonl", "x\n"),
    "a line of another kind": ("data/results.jsonl", '{"schema": 1}\n'),
    "a folder for a file": ("data/results.jsonl", None),
    "a broken transcript": (f"data/transcripts/{ONE}.jsonl", "x\ny\n"),
    "events of another kind": (f"data/transcripts/{ONE}.jsonl", '{"event":"reply"}\n{"event":7}\n'),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_shown_with_what_is_wrong_and_the_others_stay(client: Client, results: Path, damage: str) -> None:
    name, content = DAMAGE[damage]
    place = results / "good" / name
    place.unlink()
    if content is None:
        place.mkdir()
    else:
        place.write_text(content)
    for path in ("", "c/good/", "c/good/live.json", "live.json", f"transcripts/good/{ONE}.js"):
        assert client.ask(path)[0] == 200, path
    page = client.ask("c/good/")[1]
    assert "agentcore validate" in page
    assert place.name in page or "Error: " in page
    assert "odd &amp; &lt;b&gt;" in client.ask("")[1]
    assert "1 of 2 scored trials passed" in client.ask("c/odd%20%26%20%3Cb%3E/")[1]


def test_a_manifest_with_odd_values_does_not_take_the_page_over_all_with_it(client: Client, results: Path) -> None:
    file = results / "good" / "manifest.json"
    facts = json.loads(file.read_text())
    file.write_text(
        json.dumps(facts | {"machine": {"memory_bytes": "much", "processors": "many"}, "backend": {"quant": []}})
    )
    for path in ("", "c/good/"):
        status, page, _ = client.ask(path)
        assert status == 200
        assert "good" in page
    assert "c/odd%20%26%20%3Cb%3E/" in client.ask("")[1]


def test_a_campaign_that_is_half_written_is_running(client: Client, results: Path) -> None:
    folder = CampaignFolder(results / "good")
    with folder.results.open("ab") as file:
        file.write(b'{"schema":1,"mod')
    with lock_campaign(folder):
        (told,) = json.loads(client.ask("live.json")[1])["campaigns"]
        assert [told[key] for key in ("campaign", "state", "done", "planned")] == ["good", "running", 2, 3]
        assert client.ask("c/good/")[0] == 200
    assert json.loads(client.ask("live.json")[1])["campaigns"] == []


def test_a_page_is_made_anew_when_its_campaign_has_changed(client: Client, results: Path) -> None:
    first = client.ask("c/good/")[1]
    with (results / "good" / "data" / "results.jsonl").open("a") as file:
        file.write(json.dumps(result("a", 3).to_json()) + "\n")
    assert "1 of 2 scored trials passed" in first
    assert "2 of 3 scored trials passed" in client.ask("c/good/")[1]


def test_the_command_prints_its_address_and_ctrl_c_ends_it_at_once(results: Path) -> None:
    command = [sys.executable, "-m", "pytest_agentcore.cli.__main__", "open", str(results), "--no-browser"]
    # tests that were started in the background ignore Ctrl-C, and so would the command
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        signal.signal(signal.SIGINT, before)
        assert process.stdout
        address = process.stdout.readline().strip()
        host, _, path = address.removeprefix("http://").partition("/")
        kept = http.client.HTTPConnection(host, timeout=30)  # a reader who stays connected
        kept.request("GET", f"/{path}live.json")
        assert kept.getresponse().status == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        kept.close()
    assert (process.returncode, out, err) == (0, "", "")


def test_a_campaigns_folder_opens_at_its_page(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_args: object, **_kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Server, "serve_forever", stop)
    assert main(["open", str(results / "good"), "--no-browser"]) == 0
    assert capsys.readouterr().out.strip().endswith("/c/good/")


@pytest.mark.parametrize(
    ("words", "says"),
    [(["nowhere"], "nowhere: there is no such folder"), ([".", "--port=99999"], "--port 99999: cannot")],
)
def test_what_cannot_be_served_is_a_sentence(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["open", *words]) == 2
    assert says in capsys.readouterr().err
