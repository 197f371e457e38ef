"""The family of a run: what it rests on, what rests on it, its earlier attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_of_four import batch_of_four
from clones import make_team
from pipelines import by_operation

from gitrun import Project
from gitrun.views.family import build_family

if TYPE_CHECKING:
    from gitrun.views.family import Family


def family(project: Project, run_id: str, most: int = 200) -> Family:
    with project.index() as index:
        return build_family(project.git, index, project.find(run_id), most)


def links(found: Family) -> set[tuple[str, str, str]]:
    return {(link.old, link.new, link.kind) for link in found.links}


def test_a_step_rests_on_its_pipeline_and_on_what_it_needs(piped) -> None:
    piped.run("all", check=True)
    ids = {name: run["id"] for name, run in by_operation(piped).items()}
    found = family(Project(piped.path), ids["train"])

    assert links(found) == {
        (ids["all"], ids["train"], "step"), (ids["all"], ids["prepare"], "step"), (ids["prepare"], ids["train"], "need"),
    }  # fmt: skip
    assert {run.id for run in found.relatives} == {ids["all"], ids["prepare"]}


def test_what_rests_on_a_run_is_in_its_family(piped) -> None:
    piped.run("prepare", check=True)
    piped.run("train", check=True)
    piped.run("train", "lr=0.5", check=True)
    project = Project(piped.path)
    *trained, prepared = (run.id for run in project.list_runs())

    assert links(family(project, prepared)) == {(prepared, run, "need") for run in trained}
    # the other run that needs the same file is no relative
    assert links(family(project, trained[0])) == {(prepared, trained[0], "need")}


def test_trials_and_their_batch_are_relatives(repo) -> None:
    project, batch, trials = batch_of_four(repo)

    assert links(family(project, batch)) == {(batch, trial, "trial") for trial in trials}
    assert links(family(project, trials[1])) == {(batch, trials[1], "trial")}


def test_relatives_above_a_limit_are_counted(repo) -> None:
    project, batch, _ = batch_of_four(repo)
    found = family(project, batch, 3)

    assert (len(found.relatives), len(found.links), found.more) == (2, 2, 2)


def test_a_needed_run_that_is_not_here_keeps_its_operation(piped) -> None:
    piped.run("prepare", check=True)
    piped.run("train", check=True)
    project = Project(piped.path)
    trained, prepared = (run.id for run in project.list_runs())
    piped.run("rm", prepared, check=True)

    assert family(project, trained).absent == {prepared: "prepare"}


def test_restarts_follow_each_other(repo) -> None:
    project = Project(repo.path)
    run = project.run("echo.py")
    for x in (2.0, 3.0):
        project.run(restart=run.id, flags={"x": x})
    found = family(project, run.id)

    assert {number: attempt.flags["x"] for number, attempt in found.earlier.items()} == {"1": 1.0, "2": 2.0}
    assert links(found) == {("1", "2", "restart"), ("2", run.id, "restart")}


def test_both_sides_of_a_merge_lead_to_the_run(tmp_path) -> None:
    team = make_team(tmp_path)
    run = Project(team.ann.path).run("echo.py").id
    team.ann.run("push", check=True)
    team.bob.run("fetch", check=True)
    team.bob.run("trust", "1", check=True)
    for repo, x in ((team.ann, 2.0), (team.bob, 3.0)):
        Project(repo.path).run(restart=run, flags={"x": x})
    team.ann.run("push", check=True)
    team.bob.run("pull", check=True)
    found = family(Project(team.bob.path), run)

    assert links(found) == {("1", run, "restart"), ("1", "2", "restart"), ("2", run, "merge")}
