"""What a run needs before it starts: files of other runs, inputs, downloads; found, checked, recorded, kept on restart."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import signal
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import tomli
from clones import clone
from needing_runs import PREPARE, PROJECT, TRAIN, refused
from supervised import last, live, said, start, until

from gitrun import Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from repository import Repo


def record(repo: Repo, name: str = "run.toml", run: str = "") -> dict[str, Any]:
    """What a file of the record of the newest run, or another, says."""
    return tomli.loads(repo.git("show", f"runs/{run or last(repo)['id']}:.gitrun/{name}"))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_files_of_the_marked_else_the_latest_completed_run_are_there(needing) -> None:
    needing.run("prepare", "n=1", check=True)
    needing.run("prepare", "n=2", check=True)
    needing.write("prepare.py", PREPARE + "raise SystemExit(1)\n")
    needing.run("prepare", "n=9")
    assert needing.run("train", check=True).stdout == "xx\n"
    assert record(needing)["needs"][0]["files"] == [{"path": "data/a.txt", "sha256": sha256("xx")}]
    assert "files" not in record(needing, "result.toml")
    needing.run("mark", "4", check=True)
    assert needing.run("train", check=True).stdout == "x\n"


def test_needed_operation_with_marks_of_two_places_is_ambiguous(needing) -> None:
    for n in ("n=1", "n=2"):
        needing.run("prepare", n, check=True)
    project = Project(needing.path)
    project.annotate(project.list_runs(), lambda notes: replace(notes, marked=True), "mark")
    assert refused(needing, "train").startswith("2 runs of 'prepare' are marked: ")


def test_run_is_named_by_number_label_or_id_and_must_be_of_the_operation(needing) -> None:
    needing.run("prepare", "n=1", "--label", "one", check=True)
    needing.run("prepare", "n=2", check=True)
    known = last(needing)["id"]
    assert [needing.run("train", f"prepare={name}").stdout for name in ("one", known[:8], "runs/" + known)] == [
        "x\n",
        "xx\n",
        "xx\n",
    ]
    assert record(needing)["needs"][0]["run"] == known
    assert "prepare" not in last(needing)["flags"]
    assert refused(needing, "train", "prepare=1").startswith("train needs a run of prepare, but ")
    assert "no run" in refused(needing, "train", "prepare=nosuch")


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        ('{ prepare = "data/c.txt" }', "train needs 'data/c.txt' of prepare, but run "),
        (
            '{ nosuch = "a" }',
            "train needs files of a completed run of nosuch, but no such run exists. To make one: git run nosuch",
        ),
    ],
)
def test_what_is_missing_is_refused_and_leaves_no_run(needing, needs, words) -> None:
    needing.run("prepare", check=True)
    needing.write("gitrun.toml", PROJECT.replace('{ prepare = "data/*.txt" }', needs))
    assert refused(needing, "train").startswith(words)


def test_restart_keeps_the_run_that_was_found_unless_told_otherwise(needing) -> None:
    needing.run("prepare", "n=1", check=True)
    needing.run("train", check=True)
    needing.run("prepare", "n=2", check=True)
    assert needing.run("--restart", "train", "lr=2", check=True).stdout == "x\n"
    assert needing.run("--restart", "train", "prepare=prepare", check=True).stdout == "xx\n"
    assert needing.run("--restart", "train", check=True).stdout == "xx\n"


def test_restart_of_an_entry_that_resolves_always_looks_anew(needing) -> None:
    needing.write("gitrun.toml", PROJECT + 'resolve = "always"\n')
    needing.run("prepare", "n=1", check=True)
    needing.run("train", check=True)
    needing.run("prepare", "n=2", check=True)
    assert needing.run("--restart", "train", check=True).stdout == "xx\n"


@pytest.mark.parametrize("ignored", ["", "*.txt\n"])
def test_restart_uses_the_files_of_the_attempt_that_it_used_though_that_run_went_on(needing, ignored) -> None:
    needing.write(".gitignore", ignored)
    needing.run("prepare", "n=1", check=True)
    needing.run("train", check=True)
    needing.run("--restart", "prepare", "n=2", check=True)
    needing.run("--restart", "prepare", "n=3", check=True)
    assert needing.run("--restart", "train", "lr=2", check=True).stdout == "x\n"
    assert needing.run("--restart", "train", "prepare=prepare", check=True).stdout == "xxx\n"
    needing.run("--restart", "prepare", "n=1", check=True)
    assert needing.run("--restart", "train", check=True).stdout == "xxx\n"


def test_restart_takes_no_file_that_came_into_the_needed_run_later(needing) -> None:
    needing.write("prepare.py", PREPARE + "if n > 1: open('data/b.txt', 'w').write('new')\n")
    needing.run("prepare", "n=1", check=True)
    needing.write("train.py", "import os\nprint(*sorted(os.listdir('data')))\n")
    needing.run("train", check=True)
    needing.run("--restart", "prepare", "n=2", check=True)
    needing.run("--restart", "prepare", "n=1", check=True)
    assert needing.run("--restart", "train", check=True).stdout == "a.txt\n"
    assert needing.run("train", check=True).stdout == "a.txt b.txt\n"


def test_what_was_fetched_is_no_file_for_a_program_until_it_is_trusted(needing, tmp_path) -> None:
    bob = clone(needing.path, tmp_path / "bob")
    needing.run("prepare", "n=2", check=True)
    bob.run("fetch", check=True)
    assert " was not made here, and is not trusted" in refused(bob, "train")
    assert " was not made here, and is not trusted" in refused(bob, "train", "prepare=prepare")
    bob.run("prepare", "n=1", check=True)
    needing.run("prepare", "n=3", check=True)
    bob.run("fetch", check=True)
    assert bob.run("train", check=True).stdout == "x\n"
    needing.run("mark", "1", check=True)
    bob.run("fetch", check=True)
    assert " was not made here, and is not trusted" in refused(bob, "train")
    bob.run("trust", "prepare", check=True)
    assert bob.run("train", check=True).stdout == "xxx\n"


def test_restart_is_refused_when_the_attempt_that_it_used_is_elsewhere(needing, tmp_path) -> None:
    needing.run("prepare", "n=1", check=True)
    bob = clone(needing.path, tmp_path / "bob")
    bob.run("fetch", check=True)
    bob.run("trust", "prepare", check=True)
    bob.run("--restart", "prepare", "n=2", check=True)
    bob.run("train", check=True)
    alone = f"refs/runs/{bob.run('select', 'train', check=True).stdout.strip()}"  # git run push takes the other one along
    bob.git("push", "--quiet", "origin", f"{alone}:{alone}")
    needing.run("trust", "train", check=True)
    assert "has 'data/a.txt' as train used it. To fetch attempts made elsewhere: git run fetch" in refused(
        needing, "--restart", "train"
    )
    assert needing.run("--restart", "train", "prepare=prepare", check=True).stdout == "x\n"
    bob.run("push", "origin", "prepare", check=True)
    assert needing.run("--restart", "train", check=True).stdout == "x\n"


def test_file_that_is_not_in_git_is_copied_and_refused_when_it_is_gone(needing) -> None:
    needing.write(".gitignore", "*.txt\n")
    needing.run("prepare", "n=4", check=True)
    kept = next((needing.path / ".git/gitrun/files").rglob("a.txt"))
    needing.write("train.py", TRAIN + "open('data/a.txt', 'w').write('changed')\n")
    assert needing.run("train", check=True).stdout == "xxxx\n"
    assert kept.read_text() == "xxxx"
    kept.unlink()
    assert needing.run("train", check=True).stdout == "xxxx\n"  # it was small enough for the result
    needing.git("config", "gitrun.maxIgnored", "0")
    needing.run("prepare", "n=5", check=True)
    next(
        (needing.path / ".git/gitrun/files" / json.loads(needing.run("show", "--json", check=True).stdout)["id"]).rglob("a.txt")
    ).unlink()
    assert " of prepare, which is not on this machine" in refused(needing, "train")


def test_file_that_a_filter_stores_is_had_as_the_program_left_it(needing) -> None:
    needing.git("config", "filter.up.clean", "tr a-z A-Z")
    needing.git("config", "filter.up.smudge", "tr A-Z a-z")
    needing.write(".gitattributes", "*.txt filter=up\n")
    needing.run("prepare", "n=4", check=True)
    assert needing.run("train", check=True).stdout == "xxxx\n"


def test_file_lies_in_a_directory_that_is_linked_in_and_nothing_is_written_through(needing) -> None:
    needing.write(".gitignore", "data/\n")
    needing.write("data/own.txt", "mine")
    needing.write("prepare.py", "open('data/a.txt', 'w').write('new')\n")
    needing.write(
        "gitrun.toml", PROJECT.replace("train.py", "train.py").replace('"prepare.py"', '"prepare.py"\noutputs = ["data/a.txt"]')
    )
    needing.run("prepare", check=True)
    assert not (needing.path / "data/a.txt").exists()
    needing.write("train.py", TRAIN + "print(open('data/own.txt').read())\n")
    assert needing.run("train", check=True).stdout == "new\nmine\n"
    assert sorted(path.name for path in (needing.path / "data").iterdir()) == ["own.txt"]


def test_program_that_overwrites_a_needed_file_has_it_as_its_own_and_the_other_run_stays(needing) -> None:
    needing.run("prepare", "n=2", check=True)
    made = last(needing)["id"]
    needing.write("train.py", TRAIN + "open('data/a.txt', 'a').write('!')\n")
    needing.run("train", check=True)
    assert [file["path"] for file in record(needing, "result.toml")["files"]] == ["data/a.txt"]
    assert needing.run("cat", "-p", "data/a.txt", made).stdout == "xx"
    assert needing.git("show", f"runs/{last(needing)['id']}:data/a.txt") == "xx!"


def test_started_in_a_subdirectory_takes_the_files_from_the_top(needing) -> None:
    needing.write("sub/data/a.txt", "not this")
    needing.run("prepare", "n=2", check=True)
    assert needing.run("train", cwd=needing.path / "sub", check=True).stdout == "xx\n"


def test_killed_run_does_not_list_what_was_put_there_for_it(needing) -> None:
    needing.write("conf.yaml", "lr: 1\nopt: sgd\n")
    needing.write("gitrun.toml", PROJECT + 'flags-to = "file:conf.yaml"\n')
    needing.write("train.py", "import time\nopen('made', 'w').write('1')\nprint('ready', flush=True)\ntime.sleep(60)\n")
    needing.run("prepare", check=True)
    process = start(needing, "train", "lr=5")
    said(process)
    paths = until(lambda: [path / "owner" for path in live(needing) if (path / "owner").exists()])
    os.kill(json.loads(paths[0].read_text())["pid"], signal.SIGKILL)
    process.communicate()
    assert last(needing)["status"] == "terminated"
    assert [file["path"] for file in record(needing, "result.toml")["files"]] == ["made"]


def reading(repo: Repo, name: str, inputs: str) -> None:
    """An operation that reads a file, with these inputs."""
    repo.write("gitrun.toml", f'[operations.read]\ncommand = ["cat", "{name}"]\ninputs = [{inputs}]\n')


@pytest.mark.parametrize("ignored", [False, True])
def test_input_is_hashed_and_there(repo, ignored) -> None:
    repo.write(".gitignore", "raw.csv\n" if ignored else "")
    repo.write("raw.csv", "1,2\n")
    reading(repo, "raw.csv", f'{{ path = "raw.csv", sha256 = "{sha256("1,2" + chr(10))}" }}')
    assert repo.run("read", check=True).stdout == "1,2\n"
    assert record(repo)["inputs"] == [{"path": "raw.csv", "size": 4, "sha256": sha256("1,2\n")}]
    repo.write("raw.csv", "1,3\n")
    assert (
        refused(repo, "read")
        == f"input raw.csv of read is not the file that its entry describes. Its sha256 is {sha256('1,3' + chr(10))}"
    )


def test_input_that_is_missing_is_refused(repo) -> None:
    reading(repo, "a", '"a"')
    assert refused(repo, "read").startswith("input a of read does not exist")


def test_directory_changes_with_what_is_in_it_and_the_next_attempt_says_so(repo) -> None:
    repo.write(".gitignore", "ignored\n")
    repo.write("data/tracked", "1")
    repo.write("data/sub/ignored", "2")
    reading(repo, "data/sub/ignored", '"data/"')
    assert repo.run("read", check=True).stdout == "2"
    first = record(repo)["inputs"][0]
    assert (first["path"], first["size"]) == ("data", 2)
    repo.write("data/tracked", "other, but not in the source of the run")
    assert "has changed" not in repo.run("--restart", "read", check=True).stderr
    repo.write("data/sub/ignored", "3")
    assert "note: input data has changed since the previous attempt" in repo.run("--restart", "read", check=True).stderr
    assert record(repo)["inputs"][0]["sha256"] != first["sha256"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of a server with a file, and what was asked of it."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200 if "big" in self.path else 404)
            self.end_headers()
            self.wfile.write(b"downloaded\n")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}", asked
        found.shutdown()
        thread.join()


def test_download_is_had_once_and_verified(repo, server) -> None:
    url, asked = server
    reading(repo, "big.bin", f'{{ url = "{url}/d/big.bin?x=1", sha256 = "{sha256("downloaded" + chr(10))}" }}')
    assert [repo.run("read", check=True).stdout for _ in range(2)] == ["downloaded\n"] * 2
    assert asked == ["/d/big.bin?x=1"]
    assert record(repo)["inputs"][0]["url"] == f"{url}/d/big.bin?x=1"
    assert "files" not in record(repo, "result.toml")


def test_download_that_is_another_file_or_not_there_is_refused(repo, server, tmp_path) -> None:
    url, _ = server
    reading(repo, "big.bin", f'{{ url = "{url}/big.bin", sha256 = "{"0" * 64}" }}')
    assert f"{url}/big.bin is not the file that input" in refused(repo, "read")
    reading(repo, "a", f'{{ url = "{url}/a", sha256 = "{"0" * 64}" }}')
    assert "HTTP Error 404" in refused(repo, "read")
    (tmp_path / "file").write_text("here")
    reading(repo, "in/x", f'{{ url = "file://{tmp_path}/file", path = "in/x", sha256 = "{sha256("here")}" }}')
    assert repo.run("read", check=True).stdout == "here"
    assert list((repo.path / ".git/gitrun/inputs").iterdir()) == [repo.path / f".git/gitrun/inputs/{sha256('here')}"]
