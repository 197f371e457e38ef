"""What single pages about runs ask for, as JSON values."""

from __future__ import annotations

import json

import pytest
from batch_of_four import NOISY, batch_of_four
from pipelines import by_operation
from sampled import sampled
from templates import made_once

from gitrun import Project
from gitrun.errors import UnknownRun, UsageError
from gitrun.render import feed_pages

SCRIPT = "lr = 0.1\nname = 'a'\nprint(lr)\nopen('out.txt', 'w').write(str(lr))\n"


@pytest.fixture
@made_once
def project(repo) -> Project:
    """Two runs of a script, of which the second has uncommitted changes."""
    repo.write("train.py", SCRIPT)
    repo.commit("Train <b>")
    repo.run("train.py", check=True)
    repo.write("train.py", SCRIPT + "import time\n")
    repo.run("train.py", "lr=0.5", check=True)
    return Project(repo.path)


def ids(project: Project) -> list[str]:
    return [run.id for run in project.list_runs()]


def test_the_context_names_defaults_commit_and_the_run_before(project) -> None:
    newest, first = ids(project)
    found = feed_pages.context_answer(project, newest[:8])

    assert found["defaults"] == {"lr": 0.1, "name": "a"}
    assert found["base"]["subject"] == "Train <b>"
    assert found["changes"] == [{"path": "train.py", "change": "changed"}]
    assert found["previous"] == first
    assert feed_pages.context_answer(project, first)["previous"] is None


def test_a_context_without_its_commit_or_declaration_is_answered(repo) -> None:
    repo.run("--", "sh", "-c", "true", check=True)
    project = Project(repo.path)
    (run,) = ids(project)
    repo.git("update-ref", "-d", "HEAD")

    assert feed_pages.context_answer(project, run)["defaults"] == {}


def test_files_are_those_of_ls(project, repo) -> None:
    run = ids(project)[0]
    listed = json.loads(repo.run("ls", run, "--json", check=True).stdout)

    assert feed_pages.files_answer(project, run)["files"] == listed
    produced = feed_pages.files_answer(project, run, {"parts": "produced,local"})["files"]
    assert [file["path"] for file in produced] == ["out.txt"]


def test_differences_are_those_of_diff(project, repo) -> None:
    newest, first = ids(project)

    assert feed_pages.diff_answer(project, first, newest) == json.loads(repo.run("diff", first, newest, "--json").stdout)
    assert feed_pages.diff_answer(project, newest, "base") == json.loads(repo.run("diff", newest, "--json").stdout)


def test_a_patch_comes_in_parts_and_counts_the_rest(project, monkeypatch) -> None:
    newest, first = ids(project)
    whole = feed_pages.patch_answer(project, first, newest)
    monkeypatch.setattr(feed_pages, "LINES", 3)
    starts = range(0, len(whole["lines"]), 3)
    parts = [feed_pages.patch_answer(project, first, newest, {"from": str(start)}) for start in starts]

    assert "+import time" in whole["lines"]
    assert whole["more"] == 0
    assert [line for part in parts for line in part["lines"]] == whole["lines"]
    assert parts[0]["more"] == len(whole["lines"]) - 3


@pytest.mark.parametrize("start", sampled(3, ["-1", "x", "", "1e3", "٣", "9" * 20]))
def test_a_part_that_is_no_number_is_refused(project, start) -> None:
    newest, first = ids(project)

    with pytest.raises(UsageError):
        feed_pages.patch_answer(project, first, newest, {"from": start})


def test_a_patch_starts_no_program_of_the_user(project, repo) -> None:
    newest, first = ids(project)
    hurt = repo.path.parent / "hurt"
    repo.write(".gitattributes", "*.py diff=evil\n")
    for setting in ("diff.external", "diff.evil.command", "diff.evil.textconv"):
        repo.git("config", setting, f"touch {hurt};true")

    assert "+import time" in feed_pages.patch_answer(project, first, newest)["lines"]
    assert not hurt.exists()


def test_a_lineage_has_a_node_for_each_end_of_its_links(piped) -> None:
    piped.run("all", check=True)
    run = by_operation(piped)["train"]["id"]
    found = feed_pages.lineage_answer(Project(piped.path), run)

    known = {node["id"] for node in found["nodes"]}
    assert all({link["from"], link["to"]} <= known for link in found["links"])
    assert {node["operation"] for node in found["nodes"]} == {"all", "prepare", "train"}


def test_earlier_attempts_are_nodes_by_number(project) -> None:
    run = ids(project)[0]
    project.run(restart=run, flags={"lr": 0.7})
    found = feed_pages.lineage_answer(project, run)

    assert [(node["id"], node["number"]) for node in found["nodes"]] == [("1", "1"), (run, None)]
    assert found["links"] == [{"from": "1", "to": run, "kind": "restart"}]


def test_a_batch_lists_trials_with_the_best_first(repo) -> None:
    project, batch, trials = batch_of_four(repo)
    found = feed_pages.batch_answer(project, batch)

    assert found["objective"] == {"metric": "loss", "minimize": True}
    assert found["best"] == [trials[1], trials[0], trials[3]]
    assert [trial["id"] for trial in found["trials"]] == trials
    assert (found["flags"], found["metrics"], found["points"]) == (["x"], ["loss"], [])


def test_repeated_points_rank_by_their_medians(repo, tmp_path) -> None:
    (tmp_path / "counts").mkdir()
    repo.write("noisy.py", NOISY % (tmp_path / "counts"))
    repo.run("noisy.py", "x=[1,2]", "--repeat", "3", "--minimize", "loss", check=True)
    project = Project(repo.path)
    found = feed_pages.batch_answer(project, project.find("1").id)
    losses = {trial["id"]: (trial["flags"]["x"], trial["metrics"]["loss"]) for trial in found["trials"]}

    assert [(point["median"], point["mean"], point["sd"]) for point in found["points"]] == [
        (5, 5, 1), (9, pytest.approx(19 / 3), pytest.approx(4.6188021)),
    ]  # fmt: skip
    assert [sorted(losses[one] for one in point["trials"]) for point in found["points"]] == [
        [(2, 4), (2, 5), (2, 6)], [(1, 1), (1, 9), (1, 9)],
    ]  # fmt: skip
    assert found["best"] == [trial for point in found["points"] for trial in point["trials"]]
    assert [trial["trial"] for trial in found["trials"]] == [1, 2, 3, 4, 5, 6]


def test_commits_have_their_runs_with_and_without_changes(project) -> None:
    newest, first = ids(project)
    (commit, *_) = feed_pages.commits_answer(project)["commits"]

    assert [run["id"] for run in commit["exact"]] == [first]
    assert [run["id"] for run in commit["changed"]] == [newest]


def test_commits_fold_trials_into_their_batch(repo) -> None:
    project, batch, _ = batch_of_four(repo)
    (commit, *_) = feed_pages.commits_answer(project)["commits"]

    assert batch in [run["id"] for run in commit["exact"]]
    assert len(commit["exact"]) == 2


def test_runs_of_a_commit_above_a_limit_are_counted(project, monkeypatch) -> None:
    for limits in ({"RUNS": 1, "READ": 3}, {"RUNS": 3, "READ": 1}):
        for name, value in limits.items():
            monkeypatch.setattr(feed_pages, name, value)
        project.run("train.py", flags={"lr": limits["RUNS"]})
        (commit, *_) = feed_pages.commits_answer(project)["commits"]
        shown = [*commit["exact"], *commit["changed"]]

        assert len(shown) + commit["more"] == len(ids(project))


def test_further_commits_and_unknown_ranges_are_told(project, repo) -> None:
    repo.write("b.txt", "b")
    repo.commit("Another")

    assert feed_pages.commits_answer(project, {"limit": "1"})["more"]
    for words in ("no-such", "--all", "-h"):
        with pytest.raises(UsageError):
            feed_pages.commits_answer(project, {"range": words})


def test_live_runs_are_beside_those_that_ended_last(project) -> None:
    found = feed_pages.live_answer(project)

    assert found["running"] == []
    assert [run["id"] for run in found["ended"]] == ids(project)


def test_a_deleted_run_names_the_command_that_restores_it(project, repo) -> None:
    run = ids(project)[0]
    repo.run("rm", run, check=True)

    for answer in (feed_pages.context_answer, feed_pages.files_answer, feed_pages.lineage_answer, feed_pages.batch_answer):
        with pytest.raises(UnknownRun) as refused:
            answer(project, run)
        assert refused.value.hint == f"To restore it: git run restore {run[:8]}"
