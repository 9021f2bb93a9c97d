"""Models by name: what ships, what users add, and what a broken file is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_agentcore.catalogue.entry import Policy, slug_of
from pytest_agentcore.catalogue.registry import check_tables, open_registry, project_above, shipped
from pytest_agentcore.errors import UsageError
from pytest_agentcore.trial.result import Prices

MINE = """
[tool.agentcore.models.mine]
title = "Mine 7B"
repo = "me/Mine-7B-GGUF"
file = "mine-7b-Q5_K_M.gguf"
context = 4096
sampling = { temperature = 0.3, top_k = 20 }
policy = "lenient"
prices = { hour = 2 }

[tool.agentcore.models."gemma-4-12b"]
path = "weights/gemma.gguf"

[tool.agentcore.models.server]
base_url = "http://127.0.0.1:8080/v1"
model = "anything"
api_key_env = "MY_KEY"
prices = { prompt = 1, reply = 4.5, date = "2026-06-01" }
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder whose pyproject.toml holds entries."""
    (tmp_path / "pyproject.toml").write_text(MINE)
    return tmp_path


def test_what_ships_obeys_the_schema() -> None:
    import tomllib  # noqa: PLC0415 - the raw tables are wanted here

    import pytest_agentcore.catalogue.registry as module  # noqa: PLC0415

    file = Path(module.__file__ or "").with_name("registry.toml")
    check_tables("registry.toml", tomllib.loads(file.read_text(encoding="utf-8")))


def test_what_ships_says_where_its_figures_stand() -> None:
    known = shipped()
    assert {"smollm2-135m", "qwen2.5-coder-1.5b", "gemma-4-12b", "gemma-4-31b"} <= known.keys()
    assert all(re.fullmatch(r"[a-z0-9.-]+", entry.slug) for entry in known.values())
    assert [name for name, entry in known.items() if entry.sampling and not entry.sampling_source] == []
    priced = {name: entry.prices for name, entry in known.items() if entry.prices}
    assert [name for name, prices in priced.items() if not (prices.source and prices.date)] == []
    assert all(entry.title and entry.tier in ("Local", "API") for entry in known.values())
    assert all(entry.backend == ("openai" if entry.base_url else "llama_cpp") for entry in known.values())
    assert [name for name, entry in known.items() if entry.base_url and not entry.api_key_env] == []
    local = [entry for entry in known.values() if not entry.base_url]
    assert [entry.name for entry in local if not (entry.size and entry.licence)] == []


PUBLISHED = [
    *("Claude Opus 4.8", "Mistral Small 4", "GLM-4.7", "DeepSeek-V4-Flash", "Claude Sonnet 4.6", "Ministral 3 8B"),
    *(
        "Claude Haiku 4.5",
        "Devstral 2 123B",
        "GPT-5.5 Instant",
        "Mistral Large 3 675B",
        "Claude Fable 5",
        "GPT-OSS 20B",
    ),
    *("GLM-4.7-Flash", "Qwen3 32B", "Claude Opus 4.7", "Llama 3.3 70B", "Kimi K2 Thinking", "Gemma 3 27B IT"),
    "DeepSeek R1",
]
"""The API models of the published scores, as they are called there."""


@pytest.mark.parametrize("title", PUBLISHED)
def test_the_published_api_models_can_be_asked_and_have_a_price(title: str) -> None:
    (entry,) = (entry for entry in shipped().values() if entry.title == title and entry.tier == "API")
    assert entry.base_url.startswith("https://")
    assert entry.api_key_env.endswith("_API_KEY")
    assert entry.prices is not None
    assert 0 < entry.prices.cached <= entry.prices.prompt <= entry.prices.reply


@pytest.mark.parametrize("name", ["claude-opus-4.8", "claude-opus-4.7", "claude-fable-5", "gpt-5.5-instant"])
def test_what_a_shipped_model_does_not_take_is_not_sent(name: str) -> None:
    assert {"temperature", "top_p"} <= {*shipped()[name].not_sent}


def test_users_add_and_override(project: Path) -> None:
    known = open_registry(project)
    mine, gemma, server = known["mine"], known["gemma-4-12b"], known["server"]
    assert (mine.origin, mine.tier, mine.backend, mine.policy) == (
        "pyproject.toml",
        "Local",
        "llama_cpp",
        Policy.lenient,
    )
    assert mine.sampling == {"temperature": 0.3, "top_k": 20}
    assert mine.prices == Prices(hour=2.0)
    assert gemma.path == project / "weights" / "gemma.gguf"
    assert (server.backend, server.tier, server.model, server.api_key_env) == ("openai", "API", "anything", "MY_KEY")
    assert server.prices == Prices(prompt=1.0, cached=1.0, reply=4.5, date="2026-06-01")
    assert known["smollm2-135m"].origin == ""


@pytest.mark.parametrize("table", ["", "tool.agentcore.models."])
def test_a_file_of_its_own_lies_over_the_projects(project: Path, table: str) -> None:
    file = project / "models.toml"
    file.write_text(f'[{table}mine]\nfile = "other.gguf"\n')
    entry = open_registry(project, file)["mine"]
    assert (entry.file, entry.repo, entry.origin) == ("other.gguf", "", "models.toml")


def test_a_project_without_entries_has_those_that_ship(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.other]\n")
    assert open_registry(tmp_path).keys() == open_registry(tmp_path / "nowhere").keys() == shipped().keys()


def test_the_project_of_a_command_is_the_nearest_pyproject(project: Path) -> None:
    inner = project / "a" / "b"
    inner.mkdir(parents=True)
    assert project_above(inner) == project


SERVED = '[m]\nbase_url = "http://[::1]:80/v1"\nmodel = "x"\n'


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ('[Big]\nfile = "a.gguf"', "'Big': a name has only the characters a-z"),
        ('[m]\nfile = "a.gguf"\nquantum = "x"', ".m: unknown key 'quantum'; did you mean 'quant'?"),
        ('[m]\nfile = "a.gguf"\nzzz = "x"', ".m: unknown key 'zzz'; there are title, backend, repo"),
        ('[m]\nfile = "a.gguf"\nsize = "5 GB"', ".m.size: '5 GB' is no number"),
        ('[m]\nfile = "a.gguf"\nsize = 0', ".m.size: 0 is less than or equal to the minimum of 0"),
        ('[m]\nfile = "a.gguf"\nmemory = { cache = 1 }', ".m.memory: needs vocabulary beside it"),
        ('[m]\nfile = "a.gguf"\ncontext = "8k"', ".m.context: '8k' is no whole number"),
        ("[m]\ncontext = 8", ".m: one of these must be said: file, package_file, path, base_url, backend"),
        ('[m]\npackage_file = "p/a"', ".m: package_file needs package beside it"),
        ('[m]\nbase_url = "http://h/v1"', ".m: base_url needs model beside it"),
        ('[m]\nbase_url = "http://me:secret@h/v1"\nmodel = "x"', ".m.base_url: 'http://me:secret@h/v1' cannot be used"),
        ('[m]\nbase_url = "http://[::1/v1"\nmodel = "x"', ".m.base_url: 'http://[::1/v1' cannot be used"),
        (f'{SERVED}api_key_env = "sk-live-1"', ".m.api_key_env: must be the name of an environment variable"),
        (f'{SERVED}not_sent = ["temp"]', ".m.not_sent.0: 'temp' cannot stand here; did you mean 'temperature'?"),
        (f'{SERVED}not_sent = "top_p"', ".m.not_sent: 'top_p' is no list"),
        (f'{SERVED}not_sent = ["top_p"]\nsampling = {{ top_p = 1 }}', ".m.sampling: top_p: cannot have a value and"),
        ('[m]\nfile = "a.gguf"\nnot_sent = ["top_p"]', ".m: not_sent needs base_url beside it"),
        ('[m]\nrepo = "me/it"', ".m"),
        ('[m]\nfile = "../a.gguf"', ".m.file: '../a.gguf' cannot be used"),
        (
            '[m]\nfile = "a.gguf"\npolicy = "loose"',
            ".m.policy: 'loose' cannot stand here; there are native, lenient, constrained",
        ),
        ('[m]\nfile = "a.gguf"\nsampling = { temprature = 1 }', ".m.sampling: unknown key 'temprature'; did you mean"),
        ('[m]\nfile = "a.gguf"\nsampling = { top_p = 7 }', ".m.sampling: top_p=7: top_p lies between 0 and 1"),
        (
            '[m]\nfile = "a.gguf"\nprices = { prompt = 1 }',
            ".m.prices: one of these must be said: prompt and reply, hour",
        ),
        ('[m]\nfile = "a.gguf"\nprices = { hour = -1 }', ".m.prices.hour: -1 is less than the minimum of 0"),
        ('[m]\nfile = "a.gguf"\nprices = { prompt = nan, reply = 1 }', ".m.prices.prompt: nan is no finite number"),
        ('[m]\nfile = "a.gguf"\nprices = { hour = inf }', ".m.prices.hour: inf is no finite number"),
        ('[m]\nfile = "a.gguf"\nprices = { hour = 1e300 }', ".m.prices.hour: 1e+300 is greater than the maximum of"),
        ('[m]\nfile = "a.gguf"\nsampling = { temperature = nan }', ".m.sampling.temperature: nan is no finite number"),
        ('[m]\nfile = "a.gguf"\ncontext = 1e3', ".m.context: 1000.0 is no whole number"),
        ('[m]\nfile = "a.gguf"\ncontext = true', ".m.context: True is no whole number"),
        (
            '[m]\nfile = "a.gguf"\ndialect = "klingon"',
            ".m.dialect: 'klingon' cannot stand here; there are hermes, qwen3_coder, glm4",
        ),
        (
            '[m]\nbase_url = "http://h/v1"\nmodel = "x"\ndialect = "hermes"',
            ".m.dialect: cannot stand beside base_url",
        ),
        (
            '[m]\nrepo = "me/it"\nfile = "a.gguf"\nbase_url = "http://h/v1"\nmodel = "x"',
            ".m: base_url cannot stand beside file, a model comes from one place",
        ),
        ('[m]\npath = "a.gguf"\nfile = "a.gguf"', ".m: path cannot stand beside file"),
        ('[m]\nbackend = "llama_cpp"', ".m.backend: llama_cpp needs file or package_file or path beside it"),
        ('[m]\nbackend = "scripted"', ".m.backend: scripted needs path beside it"),
        ('[m]\nbackend = "openai"\nfile = "a"', ".m.backend: openai needs base_url beside it"),
        ("m = 1", ".m: 1 is no table"),
        ("[m", "not a TOML file"),
        ('[m]\nfile = "a\\u001b[2J.gguf"', ".m.file: 'a\\x1b[2J.gguf' cannot be used"),
    ],
)
def test_a_broken_file_names_itself_entry_and_key(toml: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text(toml)
    with pytest.raises(UsageError, match=re.escape(says)) as caught:
        open_registry(None, file)
    assert "models.toml" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert "sk-live" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml: cannot be read"):
        open_registry(None, tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("name", "slug"), [("Qwen2.5", "qwen2.5"), ("a b__c", "a-b-c"), ("...", "model"), ("Ünï", "n")]
)
def test_slugs(name: str, slug: str) -> None:
    assert slug_of(name) == slug
