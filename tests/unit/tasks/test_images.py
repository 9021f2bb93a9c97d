"""Images of tasks are read off `suite.toml` and their own text, and refused in words where they cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agentcore.errors import TaskDeclarationError, UsageError
from pytest_agentcore.tasks.images import image_of_task
from pytest_agentcore.tasks.suite import Suite

TASK = """
from pytest_agentcore import task

@task(prompt="Do it.", artifacts=["a"]{})
def test_it(trial):
    assert trial.text("a")
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for number, words in enumerate(("", ', image="gcc:13"', ', containerfile="own.Containerfile"'), 1):
        (tmp_path / f"test_task_0{number}.py").write_text(TASK.format(words))
    (tmp_path / "own.Containerfile").write_text("FROM localhost/agentcore-sandbox\n")
    (tmp_path / "suite.toml").write_text('image = "node:20"\n')
    return tmp_path


def test_a_task_overrides_its_suite(home: Path) -> None:
    names = Suite.load(home).image_names
    assert (names["task_01"], names["task_02"]) == ("node:20", "gcc:13")
    assert names["task_03"].startswith("localhost/agentcore-")


def test_a_changed_containerfile_is_another_image_and_another_suite(home: Path) -> None:
    before = Suite.load(home)
    names, digest = before.image_names, before.digest
    (home / "own.Containerfile").write_text("FROM scratch\n")
    after = Suite.load(home)
    assert after.image_names["task_03"] != names["task_03"]
    assert after.digest != digest
    (home / "suite.toml").write_text('containerfile = "all.txt"\n')
    (home / "all.txt").write_text("FROM a\n")
    digest = Suite.load(home).digest
    (home / "all.txt").write_text("FROM b\n")
    assert Suite.load(home).digest != digest


def test_a_suite_without_images_has_none(home: Path) -> None:
    (home / "suite.toml").write_text("")
    assert Suite.load(home).image_names["task_01"] == ""
    for number in (2, 3):
        (home / f"test_task_0{number}.py").unlink()
    assert Suite.load(home).image_names == {}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("image = 3", "image: must be an image's name"),
        ('image = ""', "image: must be an image's name"),
        ('containerfile = "nowhere"', "there is no file"),
        ('image = "a"\ncontainerfile = "own.Containerfile"', "only one of them"),
        ('imgae = "a"', "did you mean 'image'"),
    ],
)
def test_what_cannot_be_an_image_is_refused(home: Path, said: str, why: str) -> None:
    (home / "suite.toml").write_text(said)
    with pytest.raises(UsageError, match=why):
        Suite.load(home)


@pytest.mark.parametrize("words", [", image=IMAGE", ', image=f"{IMAGE}"', ', image="a", containerfile="b"'])
def test_an_image_must_be_written_out(home: Path, words: str) -> None:
    module = home / "test_task_09.py"
    module.write_text("IMAGE = 'gcc:13'\n" + TASK.format(words))
    with pytest.raises(UsageError, match="image"):
        image_of_task(module)
    with pytest.raises(TaskDeclarationError, match="image"):
        exec(compile(module.read_text(), module, "exec"), {"__file__": str(module), "__name__": "test_task_09"})
