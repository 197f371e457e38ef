"""install-docs: man page and completions of this user, and what the wheel brings along."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gitrun.commands.install_docs import PLACES, SHARE

PROJECT = SHARE.parents[1]


def installed(home: Path) -> set[str]:
    return {str(file.relative_to(home)) for file in home.rglob("*") if not file.is_dir()}


def test_files_go_where_man_and_shells_look(repo, tmp_path) -> None:
    ended = repo.run("install-docs", env={"XDG_DATA_HOME": str(tmp_path / "data")}, check=True)
    assert installed(tmp_path / "data") == set(PLACES.values())
    assert all((tmp_path / "data" / place).read_bytes() == (SHARE / name).read_bytes() for name, place in PLACES.items())
    assert all(f"gitrun: installed: {tmp_path}/data/{place}\n" in ended.stderr for place in PLACES.values())
    assert f"fpath=({tmp_path}/data/zsh/site-functions $fpath)" in ended.stderr


def test_files_go_home_without_a_word_about_another_place(repo, world) -> None:
    repo.run("install-docs", env={"XDG_DATA_HOME": "relative"}, check=True)
    assert installed(world / ".local/share") == set(PLACES.values())


def test_files_are_brought_up_to_date_and_taken_away_again(repo, world) -> None:
    repo.run("install-docs", check=True)
    old = world / ".local/share/man/man1/git-run.1"
    old.write_bytes(b"an older page of git-run-tracker")
    assert "installed: " + str(old) in repo.run("install-docs", check=True).stderr
    assert repo.run("install-docs", check=True).stderr.count("already installed") == len(PLACES)
    assert repo.run("install-docs", "--uninstall", check=True).stderr.count("removed: ") == len(PLACES)
    assert installed(world / ".local/share") == set()


@pytest.mark.parametrize("words", [(), ("--uninstall",)])
def test_files_of_others_are_never_touched(repo, world, words) -> None:
    home = world / ".local/share"
    theirs = home / PLACES["git-run.1"]
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    link = home / PLACES["completion/git-run"]
    link.parent.mkdir(parents=True)
    link.symlink_to(SHARE / "completion/git-run")
    ended = repo.run("install-docs", *words)
    assert ended.returncode == 1
    assert ended.stderr.count("left as it is") == 2
    assert theirs.read_text() == "theirs"
    assert link.is_symlink()


def test_man_finds_the_installed_page(repo, world) -> None:
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    repo.run("install-docs", check=True)
    env = {**os.environ, "MANPATH": str(world / ".local/share/man")}
    found = subprocess.run(["man", "-w", "git-run"], env=env, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(world / ".local/share/man/man1/git-run.1")


def test_wheel_brings_every_file_to_the_place_where_it_is_looked_for() -> None:
    brought = (PROJECT / "pyproject.toml").read_text()
    pages = {name: place for name, place in PLACES.items() if name.startswith("man/")}
    files = {"man": "man/man7", **{name: place for name, place in PLACES.items() if name not in pages}}
    assert all(f'"gitrun/share/{name}" = "share/{place}"\n' in brought for name, place in files.items())
    assert {file.name for file in (SHARE / "man").iterdir()} == {Path(place).name for place in pages.values()}


def test_every_file_says_whose_it_is() -> None:
    assert all("git-run-tracker" in (SHARE / name).read_text() for name in PLACES)
