"""What comes back of a run is what was there, where it is wished for, and nothing of the user's goes for it."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest
from templates import made_once

from gitrun import Project
from gitrun.errors import UnknownRun
from gitrun.workspace.checkout import CheckoutRequest

MAKE = """\
import os
os.makedirs("out/plots", exist_ok=True)
open("out/model.txt", "w").write("trained")
open("out/plots/a.txt", "w").write("a")
open("notes.txt", "w").write("n")
os.symlink("notes.txt", "link")
open("tool.sh", "w").write("#!/bin/sh\\n")
os.chmod("tool.sh", 0o755)
"""


@pytest.fixture
@made_once
def project(repo) -> Project:
    """A project with one run that produced files in directories, a link and a program."""
    repo.write("make.py", MAKE)
    repo.write("lib/part.py", "part = 1\n")
    repo.write("tool", "#!/bin/sh\n").chmod(0o755)
    (repo.path / "same.py").symlink_to("make.py")
    repo.commit("make")
    project = Project(repo.path)
    project.run("make.py")
    return project


def files(top) -> set[str]:
    return {path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_symlink() or path.is_file()}


def wish(project: Project, *paths: str, **more) -> object:
    return project.bring("1", CheckoutRequest(paths, **more))


def test_files_and_directories_that_are_named_come_and_no_others(repo, project) -> None:
    assert wish(project, "out/plots", "notes.txt").done == ("out/plots/a.txt", "notes.txt")
    assert not (repo.path / "out/model.txt").exists()


def test_paths_are_those_of_the_current_directory_else_of_the_top(repo, project) -> None:
    inside = Project(repo.write("out/x", "").parent)
    assert inside.bring("1", CheckoutRequest(("plots",))).done == ("out/plots/a.txt",)
    assert inside.bring("1", CheckoutRequest(("out/model.txt",))).done == ("out/model.txt",)


def test_path_that_is_not_of_the_run_is_refused(project) -> None:
    with pytest.raises(UnknownRun, match="produced no 'lib'"):
        wish(project, "lib")
    with pytest.raises(UnknownRun, match=r"the source of run \w+ has no 'out'"):
        wish(project, "out", source=True)


def test_another_directory_is_made_and_gets_every_kind_of_file(project, tmp_path) -> None:
    there = tmp_path / "new" / "place"
    assert wish(project, to=there).left == ()
    assert files(there) == {"out/model.txt", "out/plots/a.txt", "notes.txt", "link", "tool.sh"}
    assert (there / "link").readlink() == Path("notes.txt")
    assert (there / "tool.sh").stat().st_mode & stat.S_IXUSR


def test_source_is_what_was_run_and_not_what_came_of_it(repo, project, tmp_path) -> None:
    repo.write("lib/part.py", "part = 2\n")
    wish(project, source=True, to=tmp_path / "then")
    assert files(tmp_path / "then") == {"echo.py", "make.py", "lib/part.py", "tool", "same.py"}
    assert (tmp_path / "then/lib/part.py").read_text() == "part = 1\n"
    assert (tmp_path / "then/tool").stat().st_mode & stat.S_IXUSR
    assert (tmp_path / "then/same.py").readlink() == Path("make.py")


def test_source_comes_as_git_checks_it_out(repo, tmp_path) -> None:
    repo.git("config", "filter.rot.clean", "tr a-z b-za")
    repo.git("config", "filter.rot.smudge", "tr b-za a-z")
    repo.write(".gitattributes", "*.rot filter=rot\n*.txt text eol=crlf\n")
    repo.write("a.rot", "secret\n")
    repo.write("b.txt", "one\r\ntwo\r\n")
    repo.commit()
    project = Project(repo.path)
    run = project.run("echo.py")
    assert repo.git("cat-file", "-p", f"{run.attempt.source}:a.rot") == "tfdsfu"
    wish(project, source=True, to=tmp_path / "then")
    assert (tmp_path / "then/a.rot").read_text() == "secret\n"
    assert (tmp_path / "then/b.txt").read_bytes() == b"one\r\ntwo\r\n"


def test_source_in_the_working_tree_goes_over_what_is_committed_and_not_over_changes(repo, project) -> None:
    repo.write("lib/part.py", "part = 2\n")
    repo.commit()
    repo.write("make.py", "changed\n")
    brought = wish(project, "lib", "make.py", source=True)
    assert brought.done == ("lib/part.py",)
    assert brought.left == ("make.py",)
    assert (repo.path / "lib/part.py").read_text() == "part = 1\n"
    assert repo.git("diff", "--cached", "--name-only") == ""


def test_force_goes_over_changed_files_and_never_over_a_directory(repo, project) -> None:
    repo.write("notes.txt", "mine")
    repo.write("out/model.txt/inside", "mine")
    brought = wish(project, force=True)
    assert brought.left == ("out/model.txt",)
    assert (repo.path / "notes.txt").read_text() == "n"
    assert (repo.path / "out/model.txt/inside").read_text() == "mine"


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("source", [False, True])
def test_nothing_is_written_through_a_link(project, tmp_path, force, source) -> None:
    there, other = tmp_path / "there", tmp_path / "other"
    other.mkdir()
    there.mkdir()
    (there / "out").symlink_to(other)
    (there / "lib").symlink_to(other)
    assert wish(project, source=source, force=force, to=there).left
    assert list(other.iterdir()) == []


def test_link_that_lies_where_a_file_is_to_go_is_not_followed(project, tmp_path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    there = tmp_path / "there"
    there.mkdir()
    (there / "notes.txt").symlink_to(victim)
    assert wish(project, "notes.txt", to=there).left == ("notes.txt",)
    assert wish(project, "notes.txt", to=there, force=True).done == ("notes.txt",)
    assert victim.read_text() == "mine"
    assert not (there / "notes.txt").is_symlink()


def test_run_cannot_plant_a_link_under_the_name_of_a_file_yet_to_come(repo, tmp_path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    repo.write("plant.py", f"import os\nos.symlink({str(victim)!r}, '.zz.gitrun')\nopen('zz', 'w').write('evil')\n")
    Project(repo.path).run("plant.py")
    Project(repo.path).bring("1")
    assert victim.read_text() == "mine"
    assert (repo.path / "zz").read_text() == "evil"


def test_files_kept_beside_the_repository_come_and_are_named_when_they_are_gone(repo, tmp_path) -> None:
    repo.write("big.py", "open('big.bin', 'wb').write(bytes(1000))\n")
    repo.git("config", "gitrun.maxProduced", "10")
    project = Project(repo.path)
    run = project.run("big.py")
    assert wish(project, to=tmp_path / "here").done == ("big.bin",)
    assert (tmp_path / "here/big.bin").stat().st_size == 1000
    shutil.rmtree(project.git.state / "files" / run.id)
    assert wish(project, to=tmp_path / "there").gone == ("big.bin",)
    assert list((tmp_path / "there").iterdir()) == []


def test_files_of_an_earlier_attempt_come_byte_for_byte(repo, tmp_path) -> None:
    repo.write(".gitattributes", "*.txt text eol=crlf\n")
    repo.write("step.py", "import os\nif not os.path.exists('a.txt'):\n    open('a.txt', 'wb').write(b'1\\n2\\n')\n")
    project = Project(repo.path)
    project.run(restart=project.run("step.py").id)
    assert wish(project, to=tmp_path / "here").done == ("a.txt",)
    assert (tmp_path / "here/a.txt").read_bytes() == b"1\n2\n"


def test_second_checkout_changes_nothing(repo, project) -> None:
    wish(project)
    before = {path: (repo.path / path).lstat().st_mtime_ns for path in files(repo.path) if not path.startswith(".git/")}
    assert wish(project).left == ()
    assert wish(project, source=True).left == ()
    assert {path: (repo.path / path).lstat().st_mtime_ns for path in before} == before


def test_bare_repository_gives_files_to_another_directory(repo, project, tmp_path) -> None:
    repo.git("clone", "-q", "--bare", repo.path, tmp_path / "bare")
    repo.git("push", "-q", tmp_path / "bare", "refs/runs/*:refs/runs/*")
    bare = Project(tmp_path / "bare")
    bare.bring("1", CheckoutRequest(source=True, to=tmp_path / "source"))
    assert "lib/part.py" in files(tmp_path / "source")
    assert bare.bring("1", CheckoutRequest(to=tmp_path / "made")).left == ()


def test_checkout_to_a_directory_in_the_shell(repo, project, tmp_path) -> None:
    told = repo.run("checkout", "1", "out", "--to", tmp_path / "there", check=True)
    assert "copied 2 files of run " in told.stderr
    repo.write(tmp_path / "there/out/model.txt", "mine")
    assert repo.run("checkout", "1", "--to", tmp_path / "there").returncode == 1
    assert repo.run("checkout", "1", "--to", tmp_path / "there", "--force").returncode == 0


def test_a_file_that_is_as_the_commit_has_it_byte_for_byte_is_known_without_a_process(repo, tmp_path) -> None:
    repo.write("model.txt", "old\n")
    repo.commit()
    repo.run("--", "sh", "-c", "echo new > model.txt", check=True)
    trace = tmp_path / "trace"
    repo.run("checkout", "1", check=True, env={"GIT_TRACE": str(trace)})
    assert (repo.path / "model.txt").read_text() == "new\n"
    assert "hash-object" not in trace.read_text()
