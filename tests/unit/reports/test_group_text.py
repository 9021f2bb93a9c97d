"""A group's comparison as lines, sentences and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from packs import write_pack
from results import WRONG, manifest, result

from pytest_agentcore.analysis.groups import Group, build_group
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.reports.group_text import as_json, depth_sentences, group_lines, group_title, step_sentence


@pytest.fixture
def group(tmp_path: Path) -> Group:
    """Two policies with no load, and one of them with a load."""
    for name, policy, load, passed in (("a", "native", 0, 1), ("b", "lenient", 0, 2), ("c", "native", 2000, 0)):
        trials = [result("t", run, policy=policy, **({} if run <= passed else WRONG)) for run in (1, 2)]
        facts = manifest([("t", 1), ("t", 2)], policy=policy, context_load=load)
        write_pack(tmp_path / name, facts, trials)
    return build_group("g", [read_campaign(tmp_path / name) for name in "abc"])


def test_a_step_says_what_was_gained_and_what_the_pairs_are(group: Group) -> None:
    sentence = step_sentence(group.steps[0])

    assert sentence.startswith("native 1/2 → lenient 2/2: +50.0 points (95%: ")
    assert sentence.endswith("; 1 gained, 0 lost; first replies equal in 2/2 pairs")


def test_a_depth_is_compared_with_the_least_load(group: Group) -> None:
    least, most = [list(depth_sentences(depth)) for depth in group.depths if depth.policy == "native"]

    assert least[0].startswith("pass rate 50.0% (95%: ")
    assert not any("beside the least load" in sentence for sentence in least)
    assert any(sentence.startswith("beside the least load, 2 pairs: -50.0 points") for sentence in most)


def test_lines_fit_and_name_the_files(group: Group) -> None:
    lines = group_lines(group, Path("results/g"), width=80)

    assert group_title(group) == "tiny · group of 3 campaigns"
    assert lines[0].startswith("format tax load 0: native 1/2 → lenient 2/2")
    assert "files      results/g" in lines
    assert any(line.split() == ["native", "2000", "0/2", "0/2", "0/2", "12.5s"] for line in lines)
    assert all(len(line) <= 80 for line in lines)


def test_json_has_every_number_of_the_group(group: Group) -> None:
    data = json.loads(json.dumps(as_json(group), allow_nan=False))

    assert (data["schema"], data["group"], data["model"]) == (1, "g", "tiny")
    assert data["campaigns"][-1] == {"campaign": "c", "policy": "native", "context_load": 2000}
    assert data["steps"][0]["found"]["gained"] == 1
    assert [depth["load"] for depth in data["depths"]] == [0, 2000, 0]
