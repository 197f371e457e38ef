"""What a verb imports is most of what it costs: modules that take long and are not needed stay out."""

from __future__ import annotations

import pytest

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
}


def imported(stderr: str) -> set[str]:
    """The modules that PYTHONPROFILEIMPORTTIME names; a program that was run does not see that variable."""
    return {line.rpartition("|")[2].strip() for line in stderr.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize(
    "words",
    [
        ["-h"],
        ["list"],
        ["list", "--json"],
        ["select", "1"],
        ["show", "1"],
        ["run", "--needed", "echo.py"],
        ["--restart", "1", "--needed"],
        ["--", "true"],
    ],
    ids=" ".join,
)
def test_no_verb_imports_what_takes_long_and_is_not_needed(repo, words):
    repo.run("echo.py", check=True)
    modules = imported(repo.run(*words, env={"PYTHONPROFILEIMPORTTIME": "1"}).stderr)
    assert "gitrun.commands.main" in modules
    assert modules & LONG == set()


@pytest.mark.parametrize("words", [["list"], ["show", "1"], ["select", "1"]], ids=" ".join)
def test_looking_at_runs_does_not_import_what_makes_them(repo, words):
    repo.run("echo.py", check=True)
    modules = imported(repo.run(*words, env={"PYTHONPROFILEIMPORTTIME": "1"}).stderr)
    assert modules & {"gitrun.lifecycle.launch", "gitrun.lifecycle.attempt", "gitrun.source.snapshot"} == set()
