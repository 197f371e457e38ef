"""Much output, long lines, large files, a full disk, a repository not to be written: no hang, little memory, nothing lost."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time

import pytest
from forms import asked_form
from repository import Repo
from supervised import ended, last, live, output, runs, start, state, until, whole

MEGABYTE = 1 << 20
MOST = 150 * MEGABYTE
# the greatest memory of any of the processes that were waited for, and of theirs
MEASURED = """\
import os, resource, subprocess, sys
code = subprocess.run(sys.argv[2:], stdout=open(os.environ["TO"], "wb")).returncode
open(sys.argv[1], "w").write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024))
sys.exit(code)
"""


def measured(repo, tmp_path, *words):
    """The greatest memory of a process of `git run WORDS`, in bytes, and the file into which its stdout went."""
    environ = {**os.environ, "TO": str(tmp_path / "shown")}
    call = [sys.executable, "-c", MEASURED, tmp_path / "memory", "git", "run", *words]
    subprocess.run(call, cwd=repo.path, env=environ, check=True, timeout=120)
    return int((tmp_path / "memory").read_text()), tmp_path / "shown"


def digest(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if sys.version_info >= (3, 11) else file_digest(file)


def file_digest(file):
    found = hashlib.sha256()
    while data := file.read(MEGABYTE):
        found.update(data)
    return found.hexdigest()


@pytest.mark.parametrize(("count", "ending"), [(200, "\\n"), (50, "")], ids=["200 MB in lines", "one line of 50 MB"])
def test_much_output_is_shown_and_kept_whole_in_little_memory(repo, tmp_path, count, ending):
    repo.write(
        "p.py", f"import sys\nfor n in range({count}): sys.stdout.write(f'{{n:05}}' + 'x' * {MEGABYTE - 5} + '{ending}')\n"
    )
    memory, shown = measured(repo, tmp_path, "p.py")
    assert memory < MOST
    assert shown.stat().st_size >= count * MEGABYTE
    kept = next((state(repo) / "files").rglob("output"))
    assert digest(kept) == digest(shown)
    recorded = repo.git("cat-file", "-s", f"refs/runs/{last(repo)['id']}:.gitrun/output")
    assert 10 * MEGABYTE < int(recorded) < 11 * MEGABYTE


def test_a_large_untracked_file_is_left_out_with_a_word_and_is_there_for_the_program(repo, tmp_path):
    with (repo.path / "large.bin").open("wb") as file:
        file.truncate(1 << 30)
    repo.write("p.py", "import os\nprint(os.path.getsize('large.bin'))\n")
    begun = time.monotonic()
    memory, shown = measured(repo, tmp_path, "p.py")
    assert memory < MOST
    assert time.monotonic() - begun < 20
    assert shown.read_text() == f"{1 << 30}\n"
    assert "large.bin" in repo.run("p.py").stderr


def test_a_large_produced_file_is_kept_beside_the_repository_in_little_memory(repo, tmp_path):
    repo.write("p.py", "open('large.bin', 'wb').truncate(300 << 20)\n")
    memory, _ = measured(repo, tmp_path, "p.py")
    assert memory < MOST
    assert next((state(repo) / "files").rglob("large.bin")).stat().st_size == 300 << 20


def test_a_broken_line_of_metrics_of_any_length_does_not_fill_the_memory(repo, tmp_path):
    lines = "import os\nwith open(os.environ['GITRUN_METRICS'], 'w') as f:\n f.truncate(200 << 20)\n f.seek(0, 2)\n"
    repo.write("p.py", lines + """ f.write('\\n{"loss": 0.5}\\n')\n""")
    memory, _ = measured(repo, tmp_path, "p.py")
    assert memory < MOST
    assert last(repo)["metrics"] == {"loss": 0.5}


@pytest.fixture
def small_disk(tmp_path, request):
    """A repository on a file system of few megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    size = getattr(request, "param", "24m")
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("a small file system can be mounted by root only")
    try:
        repo = Repo.create(place / "repo")
        repo.write("echo.py", "print('hello')\n")
        repo.commit("echo")
        yield repo
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def fill(repo, leave=0):
    """Nothing more than so many bytes fits on the disk; the file that fills it."""
    file = repo.path.parent / "filler"
    with file.open("ab", buffering=0) as filler:
        for size in (MEGABYTE, 4096):
            try:
                while shutil.disk_usage(repo.path).free > leave:
                    filler.write(b"\0" * size)
            except OSError:
                continue
    return file


def test_a_full_disk_before_the_start_is_said_in_a_line_and_nothing_is_run(small_disk):
    small_disk.run("echo.py", check=True)
    small_disk.write("echo.py", "print('changed')\n")
    filler = fill(small_disk)
    begun = time.monotonic()
    done = small_disk.run("echo.py")
    assert time.monotonic() - begun < 20
    assert (done.returncode, done.stdout) == (128, "")
    assert "Traceback" not in done.stderr
    filler.unlink()
    assert small_disk.run("echo.py", check=True).stdout == "changed\n"
    whole(small_disk)


def test_output_that_finds_no_room_is_shown_to_its_end_and_what_was_recorded_is_kept(small_disk):
    small_disk.write("p.py", "for n in range(40): print(f'{n:05}' + 'x' * 1048570)\n")
    process = start(small_disk, "p.py")
    out, err = process.communicate(timeout=60)
    assert len(out) == 40 * MEGABYTE
    assert b"Traceback" not in err
    assert b"No space left on device" in err


def test_a_result_that_finds_no_room_is_recorded_when_there_is_room_again(small_disk):
    small_disk.write(
        "p.py", "open('made', 'w').write('kept')\nprint('ready', flush=True)\nimport sys\nsys.stdin.read()\nsys.exit(3)\n"
    )
    process = start(small_disk, "p.py", stdin=subprocess.PIPE)
    until(
        lambda: (
            live(small_disk) and (live(small_disk)[0] / "output").exists() and (live(small_disk)[0] / "output").stat().st_size
        )
    )
    filler = fill(small_disk)
    begun = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - begun < 30
    assert process.returncode == 128
    assert b"What the run left is in" in err
    assert b"Traceback" not in err
    assert small_disk.run("list").returncode == 0
    filler.unlink()
    assert (last(small_disk)["status"], last(small_disk)["exit_status"]) == ("error", 3)
    assert output(small_disk) == b"ready\n"
    assert small_disk.run("cat", "-p", "made", "1", check=True).stdout == "kept"
    whole(small_disk)


def test_a_repository_that_is_not_to_be_written_can_be_looked_at(repo, tmp_path):
    repo.run("echo.py", check=True)
    before = runs(repo)
    place = tmp_path / "view"
    place.mkdir()
    bound = subprocess.run(["mount", "--bind", "-o", "ro", repo.path, place], capture_output=True, check=False)
    if os.geteuid() or bound.returncode:
        pytest.skip("a read-only view can be mounted by root only")
    try:
        view = Repo(place)
        assert runs(view) == before
        assert view.run("show", "1", check=True).stderr == ""
        assert view.run("cat", "--output", "1", check=True).stdout == "1.0 2 'a'\n"
        done = view.run("echo.py")
        assert (done.returncode, "Traceback" in done.stderr, done.stderr.count("\n")) == (128, False, 1)
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def synced(repo, tmp_path, *words):
    """The names of the objects and refs that were brought to the disk during `git run WORDS`."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    trace = tmp_path / "trace"
    done = ended(
        repo, "strace", "-f", "-y", "-qq", "-e", "trace=fsync,fdatasync,sync_file_range", "-o", trace, "git", "run", *words
    )
    if not trace.exists() or "ptrace" in done.stderr:
        pytest.skip("strace is not allowed here")
    assert done.returncode == 0, done.stderr
    return trace.read_text()


def test_a_run_that_reports_success_is_on_the_disk(repo, tmp_path):
    repo.write("p.py", "open('made', 'w').write('produced')\nprint('out')\n")
    trace = synced(repo, tmp_path, "p.py")
    run = last(repo)["id"]
    base = repo.head()
    objects = repo.git("rev-list", "--objects", "--no-object-names", f"refs/runs/{run}", f"^{base}").split()
    assert len(objects) >= 8
    directory, lock = ("refs/runs", run) if asked_form().refs == "files" else ("reftable", "tables.list")
    assert f"/{directory}/{lock}.lock>" in trace, "git flushes a ref under the name of its lock"
    assert f"/{directory}>" in trace, "the name of the ref is not on the disk"
    for name in objects:
        assert f"/objects/{name[:2]}>" in trace, f"the name of {name} is not on the disk"
    # the content of an object is flushed under its own name, or under the one it had before
    contents = [line for line in trace.splitlines() if "/tmp_obj" in line or re.search("/objects/../[0-9a-f]{38,62}>", line)]
    assert len(contents) >= len(objects)


def test_without_gitrun_fsync_nothing_waits_for_the_disk(repo, tmp_path):
    repo.git("config", "gitrun.fsync", "false")
    trace = synced(repo, tmp_path, "echo.py")
    assert ("/refs/runs" in trace, "/reftable>" in trace) == (False, False)


def test_the_descriptors_and_memory_of_a_host_do_not_grow_with_its_runs(repo):
    script = (
        "import gitrun, os\n"
        "project = gitrun.Project('.')\n"
        "def count(): return len(os.listdir('/proc/self/fd'))\n"
        "project.run('echo.py'); before = count()\n"
        "for n in range(4): project.run('echo.py', flags={'y': n})\n"
        "print(count() - before)\n"
    )
    assert ended(repo, sys.executable, "-c", script).stdout.splitlines()[-1] == "0"
