"""On the first attempt a program gets the user's own bytes and permissions, whatever git's settings make of them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from sampled import sampled

if TYPE_CHECKING:
    from repository import Repo

MIXED = b"a\r\nb\nc\r\n"
SUM = 'import hashlib\nprint(hashlib.sha256(open("in.csv", "rb").read()).hexdigest())\n'


@pytest.fixture
def repo(empty_repo: Repo) -> Repo:
    empty_repo.write("sum.py", SUM)
    return empty_repo


def line_ends(repo: Repo, setting: str) -> None:
    if setting.startswith("core."):
        repo.git("config", *setting.split("="))
    else:
        repo.write(".gitattributes", setting + "\n")


@pytest.mark.parametrize(
    ("setting", "content"),
    sampled(
        4,
        [
            (setting, content)
            for setting in ("core.autocrlf=input", "core.autocrlf=true", "*.csv text eol=lf", "*.csv text eol=crlf")
            for content in (b"a\r\nb\r\n", b"a\nb\n", MIXED)
        ],
    ),
)
def test_line_ends_are_those_of_the_working_tree(repo, setting, content):
    line_ends(repo, setting)
    repo.write("in.csv", content)
    repo.commit()
    repo.write("in.csv", content)
    expected = hashlib.sha256(content).hexdigest() + "\n"
    for _ in range(2):
        assert repo.run("sum.py", check=True).stdout == expected
    assert repo.run("--", "git", "status", "--porcelain", check=True).stdout == ""


def test_line_ends_that_are_changed_alone_are_seen(repo):
    line_ends(repo, "*.csv text=auto")
    for content in (b"a\nb\n", b"a\r\nb\r\n", b"a\nb\r\n", b"a\nb\n"):
        repo.write("in.csv", content)
        assert repo.run("sum.py", check=True).stdout == hashlib.sha256(content).hexdigest() + "\n"


def test_keywords_and_encodings_are_those_of_the_working_tree(repo):
    repo.write(".gitattributes", "*.csv ident\n*.txt working-tree-encoding=UTF-16LE text\n")
    content = b"$Id: not what git writes$\n"
    repo.write("in.csv", content)
    repo.write("u.txt", "ä\r\nb\r\n".encode("utf-16-le"))
    assert repo.run("sum.py", check=True).stdout == hashlib.sha256(content).hexdigest() + "\n"
    read = 'print(open("u.txt", "rb").read() == "ä\\r\\nb\\r\\n".encode("utf-16-le"))'
    repo.write("read.py", read)
    assert repo.run("read.py", check=True).stdout == "True\n"


def test_a_restart_runs_what_was_recorded(repo):
    line_ends(repo, "core.autocrlf=input")
    repo.write("in.csv", b"a\r\nb\r\n")
    repo.run("sum.py", check=True)
    repo.write("in.csv", b"other\r\n")
    assert repo.run("--restart", "1", check=True).stdout == hashlib.sha256(b"a\nb\n").hexdigest() + "\n"


@pytest.mark.parametrize("words", [("./job",), ("--", "./job"), ("--", "sh", "-c", "./job")], ids=["named", "word", "shell"])
def test_a_program_is_executable_where_git_does_not_look_at_modes(repo, words):
    repo.git("config", "core.fileMode", "false")
    repo.write("job", "#!/bin/sh\necho ran\n").chmod(0o755)
    repo.commit()
    assert repo.git("ls-files", "-s", "job").startswith("100644")
    for _ in range(2):
        assert repo.run(*words, check=True).stdout == "ran\n"
    assert repo.run("--restart", "1", check=True).stdout == "ran\n"


FINDS_ITS_KEY = """#!/bin/sh
# a filter as git-crypt's: its key is in git's directory
key="$(git rev-parse --git-dir)/key" && test -f "$key" || exit 1
{ printf 'sealed '; cat; }
"""
OPENS = """#!/bin/sh
key="$(git rev-parse --git-dir)/key" && test -f "$key" || exit 1
tail -c +8
"""


def test_a_filter_that_looks_for_its_key_works(repo, tmp_path):
    for name, text in (("seal", FINDS_ITS_KEY), ("open", OPENS)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    repo.git("config", "filter.seal.clean", str(tmp_path / "seal"))
    repo.git("config", "filter.seal.smudge", str(tmp_path / "open"))
    repo.git("config", "filter.seal.required", "true")
    (repo.path / ".git" / "key").touch()
    repo.write(".gitattributes", "*.csv filter=seal\n")
    repo.write("in.csv", "in the open\n")
    repo.commit()
    repo.write("work.py", SUM + 'open("out.csv", "w").write("made\\n")\nopen("in.csv", "a").write("more\\n")\n')
    expected = hashlib.sha256(b"in the open\n").hexdigest() + "\n"
    for words in (("work.py",), ("work.py",), ("--restart", "1")):
        assert repo.run(*words, check=True).stdout == expected
    assert repo.run("cat", "1", "-p", "out.csv", check=True).stdout == "made\n"
    assert repo.run("cat", "1", "-p", "in.csv", check=True).stdout == "in the open\nmore\n"
    assert repo.git("cat-file", "blob", f"{repo.run('select', '1').stdout.strip()}:in.csv").startswith("sealed ")
    assert (repo.path / "in.csv").read_text() == "in the open\n"


@pytest.mark.skipif(not shutil.which("git-crypt"), reason="git-crypt is not installed")
def test_git_crypt(repo):
    subprocess.run(["git-crypt", "init"], cwd=repo.path, check=True, capture_output=True)
    repo.write(".gitattributes", "*.csv filter=git-crypt diff=git-crypt\n")
    repo.write("in.csv", "1,2\n")
    repo.commit()
    expected = hashlib.sha256(b"1,2\n").hexdigest() + "\n"
    assert repo.run("sum.py", check=True).stdout == expected
    assert repo.run("--restart", "1", check=True).stdout == expected
    assert repo.git("status", "--porcelain") == ""


def test_index_head_and_branch_of_the_user_stay_with_filters(repo):
    repo.git("config", "filter.up.clean", "tr a-z A-Z")
    repo.git("config", "filter.up.smudge", "tr A-Z a-z")
    repo.write(".gitattributes", "*.txt filter=up\n")
    repo.write("in.txt", "hello\n")
    repo.commit()
    files = [repo.path / ".git" / name for name in ("index", "HEAD")]
    before = repo.git("show-ref", "--heads"), [path.read_bytes() for path in files]
    repo.write("new.txt", "new\n")
    repo.run("--", "cat", "in.txt", "new.txt", check=True)
    assert (repo.git("show-ref", "--heads"), [path.read_bytes() for path in files]) == before
