"""Refs move all together or not at all, from where they were expected, and with a reason."""

from __future__ import annotations

import os
import stat
import time
from threading import Timer
from typing import TYPE_CHECKING

import pytest
from forms import with_files

from gitrun import Project
from gitrun.errors import GitFailed, ObjectsGone, StaleRun
from gitrun.store import refs
from gitrun.store.refs import SETTLED, RefEdit, delete_temporary_refs, ref_store, tips

if TYPE_CHECKING:
    from gitrun.git.exe import Git


@pytest.fixture
def git(repo) -> Git:
    """A repository with two commits and no runs."""
    repo.write("second.txt", "2")
    repo.commit("second")
    return Project(repo.path).git


@pytest.fixture
def commits(repo, git) -> tuple[str, str]:
    """The ids of the first and the second commit."""
    return repo.git("rev-parse", "HEAD~1"), repo.head()


def ref(digit: str) -> str:
    return f"refs/runs/{digit * 40}"


def create(digit: str, commit: str) -> RefEdit:
    return RefEdit(ref(digit), commit, None, "start run")


def reflog(repo, name: str) -> list[str]:
    return repo.git("reflog", "show", "--format=%gs", name).splitlines()


def test_one_stale_edit_stops_all(git, commits) -> None:
    first, second = commits
    ref_store(git).apply([create("a", first)])
    for stale in (RefEdit(ref("a"), second, second, "x"), create("a", second), RefEdit(ref("a"), None, second, "x")):
        with pytest.raises(StaleRun, match="another process changed run aaaaaaaa"):
            ref_store(git).apply([create("b", second), stale])
        assert tips(git) == {"a" * 40: first}


def test_edits_of_all_kinds_are_one_transaction(git, commits) -> None:
    first, second = commits
    ref_store(git).apply([create("a", first), create("b", first)])
    ref_store(git).apply([
        RefEdit(ref("a"), None, first, "delete run"), RefEdit(ref("b"), second, first, "restart run"), create("c", second),
    ])  # fmt: skip
    assert tips(git) == {"b" * 40: second, "c" * 40: second}


def test_edit_that_is_made_already_counts_as_made(git, commits) -> None:
    first, second = commits
    ref_store(git).apply([create("a", first)])
    ref_store(git).apply([create("a", first), create("b", second), RefEdit(ref("c"), None, first, "delete run")])
    assert tips(git) == {"a" * 40: first, "b" * 40: second}


def test_missing_commit_stops_all(git, commits) -> None:
    with pytest.raises(ObjectsGone, match="1234"):
        ref_store(git).apply([create("a", commits[0]), create("b", "1234" * 10)])
    assert tips(git) == {}


@pytest.mark.parametrize("count", [1, 2])
@with_files
def test_held_lock_is_waited_for(git, commits, count) -> None:
    lock = git.common_dir / f"{ref('a')}.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.touch()
    Timer(0.2, lock.unlink).start()
    ref_store(git).apply([create(digit, commits[0]) for digit in "ab"[:count]])
    assert len(tips(git)) == count


@with_files
def test_lock_that_stays_is_an_error(git, commits, monkeypatch) -> None:
    monkeypatch.setattr(refs, "BUSY", (0.01,))
    lock = git.common_dir / f"{ref('a')}.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.touch()
    with pytest.raises(GitFailed, match=r"cannot write the refs of 2 runs: .*\.lock"):
        ref_store(git).apply([create("a", commits[0]), create("b", commits[0])])
    assert tips(git) == {}
    os.utime(lock, (time.time() - refs.FORGOTTEN - 1,) * 2)
    ref_store(git).apply([create("a", commits[0]), create("b", commits[0])])
    assert len(tips(git)) == 2


def test_reflog_tells_why_a_run_moved(repo) -> None:
    repo.git("config", "core.logAllRefUpdates", "always")
    project = Project(repo.path)
    run = project.run("echo.py")
    project.run(restart=run.id)
    project.mark(project.find(run.id))
    assert reflog(repo, f"refs/runs/{run.id}") == [
        "gitrun: annotate", "gitrun: record result", "gitrun: restart run", "gitrun: record result", "gitrun: start run",
    ]  # fmt: skip
    project.trash.remove([project.find(run.id)])
    assert reflog(repo, f"refs/gitrun/trash/{run.id}") == ["gitrun: delete run"]
    assert repo.git("rev-parse", "--verify", "refs/notes/runs")
    assert not (project.git.common_dir / "logs" / "refs" / "notes").exists()


def test_every_move_of_a_run_runs_the_hook_of_the_repository(repo) -> None:
    hook = repo.path / ".git" / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\n[ "$1" = committed ] && cut -d " " -f 3 >>moves\nexit 0\n')
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    project = Project(repo.path)
    run = project.run("echo.py")
    project.trash.remove([project.find(run.id)])
    moves = {line for path in repo.path.rglob("moves") for line in path.read_text().splitlines()}
    assert moves == {f"refs/runs/{run.id}", f"refs/gitrun/trash/{run.id}"}


def test_token_changes_with_every_move(git, commits) -> None:
    seen = []
    for edit in (
        create("a", commits[0]),
        RefEdit(ref("a"), commits[1], commits[0], "x"),
        RefEdit(ref("a"), None, commits[1], "x"),
    ):
        begun = time.time()
        ref_store(git).apply([edit])
        assert ref_store(git).token() == "" or time.time() - begun > SETTLED
        time.sleep(2 * SETTLED)
        seen.append(ref_store(git).token())
    git.run("pack-refs", "--all")
    time.sleep(2 * SETTLED)
    seen.append(ref_store(git).token())
    assert "" not in seen
    assert len(set(seen)) == 4


@pytest.mark.parametrize("packed", [False, True])
def test_temporary_refs_go_away_at_once(repo, git, commits, packed) -> None:
    repo.git("config", "core.logAllRefUpdates", "always")
    prefix, other = "refs/gitrun/incoming/one/", "refs/gitrun/incoming/two/x"
    ref_store(git).apply([RefEdit(f"{prefix}{name}", commits[0], None, "fetch") for name in "ab"])
    ref_store(git).apply([RefEdit(other, commits[0], None, "fetch")])
    if packed:
        git.run("pack-refs", "--all")
    delete_temporary_refs(git, prefix)
    assert tips(git, "refs/gitrun/") == {"incoming/two/x": commits[0]}
    assert not (git.common_dir / "logs" / "refs" / "gitrun").exists()


@with_files
def test_loose_refs_of_runs_are_counted(git, commits) -> None:
    ref_store(git).apply([create("a", commits[0]), RefEdit(f"refs/gitrun/trash/{'b' * 40}", commits[0], None, "delete run")])
    assert refs.count_loose_refs(git) == 2
    refs.pack_refs(git)
    assert refs.count_loose_refs(git) == 0
    assert tips(git) == {"a" * 40: commits[0]}


def read_here(git) -> dict[str, str] | None:
    """The refs of runs and archives as they are read without git."""
    return refs.read_few_refs(git, refs.ARCHIVE, refs.RUNS)


def asked_of_git(git) -> dict[str, str]:
    return refs.FileRefs(git).list_refs(refs.ARCHIVE, refs.RUNS)


@with_files
def test_few_refs_are_read_as_git_lists_them(repo, git, commits) -> None:
    first, second = commits
    assert read_here(git) == asked_of_git(git) == {}
    ref_store(git).apply([create("a", first), create("b", first)])
    repo.git("pack-refs", "--all")
    ref_store(git).apply([RefEdit(ref("b"), second, first, "x"), create("c", second)])
    repo.git("update-ref", "refs/gitrun/archive/w1", first)
    (git.common_dir / f"{ref('d')}.lock").touch()
    assert read_here(git) == asked_of_git(git)
    assert list(read_here(git) or ()) == list(asked_of_git(git)) == ["refs/gitrun/archive/w1", *map(ref, "abc")]


@with_files
def test_a_repository_that_is_gone_has_no_few_refs(repo, git) -> None:
    assert read_here(git) == {}
    (repo.path / ".git" / "HEAD").rename(repo.path / "HEAD.away")
    assert read_here(git) is None


@pytest.mark.parametrize(
    "content",
    ["ref: refs/heads/main\n", "", "1234\n", "g" * 40 + "\n", "0" * 40 + "\n", "0" * 80 + "\n", "\u00e9\n", "x" * (1 << 16)],
    ids=lambda content: content[:10].strip(),
)
@with_files
def test_odd_contents_of_a_ref_are_left_to_git(git, commits, content) -> None:
    ref_store(git).apply([create("a", commits[0])])
    (git.common_dir / ref("b")).write_text(content)
    assert read_here(git) is None


@with_files
def test_links_directories_and_odd_names_of_refs_are_left_to_git(git, commits) -> None:
    ref_store(git).apply([create("a", commits[0])])
    place = git.common_dir / "refs" / "runs"
    odd = place / "b-c"
    for make in (odd.mkdir, lambda: odd.symlink_to(place / ("a" * 40)), lambda: odd.write_text(f"{commits[0]}\n")):
        make()
        assert read_here(git) is None
        odd.rmdir() if odd.is_dir() else odd.unlink()
    assert read_here(git) == asked_of_git(git)


@with_files
def test_many_refs_are_left_to_git(git, commits, monkeypatch) -> None:
    monkeypatch.setattr(refs, "FEW_FILES", 2)
    ref_store(git).apply([create(digit, commits[0]) for digit in "ab"])
    assert len(read_here(git) or ()) == 2
    ref_store(git).apply([create("c", commits[0])])
    assert read_here(git) is None
