from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gitrun.workspace

PLACE = Path(gitrun.workspace.__file__).parent


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A directory with a launcher of its own, a spec with `x` = 2, and a script that prints `x`."""
    for name in ("launcher.py", "launched_script.py"):
        shutil.copy(PLACE / name, tmp_path / name)
    (tmp_path / "script.py").write_text("x = 1\nprint(x)\n")
    marshalled = "import marshal; open('spec', 'wb').write(marshal.dumps({'script': 'script.py', 'flags': {'x': 2}}))"
    subprocess.run([sys.executable, "-c", marshalled], cwd=tmp_path, check=True)
    return tmp_path


def launch(copied: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    words = [sys.executable, "launcher.py", "spec", "script.py"]
    return subprocess.run(words, cwd=copied, env=environment, capture_output=True, text=True, check=True).stdout


def test_python_keeps_the_bytecode_of_the_launcher(copied):
    assert launch(copied) == "2\n"
    (kept,) = (copied / "__pycache__").glob("launched_script.*.pyc")
    before = kept.stat()
    assert launch(copied) == "2\n"
    # not the times: reading changes that of the last access
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_launcher_that_has_changed_is_compiled_again(copied):
    launch(copied)
    source = (copied / "launched_script.py").read_text()
    (copied / "launched_script.py").write_text(source.replace('spec["flags"]', '{"x": 3}'))
    assert launch(copied) == "3\n"


def test_the_bytecode_of_a_launcher_need_not_be_kept(copied):
    (copied / "__pycache__").write_text("a file where the directory would be")
    assert launch(copied) == "2\n"


@pytest.mark.parametrize(
    "start",
    [
        "subprocess.run([sys.executable, *sys.argv, 'again'])",
        "os.execv(sys.executable, [sys.executable, *sys.argv, 'again'])",
        "(child := multiprocessing.get_context('spawn').Process(target=print)).start(), child.join()",
    ],
    ids=["subprocess", "exec", "multiprocessing"],
)
def test_what_starts_after_the_run_has_ended_runs_the_script_as_it_is(copied, start):
    (copied / "script.py").write_text(
        "import multiprocessing, os, subprocess, sys\nx = 1\nprint(x, flush=True)\n"
        f"if __name__ == '__main__' and 'again' not in sys.argv:\n    os.remove('spec')\n    {start}\n"
    )
    assert launch(copied).split() == ["2", "1"]
