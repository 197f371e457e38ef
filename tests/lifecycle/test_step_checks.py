"""Steps are checked before anything starts."""

from __future__ import annotations

import pytest
from pipelines import PROJECT, by_operation, record
from supervised import runs

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
