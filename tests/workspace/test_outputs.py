from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from sampled import sampled_values
from supervised import shown

from gitrun import Project
from gitrun.workspace import outputs
from gitrun.workspace.outputs import restore_files

if TYPE_CHECKING:
    from pathlib import Path

    from repository import Repo


def files_of(repo: Repo, run: str = "1") -> dict[str, dict[str, object]]:
    """What the run produced, by path."""
    return {file["path"]: file for file in shown(repo, run)["files"]}


def shell(repo: Repo, script: str) -> dict[str, dict[str, object]]:
    """What a run of the script produced."""
    repo.run("--", "bash", "-ec", script, check=True)
    return files_of(repo)


def tree(repo: Repo) -> str:
    """The paths and modes of the newest run's result."""
    run = repo.run("select", "1", check=True).stdout.strip()
    return repo.git("ls-tree", "-r", "--format=%(objectmode) %(path)", f"refs/runs/{run}")


def test_new_and_changed_files_are_in_the_result_and_are_listed(repo):
    files = shell(repo, "mkdir out; printf model > out/m; printf '#\n' >> echo.py")
    assert set(files) == {"out/m", "echo.py"}
    assert files["out/m"] == {"path": "out/m", "size": 5, "sha256": hashlib.sha256(b"model").hexdigest(), "stored": "git"}
    assert repo.run("cat", "1", "-p", "out/m", check=True).stdout == "model"


def test_a_file_that_a_program_deletes_is_gone_from_the_result(repo):
    assert shell(repo, "rm echo.py") == {}
    assert "echo.py" not in tree(repo)


def test_modes_links_and_names_are_kept(repo):
    shell(repo, "touch run $'a\\nb' '\"q' $'\\377'; chmod +x run; ln -s /etc/passwd out")
    found = tree(repo).splitlines()
    assert {"100755 run", '100644 "a\\nb"', "120000 out", '100644 "\\"q"', '100644 "\\377"'} <= set(found)


@pytest.mark.parametrize(
    "script", ["rm echo.py; mkdir echo.py; touch echo.py/x", "mkdir d; touch d/x; rm echo.py; mv d echo.py"]
)
def test_a_directory_in_place_of_a_file_is_in_the_result(repo, script):
    assert set(shell(repo, script)) == {"echo.py/x"}
    assert "100644 echo.py/x" in tree(repo)


def test_ignored_and_large_files_are_kept_beside_and_can_be_read(repo):
    repo.write(".gitignore", "*.bin\n")
    repo.git("config", "gitrun.maxProduced", "1k")
    files = shell(repo, "printf ignored > a.bin; head -c 2000 /dev/zero > large; printf small > small")
    assert {path: file["stored"] for path, file in files.items()} == {"a.bin": "local", "large": "local", "small": "git"}
    assert repo.run("cat", "1", "-p", "a.bin", check=True).stdout == "ignored"
    assert "large" not in tree(repo)


def test_what_is_kept_beside_survives_the_next_run_of_the_slot(repo):
    repo.write(".gitignore", "*.bin\n")
    shell(repo, "printf first > a.bin")
    shell(repo, "printf second > a.bin")
    assert repo.run("cat", "2", "-p", "a.bin", check=True).stdout == "first"


def test_caches_are_not_produced(repo):
    assert set(shell(repo, "mkdir -p __pycache__ .pytest_cache d; touch __pycache__/x.pyc .pytest_cache/y d/z.pyc d/z")) == {
        "d/z"
    }


def test_many_files_are_collected_in_reasonable_time(repo):
    files = shell(repo, "mkdir d; cd d; seq 5000 | xargs touch")
    assert len(files) == 5000


def test_a_file_deeper_than_a_tree_should_be_is_kept_beside(repo):
    script = "p=$(printf 'd/%.0s' {1..300}); mkdir -p $p; printf deep > $p/file"
    (file,) = shell(repo, script).values()
    assert file["stored"] == "local"
    assert repo.run("cat", "1", "-p", str(file["path"]), check=True).stdout == "deep"


def test_a_path_too_long_for_the_system_is_named_and_loses_nothing_else(repo):
    words = "import os\\nfor _ in range(30): os.mkdir('d' * 200); os.chdir('d' * 200)\\nopen('f', 'w')"
    ended = repo.run("--", "bash", "-ec", f"touch other; python -c $'{words.replace(chr(39), chr(34))}'", check=True)
    assert ended.returncode == 0
    assert "other" in files_of(repo)


def test_a_restart_finds_what_was_kept_beside(repo):
    repo.write(".gitignore", "*.bin\n")
    shell(repo, "cat a.bin 2>&- || true; printf x >> a.bin")
    assert repo.run("--restart", "1", check=True).stdout == "x"
    assert repo.run("--restart", "1", check=True).stdout == "xx"


def test_nothing_is_restored_through_a_link(tmp_path: Path):
    for name in ("kept/out", "outside", "tree"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "kept" / "out" / "file").touch()
    (tmp_path / "tree" / "out").symlink_to(tmp_path / "outside")
    assert restore_files(tmp_path / "kept", tmp_path / "tree") == []
    assert list((tmp_path / "outside").iterdir()) == []


def test_many_links_are_recorded_by_as_few_processes_as_one(repo, tmp_path):
    repo.write("p.py", "import os\nfor n in range(300): os.symlink(f'to {n}', f'l{n}')\nos.symlink('nowhere', 'l\\nn')\n")
    trace = tmp_path / "trace"
    repo.run("p.py", check=True, env={"GIT_TRACE": str(trace)})
    assert len(files_of(repo)) == 301
    assert trace.read_text().count(" git hash-object ") < 10
    assert repo.git("cat-file", "blob", f"refs/runs/{repo.run('select', '1').stdout.strip()}:l77") == "to 77"


def test_a_file_whose_filter_fails_is_kept_beside_the_repository(repo):
    repo.write(".gitattributes", "*.bad filter=broken\n*.good filter=sound\n")
    repo.commit()
    for name, command in (("broken", "false"), ("sound", "cat")):
        repo.git("config", f"filter.{name}.clean", command)
        repo.git("config", f"filter.{name}.required", "true")
    files = shell(repo, "for x in a.bad b.good c; do echo $x > $x; done")
    assert {path: file["stored"] for path, file in files.items()} == {"a.bad": "local", "b.good": "git", "c": "git"}
    assert repo.run("cat", "-p", "a.bad", "1", check=True).stdout == "a.bad\n"


MANY = """\
import os, sys
os.makedirs("out/sub")
for number in range(1200):
    with open(f"out/{number} of\\nmany" if number % 100 == 0 else f"out/sub/{number}", "wb") as file:
        file.write(b"content\\r\\n%d\\n" % (number // 2) * (100_000 if number == 7 else 1))
os.chmod("out/sub/5", 0o755)
open("out/empty", "w").close()
os.symlink("sub/5", "out/link")
"""


@pytest.mark.parametrize("fsync", sampled_values(1, ["true", "false"]))
def test_many_small_files_are_written_as_one_pack(repo, fsync):
    repo.git("config", "gitrun.fsync", fsync)
    repo.write("many.py", MANY)
    repo.run("many.py", check=True)
    packs, loose = list(repo.path.glob(".git/objects/pack/*.pack")), list(repo.path.glob(".git/objects/??/*"))
    run = f"refs/runs/{repo.run('select', '1', check=True).stdout.strip()}"
    assert len(packs) == 1
    assert len(loose) < 50
    assert len(files_of(repo)) == 1202
    assert repo.git("cat-file", "-s", f"{run}:out/sub/9") == "11"
    assert repo.git("cat-file", "-s", f"{run}:out/100 of\nmany") == "12"
    assert repo.git("cat-file", "-s", f"{run}:out/sub/7") == str(100_000 * 11)
    assert repo.git("show", f"{run}:out/empty") == ""
    assert repo.git("ls-tree", run, "out/link").startswith("120000 blob")
    assert repo.git("ls-tree", run, "out/sub/5").startswith("100755 blob")
    repo.git("fsck", "--strict")


def test_it_is_told_how_far_the_recording_of_very_many_files_is(repo, monkeypatch, capfd):
    monkeypatch.setattr(outputs, "PROGRESS_FROM", 1000)
    monkeypatch.setattr(outputs, "PROGRESS_PAUSE", 0.0)
    repo.write("many.py", MANY)
    Project(repo.path).run("many.py")
    told = capfd.readouterr().err
    assert "gitrun: recording 1,202 produced files\n" in told
    assert "gitrun: recorded 1,200 of 1,202 files\n" in told


def test_nothing_is_told_of_a_few_files(repo):
    repo.write("many.py", MANY)
    assert "recording" not in repo.run("many.py", check=True).stderr


def test_a_pack_that_cannot_be_written_is_one_line(repo):
    repo.write("many.py", MANY)
    repo.run("--stage", "many.py", check=True)
    (repo.path / ".git" / "objects" / "pack").rmdir()
    repo.write(".git/objects/pack", "a file")
    ended = repo.run("--start", "1")
    assert ended.returncode == 128
    assert "Traceback" not in ended.stderr
    (repo.path / ".git" / "objects" / "pack").unlink()
    assert "completed" in repo.run("list", check=True).stdout
