"""What a verb imports is most of what it costs: modules that take long and are not needed stay out."""

from __future__ import annotations

import subprocess
import sys
from functools import cache

import pytest
from templates import made_once

LONG = {
    "pygit2",
    "asyncio",
    "importlib.metadata",
    "pkg_resources",
    "rich",
    "tempfile",
    "secrets",
    "random",
    "hashlib",
    "multiprocessing",
    "optuna",
    "dask",
    "distributed",
    "numpy",
    "click",
    "inspect",
    "dataclasses",
    "platform",
    "starlette",
    "uvicorn",
}

if sys.version_info >= (3, 15):  # an ExitStack imports it there
    LONG.discard("inspect")

PARSING = {"click", "inspect", "dataclasses", "platform"}
"""What click imports, which writes the usage."""

ASK = """
import atexit, sys
atexit.register(lambda: sys.stderr.write("\\nmodules: " + " ".join(sys.modules)))
from gitrun.commands.main import run_command
sys.exit(run_command(sys.argv[1:]))
"""
"""A program that runs a verb and ends with the names of all modules, also of those that the door of a package loaded."""


@cache
def bare() -> set[str]:
    """The modules that Python itself imports."""
    words = [sys.executable, "-c", "import sys; print(*sys.modules)"]
    return set(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split())


def imported(repo, words) -> set[str]:
    """The modules that a verb imports. What Python itself has imported before is left out."""
    ended = subprocess.run([sys.executable, "-c", ASK, *words], cwd=repo.path, capture_output=True, text=True, check=False)
    return set(ended.stderr.rpartition("modules: ")[2].split()) - bare()


AFTER_A_RUN: dict[tuple[str, ...], set[str]] = {}


@pytest.fixture
@made_once
def ran(repo):
    """A repository with a run."""
    repo.run("echo.py", check=True)
    return repo


def imported_after_a_run(ran, words) -> set[str]:
    """As `imported`, in a repository with a run; a verb is asked once."""
    if tuple(words) not in AFTER_A_RUN:
        AFTER_A_RUN[tuple(words)] = imported(ran, words)
    return AFTER_A_RUN[tuple(words)]


@pytest.mark.parametrize(
    "words",
    [
        ["-h"],
        ["list"],
        ["list", "--json"],
        ["select", "1"],
        ["show", "1"],
        ["compare"],
        ["run", "--needed", "echo.py"],
        ["--restart", "1", "--needed"],
        ["--", "true"],
    ],
    ids=" ".join,
)
def test_no_verb_imports_what_takes_long_and_is_not_needed(ran, words):
    modules = imported_after_a_run(ran, words)
    assert "gitrun.commands.main" in modules
    assert modules & (LONG - PARSING if words == ["-h"] else LONG) == set()


def test_a_batch_of_this_machine_imports_nothing_of_clusters(repo):
    modules = imported(repo, ["echo.py", "x=[1.0,2.0]"])
    assert "gitrun.lifecycle.batch" in modules
    assert modules & {"dask", "distributed", "gitrun.lifecycle.cluster", "gitrun.lifecycle.cluster_launch"} == set()


@pytest.mark.parametrize("words", [["list"], ["show", "1"], ["select", "1"], ["compare"]], ids=" ".join)
def test_looking_at_runs_does_not_import_what_makes_them(ran, words):
    modules = imported_after_a_run(ran, words)
    assert modules & {"gitrun.lifecycle.launch", "gitrun.lifecycle.attempt", "gitrun.source.snapshot"} == set()


def test_comparing_runs_in_the_index_imports_no_parser_of_records(repo):
    repo.run("echo.py", check=True)
    repo.run("list", check=True)  # reads the run into the index
    modules = imported(repo, ["compare"])
    assert "gitrun.views.lineage" in modules
    assert modules & {"gitrun.store.runs", "gitrun.store.commits", "gitrun.model.decode", "gitrun.model.provenance"} == set()


def test_a_skipped_start_imports_nothing_that_begins_attempts(repo):
    repo.run("echo.py", check=True)
    repo.run("list", check=True)  # reads the run into the index
    modules = imported(repo, ["run", "--needed", "echo.py"])
    assert "gitrun.lifecycle.decide" in modules
    assert modules & {"gitrun.store.runs", "gitrun.store.commits", "gitrun.workspace.lending", "gitrun.views.select"} == set()


@pytest.mark.parametrize("words", [["run", "echo.py"], ["list"], ["show", "1"], ["compare"]], ids=" ".join)
def test_batches_and_reports_cost_other_verbs_no_import(ran, words):
    modules = imported_after_a_run(ran, words)
    assert modules & {f"gitrun.model.{name}" for name in ("batch", "batch_record", "space", "trial_counts")} == set()
    assert modules & {"gitrun.views.report", "gitrun.views.gates", "gitrun.views.batches"} == set()


@pytest.mark.parametrize("words", [["run", "echo.py"], ["--restart", "1"], ["list"]], ids=" ".join)
def test_what_few_runs_need_is_imported_by_those_alone(ran, words):
    modules = imported_after_a_run(ran, words)
    assert modules & {"typing", "shlex", "numbers", "heapq", "termios"} == set()
    assert words == ["list"] or modules & {"gitrun.scripts.passthrough", "gitrun.render.text", "gitrun.render.palette"} == set()


def test_only_unusual_lines_of_metrics_import_their_rule(repo):
    repo.write("train.py", "x = 1\nprint('loss:', x / 4)\n")
    assert "gitrun.model.log_lines" not in imported(repo, ["train.py"])
    repo.write("train.py", "x = 1\nprint('step', x, 'loss', x / 4)\n")
    assert "gitrun.model.log_lines" in imported(repo, ["train.py"])
