"""`--at` with submodules: their files are those of the commits that the commit names."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from belongings import belongings
from repository import Repo
from submodules import make_modules

if TYPE_CHECKING:
    from pathlib import Path

    from submodules import Modules

SHOW = ("--", "sh", "-c", "cat lib/l.txt lib/deep/d.txt")


@pytest.fixture
def modules(tmp_path: Path) -> Modules:
    """Three repositories, one in the other, each with an old and a new commit, and with uncommitted changes."""
    made = make_modules(tmp_path)
    made.deep.write("d.txt", "deep new\n")
    made.deep.commit()
    made.lib.write("l.txt", "lib new\n")
    made.lib.commit()
    made.top.commit("new")
    made.deep.write("d.txt", "deep dirty\n")
    made.lib.write("l.txt", "lib dirty\n")
    return made


def test_files_of_submodules_are_those_of_the_commit(modules: Modules) -> None:
    assert modules.top.run("--at", "HEAD~1", *SHOW, check=True).stdout == "lib\ndeep\n"
    assert modules.top.run("--at", "HEAD", *SHOW, check=True).stdout == "lib new\ndeep new\n"


def test_record_names_the_commits_of_submodules(modules: Modules) -> None:
    modules.top.run("--at", "HEAD~1", *SHOW, check=True)
    run = json.loads(modules.top.run("show", "1", "--json", check=True).stdout)
    assert run["source"] == modules.top.git("rev-parse", "HEAD~1^{tree}")
    record = modules.top.git("cat-file", "-p", f"runs/{run['id']}:.gitrun/run.toml")
    for repo in (modules.lib, modules.deep):
        assert repo.git("rev-parse", "HEAD~1") in record
    assert "dirty = false" in record


def test_nothing_of_the_users_changes(modules: Modules) -> None:
    before = belongings(modules.top, modules.lib, modules.deep)
    modules.top.run("--at", "HEAD~1", *SHOW, check=True)
    assert belongings(modules.top, modules.lib, modules.deep) == before


def test_submodule_that_is_gone_from_the_working_tree_is_recorded(modules: Modules) -> None:
    modules.top.git("rm", "--quiet", "-f", "lib")
    modules.top.commit("without lib")
    shutil.rmtree(modules.top.path / "lib", ignore_errors=True)
    assert modules.top.run("--at", "HEAD~2", *SHOW, check=True).stdout == "lib\ndeep\n"


def test_submodule_without_its_commit_is_linked_with_a_note(modules: Modules) -> None:
    other = "1" * len(modules.lib.git("rev-parse", "HEAD"))
    modules.top.git("update-index", "--cacheinfo", f"160000,{other},lib")
    modules.top.git("commit", "--quiet", "-m", "unknown commit")
    done = modules.top.run("--at", "HEAD", "--", "cat", "lib/l.txt", check=True)
    assert done.stdout == "lib dirty\n"
    assert f"note: submodule lib is at {modules.lib.git('rev-parse', '--short=9', 'HEAD')} here" in done.stderr


def test_needed_compares_the_files_of_submodules(modules: Modules) -> None:
    modules.top.run("--at", "HEAD~1", *SHOW, check=True)
    assert modules.top.run("--needed", "--at", "HEAD", *SHOW, check=True).stdout == "lib new\ndeep new\n"
    assert modules.top.run("--needed", "--at", "HEAD~1", *SHOW, check=True).stdout.startswith("Skipping")


def test_clean_working_tree_has_the_source_of_its_commit(modules: Modules) -> None:
    modules.deep.git("checkout", "--quiet", "--", ".")
    modules.lib.git("checkout", "--quiet", "--", ".")
    modules.top.run(*SHOW, check=True)
    assert modules.top.run("--needed", "--at", "HEAD", *SHOW, check=True).stdout.startswith("Skipping")


def test_submodules_stay_commits_if_the_setting_says_so(modules: Modules) -> None:
    modules.top.git("config", "gitrun.submodules", "commit")
    done = modules.top.run("--at", "HEAD~1", "--", "cat", "lib/l.txt", check=True)
    assert done.stdout == "lib dirty\n"
    assert "note: submodule lib is at" in done.stderr


def test_name_that_leads_out_of_the_repository_is_not_followed(modules: Modules, tmp_path: Path) -> None:
    outside = Repo.create(tmp_path / "outside")
    outside.write("secret.txt", "secret\n")
    secret = outside.commit()
    top = modules.top
    name = "../../../outside/.git"
    top.write(".gitmodules", f'[submodule "{name}"]\n\tpath = evil\n\turl = x\n')
    top.git("add", ".gitmodules")
    top.git("update-index", "--add", "--cacheinfo", f"160000,{secret},evil")
    top.git("commit", "--quiet", "-m", "evil")
    done = top.run("--at", "HEAD", "--", "sh", "-c", "ls evil", check=True)
    assert done.stdout == ""
