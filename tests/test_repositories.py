"""`git run` in every kind of repository: where it works, that it works the same; where it cannot, one clear line."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from belongings import belongings
from forms import knows_reftables
from repository import ECHO, Repo
from supervised import runs, shown

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = "1.0 2 'a'\n"


def runs_and_restarts(repo: Repo) -> None:
    """The story in its shortest form: the run's own source again, after the working tree has moved on."""
    assert repo.run("echo.py", check=True).stdout == PLAIN
    before = belongings(repo)
    text = (repo.path / "echo.py").read_text()
    repo.write("echo.py", text.replace("1.0", "7.0"))
    assert repo.run("--restart", "1", "y=5", check=True).stdout == "1.0 5 'a'\n"
    assert repo.run("--restart", "1", "--force-sourcecode", "x=3", check=True).stdout == "3 5 'a'\n"
    repo.write("echo.py", text)
    assert {name for name, seen in belongings(repo).items() if before[name] != seen} == {f"tree {repo.path.name} echo.py"}
    assert len(shown(repo)["attempts"]) == 3
    repo.git("fsck", "--strict")


def test_an_unborn_head(empty_repo):
    empty_repo.write("echo.py", ECHO)
    runs_and_restarts(empty_repo)
    assert (
        empty_repo.git("log", "--format=%s", "refs/runs/" + shown(empty_repo)["id"] + "~1").splitlines()[-1].startswith("run")
    )


def test_a_detached_head(repo):
    repo.git("checkout", "-q", "--detach")
    runs_and_restarts(repo)
    assert shown(repo)["branch"] is None


def test_a_linked_worktree(repo, tmp_path):
    repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    side = Repo(tmp_path / "side")
    runs_and_restarts(side)
    assert shown(repo)["branch"] == "side"
    assert len(runs(repo)) == 1
    assert repo.run("echo.py", check=True).stdout == PLAIN


def test_a_worktree_of_a_bare_repository(repo, tmp_path):
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "-q", "--bare", repo.path, bare], check=True)
    subprocess.run(["git", "-C", bare, "worktree", "add", "-q", tmp_path / "wt", "main"], check=True)
    runs_and_restarts(Repo(tmp_path / "wt"))


def test_a_submodule(repo, tmp_path):
    parent = Repo.create(tmp_path / "parent")
    parent.git("submodule", "--quiet", "add", str(repo.path), "lib/echo")
    inner = Repo(parent.path / "lib/echo")
    runs_and_restarts(inner)
    assert (parent.path / ".git/modules/lib/echo/gitrun").is_dir()


def test_linked_submodules_have_their_commits_recorded(repo, tmp_path):
    head = repo.head()
    parent = Repo.create(tmp_path / "parent")
    parent.git("submodule", "--quiet", "add", str(repo.path), "lib/echo")
    parent.write("use.py", "print(open('lib/echo/echo.py').readline(), end='')\n")
    parent.commit()
    (parent.path / "lib/echo/echo.py").write_text("dirty\n")
    parent.git("config", "gitrun.submodules", "commit")
    ended = parent.run("use.py", check=True)
    assert ended.stdout == "dirty\n"
    assert "changes inside submodules are not recorded: lib/echo" in ended.stderr
    wanted = f'[source.submodules]\n"lib/echo" = "{head}"'
    run = shown(parent)["id"]
    assert wanted in parent.git("cat-file", "blob", f"{run}:.gitrun/run.toml")
    assert parent.git("rev-parse", f"refs/runs/{run}:lib/echo") == head
    parent.run("--restart", run, check=True)
    assert wanted in parent.git("cat-file", "blob", f"refs/runs/{run}:.gitrun/run.toml")


def test_a_shallow_clone(repo, tmp_path):
    repo.commit("second")
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{repo.path}", tmp_path / "shallow"], check=True)
    runs_and_restarts(Repo(tmp_path / "shallow"))


def test_a_clone_without_blobs(repo, tmp_path):
    repo.git("config", "uploadpack.allowFilter", "true")
    command = ["git", "clone", "-q", "--filter=blob:none", f"file://{repo.path}", tmp_path / "partial"]
    subprocess.run(command, check=True)
    runs_and_restarts(Repo(tmp_path / "partial"))


def test_a_clone_that_shares_its_objects(repo, tmp_path):
    subprocess.run(["git", "clone", "-q", "--shared", repo.path, tmp_path / "shared"], check=True)
    runs_and_restarts(Repo(tmp_path / "shared"))


@pytest.mark.parametrize("cone", ["--cone", "--no-cone"])
def test_a_sparse_checkout(repo, cone):
    repo.write("big/not-here.txt", "x")
    repo.commit()
    repo.git("sparse-checkout", "set", cone, *(["nothing"] if cone == "--cone" else ["/*", "!/big/"]))
    assert not (repo.path / "big").exists()
    repo.run("--", "test", "!", "-e", "big", check=True)
    runs_and_restarts(repo)


@pytest.mark.skipif(not shutil.which("git-lfs"), reason="git-lfs is not installed")
def test_lfs(repo):
    repo.git("lfs", "install", "--local")
    repo.git("lfs", "track", "*.bin")
    repo.write("model.bin", "weights")
    repo.commit()
    repo.write("model.bin", "changed weights")
    repo.write("make.py", "print(open('model.bin').read())\nopen('made.bin', 'w').write('made')\n")
    ended = repo.run("make.py", check=True)
    assert ended.stdout == "changed weights\n"
    run = shown(repo)["id"]
    assert repo.git("cat-file", "blob", f"{run}:model.bin").startswith("version https://git-lfs")
    assert repo.git("cat-file", "blob", f"refs/runs/{run}:made.bin").startswith("version https://git-lfs")
    (made,) = shown(repo)["files"]
    assert (made["path"], made["size"], made["stored"]) == ("made.bin", 4, "lfs")
    assert repo.run("cat", "-p", "made.bin").stdout == "made"
    assert repo.run("cat", "--sourcecode", "-p", "model.bin").stdout == "changed weights"
    runs_and_restarts_beside(repo)


def runs_and_restarts_beside(repo: Repo) -> None:
    repo.write("echo.py", ECHO)
    runs_and_restarts(repo)


def test_another_filter(repo):
    repo.git("config", "filter.up.clean", "tr a-z A-Z")
    repo.git("config", "filter.up.smudge", "tr A-Z a-z")
    repo.write(".gitattributes", "*.txt filter=up\n")
    repo.write("in.txt", "hello\n")
    repo.write("copy.py", "t = open('in.txt').read()\nprint(t)\nopen('out.txt', 'w').write(t)\n")
    assert repo.run("copy.py", check=True).stdout == "hello\n\n"
    run = shown(repo)["id"]
    assert repo.git("cat-file", "blob", f"{run}:in.txt") == "HELLO"
    assert repo.run("cat", "-p", "out.txt").stdout == "hello\n"
    runs_and_restarts(repo)


@pytest.mark.parametrize("setting", ["autocrlf", "attributes"])
def test_line_ends(repo, setting):
    if setting == "autocrlf":
        repo.git("config", "core.autocrlf", "true")
    else:
        repo.write(".gitattributes", "*.txt text eol=crlf\n")
    repo.write("in.txt", "a\r\nb\r\n")
    repo.write("look.py", "print(open('in.txt', 'rb').read())\n")
    repo.git("add", "in.txt")
    assert repo.run("look.py", check=True).stdout == "b'a\\r\\nb\\r\\n'\n"
    assert repo.git("cat-file", "blob", f"{shown(repo)['id']}:in.txt") == "a\nb"
    (repo.path / "look.py").unlink()
    assert repo.run("--restart", "1", check=True).stdout == "b'a\\r\\nb\\r\\n'\n"


def test_links_and_executable_bits(repo):
    repo.write("tool", "#!/bin/sh\ncat link\n").chmod(0o755)
    (repo.path / "link").symlink_to("echo.py")
    assert repo.run("tool", check=True).stdout == ECHO
    (repo.path / "link").unlink()
    assert repo.run("--restart", "1", check=True).stdout == ECHO


def test_names_that_are_not_utf_8(repo):
    name = os.fsdecode(b"caf\xe9")
    repo.write(f"{name}/in\n.txt", "here")
    script = "import os\nfor at, _, files in os.walk(b'.'):\n  print(at, files) if b'caf' in at else 0\n"
    repo.write("walk.py", script)
    assert repo.run("walk.py", check=True).stdout == "b'./caf\\xe9' [b'in\\n.txt']\n"
    assert repo.run("--restart", "1", check=True).stdout == "b'./caf\\xe9' [b'in\\n.txt']\n"
    assert repo.run("--", "cat", "in\n.txt", cwd=repo.path / name, check=True).stdout == "here"
    assert repo.run("--restart", "1", check=True).stdout == "here"


def test_words_that_are_not_utf_8_are_refused_in_one_line(repo):
    odd = os.fsdecode(b"caf\xe9.py")
    repo.write(odd, "print(1)\n")
    for words in ([odd], ["--", "echo", odd]):
        ended = repo.run(*words)
        assert (ended.returncode, ended.stderr.count("\n")) == (129, 1), ended.stderr
        assert "not UTF-8" in ended.stderr
    assert repo.git("for-each-ref", "refs/runs") == ""


def test_a_branch_whose_name_is_not_utf_8(repo):
    subprocess.run(["git", "checkout", "-q", "-b", b"caf\xe9"], cwd=repo.path, check=True)
    assert repo.run("echo.py", check=True).stdout == PLAIN
    assert repo.run("--restart", "1", check=True).stdout == PLAIN
    assert shown(repo)["branch"] == "caf\\xe9"


def test_a_subdirectory(repo):
    repo.write(
        "sub/deep/here.py", "import os\nx = 1\nprint(os.path.basename(os.getcwd()), x, os.environ['PWD'] == os.getcwd())\n"
    )
    at = repo.path / "sub/deep"
    assert repo.run("here.py", cwd=at, check=True).stdout == "deep 1 True\n"
    assert repo.run("../../sub/deep/here.py", cwd=at, check=True).stdout == "deep 1 True\n"
    assert repo.run("sub/deep/here.py", check=True).stdout == "repo 1 True\n"
    found = runs(repo)
    assert {run["operation"] for run in found} == {"sub/deep/here.py"}
    assert repo.run("--restart", found[1]["id"], check=True).stdout == "deep 1 True\n"
    assert 'cwd = "sub/deep"' in repo.git("cat-file", "blob", f"{found[1]['id']}:.gitrun/run.toml")


def test_git_dash_c_and_git_settings(repo, tmp_path):
    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", *words], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert run("-C", repo.path, "run", "echo.py").stdout == PLAIN
    repo.write("large.txt", "x" * 2000)
    ended = run("-C", repo.path, "-c", "gitrun.maxUntracked=1k", "run", "echo.py")
    assert "large.txt is not recorded: it is larger than 1 KiB" in ended.stderr


def test_git_dir_and_work_tree_from_anywhere(repo, tmp_path):
    shutil.move(repo.path / ".git", tmp_path / "store")
    where = {"GIT_DIR": str(tmp_path / "store"), "GIT_WORK_TREE": str(repo.path)}
    assert repo.run("echo.py", env=where, check=True).stdout == PLAIN
    (tmp_path / "else").mkdir()
    assert repo.run("--restart", "1", env=where, cwd=tmp_path / "else", check=True).stdout == PLAIN
    words = [
        "git",
        "--git-dir=../store",
        "--work-tree=.",
        "run",
        "--",
        "sh",
        "-c",
        "echo $GIT_DIR:$GIT_WORK_TREE; git status -s",
    ]
    ended = subprocess.run(words, cwd=repo.path, capture_output=True, text=True, check=True)
    assert ended.stdout == ":\n"


def test_an_alias(repo):
    repo.git("config", "alias.again", "!git run --restart 1")
    repo.git("config", "alias.e", "run echo.py")
    assert repo.git("e") == PLAIN.strip()
    (repo.path / "sub").mkdir()
    assert Repo(repo.path / "sub").git("again") == PLAIN.strip()


def test_a_hook_with_an_index_of_its_own(repo):
    look = "git run -- sh -c 'echo \"<$GIT_INDEX_FILE>\"; git status -s' >> ran.log 2>/dev/null || exit 1\n"
    hook = f"#!/bin/sh\ngit run echo.py > ran.log 2>&1 || exit 1\necho $GIT_INDEX_FILE >> ran.log\n{look}"
    repo.write(".git/hooks/pre-commit", hook).chmod(0o755)
    repo.write(".gitignore", "*.log\n")
    repo.write("echo.py", ECHO.replace("1.0", "5"))
    repo.git("commit", "-q", "-m", "by path", "echo.py")
    assert (repo.path / "ran.log").read_text().startswith("5 2 'a'\n")
    assert "next-index" in (repo.path / "ran.log").read_text()
    assert (repo.path / "ran.log").read_text().endswith("\n<>\n")
    assert repo.git("show", "--name-only", "--format=%s") == "by path\n\necho.py"
    assert repo.git("status", "--porcelain") == "?? .gitignore"


def test_no_identity_no_home(repo):
    bare = {"GIT_CONFIG_GLOBAL": "/dev/null", "HOME": "/nonexistent", "USER": "", "LOGNAME": "", "EMAIL": ""}
    repo.git("config", "user.useConfigOnly", "true")
    assert repo.run("echo.py", env=bare, check=True).stdout == PLAIN
    assert repo.run("--restart", "1", env=bare, check=True).stdout == PLAIN
    assert "@" in repo.git("log", "-1", "--format=%ae", "refs/runs/" + shown(repo)["id"])


def one_line(ended: subprocess.CompletedProcess[str], *words: str, code: int = 128) -> None:
    """The end of a refused call: nothing on stdout, one line that says what is."""
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (code, "", 1), ended.stderr
    assert ended.stderr.startswith("gitrun: ")
    assert all(word in ended.stderr for word in words), ended.stderr


VERBS = (["echo.py"], ["--restart", "1"], ["list"], ["show"], ["--", "true"])


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_no_repository(tmp_path, words):
    (tmp_path / "echo.py").write_text(ECHO)
    one_line(Repo(tmp_path).run(*words), "not a git repository", "git init")
    assert os.listdir(tmp_path) == ["echo.py"]  # noqa: PTH208


@pytest.mark.skipif(knows_reftables(shutil.which("git") or "git"), reason="this git reads reftables")
@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_a_reftable_repository_without_a_git_that_reads_it(repo, words):
    repo.forget_machine()
    repo.git("config", "core.repositoryFormatVersion", "1")
    repo.git("config", "extensions.refStorage", "reftable")
    ended = repo.run(*words)
    # git's own words about it come before ours
    ended.stderr = "".join(line for line in ended.stderr.splitlines(keepends=True) if line.startswith("gitrun:"))
    one_line(ended, "refstorage", "git 2.45 or newer")
    assert not (repo.path / ".git/gitrun").exists()


@pytest.mark.parametrize("words", [["echo.py"], ["--", "true"]], ids=" ".join)
def test_a_bare_repository(repo, tmp_path, words):
    subprocess.run(["git", "clone", "-q", "--bare", repo.path, tmp_path / "bare.git"], check=True)
    one_line(Repo(tmp_path / "bare.git").run(*words), "no working tree")
    assert not (tmp_path / "bare.git/gitrun").exists()


@pytest.mark.parametrize("words", [["echo.py"], ["--restart", "1"], ["--", "true"]], ids=" ".join)
def test_inside_of_git_itself(repo, words):
    repo.forget_machine()
    one_line(repo.run(*words, cwd=repo.path / ".git/refs"), "working tree")
    assert not (repo.path / ".git/gitrun").exists()


def test_a_path_with_a_line_end(repo, tmp_path):
    shutil.copytree(repo.path, tmp_path / "line\nend")
    one_line(Repo(tmp_path / "line\nend").run("echo.py"), "line break")


def test_a_broken_configuration(repo):
    repo.write(".git/config", "[core\n")
    one_line(subprocess.run(["git-run", "echo.py"], cwd=repo.path, capture_output=True, text=True, check=False), "config")


def test_a_broken_setting(repo):
    one_line(
        repo.run("echo.py", env={"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "gitrun.bring", "GIT_CONFIG_VALUE_0": "2"}),
        "gitrun.bring",
        "true or false",
        code=129,
    )


def test_untracked_files_outside_of_a_sparse_checkout_are_there_for_the_program(repo):
    repo.write("big/not-here.txt", "x")
    repo.commit()
    repo.git("sparse-checkout", "set", "--cone", "nothing")
    repo.write("fresh/new.txt", "new")
    assert repo.run("--", "cat", "fresh/new.txt", check=True).stdout == "new"
    assert repo.run("--", "cat", "fresh/new.txt", check=True).stdout == "new"
    repo.run("--", "sh", "-c", "mkdir -p out; echo 1 >> out/ckpt", check=True)
    repo.run("--restart", "1", check=True)
    run = shown(repo)["id"]
    assert repo.git("cat-file", "blob", f"refs/runs/{run}:out/ckpt") == "1\n1"


def test_a_slot_is_sparse_no_longer_when_the_working_tree_is_not(repo):
    repo.write("big/file.txt", "x")
    repo.commit()
    repo.git("sparse-checkout", "set", "nothing")
    repo.run("--", "test", "!", "-e", "big/file.txt", check=True)
    repo.git("sparse-checkout", "disable")
    repo.run("--", "test", "-e", "big/file.txt", check=True)
    repo.git("sparse-checkout", "set", "nothing")
    repo.run("--", "test", "!", "-e", "big/file.txt", check=True)


def test_a_path_with_blanks_quotes_and_bytes(repo, tmp_path):
    for name in ('it\'s a "quote"', "-a=b:c", os.fsdecode(b"caf\xe9")):
        shutil.copytree(repo.path, tmp_path / name)
        runs_and_restarts(Repo(tmp_path / name))
