"""git run verify: what it prints, and how it ends."""

from __future__ import annotations

import json
import re

import pytest
from environments import make_environment
from sampled import sampled


def test_run_that_differs_says_in_what(by_chance, tmp_path) -> None:
    by_chance.git("config", "gitrun.python", make_environment(tmp_path / "env", "wanted-2.0"))
    by_chance.run("run", "--restart", "1", check=True)
    by_chance.git("config", "gitrun.python", make_environment(tmp_path / "other"))
    ended = by_chance.run("verify", "1", "--json", env={"LOSS": "0.75"})
    assert re.search("note: the environment differs from that of run [0-9a-f]{8}: wanted 2.0, missing here\n", ended.stderr)
    found = json.loads(ended.stdout)
    assert (ended.returncode, found["verdict"], found["same_output"]) == (1, "differs", False)
    assert [(one["what"], one["name"]) for one in found["differences"]] == [("metric", "loss"), ("file", "out/stamp.txt")]
    assert (found["differences"][0]["recorded"], found["differences"][0]["again"]) == (0.5, 0.75)


@pytest.mark.parametrize("word", sampled(3, ["x", "-1", "nan", "=1", "loss=", "loss=-1"]))
def test_tolerance_that_is_none_is_refused(by_chance, word) -> None:
    ended = by_chance.run("verify", f"--tolerance={word}")
    assert (ended.returncode, ended.stderr.count("\n")) == (129, 1)


def test_output_that_differs_is_told_and_does_not_count(by_chance) -> None:
    ended = by_chance.run("verify")
    assert (ended.returncode, "the output differs, which is allowed" in ended.stdout) == (0, True)
