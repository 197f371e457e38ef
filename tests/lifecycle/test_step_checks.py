"""Steps are checked before anything starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import tomli
from supervised import runs

if TYPE_CHECKING:
    from repository import Repo


PREPARE = "n = 3\nopen('data.txt', 'w').write('x' * n)\nprint('prepared', n)\n"


TRAIN = "lr = 0.1\nn = 0\nprint('trained', lr, open('data.txt').read())\nopen('model.txt', 'w').write(str(lr))\n"


PROJECT = """
[operations.prepare]
script = "prepare.py"
[operations.train]
script = "train.py"
needs = { prepare = "data.txt" }
[operations.all]
description = "All of it"
steps = ["prepare", { run = "train", flags = { lr = 0.5 } }, "report.sh"]
"""


@pytest.fixture
def piped(repo: Repo) -> Repo:
    """A repository with a pipeline of three steps."""
    repo.write("gitrun.toml", PROJECT)
    repo.write("prepare.py", PREPARE)
    repo.write("train.py", TRAIN)
    repo.write("report.sh", "echo reported\n")
    repo.commit()
    return repo


def record(repo: Repo, run: str, name: str = "result.toml") -> dict[str, Any]:
    """What a file of the record of a run, or of the newest of an operation, says."""
    known = by_operation(repo)
    return tomli.loads(repo.git("show", f"runs/{known[run]['id'] if run in known else run}:.gitrun/{name}"))


def by_operation(repo: Repo) -> dict[str, dict[str, Any]]:
    """The newest run of each operation."""
    return {run["operation"]: run for run in reversed(runs(repo))}


REFUSED = {
    "the steps of all form a circle: all -> all": 'steps = ["all"]',
    "no operation 'nosuch' for this step": 'steps = ["prepare", "nosuch"]',
    "train.py has no flag 'q'": 'steps = ["prepare", { run = "train.py", flags = { q = 1 } }]',
    "train needs files of a completed run of prepare, but no such run exists": 'steps = ["train", "prepare"]',
    "all has steps, which take no arguments": 'steps = ["prepare"]',
    "later needs files of a completed run of train, but no such run exists": 'steps = ["prepare", "inner"]',
    "input nosuch.csv of reads does not exist": 'steps = ["prepare", "reads"]',
    "all has no flag 'z'": 'steps = ["prepare"]\n',
}


MORE = """
[operations.inner]
steps = ["later"]
[operations.later]
script = "train.py"
needs = { train = "model.txt" }
[operations.reads]
script = "prepare.py"
inputs = ["nosuch.csv"]
"""


@pytest.mark.parametrize(("words", "steps"), REFUSED.items())
def test_what_a_step_lacks_is_refused_before_anything_starts(piped, words, steps) -> None:
    piped.write("gitrun.toml", PROJECT.partition("steps")[0] + steps + MORE)
    typed = {"all has steps": ("--", "x"), "all has no": ("z=1",)}.get(words[:13], {"all has no": ("z=1",)}.get(words[:10], ()))
    done = piped.run("all", *typed)
    assert done.stderr.startswith(f"gitrun: error: {words}"), done.stderr
    assert (done.returncode in {128, 129}, runs(piped)) == (True, [])


def test_in_place_steps_run_in_the_working_tree_and_those_that_need_files_are_refused(piped) -> None:
    refused = piped.run("--in-place", "all")
    assert (refused.returncode, runs(piped)) == (129, [])
    assert refused.stderr.startswith("gitrun: error: --in-place would put files that train needs into your working tree")
    piped.write("gitrun.toml", PROJECT.replace("needs", "#"))
    assert piped.run("--in-place", "all", check=True).stdout == "prepared 3\ntrained 0.5 xxx\nreported\n"
    assert (piped.path / "data.txt").exists()
    found = by_operation(piped)
    assert [file["path"] for file in record(piped, found["train"]["id"])["files"]] == ["model.txt"]
