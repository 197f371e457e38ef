"""What an attempt leaves and the next one sees: checkpoints, never changes to source; and what a working tree gets of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from job_runs import script, shown
from sampled import sampled

if TYPE_CHECKING:
    from repository import Repo

MIB = 1 << 20


def files(repo: Repo) -> dict[str, str]:
    """The produced files of the newest run, each with where it is stored."""
    return {file["path"]: file["stored"] for file in shown(repo)["files"]}


def result_names(repo: Repo) -> set[str]:
    listed = subprocess.run(
        ["git", "ls-tree", "-r", "-z", "--name-only", f"refs/runs/{shown(repo)['id']}"],
        cwd=repo.path, capture_output=True, check=True,
    )  # fmt: skip
    return {os.fsdecode(name) for name in listed.stdout.split(b"\0")[:-1] if not name.startswith(b".gitrun/")}


COUNT = """\
import pathlib
p = pathlib.Path({path!r})
p.parent.mkdir(parents=True, exist_ok=True)
p.write_bytes((p.read_bytes() if p.exists() else b"") + b"x" * {size})
print(p.stat().st_size)
"""


@pytest.mark.parametrize(
    ("path", "size", "stored"),
    sampled(
        3,
        [
            ("n.txt", 1, "git"),
            ("out/deep/n.txt", 1, "git"),
            ("kept.ignored", 1, "local"),
            ("ignored-dir/n", 1, "local"),
            ("large.bin", 11 * MIB, "local"),
            ("odd\nline\rend\r", 1, "git"),
            ("ends with\r", 1, "git"),
            (' "quote" \\back', 1, "git"),
            ("-dash", 1, "git"),
            (os.fsdecode(b"caf\xe9/\xff"), 1, "git"),
            (os.fsdecode(b"caf\xe9.ignored"), 1, "local"),
        ],
    ),
)
def test_a_restart_sees_what_the_attempt_before_produced(repo, path, size, stored):
    repo.write(".gitignore", "*.ignored\nignored-dir/\n")
    assert script(repo, COUNT.format(path=path, size=size)).stdout == f"{size}\n"
    assert list(files(repo).values()) == [stored]
    repo.git("gc", "-q", "--prune=now")
    assert repo.run("--restart", "1", check=True).stdout == f"{2 * size}\n"
    repo.write("unrelated.txt", "x")
    repo.git("gc", "-q", "--prune=now")
    assert repo.run("--restart", "1", "--force-sourcecode", check=True).stdout == f"{3 * size}\n"
    assert repo.run("--restart", "1", "--clean", check=True).stdout == f"{size}\n"
    assert not (repo.path / path).exists()


def test_a_clean_restart_that_is_staged_stays_clean(repo):
    repo.write(".gitignore", "*.ignored\n")
    script(repo, COUNT.format(path="n.ignored", size=1))
    repo.run("--restart", "1", "--stage", "--clean", check=True)
    assert repo.run("--start", "1", check=True).stdout == "1\n"


def test_a_restart_does_not_see_changes_to_source(repo):
    repo.write("data.txt", "as it was")
    text = "print(open('data.txt').read(), __file__.endswith('job.py'))\nopen('data.txt', 'w').write('changed')\n"
    script(repo, text + "open('echo.py', 'w').write('')\n")
    assert set(files(repo)) == {"data.txt", "echo.py"}
    assert repo.run("--restart", "1", check=True).stdout == "as it was True\n"


def test_what_is_carried_never_lies_over_a_path_of_the_source(repo):
    text = (
        "import os\nos.makedirs('out', exist_ok=True)\nopen('out/a', 'w').write('produced')\nopen('b', 'w').write('produced')\n"
    )
    script(repo, text)
    repo.write("job.py", "import os\nprint(open('out').read(), os.listdir('b'))\n")
    repo.write("out", "a file now")
    repo.write("b/inner", "a directory now")
    assert repo.run("--restart", "1", "--force-sourcecode", check=True).stdout == "a file now ['inner']\n"


def test_deleted_files_are_not_in_the_result(repo):
    repo.write("d/x", "x")
    repo.write("d/y", "y")
    script(repo, "import os\nos.remove('echo.py')\nos.remove('d/x')\n")
    assert result_names(repo) == {"job.py", "d/y"}


def test_a_file_replaced_by_a_directory_and_a_directory_by_a_file(repo):
    repo.write("d/x", "x")
    script(
        repo,
        "import os\nos.remove('echo.py')\nos.mkdir('echo.py')\nopen('echo.py/in', 'w')\nos.remove('d/x')\nos.rmdir('d')\n"
        "open('d', 'w').write('file')\n",
    )
    assert result_names(repo) == {"job.py", "echo.py/in", "d"}


def test_links_pipes_and_executables(repo):
    repo.write(".gitignore", "*.ignored\n")
    script(
        repo,
        "import os\nos.symlink('/nowhere', 'link')\nos.symlink('x', 'l.ignored')\nos.mkfifo('pipe')\n"
        "open('tool', 'w')\nos.chmod('tool', 0o755)\n",
    )
    assert files(repo) == {"link": "git", "l.ignored": "local", "tool": "git"}
    listed = repo.git("ls-tree", f"refs/runs/{shown(repo)['id']}", "link", "tool")
    assert [line.split()[0] for line in listed.splitlines()] == ["120000", "100755"]


def test_checkout_brings_every_kind_of_file(repo):
    repo.write(".gitignore", "*.ignored\n")
    odd = os.fsdecode(b"caf\xe9\n.txt")
    script(
        repo,
        f"import os\nopen({odd!r}, 'w').write('odd')\nopen('i.ignored', 'w').write('i')\nos.symlink('x', 'link')\n"
        "os.makedirs('a/b')\nopen('a/b/c', 'w').write('c')\n",
    )
    for _ in range(2):  # the second time all is there already
        told = repo.run("checkout", "1", check=True).stderr
        assert told == f"gitrun: copied 4 files of run {shown(repo)['id'][:8]}\n"
    assert [(repo.path / name).read_text() for name in (odd, "i.ignored", "a/b/c")] == ["odd", "i", "c"]
    assert (repo.path / "link").readlink() == Path("x")


def test_checkout_leaves_what_was_changed(repo):
    script(repo, "open('echo.py', 'a').write('#')\nopen('new', 'w').write('n')\nimport os\nos.mkdir('d')\nopen('d/x', 'w')\n")
    repo.write("new", "mine")
    repo.write("d", "a file")
    ended = repo.run("checkout", "1")
    assert (ended.returncode, (repo.path / "new").read_text(), (repo.path / "d").read_text()) == (1, "mine", "a file")
    assert (repo.path / "echo.py").read_text().endswith("#")
    assert "not overwritten: d/x, new. To overwrite: --force" in ended.stderr


@pytest.mark.parametrize(
    "path", sampled(3, ["/tmp/evil", "../evil", ".git/hooks/evil", ".GIT/evil", ".g\u200cit/evil", "a/.git/evil", ""])
)
def test_a_foreign_run_cannot_make_checkout_write_elsewhere(repo, path):
    script(repo, "open('made', 'w').write('x')\n")
    run = shown(repo)["id"]
    toml = repo.git("cat-file", "blob", f"refs/runs/{run}:.gitrun/result.toml").replace('path = "made"', f"path = '{path}'")
    index = {"GIT_INDEX_FILE": str(repo.path / ".git/i")}
    kept = repo.path / ".git/gitrun/files" / run / run
    kept.mkdir(parents=True)

    def git(*words: str, text: str = "") -> str:
        done = subprocess.run(
            ["git", *words], cwd=repo.path, env={**os.environ, **index}, input=text, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    git("read-tree", f"refs/runs/{run}")
    blob = git("hash-object", "-w", "--stdin", text=toml)
    git("update-index", "--cacheinfo", f"100644,{blob},.gitrun/result.toml")
    made = git("commit-tree", git("write-tree"), "-p", run, "-F", "-", text=git("log", "-1", "--format=%B", f"refs/runs/{run}"))
    repo.git("update-ref", f"refs/runs/{run}", made)
    before = {each for each in repo.path.rglob("*") if "gitrun" not in each.parts}
    assert repo.run("checkout", run).returncode == 1
    assert {each for each in repo.path.rglob("*") if "gitrun" not in each.parts} == before


def test_a_staged_restart_hands_checkpoints_on(repo):
    repo.write(".gitignore", "*.ignored\n")
    script(repo, COUNT.format(path="n.ignored", size=1))
    repo.run("--restart", "1", "--stage", check=True)
    assert repo.run("--start", "1", check=True).stdout == "2\n"


def test_what_is_carried_never_takes_the_place_of_a_file_above_it(repo):
    repo.write("out/x", "x")
    script(repo, "open('out/new', 'w')\n")
    shutil.rmtree(repo.path / "out")
    repo.write("out", "a file now")
    repo.write("job.py", "print(open('out').read())\n")
    assert repo.run("--restart", "1", "--force-sourcecode", check=True).stdout == "a file now\n"


def test_what_is_kept_beside_never_lies_over_a_path_of_the_source(repo, tmp_path):
    repo.write(".gitignore", "*.ignored\n")
    script(
        repo, "import os\nos.makedirs('out/in')\nopen('out/in/a.ignored', 'w')\nos.mkdir('way')\nopen('way/b.ignored', 'w')\n"
    )
    repo.write("job.py", "import os\nprint(open('out').read(), os.listdir('way'))\n")
    repo.write("out", "a file now")
    (tmp_path / "outside").mkdir()
    (repo.path / "way").symlink_to(tmp_path / "outside")
    assert repo.run("--restart", "1", "--force-sourcecode", check=True).stdout == "a file now []\n"
    assert list((tmp_path / "outside").iterdir()) == []


def test_line_ends_of_a_produced_file_stay(repo):
    repo.write(".gitattributes", "* text=auto\n*.csv text\n")
    script(repo, "open('rows.csv', 'wb').write(b'a\\r\\nb\\r\\n')\nopen('lone.txt', 'wb').write(b'a\\r\\nb\\n')\n")
    assert repo.run_bytes("cat", "-p", "rows.csv").stdout == b"a\r\nb\r\n"
    assert repo.run_bytes("cat", "-p", "lone.txt").stdout == b"a\r\nb\n"
    repo.run("checkout", "1", check=True)
    assert (repo.path / "rows.csv").read_bytes() == b"a\r\nb\r\n"


def test_a_file_replaced_by_a_directory_of_ignored_files(repo):
    repo.write(".gitignore", "*.ignored\n")
    script(repo, "import os\nos.remove('echo.py')\nos.mkdir('echo.py')\nopen('echo.py/a.ignored', 'w')\n")
    assert result_names(repo) == {".gitignore", "job.py"}
    assert files(repo) == {"echo.py/a.ignored": "local"}


def test_a_directory_replaced_by_a_link_to_another(repo):
    repo.write("d/x", "x")
    repo.write("e/x", "other")
    script(repo, "import os\nos.remove('d/x')\nos.rmdir('d')\nos.symlink('e', 'd')\n")
    assert result_names(repo) == {"job.py", "echo.py", "d", "e/x"}
    assert repo.git("cat-file", "blob", f"refs/runs/{shown(repo)['id']}:d") == "e"


@pytest.mark.skipif(
    not shutil.which("setpriv") or os.geteuid() != 0, reason="root reads everything unless setpriv takes that away"
)
def test_a_file_that_its_program_made_unreadable_is_kept(repo):
    repo.write("job.py", "import os\nopen('made', 'w').write('x')\nos.chmod('made', 0)\n")
    words = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "git", "run", "job.py"]
    subprocess.run(words, cwd=repo.path, check=True, capture_output=True)
    assert repo.run("cat", "-p", "made").stdout == "x"
