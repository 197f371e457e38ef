"""Submodules in a snapshot: their files are the run's own, their repositories stay as they are."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from faults.striking import can_trace, strike
from repository import Repo
from sampled import sampled
from submodules import make_modules

from gitrun import Project
from gitrun.model.plan import Request
from gitrun.source import submodules

if TYPE_CHECKING:
    from pathlib import Path

    from submodules import Modules

    from gitrun.model.plan import Source


@pytest.fixture
def here(tmp_path: Path) -> Modules:
    return make_modules(tmp_path)


def source(repo: Repo) -> Source:
    return Project(repo.path).plan(Request(command=("true",))).source


def files(repo: Repo, tree: str) -> list[str]:
    return repo.git("ls-tree", "-r", "--name-only", tree).splitlines()


def picture(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


def test_program_in_a_submodule_reads_and_writes_its_own_run(here):
    ended = here.top.run("--", "sh", "-c", "cd lib && sh run.sh", check=True)
    assert ended.stdout == "first\n"
    here.top.write("a.txt", "second\n")
    here.lib.write("run.sh", "echo other\n")
    assert here.top.run("--restart", "1", check=True).stdout == "first\n"
    assert not (here.top.path / "b.txt").exists()
    assert here.top.run("cat", "1", "-p", "b.txt", check=True).stdout == "first\n"


def test_changed_untracked_and_nested_files_are_in(here):
    here.lib.write("l.txt", "changed\n")
    here.lib.write("new.txt", "new\n")
    here.lib.write("staged.txt", "staged\n")
    here.lib.git("add", "staged.txt")
    (here.lib.path / "run.sh").unlink()
    here.deep.write("d.txt", "deeper\n")
    found = source(here.top)
    wanted = ["lib/.gitignore", "lib/.gitmodules", "lib/deep/d.txt", "lib/l.txt", "lib/new.txt", "lib/staged.txt"]
    assert files(here.top, found.whole) == [".gitmodules", "a.txt", *wanted]
    assert here.top.git("cat-file", "blob", f"{found.whole}:lib/deep/d.txt") == "deeper"
    assert here.top.git("cat-file", "blob", f"{found.whole}:lib/l.txt") == "changed"


def test_tree_is_that_of_the_commit_and_only_content_has_files(here):
    found = source(here.top)
    assert (found.tree, found.dirty) == (here.top.git("rev-parse", "HEAD^{tree}"), False)
    heads = (here.lib.head(), here.deep.head())
    assert found.submodules == (("lib", heads[0]), ("lib/deep", heads[1]))
    here.deep.write("d.txt", "deeper\n")
    again = source(here.top)
    assert (again.tree, again.dirty) == (found.tree, True)
    assert again.content not in {"", found.content, found.tree}
    moved = here.deep.commit()
    assert dict(source(here.top).submodules)["lib/deep"] == moved


def test_repositories_of_submodules_stay_byte_for_byte(here):
    here.lib.write("new.txt", "new\n")
    before = picture(here.top.path / ".git" / "modules")
    here.top.run("--", "sh", "-c", "cd lib && echo x > out && echo y >> l.txt", check=True)
    here.top.run("--restart", "1", check=True)
    assert picture(here.top.path / ".git" / "modules") == before
    assert not (here.lib.path / "out").exists()


def test_secrets_and_large_files_of_a_submodule_are_left_out_and_named(here):
    here.lib.write(".env", "KEY=1\n")
    here.deep.write("big", "x" * 3000)
    here.top.git("config", "gitrun.maxUntracked", "2k")
    found = source(here.top)
    assert [(one.path, one.reason) for one in found.skipped] == [
        ("lib/.env", "looks like a secret"),
        ("lib/deep/big", "larger than 2 KiB"),
    ]
    assert not {"lib/.env", "lib/deep/big"} & set(files(here.top, found.whole))
    ended = here.top.run("--", "sh", "-c", "cat lib/.env; wc -c < lib/deep/big", check=True)
    assert ended.stdout.split() == ["KEY=1", "3000"]
    assert "warning: lib/.env is not recorded: it looks like a secret" in ended.stderr


def test_what_a_submodule_ignores_is_lent(here):
    here.lib.write("build/o", "object\n")
    for words in (("--", "sh", "-c", "cat lib/build/o; echo other > lib/build/p"), ("--restart", "1", "--clean")):
        assert here.top.run(*words, check=True).stdout == "object\n"
    assert [path.name for path in (here.lib.path / "build").iterdir()] == ["o"]
    assert "lib/build/o" not in files(here.top, source(here.top).whole)


def test_operation_can_be_a_script_of_a_submodule(here):
    here.lib.write("t.py", "x = 1\nprint(x, open('lib/l.txt').read(), end='')\n")
    assert here.top.run("lib/t.py", "x=2", check=True).stdout == "2 lib\n"
    here.lib.write("t.py", "print('other')\n")
    assert here.top.run("--restart", "1", "x=3", check=True).stdout == "3 lib\n"
    assert "reproduced" in here.top.run("verify", "1", check=True).stdout


def test_restart_needs_no_submodule_any_more(here):
    here.lib.write("l.txt", "changed\n")
    here.top.run("--", "cat", "lib/l.txt", "lib/deep/d.txt", check=True)
    here.top.git("rm", "--quiet", "--force", "lib")
    shutil.rmtree(here.top.path / ".git" / "modules")
    here.top.git("commit", "--quiet", "-m", "gone")
    assert here.top.run("--restart", "1", check=True).stdout == "changed\ndeep\n"
    assert "reproduced" in here.top.run("verify", "1", check=True).stdout


def test_restart_says_nothing_of_a_submodule_that_moved(here):
    here.top.run("--", "cat", "lib/l.txt", check=True)
    here.lib.write("l.txt", "changed\n")
    here.lib.commit()
    ended = here.top.run("--restart", "1", check=True)
    assert (ended.stdout, "submodule" in ended.stderr) == ("lib\n", False)


def test_submodule_with_its_own_git_directory_is_in(repo):
    inner = Repo.create(repo.path / "inner")
    inner.write("x", "1")
    inner.commit()
    subprocess.run(["git", "add", "inner"], cwd=repo.path, capture_output=True, check=True)
    inner.write("x", "2")
    assert files(repo, source(repo).whole) == ["echo.py", "inner/x"]
    assert repo.run("--", "sh", "-c", "cat inner/x; echo 3 > inner/x", check=True).stdout == "2"
    assert (inner.path / "x").read_text() == "2"


def test_uninitialised_submodule_stays_an_empty_directory(here, tmp_path):
    there = tmp_path / "there"
    subprocess.run(["git", "clone", "--quiet", here.top.path, there], check=True)
    bare = Repo(there)
    found = source(bare)
    assert (found.content, found.tree) == ("", bare.git("rev-parse", "HEAD^{tree}"))
    for _ in range(2):
        ended = bare.run("--", "sh", "-c", "ls -A lib && echo x > lib/made", check=True)
        assert (ended.stdout, "1 file: lib/made" in ended.stderr) == ("", True)
    assert bare.run("--restart", "1", check=True).stdout == ""
    assert not list((there / "lib").iterdir())


@pytest.mark.parametrize(("name", "limit"), [("MOST", 2), ("MUCH", 10)])
def test_submodule_over_a_limit_is_linked_and_named(here, monkeypatch, capfd, name, limit):
    monkeypatch.setattr(submodules, name, limit)
    here.lib.write("l.txt", "changed\n")
    run = Project(here.top.path).run(command=("cat", "lib/l.txt"))
    assert (run.output, run.attempt.content) == ("changed\n", "")
    assert run.attempt.submodules == (("lib", here.lib.head()),)
    assert "warning: submodule lib is not recorded: it has" in capfd.readouterr().err


def test_setting_commit_links_all_submodules(here):
    here.top.git("config", "gitrun.submodules", "commit")
    here.lib.write("l.txt", "changed\n")
    found = source(here.top)
    assert (found.content, [path for path, _ in found.submodules]) == ("", ["lib"])
    ended = here.top.run("--", "cat", "lib/l.txt", check=True)
    assert ended.stdout == "changed\n"
    assert "changes inside submodules are not recorded: lib" in ended.stderr
    moved = here.lib.commit()
    assert f"submodule lib is at {moved[:9]} here" in here.top.run("--restart", "1", check=True).stderr
    here.top.git("config", "gitrun.submodules", "some")
    assert "must be files or commit, not 'some'" in here.top.run("--", "true").stderr


def test_submodule_whose_files_pass_through_a_filter_is_linked(here):
    here.lib.write(".gitattributes", "*.txt filter=turn\n")
    here.lib.git("config", "filter.turn.smudge", "rev")
    ended = here.top.run("--", "cat", "lib/l.txt", check=True)
    assert ended.stdout == "lib\n"
    assert "its files need the filter turn" in ended.stderr
    assert source(here.top).content == ""


def test_submodule_whose_git_leads_nowhere_is_linked(repo):
    inner = Repo.create(repo.path / "inner")
    inner.write("x", "1")
    inner.commit()
    subprocess.run(["git", "add", "inner"], cwd=repo.path, capture_output=True, check=True)
    repo.commit()
    shutil.rmtree(inner.path / ".git")
    (inner.path / ".git").write_text("gitdir: ../nowhere\n")
    ended = repo.run("--", "cat", "inner/x")
    assert ended.stdout == "1"
    assert "warning: submodule inner is not recorded: " in ended.stderr


def test_slot_changes_between_files_and_links_without_harm(here):
    before = picture(here.lib.path)
    for setting in ("files", "commit", "files", "commit"):
        here.top.git("config", "gitrun.submodules", setting)
        ended = here.top.run("--", "sh", "-c", "cat lib/l.txt lib/deep/d.txt; test ! -e lib/old", check=True)
        assert ended.stdout == "lib\ndeep\n"
    assert picture(here.lib.path) == before


def test_needed_source_sees_what_is_uncommitted_in_a_submodule(here):
    words = ("--needed-source", "--", "cat", "lib/deep/d.txt")
    here.top.run(*words, check=True)
    assert "Skipping" in here.top.run(*words, check=True).stdout
    here.deep.write("d.txt", "deeper\n")
    assert here.top.run(*words, check=True).stdout == "deeper\n"
    assert "Skipping" in here.top.run("--restart", "1", "--needed-source", check=True).stdout


def test_produced_files_in_a_submodule_go_on_to_the_next_attempt(here):
    words = ("--", "sh", "-c", "cat lib/made lib/l.txt; echo one > lib/made; echo two > lib/l.txt")
    here.top.run(*words)
    run = Project(here.top.path).find("1")
    assert {file.path for file in run.attempt.files} == {"lib/made", "lib/l.txt"}
    assert here.top.run("--restart", "1", check=True).stdout == "one\nlib\n"
    assert Project(here.top.path).find("1").attempt.carried == ("lib/made",)
    assert here.top.run("--restart", "1", check=True).stdout == "one\nlib\n"


def test_files_of_a_submodule_are_never_carried_over(here):
    here.top.run("--", "sh", "-c", "ls lib; echo x > lib/made", check=True)
    here.top.git("config", "gitrun.submodules", "commit")
    here.top.run("--restart", "1", "--force-sourcecode", check=True)
    assert Project(here.top.path).find("1").attempt.carried == ()
    assert (here.lib.path / "made").exists()  # it was linked, and that was said


def test_run_in_the_working_tree_records_what_it_changes_in_a_submodule(here):
    here.lib.write("build/o", "old\n")
    here.top.run("--in-place", "--", "sh", "-c", "echo 1 > lib/made; echo 2 >> lib/deep/d.txt; rm lib/l.txt", check=True)
    run = Project(here.top.path).find("1")
    assert {file.path for file in run.attempt.files} == {"lib/made", "lib/deep/d.txt"}
    assert "lib/l.txt" not in files(here.top, f"refs/runs/{run.id}")
    assert here.lib.git("diff", "--cached", "--name-only") == ""


def test_runs_stay_whole_when_git_collects_garbage(here):
    here.lib.write("l.txt", "changed\n")
    here.top.run("--", "cat", "lib/l.txt", "lib/deep/d.txt", check=True)
    here.lib.git("checkout", "--quiet", "l.txt")
    here.top.git("gc", "--quiet", "--prune=now")
    here.lib.git("gc", "--quiet", "--prune=now")
    here.top.git("fsck", "--full", "--strict")
    assert here.top.run("--restart", "1", check=True).stdout == "changed\ndeep\n"
    assert here.top.run("--", "cat", "lib/l.txt", check=True).stdout == "lib\n"


def test_repository_without_submodules_pays_nothing(repo):
    code = "import sys, gitrun; gitrun.Project('.').run('echo.py'); print('gitrun.source.submodules' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=repo.path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(("count", "strikes"), sampled(1, [(1, 2), (1, 16), (120, 16), (120, 2)]))
def test_killed_copy_leaves_no_tree_without_its_files(here, tmp_path, count, strikes):
    if not can_trace():
        pytest.skip("programs cannot be traced here: that needs Linux on x86-64, and ptrace allowed")
    here.top.run("--", "true", check=True)
    for number in range(count):
        here.lib.write(f"many/{number}", str(number))
    tree = here.top.git("rev-parse", f"{source_elsewhere(here, tmp_path)}:lib")
    shutil.copytree(here.top.path, tmp_path / "template", symlinks=True)
    words = ("git-run", "--", "cat", "lib/many/0")
    within = str(here.top.path / ".git")
    points = strike(here.top, words, at=0, within=within, victim="all").points
    chance = random.Random(count)
    for at in sorted(chance.sample(range(1, points), strikes)):
        shutil.rmtree(here.top.path)
        shutil.copytree(tmp_path / "template", here.top.path, symlinks=True)
        strike(here.top, words, at=at, within=within, victim="all")
        is_there = subprocess.run(["git", "cat-file", "-e", tree], cwd=here.top.path, check=False, capture_output=True)
        if is_there.returncode == 0:
            here.top.git("rev-list", "--objects", "--quiet", tree)
        assert here.top.run(*words[1:], check=True).stdout == "0"
        here.top.git("fsck", "--full")


def source_elsewhere(here: Modules, place: Path) -> str:
    """The content that a snapshot will have, taken in a copy, so that nothing of it is here yet; that is put here."""
    shutil.copytree(here.top.path, place / "copy", symlinks=True)
    content = source(Repo(place / "copy")).content
    tree = Repo(place / "copy").git("rev-parse", f"{content}:lib")
    line = f"040000 tree {tree}\tlib\n"
    made = subprocess.run(
        ["git", "mktree", "--missing"], cwd=here.top.path, input=line, text=True, capture_output=True, check=True
    )
    return made.stdout.strip()


def test_names_of_runs_say_what_run_toml_holds(here):
    run = Project(here.top.path).run(command=("true",))
    text = here.top.git("cat-file", "blob", f"{run.id}:.gitrun/run.toml")
    assert f'content = "{run.attempt.content}"' in text
    shown = json.loads(here.top.run("show", "--json", "1", check=True).stdout)
    assert shown["source"] == here.top.git("rev-parse", "HEAD^{tree}")
