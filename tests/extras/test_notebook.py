"""`git run eda.ipynb`: a copy of the notebook is executed by the user's Python, and is a file that the run produced."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import users_python
from notebook import notebook
from sampled import sampled
from templates import made_once

from gitrun import Project

HELLO = notebook("lr = 0.1\nepochs = 2", "for epoch in range(epochs):\n    print('loss:', lr / (epoch + 1))\nlr * 2")
# cells that say when they have begun, and do not end by themselves
STUBBORN = notebook(
    "import time",
    "print('begun', flush=True)\nwhile True:\n    try:\n        time.sleep(60)\n    except KeyboardInterrupt:\n        pass",
)
SLEEPER = notebook("import time", "print('begun', flush=True)\ntime.sleep(60)", "print('after')")


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """A Python with a kernel and without gitrun."""
    return users_python.make(tmp_path_factory.mktemp("user"), ("ipykernel",))


def executed(repo, run: str = "1", name: str = "eda.out.ipynb") -> list[dict]:
    """The cells of the copy that a run has executed."""
    return json.loads(repo.run("cat", "-p", name, run, check=True).stdout)["cells"]


def test_notebook_is_executed_with_the_users_python_and_the_flags_given(empty_repo, python) -> None:
    empty_repo.write("eda.ipynb", notebook("lr = 0.1", "import sys\nprint(lr, sys.executable)", "import gitrun"))
    ended = empty_repo.run("eda.ipynb", "lr=0.5", env={"VIRTUAL_ENV": str(python.parents[1])})
    assert ended.stdout == f"0.5 {python}\n"
    assert "ModuleNotFoundError: No module named 'gitrun'" in ended.stderr
    assert ended.returncode == 1


@pytest.fixture
@made_once
def explored(empty_repo):
    """A repository in which a notebook was run, and what that wrote."""
    empty_repo.write("eda.ipynb", HELLO)
    empty_repo.commit()
    return empty_repo, empty_repo.run("eda.ipynb", "lr=1", check=True).stdout


def test_what_cells_write_is_output_and_the_copy_a_file_of_the_run(explored) -> None:
    repo, written = explored
    assert written == "loss: 1.0\nloss: 0.5\n2\n"
    found = json.loads(repo.run("show", "--json").stdout)
    assert (found["flags"], found["metrics"]) == ({"epochs": 2, "lr": 1}, {"loss": 0.5})
    assert [file["path"] for file in found["files"]] == ["eda.out.ipynb"]
    first, second = executed(repo)
    assert "".join(first["source"]) == "lr = 1\nepochs = 2"
    assert ["".join(output.get("text", "")) for output in second["outputs"]] == ["loss: 1.0\nloss: 0.5\n", ""]
    assert repo.git("status", "--porcelain") == ""
    assert repo.git("diff", "--name-only", "HEAD", f"runs/{found['id']}", "--", "*.ipynb") == "eda.out.ipynb"


def test_restart_reads_the_notebook_not_its_copy(explored) -> None:
    repo, _ = explored
    repo.write("eda.ipynb", notebook("lr = 7"))
    assert repo.run("--restart", "1", "epochs=1", check=True).stdout == "loss: 1.0\n2\n"
    assert repo.run("--restart", "1", "--needed", check=True).stdout.startswith("Skipping run")
    assert [output["output_type"] for output in executed(repo)[1]["outputs"]] == ["stream", "execute_result"]


def test_entry_names_a_notebook_whose_tagged_cell_has_the_flags(empty_repo) -> None:
    empty_repo.write("gitrun.toml", '[operations.look]\nnotebook = "sub/eda.ipynb"\n[operations.look.flags]\nlr = {max = 1}\n')
    empty_repo.write("sub/eda.ipynb", notebook("import os", "lr = 0.1", "print(lr, os.path.basename(os.getcwd()))", tagged=1))
    assert empty_repo.run("look", "lr=0.5", check=True).stdout == "0.5 sub\n"
    assert [cell["metadata"].get("tags") for cell in executed(empty_repo, name="sub/eda.out.ipynb")] == [
        None, ["parameters"], ["injected-parameters"], None,
    ]  # fmt: skip
    assert empty_repo.run("look", "lr=2").returncode == 129


def test_failing_cell_ends_the_run_and_what_was_executed_is_kept(empty_repo) -> None:
    empty_repo.write("eda.ipynb", notebook("print('first')", "1 / 0", "print('never')"))
    ended = empty_repo.run("eda.ipynb")
    assert (ended.returncode, ended.stdout) == (1, "first\n")
    assert "ZeroDivisionError" in ended.stderr
    assert "\x1b" not in ended.stderr
    assert [len(cell["outputs"]) for cell in executed(empty_repo)] == [1, 1, 0]


def test_kernel_that_dies_ends_the_run(empty_repo) -> None:
    empty_repo.write("eda.ipynb", notebook("print('first', flush=True)", "import os\nos._exit(3)", "print('never')"))
    ended = empty_repo.run("eda.ipynb")
    assert (ended.returncode, ended.stdout) == (1, "first\n")
    assert "the kernel has ended" in ended.stderr
    assert [len(cell["outputs"]) for cell in executed(empty_repo)] == [1, 0, 0]


@pytest.mark.parametrize(("number", "status"), sampled(1, [(signal.SIGINT, "SIGINT"), (signal.SIGTERM, "SIGTERM")]))
def test_signal_interrupts_the_kernel_and_leaves_none(empty_repo, number, status) -> None:
    empty_repo.write("eda.ipynb", SLEEPER)
    process, kernel = begun(empty_repo)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert b"after" not in out
    assert f"terminated ({status})".encode() in err
    assert process.returncode == -number
    assert [len(cell["outputs"]) for cell in executed(empty_repo)] == [1, 2, 0]
    with pytest.raises(ProcessLookupError):
        os.kill(kernel, 0)


@pytest.mark.slow
def test_cell_that_does_not_let_itself_be_interrupted_is_killed_in_time(empty_repo) -> None:
    empty_repo.write("eda.ipynb", STUBBORN)
    empty_repo.git("config", "gitrun.stopGrace", "4s")
    process, _ = begun(empty_repo)
    process.terminate()
    assert b"terminated (SIGTERM)" in process.communicate(timeout=60)[1]
    assert executed(empty_repo)[1]["outputs"][0]["text"] == ["begun\n"]


@pytest.mark.slow
def test_output_is_kept_if_the_kernel_outlives_the_grace(empty_repo) -> None:
    empty_repo.write("eda.ipynb", STUBBORN)
    empty_repo.git("config", "gitrun.stopGrace", "1s")
    process, _ = begun(empty_repo)
    process.terminate()
    assert b"terminated (SIGKILL)" in process.communicate(timeout=60)[1]
    assert executed(empty_repo)[1]["outputs"][0]["text"] == ["begun\n"]


def begun(repo) -> tuple[subprocess.Popen, int]:
    """A run whose cell has begun, and the process of its kernel."""
    text = json.loads(repo.path.joinpath("eda.ipynb").read_text())
    text["cells"][0]["source"] += "\nimport os; print(os.getpid(), flush=True)"
    repo.write("eda.ipynb", json.dumps(text))
    process = subprocess.Popen(["git", "run", "eda.ipynb"], cwd=repo.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    kernel = int(process.stdout.readline())
    assert process.stdout.readline() == b"begun\n"
    return process, kernel


@pytest.fixture
@made_once
def surrounded(empty_repo):
    """A run of a notebook that says what is around it: its id, and the lines that it wrote."""
    empty_repo.write("gitrun.toml", '[operations.look]\nnotebook = "eda.ipynb"\nflags-to = "env"\nflags = {lr = 3}\n')
    empty_repo.write("nbclient.py", "name = 'mine'\n")
    told = "import os, nbclient\nprint(lr, os.environ['FLAG_LR'], os.environ['GITRUN_ID'])\nprint(nbclient.name)"
    empty_repo.write("eda.ipynb", notebook("lr = 1", told))
    written = empty_repo.run("look", "lr=4", check=True).stdout.splitlines()
    return Project(empty_repo.path).list_runs()[0].id, written


def test_modules_beside_the_notebook_are_the_kernels_and_not_the_runners(surrounded) -> None:
    assert surrounded[1][1:] == ["mine"]


def test_environment_of_a_run_is_there_and_flags_can_be_found_only_there(surrounded) -> None:
    run, written = surrounded
    assert written[0] == f"1 4 {run}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["eda.ipynb", "rate=1"], "eda.ipynb has no flag 'rate'. Its flags: lr, epochs"),
        (["eda.ipynb", "lr=fast"], "flag 'lr' of eda.ipynb must be a number, not 'fast'"),
        (["eda.ipynb", "--", "-v"], "notebook eda.ipynb takes no arguments: '-v'"),
        (["broken.ipynb"], "'broken.ipynb' is not a notebook"),
    ],
)
def test_words_that_are_off_are_refused_before_anything_is_written(empty_repo, words, said) -> None:
    empty_repo.write("eda.ipynb", HELLO)
    empty_repo.write("broken.ipynb", "print(1)")
    ended = empty_repo.run(*words)
    assert (ended.returncode, empty_repo.git("for-each-ref", "refs/runs")) == (129, "")
    assert said in ended.stderr


def test_python_without_a_kernel_is_named_before_anything_is_written(empty_repo, tmp_path) -> None:
    empty_repo.write("eda.ipynb", HELLO)
    bare = users_python.make(tmp_path / "bare", ())
    ended = empty_repo.run("eda.ipynb", env={"VIRTUAL_ENV": str(bare.parents[1])})
    assert (ended.returncode, empty_repo.git("for-each-ref", "refs/runs")) == (128, "")
    assert ended.stderr == (
        f"gitrun: error: '{bare}' has no ipykernel, which notebooks need. To install it: {bare} -m pip install ipykernel\n"
    )


def test_without_the_extra_one_line_names_it(empty_repo, tmp_path) -> None:
    empty_repo.write("eda.ipynb", HELLO)
    # a Python with what gitrun needs, and nothing else
    core = users_python.make(tmp_path / "core", ("pygit2", "click", "tomli", "tomli-w"))
    call = [core, "-c", "from gitrun.commands.main import main; main()", "eda.ipynb"]
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        call, cwd=empty_repo.path, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, empty_repo.git("for-each-ref", "refs/runs")) == (128, "")
    assert ended.stderr == (
        "gitrun: error: notebooks need the extra 'notebook' of gitrun. To install it: pip install 'git-run-tracker[notebook]'\n"
    )


def test_kernel_of_another_language_is_the_one_that_the_notebook_names(empty_repo, world) -> None:
    """A kernel is any program that speaks the protocol; here it is another Python's, under a name of its own."""
    place = world / ".local/share/jupyter/kernels/other"
    place.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    place.joinpath("kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Other", "language": "other"}))
    empty_repo.write(
        "eda.ipynb", notebook("lr = 1", "import os\nprint(lr, os.environ['FLAG_LR'])", language="other", kernel="other")
    )
    assert empty_repo.run("eda.ipynb", "lr=2", check=True).stdout == "1 2\n"
    empty_repo.write("eda.ipynb", notebook("lr = 1", language="R", kernel="nowhere"))
    ended = empty_repo.run("eda.ipynb")
    assert re.match("the kernel 'nowhere' cannot be started: No such kernel", ended.stderr)
    assert ended.returncode == 1
