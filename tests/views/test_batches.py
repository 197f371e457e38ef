"""A batch as it is shown: what it searches for, its best trials, and its trials side by side."""

from __future__ import annotations

import json

import pytest
from batch_of_four import batch_of_four
from repository import Repo
from templates import made_once

from gitrun import Project


@pytest.fixture
@made_once
def four(repo):
    """A repository with a plain run and a batch of four trials."""
    batch_of_four(repo)


@pytest.mark.usefixtures("four")
def test_show_tells_space_sampler_counts_and_best_trials(repo) -> None:
    project = Project(repo.path)
    done = repo.run("show", "1")
    assert not done.stderr
    text = done.stdout
    ids = [trial.id[:8] for trial in project.trials(project.find("1"))]
    for line in (
        "trials:    3 of 4 completed, 1 error; best #2 loss=0.25", "sampler:   grid, minimize loss", "space:     x=[",
        f"best:      #2  {ids[1]}  loss=0.25  x=2", f"           #1  {ids[0]}  loss=0.5  x=1", f"           #4  {ids[3]}",
    ):  # fmt: skip
        assert line in text
    assert ids[2] not in text


@pytest.mark.usefixtures("four")
def test_show_of_a_trial_names_its_batch_and_number(repo) -> None:
    project = Project(repo.path)
    batch = project.find("1")
    assert f"batch:     {batch.id[:8]} #2" in repo.run("show", project.trials(batch)[1].id).stdout


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize(("words", "expected"), [((), ["0.25", "0.5", "0.75", "-"]), (("--top", "2"), ["0.25", "0.5"]),
                                                 (("--sort=-x",), ["0.75", "-", "0.25", "0.5"])])  # fmt: skip
def test_compare_of_a_batch_shows_its_trials_best_first(repo, words, expected) -> None:
    head, *rows = repo.run("compare", "1", "--csv", *words).stdout.splitlines()
    place = head.split(",").index("loss")
    assert [row.split(",")[place] or "-" for row in rows] == expected


@pytest.mark.usefixtures("four")
def test_push_takes_the_trials_along(repo, tmp_path) -> None:
    repo.git("init", "--bare", "-q", str(tmp_path / "remote.git"))
    repo.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    assert repo.run("push", "origin", "1").returncode == 0
    assert repo.git("ls-remote", "origin", "refs/runs/*").count("refs/runs/") == 5


@pytest.mark.usefixtures("four")
def test_trust_of_a_batch_trusts_the_trials_it_names(repo, tmp_path) -> None:
    here = Project(repo.path)
    batch = here.find("1")
    other = tmp_path / "other"
    repo.git("clone", "-q", str(repo.path), str(other))
    repo.git("-C", str(other), "fetch", "-q", "origin", "refs/runs/*:refs/runs/*")
    there = Project(other)
    assert len(there.sharing.untrusted(there.list_runs())) == 6
    assert Repo(other).run("trust", batch.id).returncode == 0
    assert [run.operation for run in there.sharing.untrusted(there.list_runs())] == ["echo.py"]
    assert there.sharing.untrusted(there.list_runs())[0].attempt.batch is None


@pytest.mark.usefixtures("four")
def test_report_of_a_batch_ranks_its_trials_and_draws_them(repo) -> None:
    project = Project(repo.path)
    ids = [trial.id[:8] for trial in project.trials(project.find("1"))]
    text = repo.run("report", "1").stdout
    rows = [line for line in text.splitlines() if line.startswith("| `#")]
    assert rows == [
        *(f"| `#{n}` | `{ids[n - 1]}` | `completed` | `{loss}` | `{n}` |" for n, loss in ((2, 0.25), (1, 0.5), (4, 0.75))),
        f"| `#3` | `{ids[2]}` | `error` | `-` | `3` |",
    ]
    page = repo.run("report", "1", "--format", "html").stdout
    for title in ("loss by trial", "parallel coordinates", "loss by x"):
        assert f'aria-label="{title}"' in page
    assert page.count('<svg class="chart"') == 3
    assert page.count("<circle") == 6


@pytest.mark.parametrize("words", [("x=[2,1]", "--repeat", "3"), ("x=[2,1]*3",)])
def test_points_tried_several_times_are_ranked_by_their_medians(repo, words) -> None:
    repo.write("noisy.py", "import os\nx = 1\nname = '.git/n'\nn = int(open(os.environ['N']).read() or 0)\n"
                           "open(os.environ['N'], 'w').write(str(n + 1))\nprint('loss:', x + n % 3 / 8)\n")  # fmt: skip
    repo.commit()
    counter = repo.path / ".git" / "n"
    counter.write_text("")
    done = repo.run("noisy.py", *words, "--minimize", "loss", env={"N": str(counter)}, check=True)
    project = Project(repo.path)
    batch = next(run for run in project.list_runs() if run.attempt.counts)
    (low, high) = ([one for one in project.trials(batch) if one.flags["x"] == x] for x in (1, 2))
    best = next(one for one in low if one.metrics["loss"] == sorted(run.metrics["loss"] for run in low)[1])
    assert f"best: #{best.attempt.trial} loss=" in done.stderr
    assert [row["trials"] for row in json.loads(repo.run("report", batch.id, "--json").stdout)["batches"][0]["points"]] == [
        [one.id for one in group] for group in (low, high)
    ]
    rows = [line for line in repo.run("report", batch.id).stdout.splitlines() if "±" in line]
    assert rows[0] == "| `median loss` | `mean ± sd` | `trials` | `x` |"
    numbers = ", ".join(f"#{one.attempt.trial}" for one in low)
    assert rows[1].startswith("| `1.")
    assert rows[1].endswith(f"` | `{numbers}` | `1` |")
    assert 'class="points"' in repo.run("report", batch.id, "--format", "html").stdout
    assert f"median of {numbers}  mean 1." in repo.run("show", batch.id).stdout
    head, *table = repo.run("compare", batch.id, "--csv").stdout.splitlines()
    assert head.endswith("median,mean,sd")
    assert [line[:8] for line in table] == [one.id[:8] for one in (*low, *high)]


@pytest.mark.usefixtures("four")
def test_earlier_runs_that_count_as_trials_are_shown_as_such(repo) -> None:
    project = Project(repo.path)
    repo.write("loss.py", "x = 1\nprint('loss:', x)\n")
    repo.commit()
    repo.run("loss.py", "x=2", check=True)
    earlier = next(run for run in project.list_runs() if run.operation == "loss.py")
    started = repo.run("loss.py", "x=[2,9]", "--needed", "--minimize", "loss", check=True)
    batch = next(run for run in project.list_runs() if run.operation == "loss.py+")
    own = project.trials(batch)[0]
    assert "#1 skipped" in started.stderr
    assert [line[:8] for line in repo.run("compare", batch.id, "--csv").stdout.splitlines()[1:]] == [earlier.id[:8], own.id[:8]]
    assert repo.run("select", "--batch", batch.id, "--min", "loss").stdout.strip() == earlier.id
    assert f"best:      #1  {earlier.id[:8]}" in repo.run("show", batch.id).stdout
    assert f"| `#1` | `{earlier.id[:8]}` | `completed`" in repo.run("report", batch.id).stdout
    assert [line.split()[1] for line in repo.run("list", "--trials", batch.id).stdout.splitlines()[1:]] == [
        earlier.id[:8], own.id[:8],
    ]  # fmt: skip
    # they stay those of their own batch
    repo.run("rm", batch.id, check=True)
    assert project.find(earlier.id).id == earlier.id


@pytest.mark.usefixtures("four")
def test_report_of_a_plain_run_has_no_trials(repo) -> None:
    assert "Trials of" not in repo.run("report", "2").stdout


@pytest.fixture
def clone(repo, tmp_path) -> Repo:
    """A clone without runs, of a remote that has the batch and all others."""
    repo.git("init", "--bare", "-q", str(tmp_path / "remote.git"))
    repo.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    repo.git("push", "-q", "origin", "HEAD", "refs/runs/*:refs/runs/*")
    repo.git("clone", "-q", str(tmp_path / "remote.git"), str(tmp_path / "clone"))
    return Repo(tmp_path / "clone")


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize("verb", ["fetch", "pull"])
def test_fetch_of_a_batch_takes_its_trials_along(repo, clone, verb) -> None:
    batch = Project(repo.path).find("1")
    repo.git("push", "-q", "origin", f":refs/runs/{Project(repo.path).trials(batch)[3].id}")
    assert clone.run(verb, "origin", batch.id).returncode == 0
    there = Project(clone.path)
    assert [trial.attempt.trial for trial in there.trials(there.find(batch.id))] == [1, 2, 3]
    assert len(there.list_runs()) == 4


@pytest.mark.usefixtures("four", "clone")
@pytest.mark.parametrize(("words", "left"), [((), 1), (("--only",), 5)])
def test_batch_is_deleted_on_a_remote_with_its_trials(repo, words, left) -> None:
    done = repo.run("rm", Project(repo.path).find("1").id, "--remote", "origin", *words)
    assert done.returncode == 0, done.stderr
    assert repo.git("ls-remote", "origin", "refs/runs/*").count("refs/runs/") == left
    assert len(Project(repo.path).list_runs()) == left


@pytest.mark.usefixtures("four")
def test_run_deleted_on_a_remote_takes_no_other_along(repo, clone) -> None:
    assert clone.path.exists()
    plain = Project(repo.path).find("2").id
    assert repo.run("rm", plain, "--remote", "origin").returncode == 0
    assert repo.git("ls-remote", "origin", "refs/runs/*").count("refs/runs/") == 5
