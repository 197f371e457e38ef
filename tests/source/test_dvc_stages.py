"""Stages of a dvc.yaml."""

from __future__ import annotations

import subprocess

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gitrun.errors import UsageError
from gitrun.git.exe import open_repository
from gitrun.model.toml import load_toml
from gitrun.model.tree import MemoryTree
from gitrun.source.dvc_stages import read_stages
from gitrun.source.new_project_file import merge_drafts, render_draft


def operations(repo):
    return load_toml((repo.path / "gitrun.toml").read_text())["operations"]


def test_stages_of_dvc_become_operations_with_needs_and_flags(dvc_project) -> None:
    ended = dvc_project.run("ops", "--init", check=True)
    written = operations(dvc_project)
    assert list(written) == ["prepare", "train", "evaluate", "several", "all"]
    assert written["prepare"] == {
        "description": "Makes numbers",
        "command": ["sh", "-c", "seq {size} > data/numbers.txt"],
        "inputs": ["raw.csv"],
        "outputs": ["data"],
        "flags": {"size": 2},
    }
    assert written["train"] == {
        "script": "train.py",
        "needs": {"prepare": ["data/numbers.txt"]},
        "outputs": ["model.bin"],
    }
    assert written["evaluate"]["command"] == ["sh", "-c", "echo {train.lr} && wc -c model.bin"]
    assert written["several"]["flags"] == {"item": {"default": 1, "choices": [1, 2]}}
    assert "gitrun: wrote gitrun.toml: 5 operations of dvc.yaml\n" in ended.stderr
    for loss in (
        "train: metrics of scores.json are not read. To have them read: name it metrics.json",
        "evaluate: frozen: gitrun has no frozen operations",
        "several: ${nothing} has no value here",
        "several: one operation stands for its 2 stages. To run all: git run several 'item=[1,2]'",
    ):
        assert f"gitrun: note: not carried over: dvc.yaml: {loss}\n" in ended.stderr
        assert f"# not carried over: dvc.yaml: {loss}\n" in (dvc_project.path / "gitrun.toml").read_text()


def test_drafted_pipeline_runs_with_a_changed_flag(dvc_project) -> None:
    dvc_project.run("ops", "--init", check=True)
    dvc_project.run("all", "train.lr=2.0", check=True)
    shown = dvc_project.run("list", "--columns", "operation,status,loss", "--where", "loss>0", check=True).stdout
    assert shown.split() == ["train", "completed", "6.0"]
    # the working tree has its own values
    assert (dvc_project.path / "params.yaml").read_text() == "train:\n  lr: 0.5\n"


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(alphabet="ab${}./:\x00\n", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet="ab${}", max_size=3), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["cmd", "deps", "params", "outs", "metrics", "foreach", "do", "matrix", "vars", "wdir", "desc"])


@settings(max_examples=40)
@given(st.dictionaries(st.text(alphabet="ab=", max_size=3), st.dictionaries(KEYS, JUNK, max_size=5) | JUNK, max_size=3), JUNK)
def test_any_dvc_yaml_makes_a_valid_draft_or_an_error(dvc_reader, stages, common) -> None:
    try:
        merged = merge_drafts([dvc_reader({"stages": stages, "vars": common})], ())
    except UsageError:
        return
    assert load_toml(render_draft(merged)).get("operations", {}).keys() == merged.operations.keys()


@pytest.fixture(scope="module")
def dvc_reader(tmp_path_factory):
    """Reads a document as a dvc.yaml in an empty repository."""
    top = tmp_path_factory.mktemp("reader")
    subprocess.run(["git", "init", "-q", top], check=True)
    git = open_repository(top, {})

    def read(document):
        return read_stages(git, MemoryTree({"dvc.yaml": yaml.safe_dump(document).encode()}), "dvc.yaml")

    return read
