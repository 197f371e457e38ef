"""The working tree as a tree: what git itself would commit of it, whatever state it is in."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from repository import Repo

import gitrun
from gitrun.model.plan import Request

if TYPE_CHECKING:
    from gitrun.model.plan import Source


def source(repo: Repo) -> Source:
    """What a start from the working tree would run."""
    plan = gitrun.Project(repo.path).plan(Request(command=("true",)))
    assert plan.source.tree
    return plan.source


def tree_by_git(repo: Repo, index: Path) -> str:
    """The tree that `git add -A` makes of the working tree, in a copy of the index.

    The copy has the same mtime, which says which entries git looks at again (those as young as the index itself).
    """
    shutil.copy2(repo.path / ".git/index", index) if (repo.path / ".git/index").exists() else None
    environ = {**os.environ, "GIT_INDEX_FILE": str(index)}
    subprocess.run(["git", "add", "-A"], cwd=repo.path, env=environ, check=True, capture_output=True)
    made = subprocess.run(["git", "write-tree"], cwd=repo.path, env=environ, check=True, capture_output=True)
    return made.stdout.decode().strip()


def names(repo: Repo, tree: str) -> list[str]:
    return repo.git("ls-tree", "-r", "--name-only", tree).splitlines()


def test_a_clean_tree_is_the_tree_of_its_commit(repo):
    found = source(repo)
    assert found.tree == repo.git("rev-parse", "HEAD^{tree}")
    assert (found.base, found.branch, found.dirty) == (repo.head(), "main", False)


def test_changed_and_untracked_files_are_in_and_ignored_ones_are_not(repo):
    repo.write(".gitignore", "*.log\n")
    repo.write("echo.py", "changed\n")
    repo.write("sub/new.py", "new\n")
    repo.write("sub/out.log", "ignored\n")
    found = source(repo)
    assert found.dirty
    assert names(repo, found.tree) == [".gitignore", "echo.py", "sub/new.py"]
    assert repo.git("cat-file", "blob", f"{found.tree}:echo.py") == "changed"


def test_a_tree_before_the_first_commit_has_no_base(empty_repo):
    assert source(empty_repo).tree == empty_repo.git("hash-object", "-t", "tree", "/dev/null")
    empty_repo.write("a.py", "1\n")
    found = source(empty_repo)
    assert (found.base, found.branch, found.dirty) == (None, "main", True)
    assert names(empty_repo, found.tree) == ["a.py"]


def test_an_edit_of_the_same_size_in_the_same_second_is_seen(repo):
    for letter in "abcdefgh":
        repo.write("same.txt", letter)
        repo.git("add", "same.txt")
        repo.write("same.txt", letter.upper())
        assert repo.git("cat-file", "blob", f"{source(repo).tree}:same.txt") == letter.upper()


STATES = {
    "staged only": "echo new > s.txt && git add s.txt",
    "staged, then edited": "echo new > s.txt && git add s.txt && echo newer > s.txt",
    "staged, then deleted": "echo new > s.txt && git add s.txt && rm s.txt",
    "removed from the index": "git rm -q --cached a.txt",
    "removed from the index and changed": "git rm -q --cached a.txt && echo b > a.txt",
    "deleted": "rm a.txt",
    "deleted directory": "rm -r d",
    "intent to add": "echo new > n.txt && git add -N n.txt",
    "intent to add, then deleted": "echo new > n.txt && git add -N n.txt && rm n.txt",
    "renamed": "git mv a.txt b.txt && echo more >> b.txt",
    "file replaced by a directory": "rm a.txt && mkdir a.txt && echo x > a.txt/x",
    "directory replaced by a file": "rm -r d && echo file > d",
    "directory replaced by a link": "mv d e && ln -s e d",
    "link replaced by a directory": "rm link && mkdir link && echo x > link/x",
    "file replaced by a link": "rm a.txt && ln -s d/x a.txt",
    "link into nothing": "ln -s nowhere dangling",
    "link to a directory": "ln -s d other",
    "made executable": "chmod +x a.txt",
    "no longer executable": "chmod -x tool.sh",
    "odd names": "touch -- -dash ' blank ' 'quote\"' \"it's\" 'star*' ':(top)x' '#hash' '!bang' 'back\\slash' 'tab\tx'",
    "line ends in names": "touch 'a\nb' 'a\rb' 'end\r' '\nstart'",
    "names that are not UTF-8": "touch $'caf\\xe9' && mkdir $'d\\xff' && echo x > $'d\\xff/\\xfe'",
    "a file that is touched only": "touch -d '1 hour ago' a.txt",
    "empty directories": "mkdir -p empty/inner",
    "a named pipe beside": "mkfifo pipe",
    "export-ignore": "echo 'a.txt export-ignore' > .gitattributes",
    "CRLF and autocrlf": "git config core.autocrlf true && printf 'a\\r\\nb\\r\\n' > a.txt && printf 'x\\r\\n' > new.txt",
    "CRLF and eol attributes": "printf '*.txt text eol=crlf\\n' > .gitattributes && printf 'a\\r\\nb\\r\\n' > new.txt",
    "mixed line ends": "git config core.autocrlf input; printf 'a\\r\\nb\\n' > new.txt",
    "a filter": "git config filter.up.clean 'tr a-z A-Z'; printf '*.txt filter=up\\n' > .gitattributes; echo text > new.txt",
    "no file modes": "git config core.filemode false && chmod +x a.txt",
    "an encoding": "printf 'u.txt working-tree-encoding=UTF-16\\n' > .gitattributes; printf 'hi\\n' | iconv -t UTF-16 > u.txt",
}


@pytest.fixture
def prepared(empty_repo: Repo) -> Repo:
    """Some files of every kind, committed."""
    empty_repo.write("a.txt", "a\n")
    empty_repo.write("d/x", "x\n")
    empty_repo.write("d/y", "y\n")
    empty_repo.write("tool.sh", "#!/bin/sh\n").chmod(0o755)
    (empty_repo.path / "link").symlink_to("d")
    empty_repo.commit()
    return empty_repo


@pytest.mark.parametrize("script", STATES.values(), ids=STATES)
def test_the_tree_is_the_one_that_git_would_commit(prepared, script, tmp_path):
    subprocess.run(["bash", "-ec", script], cwd=prepared.path, check=True)
    assert source(prepared).tree == tree_by_git(prepared, tmp_path / "index")
    prepared.git("fsck", "--strict")


def test_line_ends_that_git_would_refuse_are_no_obstacle(prepared):
    prepared.git("config", "core.autocrlf", "input")
    prepared.git("config", "core.safecrlf", "true")
    prepared.write("new.txt", "a\r\nb\n")
    assert "new.txt" in names(prepared, source(prepared).tree)


def test_edits_that_git_was_told_not_to_see_are_in(prepared):
    prepared.git("update-index", "--skip-worktree", "a.txt")
    prepared.git("update-index", "--assume-unchanged", "d/x")
    prepared.write("a.txt", "edited\n")
    prepared.write("d/x", "edited too\n")
    tree = source(prepared).tree
    assert prepared.git("cat-file", "blob", f"{tree}:a.txt") == "edited"
    assert prepared.git("cat-file", "blob", f"{tree}:d/x") == "edited too"
    assert prepared.git("ls-files", "-v", "a.txt", "d/x") == "S a.txt\nh d/x"


def test_marks_that_are_set_between_two_snapshots_are_seen(prepared):
    source(prepared)
    assert (prepared.path / ".git/gitrun/plain-index").exists()
    for mark in ("--skip-worktree", "--assume-unchanged"):
        prepared.git("update-index", mark, "a.txt")
        prepared.write("a.txt", f"edited after {mark}\n")
        tree = source(prepared).tree
        assert prepared.git("cat-file", "blob", f"{tree}:a.txt") == f"edited after {mark}"
        prepared.git("update-index", f"--no{mark[1:]}", "a.txt")
        source(prepared)


def test_what_is_only_staged_is_in(prepared):
    clean = source(prepared).tree
    assert clean == prepared.git("rev-parse", "HEAD^{tree}")
    prepared.git("rm", "-q", "--cached", "a.txt")
    (prepared.path / "a.txt").unlink()
    assert "a.txt" not in names(prepared, source(prepared).tree)
    prepared.git("reset", "-q", "--hard")
    prepared.git("update-index", "--chmod=+x", "a.txt")
    prepared.git("config", "core.fileMode", "false")
    assert prepared.git("ls-tree", source(prepared).tree, "a.txt").startswith("100755")


def test_an_edit_that_git_was_told_not_to_see_is_in_where_the_checkout_is_sparse_too(prepared):
    prepared.git("sparse-checkout", "set", "--no-cone", "/*", "!/d/")
    prepared.git("update-index", "--assume-unchanged", "a.txt")
    prepared.write("a.txt", "edited\n")
    tree = source(prepared).tree
    assert prepared.git("cat-file", "blob", f"{tree}:a.txt") == "edited"
    assert {"a.txt", "d/x"} <= set(names(prepared, tree))
    assert prepared.git("ls-files", "-v", "a.txt", "d/x") == "h a.txt\nS d/x"


def test_a_file_that_is_not_to_be_checked_out_stays_in(prepared):
    prepared.git("update-index", "--skip-worktree", "a.txt")
    (prepared.path / "a.txt").unlink()
    assert "a.txt" in names(prepared, source(prepared).tree)


def test_a_sparse_checkout_is_whole(prepared):
    for cone in ("--cone", "--no-cone"):
        prepared.git("sparse-checkout", "set", cone, "nothing")
        assert not (prepared.path / "d").exists()
        prepared.write("fresh/new.txt", "new\n")
        tree = source(prepared).tree
        assert {"a.txt", "d/x", "d/y", "fresh/new.txt"} <= set(names(prepared, tree))


def test_a_sparse_index_is_read(prepared):
    prepared.git("sparse-checkout", "set", "--cone", "--sparse-index", "nothing")
    prepared.write("a.txt", "edited\n")
    before = (prepared.path / ".git/index").read_bytes()
    tree = source(prepared).tree
    assert prepared.git("cat-file", "blob", f"{tree}:a.txt") == "edited"
    assert "d/x" in names(prepared, tree)
    assert (prepared.path / ".git/index").read_bytes() == before


@pytest.fixture
def torn(prepared: Repo) -> Repo:
    """In the middle of a merge with conflicts of three kinds."""
    prepared.git("checkout", "-q", "-b", "side")
    prepared.write("a.txt", "side\n")
    prepared.write("both.txt", "side\n")
    (prepared.path / "d/x").unlink()
    prepared.commit()
    prepared.git("checkout", "-q", "main")
    prepared.write("a.txt", "main\n")
    prepared.write("both.txt", "main\n")
    prepared.write("d/x", "changed\n")
    prepared.commit()
    subprocess.run(["git", "merge", "-q", "side"], cwd=prepared.path, capture_output=True, check=False)
    return prepared


def test_conflicts_are_recorded_as_they_lie_there(torn):
    found = source(torn)
    assert set(found.conflicts) == {"a.txt", "both.txt", "d/x"}
    for name in ("a.txt", "both.txt", "d/x"):
        stored = subprocess.run(
            ["git", "cat-file", "blob", f"{found.tree}:{name}"], cwd=torn.path, capture_output=True, check=True
        )
        assert stored.stdout == (torn.path / name).read_bytes()
    assert b"<<<<<<<" in (torn.path / "a.txt").read_bytes()


def test_a_conflict_with_its_file_deleted_is_recorded_as_deleted(torn):
    (torn.path / "a.txt").unlink()
    assert "a.txt" not in names(torn, source(torn).tree)


def test_conflicts_are_told(torn):
    ended = torn.run("--", "true", check=True)
    assert "warning: recorded with conflict markers: a.txt, both.txt, d/x" in ended.stderr
    assert torn.git("ls-files", "-u") != ""


def test_a_directory_of_the_users_named_as_ours_is_never_in(repo):
    repo.write(".gitrun/mine", "untracked\n")
    assert names(repo, source(repo).tree) == ["echo.py"]
    assert not source(repo).dirty
    repo.commit()
    assert names(repo, source(repo).tree) == ["echo.py"]
    assert not source(repo).dirty
    repo.write(".gitrun/mine", "changed\n")
    assert names(repo, source(repo).tree) == ["echo.py"]


def test_a_file_or_link_of_the_users_named_as_ours_is_never_in(repo):
    repo.write(".gitrun", "a file\n")
    assert names(repo, source(repo).tree) == ["echo.py"]
    (repo.path / ".gitrun").unlink()
    (repo.path / ".gitrun").symlink_to("/")
    assert names(repo, source(repo).tree) == ["echo.py"]
    assert repo.run("echo.py", check=True).stdout == "1.0 2 'a'\n"


def test_repositories_inside_this_one_are_told_and_left_out(repo):
    inner = Repo.create(repo.path / "inner")
    Repo.create(repo.path / "bare-new")
    inner.write("x", "x")
    inner.commit()
    ended = repo.run("--", "cat", "inner/x", check=True)
    assert ended.stdout == "x"
    assert "repositories inside this one are not recorded: bare-new/, inner/" in ended.stderr
    assert names(repo, source(repo).tree) == ["echo.py"]


def test_repository_that_git_holds_without_gitmodules_is_recorded(repo):
    inner = Repo.create(repo.path / "inner")
    inner.write("x", "x")
    head = inner.commit()
    subprocess.run(["git", "add", "inner"], cwd=repo.path, capture_output=True, check=True)
    assert source(repo).submodules == (("inner", head),)
    assert repo.run("--", "cat", "inner/x", check=True).stdout == "x"


def test_linked_submodule_that_has_moved_is_named_at_a_restart(repo):
    inner = Repo.create(repo.path / "inner")
    inner.write("x", "1")
    before = inner.commit()
    subprocess.run(["git", "add", "inner"], cwd=repo.path, capture_output=True, check=True)
    repo.git("config", "gitrun.submodules", "commit")
    repo.run("--", "cat", "inner/x", check=True)
    assert "submodule" not in repo.run("--restart", "1", check=True).stderr
    now = inner.commit("more")
    word = f"gitrun: note: submodule inner is at {now[:9]} here; the run had it at {before[:9]}\n"
    assert word in repo.run("--restart", "1", check=True).stderr
    assert word in repo.run("verify", "1").stderr


def test_git_itself_is_never_in_when_it_lies_in_the_tree(tmp_path):
    place = tmp_path / "tree"
    place.mkdir()
    subprocess.run(["git", "init", "-q", "--separate-git-dir", "store", "."], cwd=place, check=True)
    repo = Repo(place)
    repo.write("a.txt", "a\n")
    assert names(repo, source(repo).tree) == ["a.txt"]


WITHOUT_ROOTS_RIGHTS = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps=-all")
can_be_refused = pytest.mark.skipif(
    os.geteuid() == 0 and not shutil.which("setpriv"), reason="root reads everything, and no setpriv takes that away"
)


def run_as_anybody(repo: Repo, *words: str) -> subprocess.CompletedProcess[str]:
    """`git run` by somebody to whom permissions mean something."""
    before = WITHOUT_ROOTS_RIGHTS if os.geteuid() == 0 else ()
    return subprocess.run([*before, "git", "run", *words], cwd=repo.path, capture_output=True, text=True, check=False)


@can_be_refused
def test_an_untracked_file_that_cannot_be_read_is_left_out_and_named(prepared):
    prepared.write("shut.txt", "x").chmod(0)
    prepared.write("open.txt", "x")
    ended = run_as_anybody(prepared, "--", "true")
    assert (ended.returncode, "shut.txt is not recorded: it cannot be read" in ended.stderr) == (0, True), ended.stderr
    run = prepared.git("for-each-ref", "--format=%(refname)", "refs/runs")
    assert {"open.txt", "a.txt"} <= set(names(prepared, run))
    assert "shut.txt" not in names(prepared, run)


@can_be_refused
def test_a_tracked_file_that_cannot_be_read_is_an_error_that_names_it(prepared):
    prepared.write("a.txt", "changed").chmod(0)
    ended = run_as_anybody(prepared, "--", "true")
    assert (ended.returncode, ended.stderr.count("\n")) == (128, 1)
    assert "cannot record 'a.txt'" in ended.stderr
    assert prepared.git("for-each-ref", "refs/runs") == ""


NAMES = st.binary(min_size=1, max_size=6).filter(
    lambda name: not {b"/"[0], 0} & set(name) and name not in {b".", b".."} and b"~" not in name and b"\\" not in name
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(b"/".join)
CONTENTS = st.tuples(st.binary(max_size=8), st.sampled_from(["file", "executable", "link"]))


def lay(top: Path, files: dict[bytes, tuple[bytes, str]]) -> None:
    """Puts the files there as far as they do not stand in each other's way."""
    for name, (content, sort) in files.items():
        path = top / os.fsdecode(name)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            if sort == "link":
                path.symlink_to(os.fsdecode(content.replace(b"\0", b"") or b"x"))
                continue
            path.write_bytes(content)
            path.chmod(0o755 if sort == "executable" else 0o644)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(PATHS, CONTENTS, max_size=6), st.dictionaries(PATHS, CONTENTS, max_size=6), st.integers(0, 2))
def test_any_tree_is_the_one_that_git_would_commit(first, second, kept):
    with tempfile.TemporaryDirectory() as place:
        repo = Repo.create(Path(place) / "repo")
        lay(repo.path, first)
        repo.commit()
        for entry in sorted(repo.path.iterdir())[kept:]:
            if entry.name != ".git":
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        lay(repo.path, second)
        assert source(repo).tree == tree_by_git(repo, Path(place) / "index")
