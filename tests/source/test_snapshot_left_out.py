"""What stays out of a snapshot is named, lent to the program, and never taken for something that the program made."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
import tomli
from sampled import sampled
from supervised import without_root

if TYPE_CHECKING:
    from repository import Repo

MIB = 1 << 20


def shown(repo: Repo) -> dict:
    return json.loads(repo.run("show", "--json", check=True).stdout)


def skipped(repo: Repo) -> dict[str, str]:
    """The files that the newest run left out, each with the reason, as run.toml says."""
    run = tomli.loads(repo.git("cat-file", "blob", f"{shown(repo)['id']}:.gitrun/run.toml"))
    return {each["path"]: each["reason"] for each in run["source"].get("skipped", [])}


def recorded(repo: Repo) -> set[str]:
    """The names in the tree of the newest run's result, ours left out."""
    listed = repo.git("ls-tree", "-r", "--name-only", f"refs/runs/{shown(repo)['id']}").splitlines()
    return {name for name in listed if not name.startswith(".gitrun/")}


def test_a_directory_that_nobody_may_open_is_left_out_and_named(repo):
    repo.write("d/e/file", "x")
    repo.write("ignored/file", "x")
    repo.write(".gitignore", "ignored/\n")
    (repo.path / "ignored").chmod(0)
    (repo.path / "d" / "e").chmod(0)
    ended = without_root(repo, "--", "sh", "-c", "ls d/e")
    assert "d/e is not recorded: it cannot be read (your program still sees it)" in ended.stderr
    assert "ls: cannot open directory 'd/e'" in ended.stderr
    assert skipped(repo) == {"d/e": "cannot be read"}


def test_an_untracked_file_that_git_cannot_clean_is_left_out_and_named(repo):
    repo.write(".gitattributes", "*.bad filter=broken\n")
    repo.git("config", "filter.broken.clean", "false")
    repo.git("config", "filter.broken.required", "true")
    repo.write("a.bad", "x")
    assert "a.bad is not recorded: git cannot add it" in repo.run("echo.py", check=True).stderr
    assert skipped(repo) == {"a.bad": "git cannot add it"}


def test_a_large_untracked_file_is_left_out_named_and_lent(repo):
    repo.write("data/large.bin", b"x" * (10 * MIB + 1))
    repo.write("data/just.bin", b"x" * (10 * MIB))
    ended = repo.run("--", "sh", "-c", "wc -c < data/large.bin; test ! -L data/large.bin", check=True)
    assert ended.stdout.strip() == str(10 * MIB + 1)
    assert "warning: data/large.bin is not recorded: it is larger than 10 MiB (your program still sees it)" in ended.stderr
    assert skipped(repo) == {"data/large.bin": "larger than 10 MiB"}
    assert recorded(repo) == {"echo.py", "data/just.bin"}
    assert shown(repo)["files"] == []


@pytest.mark.parametrize("name", sampled(2, [".env", ".env.local", "key.pem", "id_rsa", "sub/.netrc", "credentials.json"]))
def test_what_looks_like_a_secret_is_left_out_named_and_lent(repo, name):
    repo.write(name, "secret")
    ended = repo.run("--", "grep", "-c", "secret", name, check=True)
    assert f"{name} is not recorded: it looks like a secret (your program still sees it). To hide" in ended.stderr
    assert recorded(repo) == {"echo.py"}
    blob = repo.git("hash-object", name)
    assert blob not in repo.git("cat-file", "--batch-all-objects", "--batch-check")


def test_what_is_left_out_and_ignored_goes_without_saying(repo):
    repo.write(".env", "secret")
    repo.write(".gitignore", ".env\n")
    assert "recorded" not in repo.run("--", "grep", "-c", "secret", ".env", check=True).stderr


def test_a_secret_that_is_tracked_is_the_users_own_will(repo):
    repo.write(".env", "in git")
    repo.git("add", "-f", ".env")
    repo.run("--", "true", check=True)
    assert ".env" in recorded(repo)


def test_both_limits_are_settings(repo):
    repo.write("large.txt", "x" * 2000)
    repo.write("my.secret", "x")
    repo.write(".env", "x")
    repo.git("config", "gitrun.maxUntracked", "1k")
    repo.git("config", "--add", "gitrun.secrets", "*.secret")
    repo.run("--", "true", check=True)
    assert skipped(repo) == {"large.txt": "larger than 1 KiB", "my.secret": "looks like a secret"}
    repo.git("config", "gitrun.maxUntracked", "1m")
    repo.git("config", "--replace-all", "gitrun.secrets", "")
    repo.run("--", "true", check=True)
    assert skipped(repo) == {}


def test_ignored_files_are_copies_in_real_directories_and_caches_are_not_lent(repo):
    repo.write(".gitignore", "data/\n*.log\n__pycache__/\n")
    repo.write("data/deep/x", "x")
    repo.write("sub/a.log", "log")
    repo.write("sub/__pycache__/m.pyc", "cache")
    look = "test ! -L data && test ! -L data/deep && test -f data/deep/x && test -f sub/a.log && test ! -e sub/__pycache__"
    repo.run("--", "sh", "-c", look, check=True)
    assert recorded(repo) == {".gitignore", "echo.py"}
    lent = tomli.loads(repo.git("cat-file", "blob", f"{shown(repo)['id']}:.gitrun/lent.toml"))["lent"]
    assert [(one["path"], one["how"], one["files"], one["bytes"]) for one in lent] == [
        ("data/", "copy", 1, 1),
        ("sub/a.log", "copy", 1, 3),
    ]
    assert shown(repo)["files"] == []


def test_a_directory_that_is_half_tracked_gets_the_ignored_files_too(repo):
    repo.write("data/kept.txt", "kept")
    repo.write(".gitignore", "data/*\n!data/kept.txt\n")
    repo.commit()
    repo.write("data/other", "other")
    repo.write("data/more/x", "x")
    assert repo.run("--", "sh", "-c", "cat data/*.txt data/other data/more/x", check=True).stdout == "keptotherx"
    assert shown(repo)["files"] == []


def test_a_restart_sees_what_git_ignores_now(repo):
    repo.write(".gitignore", "data/\n")
    repo.write("data/x", "1")
    repo.run("--", "cat", "data/x", check=True)
    repo.write("data/x", "2")
    assert repo.run("--restart", "1", check=True).stdout == "2"
    assert repo.run("--restart", "1", "--no-link").returncode == 1


def test_no_link_links_nothing(repo):
    repo.write(".gitignore", "data/\n")
    repo.write("data/x", "x")
    repo.write(".env", "x")
    ended = repo.run("--no-link", "--", "sh", "-c", "test ! -e data && test ! -e .env", check=True)
    assert ".env is not recorded: it looks like a secret. To" in ended.stderr
    repo.git("config", "gitrun.link", "false")
    repo.run("--", "sh", "-c", "test ! -e data && test ! -e .env", check=True)


def test_link_names_what_is_not_to_be_recorded(repo):
    repo.write("corpus/a.txt", "a")
    repo.write("one.txt", "1")
    repo.write("two.txt", "2")
    words = ["--link", "corpus", "--link", "one.txt", "--", "sh", "-c", "cat corpus/a.txt one.txt two.txt"]
    assert repo.run(*words, check=True).stdout == "a12"
    assert recorded(repo) == {"echo.py", "two.txt"}


def test_link_from_a_subdirectory(repo):
    repo.write("sub/big/a.txt", "a")
    repo.run("--link", "big", "--", "test", "-L", "big", cwd=repo.path / "sub", check=True)
    assert recorded(repo) == {"echo.py"}


@pytest.mark.parametrize(("path", "word"), [("nowhere", "does not exist"), ("echo.py", "tracked by git"), ("../x", "outside")])
def test_a_link_that_cannot_be_is_refused(repo, path, word):
    ended = repo.run("--link", path, "--", "true")
    assert (ended.returncode, ended.stderr.count("\n")) == (129, 1)
    assert word in ended.stderr
    assert repo.git("for-each-ref", "refs/runs") == ""


def test_what_is_written_through_a_link_is_said_and_recorded(repo):
    repo.write(".gitignore", "data/\n")
    repo.write("data/x", "before")
    ended = repo.run("--link", "data", "--", "sh", "-c", "echo after > data/x; echo new > data/new", check=True)
    assert "warning: the program wrote into files that the run shares: data/" in ended.stderr
    result = tomli.loads(repo.git("cat-file", "blob", f"refs/runs/{shown(repo)['id']}:.gitrun/result.toml"))
    assert sorted(one["path"] for one in result["shared"]) == ["data/new", "data/x"]
    assert (repo.path / "data/x").read_text() == "after\n"
    assert shown(repo)["files"] == []
    assert "not its own" not in repo.run("--link", "data", "--", "cat", "data/x", check=True).stderr


def test_what_a_program_puts_in_place_of_a_link_is_its_own(repo):
    repo.write(".gitignore", "*.ckpt\ndata/\n")
    repo.write("model.ckpt", "old")
    repo.write("data/x", "mine")
    script = "echo new > t && mv t model.ckpt; rm data; mkdir data; echo made > data/made"
    repo.run("--link", "data", "--link", "model.ckpt", "--", "sh", "-c", script, check=True)
    found = {file["path"]: file["stored"] for file in shown(repo)["files"]}
    assert found == {"model.ckpt": "local", "data/made": "local"}
    assert repo.run("cat", "-p", "model.ckpt").stdout == "new\n"
    assert (repo.path / "model.ckpt").read_text() == "old"
    assert repo.run("--", "cat", "model.ckpt", "data/x", check=True).stdout == "oldmine"


def test_of_very_many_ignored_files_only_directories_are_lent_and_what_is_named(repo):
    repo.write(".gitignore", "*.png\nbig/\n")
    (repo.path / "shots").mkdir()
    for number in range(10_001):
        (repo.path / f"shots/{number}.png").touch()
    repo.write("big/x", "x")
    repo.write(".env", "x")
    look = ["--", "sh", "-c", "test ! -e shots/1.png && test -e big/x && test -e .env"]
    ended = repo.run(*look, check=True)
    assert "warning: 10,001 ignored files are not lent: there are too many. To lend them: --link DIRECTORY" in ended.stderr
    repo.run("--link", "shots", "--", "sh", "-c", "test -L shots && test -f shots/1.png", check=True)
    repo.run("--link", "shots/7.png", "--", "sh", "-c", "test -f shots/7.png && test ! -e shots/8.png", check=True)


def test_links_into_nothing_and_odd_names_are_linked(repo):
    repo.write(".gitignore", "*.ig\n")
    (repo.path / "dangling.ig").symlink_to("/nowhere")
    repo.write(os.fsdecode(b"caf\xe9\n.ig"), "odd")
    script = "import os\nprint(sorted(n for n in os.listdir(b'.') if n.endswith(b'.ig')))\n"
    repo.write("look.py", script)
    assert repo.run("look.py", check=True).stdout == "[b'caf\\xe9\\n.ig', b'dangling.ig']\n"
    assert shown(repo)["files"] == []
