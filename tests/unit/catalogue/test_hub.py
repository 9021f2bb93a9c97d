"""Fetching from a hub on loopback, by the command in a process of its own: whole, resumed, checked, refused."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shlex
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import COMMIT, Hub, digest_of, environment, serve

TIMEOUT = 60.0
STEP = 10 * 2**20


pytestmark = pytest.mark.needs("huggingface_hub")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A repository with two quantizations of noise, one of them in two parts."""
    noise = random.Random(1)
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    files = {}
    for name in ("Tiny-Q4_K_M.gguf", "BF16/Tiny-BF16-00001-of-00002.gguf", "BF16/Tiny-BF16-00002-of-00002.gguf"):
        files[name] = shelf / name.replace("/", "_")
        files[name].write_bytes(noise.randbytes(300_000))
    with serve(Hub(files=files)) as running:
        yield running


def run(hub: Hub, home: Path, name: str, **more: str) -> subprocess.CompletedProcess[str]:
    """`agentcore models NAME --fetch`."""
    env = variables(hub, home, more)
    return subprocess.run(
        command(name), capture_output=True, text=True, env=env, timeout=TIMEOUT, cwd=home, check=False
    )


def command(name: str) -> list[str]:
    return [sys.executable, "-m", "pytest_agentcore.cli", "models", name, "--fetch"]


def variables(hub: Hub, home: Path, more: dict[str, str]) -> dict[str, str]:
    return {**os.environ, **environment(hub, home), "COLUMNS": "400", **more}


def cached(home: Path, name: str) -> Path:
    return home / "hf" / "hub" / "models--me--Tiny-GGUF" / "snapshots" / COMMIT / name


def part(home: Path, file: Path) -> Path:
    return home / "hf" / "hub" / "models--me--Tiny-GGUF" / "blobs" / f"{digest_of(file)}.incomplete"


def test_a_file_comes_into_the_hubs_own_cache(hub: Hub, tmp_path: Path) -> None:
    done = run(hub, tmp_path, "hf:me/Tiny-GGUF")
    assert done.returncode == 0, done.stderr
    assert re.search(r"fetching Tiny-Q4_K_M\.gguf \(0 MiB\) from http://127\.0\.0\.1:\d+/me/Tiny-GGUF", done.stdout)
    path = cached(tmp_path, "Tiny-Q4_K_M.gguf")
    assert f"ready      no; {path}:" in done.stdout
    assert path.read_bytes() == hub.files["Tiny-Q4_K_M.gguf"].read_bytes()
    assert path.is_symlink()

    hub.asked.clear()
    offline = run(hub, tmp_path, "hf:me/Tiny-GGUF", HF_HUB_OFFLINE="1")
    assert f"ready      no; {path}:" in offline.stdout
    assert hub.asked == []


def test_a_terminal_sees_how_far_it_is_and_a_file_does_not(hub: Hub, tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    env = variables(hub, tmp_path, {})
    with subprocess.Popen(command("hf:me/Tiny-GGUF"), stdout=subprocess.DEVNULL, stderr=theirs, env=env, cwd=tmp_path):
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # what a pseudo-terminal's end is on Linux
            while piece := os.read(ours, 4096):
                shown += piece
    os.close(ours)
    assert b"100%" in shown
    assert "%" not in run(hub, tmp_path, "hf:me/Tiny-GGUF:BF16").stderr


def test_all_parts_come_and_the_first_is_the_model(hub: Hub, tmp_path: Path) -> None:
    done = run(hub, tmp_path, "hf:me/Tiny-GGUF:bf16")
    assert done.returncode == 0, done.stderr
    first = cached(tmp_path, "BF16/Tiny-BF16-00001-of-00002.gguf")
    assert f"no; {first}" in done.stdout
    assert cached(tmp_path, "BF16/Tiny-BF16-00002-of-00002.gguf").is_file()


@pytest.fixture
def large(tmp_path: Path, smollm2: Path) -> Iterator[Hub]:
    """A repository with the demo model; the client keeps what it has in steps of 10 MiB."""
    with serve(Hub(files={"SmolLM2-Q4_1.gguf": smollm2})) as running:
        yield running


def test_a_dropped_connection_is_taken_up_where_it_broke(large: Hub, tmp_path: Path) -> None:
    large.cut_once = 50_000_000
    done = run(large, tmp_path, "hf:me/Tiny-GGUF")
    assert done.returncode == 0, done.stderr
    assert large.of("GET") == ["", f"bytes={4 * STEP}-"]


def test_a_killed_process_leaves_a_part_that_the_next_one_takes_up(large: Hub, tmp_path: Path, smollm2: Path) -> None:
    large.hang_once = 3 * STEP + 100_000
    left = part(tmp_path, smollm2)
    with subprocess.Popen(
        command("hf:me/Tiny-GGUF"), env=variables(large, tmp_path, {}), stdout=subprocess.PIPE, cwd=tmp_path
    ) as process:
        assert large.hanging.wait(TIMEOUT)
        while left.stat().st_size < 3 * STEP and process.poll() is None:
            time.sleep(0.05)
        process.kill()
    assert left.stat().st_size == 3 * STEP

    done = run(large, tmp_path, "hf:me/Tiny-GGUF")
    assert done.returncode == 0, done.stderr
    assert large.of("GET") == ["", f"bytes={3 * STEP}-"]
    assert digest_of(cached(tmp_path, "SmolLM2-Q4_1.gguf")) == digest_of(smollm2)
    assert not left.exists()


def test_a_server_without_ranges_is_read_from_the_start(hub: Hub, tmp_path: Path) -> None:
    left = part(tmp_path, hub.files["Tiny-Q4_K_M.gguf"])
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x" * 1000)
    hub.ignores_ranges = True
    assert run(hub, tmp_path, "hf:me/Tiny-GGUF").returncode == 0
    path = cached(tmp_path, "Tiny-Q4_K_M.gguf")
    assert path.read_bytes() == hub.files["Tiny-Q4_K_M.gguf"].read_bytes()


@pytest.mark.parametrize("spoilt", ["the promise", "the part"])
def test_a_wrong_digest_is_thrown_away(hub: Hub, tmp_path: Path, spoilt: str) -> None:
    if spoilt == "the promise":
        hub.lies = True
    else:
        left = part(tmp_path, hub.files["Tiny-Q4_K_M.gguf"])
        left.parent.mkdir(parents=True)
        left.write_bytes(b"x" * 1000)
    done = run(hub, tmp_path, "hf:me/Tiny-GGUF")
    assert done.returncode == 2
    assert "Tiny-Q4_K_M.gguf has another sha256 than the hub gives for it; it was thrown away" in done.stderr
    assert not cached(tmp_path, "Tiny-Q4_K_M.gguf").exists()
    assert [path.name for path in (tmp_path / "hf" / "hub" / "models--me--Tiny-GGUF" / "blobs").iterdir()] == []


@pytest.mark.parametrize("etag", ["../../../../escaped", "..", "a/b"])
def test_a_server_cannot_choose_a_place_outside_the_cache(hub: Hub, tmp_path: Path, etag: str) -> None:
    hub.etag = etag
    done = run(hub, tmp_path, "hf:me/Tiny-GGUF")
    assert done.returncode == 2
    assert "does not answer like a Hugging Face hub" in done.stderr
    assert not list(tmp_path.rglob("escaped*"))


def test_an_entry_is_held_to_its_digest_and_revision(hub: Hub, tmp_path: Path) -> None:
    def entry(**more: str) -> None:
        keys = {"repo": hub.repo, "file": "Tiny-Q4_K_M.gguf", **more}
        lines = ["[tool.agentcore.models.tiny]", *(f'{key} = "{value}"' for key, value in keys.items())]
        (tmp_path / "pyproject.toml").write_text("\n".join(lines))

    entry(sha256="0" * 64)
    done = run(hub, tmp_path, "tiny")
    assert done.returncode == 2
    assert "tiny: me/Tiny-GGUF now holds another Tiny-Q4_K_M.gguf, its sha256 is" in done.stderr
    entry(revision="v2")
    assert "me/Tiny-GGUF has no revision 'v2'" in run(hub, tmp_path, "tiny").stderr
    assert hub.of("GET") == []
    entry(revision=COMMIT, sha256=digest_of(hub.files["Tiny-Q4_K_M.gguf"]))
    assert f"no; {cached(tmp_path, 'Tiny-Q4_K_M.gguf')}" in run(hub, tmp_path, "tiny").stdout


def test_a_token_goes_to_the_hub_and_nowhere_else(hub: Hub, tmp_path: Path) -> None:
    hub.token = "hf_very_secret"
    done = run(hub, tmp_path, "hf:me/Tiny-GGUF")
    assert done.returncode == 0, done.stderr
    assert hub.tokens == {"Bearer hf_very_secret"}
    assert "very_secret" not in done.stdout + done.stderr

    (tmp_path / "stored").mkdir()
    with serve(Hub(files=hub.files)) as store:
        hub.store = store.url
        assert run(hub, tmp_path / "stored", "hf:me/Tiny-GGUF").returncode == 0
        assert (store.of("GET"), store.tokens) == ([""], {""})
    hub.store = ""

    (tmp_path / "other").mkdir()
    refused = run(hub, tmp_path / "other", "hf:me/Tiny-GGUF", HF_TOKEN="hf_wrong")
    assert refused.returncode == 2
    assert "if it is private or gated, log in with `hf auth login`, or set HF_TOKEN" in refused.stderr
    assert "hf_wrong" not in refused.stderr


@pytest.mark.parametrize(
    ("name", "more", "says"),
    [
        ("hf:me/Nothing", {}, r"shows no repository me/Nothing"),
        ("hf:me/Tiny-GGUF:Q8_0", {}, r"me/Tiny-GGUF has no Q8_0; ask for one of BF16, Q4_K_M"),
        ("hf:me/Tiny-GGUF:other.gguf", {}, r"me/Tiny-GGUF has no file other\.gguf; `hf download me/Tiny-GGUF other"),
        ("hf:me/Tiny-GGUF", {"HF_HUB_OFFLINE": "1"}, r"HF_HUB_OFFLINE forbids to fetch it; `hf download me/Tiny-GGUF"),
        (
            "hf:me/Tiny-GGUF",
            {"HF_ENDPOINT": "http://127.0.0.1:9"},
            r"http://127\.0\.0\.1:9 cannot be reached.*may also",
        ),
    ],
)
def test_out_of_reach_is_one_sentence(hub: Hub, tmp_path: Path, name: str, more: dict[str, str], says: str) -> None:
    done = run(hub, tmp_path, name, **more)
    assert done.returncode == 2
    assert re.search(says, done.stderr), done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_put_into_the_folder_is_taken_without_asking_the_hub(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "Tiny-Q4_K_M.gguf").write_bytes(b"put here by hand")
    done = run(hub, tmp_path, "hf:me/Tiny-GGUF:Tiny-Q4_K_M.gguf")
    assert f"no; {folder / 'Tiny-Q4_K_M.gguf'}" in done.stdout
    assert hub.asked == []


@pytest.mark.parametrize(("name", "file"), [("", "Tiny-Q4_K_M.gguf"), (":bf16", "BF16/Tiny-BF16-00001-of-00002.gguf")])
def test_the_command_for_a_model_out_of_reach_puts_it_where_it_is_found(
    hub: Hub, tmp_path: Path, name: str, file: str
) -> None:
    refused = run(hub, tmp_path, f"hf:me/Tiny-GGUF{name}", HF_HUB_OFFLINE="1")
    said = re.search(r"`(hf download .*)` fetches it; the file may also be put into (\S+)", refused.stderr)
    assert said, refused.stderr
    env = variables(hub, tmp_path, {})
    script = Path(sys.executable).with_name("hf")
    subprocess.run([script, *shlex.split(said[1])[1:]], env=env, cwd=tmp_path, timeout=TIMEOUT, check=True)
    folder = Path(said[2])
    parts = {path.name for path in hub.files.values() if ("BF16" in path.name) == bool(name)}
    assert {path.name for path in folder.rglob("*.gguf")} == {part.replace("BF16_", "") for part in parts}
    found = run(hub, tmp_path, f"hf:me/Tiny-GGUF{name}", HF_HUB_OFFLINE="1")
    assert f"ready      no; {folder / file}:" in found.stdout, found.stderr
