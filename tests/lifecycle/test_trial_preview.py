"""The trials that a batch would start: those that it does start, and the same from a file that they were written to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from repository import Repo
from sampled import sampled
from supervised import runs

from gitrun import Project
from gitrun.model.plan import Request
from gitrun.model.space import Choice
from gitrun.source.point_files import write_points

if TYPE_CHECKING:
    from gitrun.lifecycle.trial_preview import TrialPreview

SCRIPT = """
import argparse
p = argparse.ArgumentParser()
p.add_argument("--count", type=int, default=1)
p.add_argument("--rate", type=float, default=0.5)
p.add_argument("--name", default="a")
p.add_argument("--loud", action="store_true")
p.add_argument("--sizes", type=int, nargs="*", default=[1])
args = p.parse_args()
print(sorted(vars(args).items()))
"""
TEXT = st.text(st.sampled_from("abc019.,;:'\"[]#@=- \t\nnull~éΩ"), max_size=6)
WHOLE = st.integers(-(2**63), 2**63 - 1)
VALUES = {
    "count": WHOLE, "rate": st.floats(allow_nan=False, allow_infinity=False), "name": TEXT,
    "loud": st.booleans(), "sizes": st.lists(WHOLE, max_size=3),
}  # fmt: skip
SPACES = st.fixed_dictionaries({}, optional={name: st.lists(of, min_size=1, max_size=3) for name, of in VALUES.items()})


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    made = Repo.create(tmp_path_factory.mktemp("preview") / "repo")
    made.write("args.py", SCRIPT)
    return Project(made.path)


def exact_flags(preview: TrialPreview) -> list[str]:
    """The flags of each trial, so that 1 differs from 1.0 and from true."""
    return [repr(sorted(trial.flags.items())) for trial in preview.trials]


@pytest.mark.parametrize("ending", sampled(2, ["csv", "json", "toml", "yml"]))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lists=SPACES.filter(bool))
def test_a_file_of_trials_gives_the_same_trials(project, ending, lists):
    space = {name: Choice(tuple(values)) for name, values in lists.items()}
    shown = project.list_trials(Request("args.py", flags=space))
    file = project.git.worktree.parent / f"saved.{ending}"
    write_points(file, [trial.flags for trial in shown.trials])
    again = project.list_trials(Request("args.py", points=(str(file),)))
    assert exact_flags(again) == exact_flags(shown)


def started(repo, operation):
    """The flags of the trials that were started, in order."""
    found = runs(repo, flat=True)
    return [(run["trial"], run["flags"]) for run in reversed(found) if run["operation"] == operation and run["batch"]]


def previewed(repo, *words):
    shown = json.loads(repo.run(*words, "--print-trials", "--json", check=True).stdout)
    return [(trial["trial"], trial["flags"]) for trial in shown]


@pytest.mark.parametrize(
    "words",
    [
        ("x=[3,4]", "y=[1,2]"),
        ("x=[0:1.0]", "y=[1:9]", "-o", "random", "--random-seed", "5", "--max-trials", "3", "--maximize", "best"),
        ("x=range[1:20]", "--max-trials", "3", "--random-seed", "5"),
    ],
)
def test_the_trials_that_are_shown_are_those_that_start(repo, words):
    repo.write("echo.py", (repo.path / "echo.py").read_text() + "print('best:', x)\n")
    shown = previewed(repo, "echo.py", *words)
    assert not repo.git("for-each-ref", "refs/runs")
    repo.run("echo.py", *words, check=True)
    assert [(number, {"x": 1.0, "y": 2, "z": "a", **flags}) for number, flags in shown] == started(repo, "echo.py")


def test_a_search_that_learns_shows_its_first_proposals(repo):
    repo.write("echo.py", (repo.path / "echo.py").read_text() + "print('best:', x)\n")
    words = ("echo.py", "x=[0:1.0]", "-o", "tpe", "--random-seed", "5", "--max-trials", "3", "--maximize", "best")
    ended = repo.run(*words, "--print-trials", "--json", check=True)
    assert "note: tpe proposes these trials before any of them has ended" in ended.stderr
    repo.run(*words, check=True)
    assert [trial["flags"]["x"] for trial in json.loads(ended.stdout)] == [flags["x"] for _, flags in started(repo, "echo.py")]


def test_a_restart_shows_what_is_missing(repo):
    repo.run("echo.py", "x=[3,4]", check=True)
    assert previewed(repo, "--restart", "echo.py+") == []
    assert previewed(repo, "--restart", "echo.py+", "x=[4,5]") == [(3, {"x": 5})]
    (first, second) = previewed(repo, "--restart", "echo.py+", "--all-trials")
    assert (first, second) == ((1, {"x": 3}), (2, {"x": 4}))


def test_trials_that_are_not_needed_are_not_shown(repo):
    repo.run("echo.py", "x=3", check=True)
    assert previewed(repo, "--needed", "echo.py", "x=[3,4]") == [(2, {"x": 4})]
