"""The project of this folder, cloned into an empty directory, runs and runs again, in an environment without gitrun."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import users_python
from cancer import published
from repository import Repo
from sampled import sampled

if TYPE_CHECKING:
    from pathlib import Path

LIBRARIES = ("scikit-learn", "click", "PyYAML", "ipykernel")
MADE: list[Project] = []


@dataclass(frozen=True)
class Project:
    """A clone of the project, in which `all` was run once, and the Python of its user."""

    repo: Repo
    python: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The ended `git run WORDS`, with the user's environment active."""
        return self.repo.run(*words, env={"VIRTUAL_ENV": str(self.python.parents[1])})

    def ran(self, *words: str) -> dict:
        """The run that `git run WORDS` has made or gone on with, as JSON."""
        ended = self.run(*words)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return self.newest()

    def newest(self, operation: str | None = None) -> dict:
        """The newest run, of an operation or of all, as `show --json` has it."""
        words = (operation,) if operation else ()
        return json.loads(self.repo.run("show", "--json", *words, check=True).stdout)

    def count(self) -> int:
        """How many runs there are."""
        return len(self.repo.git("for-each-ref", "refs/runs").splitlines())


@pytest.fixture
def project(tmp_path_factory, world) -> Project:
    """Made by the first test that asks for it, and shared: the tests leave its working tree clean."""
    if not MADE:
        place = tmp_path_factory.mktemp("project")
        bare = published(place)
        subprocess.run(["git", "clone", "--quiet", bare, place / "clone"], check=True)
        project = Project(Repo(place / "clone"), users_python.make(place / "user", LIBRARIES))
        project.ran("all")
        project.run("mark", "prepare")  # its data is what is needed, whatever other tests prepare
        MADE.append(project)
    yield MADE[0]
    assert MADE[0].repo.git("status", "--porcelain") == ""


def test_clean_clone_runs_from_end_to_end(project) -> None:
    runs = {name: project.newest(name) for name in ("all", "prepare", "train", "evaluate")}
    assert {run["status"] for run in runs.values()} == {"completed"}
    assert runs["prepare"]["metrics"] == {"rows": 426}
    assert 0.9 < runs["evaluate"]["metrics"]["accuracy"] < runs["train"]["metrics"]["accuracy"] < 1
    assert {file["path"]: file["stored"] for run in runs.values() for file in run["files"]} == {
        "data/test.npz": "git", "data/train.npz": "git", "model.pkl": "git", "report.json": "git",
    }  # fmt: skip
    assert project.run("--", str(project.python), "-c", "import gitrun").stderr.count("No module named 'gitrun'") == 1


@pytest.mark.parametrize(
    ("operation", "change", "metric", "same"),
    sampled(
        1,
        [
            ("size", {"most": 9999}, "bytes", True),  # without scikit-learn, whose import takes more than all else
            ("train", {"model.C": 0.001}, "accuracy", False),
            ("evaluate", {"threshold": 0.99, "report": "none"}, "accuracy", False),
            ("prepare", {"share": 0.5}, "rows", False),
        ],
    ),
)
def test_part_is_restarted_with_its_flags_and_with_others(project, operation, change, metric, same) -> None:
    first = project.ran(operation)
    again = project.ran("--restart", first["id"])
    assert (again["id"], len(again["attempts"])) == (first["id"], 2)
    assert (again["flags"], again["metrics"]) == (first["flags"], first["metrics"])
    assert project.run("--restart", first["id"], "--needed").stdout == (
        "Skipping run because flags have not changed (--needed specified)\n"
    )
    words = [f"{name}={value}" for name, value in change.items()]
    changed = project.ran("--restart", first["id"], *words, "--needed")
    assert (changed["id"], changed["flags"]) == (first["id"], {**first["flags"], **change})
    assert (changed["metrics"][metric] == first["metrics"][metric]) is same


def test_notebook_is_run_on_the_data_of_another_operation_and_restarted(project) -> None:
    first = project.run("look")
    assert first.stdout == "malignant: 17.57\nbenign: 12.06\n"
    run = project.newest("look")
    assert [file["path"] for file in run["files"]] == ["notebooks/look.out.ipynb"]
    ended = project.run("--restart", run["id"], "digits=0")
    assert ended.stdout == "malignant: 18\nbenign: 12\n"
    assert project.newest("look")["flags"] == {"digits": 0, "feature": 0}


def test_shell_script_has_flags_in_its_environment_and_its_exit_status(project) -> None:
    ended = project.run("size", "most=100")
    assert ended.returncode == 1
    assert ended.stdout.startswith("model.pkl has ")
    failed = project.newest("size")
    assert (failed["status"], failed["metrics"]["bytes"] > 100) == ("error", True)
    # a run that ended with an error is needed again, whatever its flags
    assert project.run("--restart", failed["id"], "--needed").returncode == 1
    assert project.run("--restart", failed["id"], "most=9000", "--needed").returncode == 0


@pytest.mark.slow
def test_restart_keeps_the_data_that_it_was_run_on(project) -> None:
    train = project.ran("train")
    other = project.ran("prepare", "share=0.9")
    assert project.ran("--restart", train["id"])["metrics"] == train["metrics"]
    assert project.ran("train", f"prepare={other['id']}")["metrics"] == {"accuracy": 1.0}
    assert project.ran("--restart", train["id"], f"prepare={other['id'][:8]}")["metrics"] == {"accuracy": 1.0}


@pytest.mark.slow
def test_restart_takes_the_runs_own_source_unless_told_otherwise(project) -> None:
    run = project.ran("evaluate", "report=none")
    script = project.repo.path / "src" / "evaluate.py"
    plain = script.read_text()
    script.write_text(plain.replace('print(f"accuracy', 'print(f"right').replace("0.5,", "0.6,"))
    try:
        assert "right" not in project.run("--restart", run["id"]).stdout
        forced = project.run("--restart", run["id"], "--force-sourcecode")
    finally:
        script.write_text(plain)
    assert forced.stdout.startswith("right: ")
    # flags are those of the last attempt, not the new defaults
    assert project.newest("evaluate")["flags"] == {"report": "none", "threshold": 0.5}


@pytest.mark.slow
def test_whole_is_restarted_by_restarting_its_steps(project) -> None:
    whole, count = project.newest("all"), project.count()
    again = project.run("--restart", whole["id"], "model.C=0.01")
    assert again.returncode == 0, again.stderr
    assert project.count() == count
    assert project.newest("train")["flags"]["model.C"] == 0.01
    assert project.newest("all")["id"] == whole["id"]
    needed = project.run("all", "model.C=0.01", "threshold=0.6", "--needed")
    assert needed.stderr.count("not needed") == 2
    assert project.newest("evaluate")["flags"]["threshold"] == 0.6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "model.C=-1"), ("train", "model.C", "0")),
        (("train", "C=1"), ("train has no flag 'C'", "To set model.C: model.C=VALUE")),
        (("evaluate", "report=xml"), ("evaluate", "report", "json, none")),
        (("size", "most=0"), ("size", "most", "1")),
        (("all", "model.C=low"), ("all", "model.C", "number")),
        (("look", "feature=no"), ("look", "feature", "number")),
    ],
)
def test_refusal_names_operation_flag_and_values_and_leaves_no_run(project, words, said) -> None:
    count = project.count()
    ended = project.run(*words)
    assert (ended.returncode, ended.stdout, project.count()) == (129, "", count)
    assert all(text in ended.stderr for text in said), ended.stderr
