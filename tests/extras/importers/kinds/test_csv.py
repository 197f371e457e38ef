"""git run import csv: a row, a run."""

from __future__ import annotations

import pytest
from repository import Repo

from gitrun import Project

TABLE = """\
id,operation,status,exit_status,label,tags,started,duration,flag.lr,flag.opt,metric.loss,metric.val/acc,notes
a,train.py,completed,,first,x y,2026-01-02T03:04:05Z,2.5,0.1,adam,0.5,nan,hm
b,train.py,failed,3,,,2026-01-02 03:05:05,,0.2,sgd,,,hm
c,train.py,running,,,,2026-01-02 03:05:05,,0.2,sgd,,,hm
,other,,,,,,,5,,1e-3,0.25,hm
,other,,,,,,,5,,1e-3,0.25,hm
"""


@pytest.fixture
def repo(tmp_path) -> Repo:
    return Repo.create(tmp_path / "project")


def test_row_of_a_table_is_a_run(repo) -> None:
    repo.write("runs.csv", TABLE)
    ended = repo.run("import", "csv", "runs.csv", check=True)
    failed, first, *others = Project(repo.path).list_runs()
    assert (first.operation, first.status, dict(first.flags), first.notes.label) == (
        "train.py",
        "completed",
        {"lr": 0.1, "opt": "adam"},
        "first",
    )
    assert (first.notes.tags, first.attempt.duration, first.metrics.ask("loss")) == (("x", "y"), 2.5, 0.5)
    assert str(first.attempt.created) == "2026-01-02 03:04:05+00:00"
    assert (failed.status, failed.exit_status) == ("error", 3)
    # equal rows are two runs
    assert [(run.operation, run.metrics.ask("loss"), run.flags.get("lr")) for run in others] == [("other", 0.001, 5)] * 2
    for words in (
        "(row 3): its status is not completed, error or terminated",
        "column notes: to read it, name it flag.notes or metric.notes",
        "its time: neither column created nor column started has one",
    ):
        assert words in ended.stderr


def test_rows_that_are_here_are_not_imported_again(repo) -> None:
    repo.write("runs.csv", TABLE)
    repo.run("import", "csv", "runs.csv", check=True)
    head, *rows = TABLE.splitlines(keepends=True)
    repo.write("runs.csv", head + "d,train.py,,,,,2026-02-02T00:00:00Z,,1,,,,\n" + "".join(rows))
    assert "imported 1 run from csv; 4 already here" in repo.run("import", "csv", "runs.csv", check=True).stderr


def test_what_list_writes_is_read(repo, tmp_path) -> None:
    repo.write("train.py", 'lr = 0.1\nlayers = [1, 2]\nopt = "adam"\nprint(f"loss: {lr}")\n')
    repo.git("add", "-A")
    repo.git("commit", "-qm", "train")
    repo.run("train.py", "lr=0.2", "--label", "first", "--tag", "a b", "--tag", "c", check=True)
    repo.run("mark", "1", check=True)
    (tmp_path / "runs.csv").write_text(repo.run("list", "--csv", check=True).stdout)
    other = Repo.create(tmp_path / "other")
    other.git("fetch", "-q", str(repo.path), "main")
    other.run("import", "csv", "../runs.csv", check=True)
    (run,), (was,) = Project(other.path).list_runs(), Project(repo.path).list_runs()
    assert (run.operation, run.status, dict(run.flags)) == (was.operation, was.status, dict(was.flags))
    assert (run.notes.label, run.notes.tags, run.notes.marked) == ("first", was.notes.tags, True)
    assert (run.attempt.base, run.attempt.branch, run.attempt.started) == (was.attempt.base, "main", was.attempt.started)
    assert run.metrics.ask("loss") == 0.2


def test_rows_of_one_batch_are_its_trials(repo) -> None:
    repo.write(
        "runs.csv",
        "id,batch,trial,operation,flag.lr,flag.n,metric.loss\nb,,,sweep,,,\n"
        + "".join(
            f"{number},b,{number},train.py,{lr},{n},{lr * n}\n" for number, lr, n in ((2, 0.1, 8), (10, 0.2, 9), (3, 0.2, 8))
        )
        + "x,,,train.py,0.5,1,1\n",
    )
    repo.run("import", "csv", "runs.csv", check=True)
    project = Project(repo.path)
    (batch,) = [run for run in project.list_runs() if run.attempt.kind == "batch"]
    trials = project.read_batch(batch).trials
    assert [(trial.attempt.trial, trial.flags["lr"], trial.flags["n"]) for trial in trials] == [
        (1, 0.1, 8),
        (2, 0.2, 8),
        (3, 0.2, 9),
    ]
    assert (batch.operation, len(project.list_runs())) == ("train.py+", 5)
    assert "5 already here" in repo.run("import", "csv", "runs.csv", check=True).stderr


def test_table_that_mlflow_writes_is_read_as_it_is(repo) -> None:
    repo.write(
        "runs.csv",
        "run_id,experiment_id,status,start_time,end_time,metrics.loss,params.lr,tags.mlflow.source.name,tags.paper\n"
        "002de97a,1,FINISHED,2026-11-29 20:57:03.188+00:00,2026-11-29 20:57:04.721+00:00,0.5,0.1,train.py,1\n",
    )
    repo.run("import", "csv", "runs.csv", check=True)
    (run,) = Project(repo.path).list_runs()
    assert (run.operation, dict(run.flags), run.metrics.ask("loss")) == ("train.py", {"lr": 0.1}, 0.5)
    assert (run.notes.tags, run.attempt.duration) == (("paper=1",), 1.533)


def test_tabs_and_a_byte_order_mark_are_read(repo) -> None:
    repo.write("runs.tsv", b"\xef\xbb\xbfflag.x\tmetric.y\n1\t2\n")
    repo.run("import", "csv", "runs.tsv", check=True)
    (run,) = Project(repo.path).list_runs()
    assert (dict(run.flags), run.metrics.ask("y")) == ({"x": 1}, 2)


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b'flag.x\n"' + b"a" * 200_000, b"\0\0,flag.x\n1\0,2\n"])
def test_file_that_is_no_table_is_refused(repo, content) -> None:
    repo.write("runs.csv", content)
    ended = repo.run("import", "csv", "runs.csv")
    assert ("Traceback" in ended.stderr, ended.returncode in {0, 129}) == (False, True)
    for words in ((), ("none.csv",), (".",)):
        assert repo.run("import", "csv", *words).returncode == 129


def test_cells_cannot_reach_a_terminal(repo) -> None:
    repo.write("runs.csv", "operation,label,flag.x,metric.y\n\x1b[31mred,\x1b]52;c;x\x07,\x1b[1m,1\n")
    repo.run("import", "csv", "runs.csv", check=True)
    assert "\x1b" not in repo.run("list", check=True).stdout
