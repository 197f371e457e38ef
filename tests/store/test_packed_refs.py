"""Refs of very many runs are created in `packed-refs` exactly as git would, or are left to git."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from forms import with_files

from gitrun import Project
from gitrun.errors import StaleRun
from gitrun.store.packed_refs import create_refs
from gitrun.store.refs import RefEdit, ref_store, tips

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitrun.git.exe import Git

pytestmark = with_files
MANY = 40


@pytest.fixture
def git(repo) -> Git:
    """A repository with two commits and no runs."""
    repo.write("second.txt", "2")
    repo.commit("second")
    return Project(repo.path).git


def run_id(git: Git, number: int) -> str:
    return f"{number:0{git.object_format.digits}x}"


def edits_of(git: Git, tip: str, count: int = MANY) -> list[RefEdit]:
    return [RefEdit(f"refs/runs/{run_id(git, number)}", tip, None, "fetch run") for number in range(count)]


def packed(git: Git) -> bytes:
    path = git.common_dir / "packed-refs"
    return path.read_bytes() if path.exists() else b""


def test_new_refs_are_in_one_file_as_git_would_pack_them(repo, git) -> None:
    repo.git("tag", "-a", "-m", "peeled", "v1")
    repo.git("branch", "zebra")
    repo.git("pack-refs", "--all")
    assert create_refs(git, edits_of(git, repo.head())) == []
    assert tips(git) == {run_id(git, number): repo.head() for number in range(MANY)}
    assert not (git.common_dir / "refs" / "runs").exists()
    ours = packed(git)
    repo.git("pack-refs", "--all")
    assert packed(git) == ours
    assert repo.git("rev-parse", "v1^{commit}") == repo.head()


def test_refs_join_those_that_are_packed(repo, git) -> None:
    first, second = edits_of(git, repo.head())[::2], edits_of(git, repo.head())[1::2]
    assert create_refs(git, first) + create_refs(git, second) == []
    assert len(tips(git)) == MANY


def test_only_creations_of_runs_are_made_here(repo, git) -> None:
    others = [
        RefEdit("refs/heads/new", repo.head(), None, "x"),
        RefEdit("refs/runs/short", repo.head(), None, "x"),
        RefEdit(f"refs/runs/{run_id(git, MANY)}", repo.head(), repo.git("rev-parse", "HEAD~1"), "x"),
        RefEdit(f"refs/runs/{run_id(git, MANY + 1)}", None, repo.head(), "x"),
    ]
    assert create_refs(git, [*others, *edits_of(git, repo.head())]) == others
    assert len(tips(git)) == MANY


def write_hook(repo, git: Git) -> None:
    hook = git.common_dir / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 0\n")


def write_hook_elsewhere(repo, git: Git) -> None:
    repo.git("config", "core.hooksPath", "hooks")
    repo.write("hooks/reference-transaction", "#!/bin/sh\n")


def configure(name: str, value: str) -> Callable[..., None]:
    return lambda repo, _git: repo.git("config", name, value)


def write(name: str, content: str) -> Callable[..., None]:
    def write_it(_repo: object, git: Git) -> None:
        path = git.common_dir / name.format(run=run_id(git, 1))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content.format(tip="1" * git.object_format.digits))

    return write_it


def link_file(repo, git: Git) -> None:
    repo.git("pack-refs", "--all")
    (git.common_dir / "packed-refs").rename(git.common_dir / "elsewhere")
    (git.common_dir / "packed-refs").symlink_to("elsewhere")


def name_ref(name: str, *, is_packed: bool) -> Callable[..., None]:
    def update(repo, git: Git) -> None:
        repo.git("update-ref", name.format(run=run_id(git, 1)), "HEAD~1")
        if is_packed:
            repo.git("pack-refs", "--all")

    return update


@pytest.mark.parametrize(
    "prepare",
    [
        pytest.param(write_hook, id="a hook wants to know"),
        pytest.param(write_hook_elsewhere, id="a hook elsewhere"),
        pytest.param(configure("hook.mine.command", "true"), id="a hook in the configuration"),
        pytest.param(configure("core.logAllRefUpdates", "always"), id="reflogs of all refs"),
        pytest.param(write("logs/refs/runs/{run}", ""), id="a reflog that is there"),
        pytest.param(configure("core.sharedRepository", "group"), id="files of many users"),
        pytest.param(link_file, id="a link"),
        pytest.param(write("packed-refs", "# pack-refs with: sorted \n"), id="another form"),
        pytest.param(write("packed-refs", "# pack-refs with: peeled fully-peeled sorted \n{tip} cut"), id="a cut line"),
        pytest.param(write("packed-refs.lock", ""), id="a held lock"),
        pytest.param(write("refs/runs/{run}.lock", ""), id="a held lock of a ref"),
        pytest.param(name_ref("refs/runs/{run}", is_packed=False), id="a loose ref"),
        pytest.param(name_ref("refs/runs/{run}", is_packed=True), id="a packed ref"),
        pytest.param(name_ref("refs/runs/{run}/below", is_packed=False), id="a loose ref below"),
        pytest.param(name_ref("refs/runs/{run}/below/that", is_packed=True), id="a packed ref below"),
        pytest.param(name_ref("refs/runs", is_packed=False), id="a loose ref above"),
        pytest.param(name_ref("refs/runs", is_packed=True), id="a packed ref above"),
    ],
)
def test_git_makes_the_refs_if_it_would_do_more_or_another_works_on_them(repo, git, prepare) -> None:
    edits = edits_of(git, repo.head())
    prepare(repo, git)
    before = packed(git)
    git = Project(repo.path).git
    assert create_refs(git, edits) == edits
    assert packed(git) == before


@pytest.mark.parametrize("tip", ["HEAD^{tree}", "HEAD:second.txt", ""])
def test_ref_to_no_commit_is_left_to_git(repo, git, tip) -> None:
    edits = [*edits_of(git, repo.head()), RefEdit(f"refs/runs/{'f' * git.object_format.digits}", "0", None, "x")]
    name = repo.git("rev-parse", tip) if tip else "1" * git.object_format.digits
    edits[-1] = RefEdit(edits[-1].ref, name, None, "fetch run")
    assert create_refs(git, edits) == edits
    assert packed(git) == b""


def test_few_refs_do_not_have_a_large_file_written_again(repo, git) -> None:
    assert create_refs(git, edits_of(git, repo.head(), 200)) == []
    edit = RefEdit(f"refs/runs/{'f' * git.object_format.digits}", repo.head(), None, "fetch run")
    assert create_refs(git, [edit]) == [edit]


@pytest.mark.parametrize("form", ["{run}", "{run}.lock"])
def test_ref_that_another_makes_at_the_same_moment_is_left_to_git(repo, git, monkeypatch, form) -> None:
    other, replace = repo.git("rev-parse", "HEAD~1"), Path.replace
    path = git.common_dir / "refs" / "runs" / form.format(run=run_id(git, 7))

    def replace_late(self: Path, target: Path) -> Path:
        path.parent.mkdir(parents=True)
        path.write_text(f"{other}\n")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", replace_late)
    edits = edits_of(git, repo.head())
    assert create_refs(git, edits) == [edits[7]]
    if path.suffix:
        path.rename(path.with_suffix(""))
    with pytest.raises(StaleRun):
        ref_store(git).apply([edits[7]])
    assert tips(git) == {edit.ref[10:]: other if edit is edits[7] else repo.head() for edit in edits}


def test_file_that_changes_meanwhile_is_left_as_it_is(repo, git, monkeypatch) -> None:
    repo.git("branch", "other")
    opened = os.open

    def pack_first(path: object, flags: int, *rest: object, **more: object) -> int:
        if str(path).endswith("packed-refs.lock"):
            repo.git("pack-refs", "--all")
        return opened(path, flags, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", pack_first)
    edits = edits_of(git, repo.head())
    assert create_refs(git, edits) == edits
    assert b"refs/heads/other" in packed(git)


def test_of_two_that_create_a_ref_at_once_one_succeeds(repo, git) -> None:
    """A git and we create the same refs, each with its own commit, again and again."""
    other = repo.git("rev-parse", "HEAD~1")
    for start in range(0, 12 * MANY, MANY):
        edits = [RefEdit(f"refs/runs/{run_id(git, start + number)}", repo.head(), None, "x") for number in range(MANY)]
        succeeded: list[str] = []

        def rival(edits: list[RefEdit] = edits, succeeded: list[str] = succeeded) -> None:
            for edit in reversed(edits):
                words = ("git", "-C", str(repo.path), "update-ref", edit.ref, other, "0" * git.object_format.digits)
                if not subprocess.run(words, capture_output=True, check=False).returncode:
                    succeeded.append(edit.ref)

        thread = Thread(target=rival)
        thread.start()
        refused = {edit.ref for edit in create_refs(git, edits)}
        thread.join()
        here = tips(git)
        for edit in edits:
            if edit.ref in succeeded:
                assert here[edit.ref[10:]] == other
                assert edit.ref in refused
            elif edit.ref not in refused:
                assert here[edit.ref[10:]] == repo.head()


KILLER = """
import os, signal, sys
from pathlib import Path
from gitrun import Project
from gitrun.store.packed_refs import create_refs
from gitrun.store.refs import RefEdit
place, when, tip, *refs = sys.argv[1:]
replace = Path.replace
def die(self, target):
    if when == "after":
        replace(self, target)
    os.kill(os.getpid(), signal.SIGKILL)
Path.replace = die
create_refs(Project(place).git, [RefEdit(ref, tip, None, "fetch run") for ref in refs])
"""


@pytest.mark.parametrize(("when", "count"), [("before", 0), ("after", MANY)])
def test_killed_creation_leaves_none_or_all_and_a_lock_that_doctor_removes(repo, git, when, count) -> None:
    edits = edits_of(git, repo.head())
    words = [sys.executable, "-c", KILLER, str(repo.path), when, repo.head(), *[edit.ref for edit in edits]]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    assert len(tips(git)) == count
    assert "packed-refs.lock" in repo.run("doctor").stdout
    # these refs are of no runs, which doctor says
    repo.run("doctor", "--fix")
    assert not (git.common_dir / "packed-refs.lock").exists()
    assert create_refs(git, edits) == (edits if count else [])
    assert len(tips(git)) == MANY
