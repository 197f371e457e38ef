"""What the driver says before it hands runs out: data, packages and installs that a worker does not get with them."""

from __future__ import annotations

import pytest
from clones import make_team, tip
from templates import place_made_once

from gitrun.lifecycle.worker_needs import parse_requirements, parse_toml_lock


@pytest.fixture
@place_made_once
def team(tmp_path):
    return make_team(tmp_path)


def test_ignored_data_is_named_and_machinery_is_not(team) -> None:
    team.ann.write(".gitignore", "data/\n.venv/\n__pycache__/\n")
    team.ann.write("data/a", "1")
    team.ann.write(".venv/pyvenv.cfg", "")
    team.ann.write("__pycache__/a.pyc", "")
    ended = team.ann.run("echo.py", "x=[1.0,2.0]", "--on", "origin", check=True)
    assert "note: git ignores data/: workers" in ended.stderr
    assert "declare them as inputs" in ended.stderr
    assert ".venv" not in ended.stderr


def test_data_that_is_not_lent_is_not_missed(team) -> None:
    team.ann.write(".gitignore", "data/\n")
    team.ann.write("data/a", "1")
    ended = team.ann.run("echo.py", "--no-link", "--on", "origin", check=True)
    assert "git ignores" not in ended.stderr


def test_a_lock_file_that_differs_from_what_is_installed_is_named(team) -> None:
    team.ann.write("requirements.txt", "# ours\nclick==0.0.1  # old\npygit2>=1\nno-such-package==3\n")
    team.ann.write("uv.lock", 'version = 1\n[[package]]\nname = "Click"\nversion = "0.0.2"\n')
    ended = team.ann.run("echo.py", "--on", "origin", check=True)
    assert "requirements.txt differs from what is installed here: click 0.0.1 (here " in ended.stderr
    assert "uv.lock differs from what is installed here: click 0.0.2 (here " in ended.stderr
    assert len(tip(team.remote)) == 1


def test_versions_are_read_from_lock_files() -> None:
    assert parse_requirements("A_b==1.0\nc>=2\nd == 3.1 ; python_version > '3.9'\n-e .\ne==1 \\\n") == {
        "a-b": "1.0", "d": "3.1", "e": "1",
    }  # fmt: skip
    versions = (("a", "1"), ("a", "2"), ("B.c", "3"))
    lock = "".join(f'[[package]]\nname = "{name}"\nversion = "{version}"\n' for name, version in versions).encode()
    assert parse_toml_lock(lock, "uv.lock") == {"b-c": "3"}
    assert parse_toml_lock(b"package = 3", "uv.lock") == {}
