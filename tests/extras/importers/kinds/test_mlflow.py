"""git run import mlflow: the runs of a directory or a database of MLflow."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess

import pytest
from launchers import tool
from repository import Repo

from gitrun import Project

RUN, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2
META = """\
artifact_uri: file:///home/ann/mlruns/1/{run}/artifacts
end_time: 1795973828867
experiment_id: '1'
lifecycle_stage: {stage}
run_id: {run}
run_name: {name}
start_time: 1795973827838
status: {status}
tags: []
"""
TRAIN = 'lr = 0.1\nprint(f"loss: {lr}")\n'
TABLES = """\
create table experiments (experiment_id integer, name varchar, lifecycle_stage varchar);
create table runs (run_uuid varchar, name varchar, status varchar, start_time bigint, end_time bigint, lifecycle_stage varchar,
    artifact_uri varchar, experiment_id integer);
create table params (key varchar, value varchar, run_uuid varchar);
create table metrics (key varchar, value float, timestamp bigint, run_uuid varchar, step bigint, is_nan boolean);
create table tags (key varchar, value varchar, run_uuid varchar);
insert into experiments values (1, 'digits', 'active');
"""


@pytest.fixture
def repo(tmp_path) -> Repo:
    repo = Repo.create(tmp_path / "project")
    repo.write("src/train.py", TRAIN)
    repo.git("add", "-A")
    repo.git("commit", "-qm", "train")
    return repo


@pytest.fixture
def store(tmp_path, repo):
    """Writes a run as MLflow's file store does, and returns the store. `files` are paths below the run's directory."""

    def write(run: str = RUN, status: int = 3, stage: str = "active", name: str = "swift-owl", **files: str):
        top = tmp_path / "work/mlruns"
        directory = top / "1" / run
        directory.mkdir(parents=True)
        (top / "1/meta.yaml").write_text("experiment_id: '1'\nname: digits\n")
        (directory / "meta.yaml").write_text(META.format(run=run, status=status, stage=stage, name=name))
        usual = {
            "params/lr": "0.3", "params/net/name": "cnn", "metrics/loss": "17 0.9 0\n17 nan 1\n17 0.4 2\n",
            "tags/mlflow.source.name": "/home/ann/project/src/train.py", "tags/paper": "1",
            "tags/mlflow.note.content": "a note",
            "tags/mlflow.source.git.commit": repo.head(), "tags/mlflow.user": "ann",
            "artifacts/model/weights.pkl": "cos\nsystem\n(S'touch executed'\ntR.",
        }  # fmt: skip
        for path, text in {**usual, **files}.items():
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_text(text)
        return top

    return write


def test_run_of_a_directory_is_a_run(repo, store) -> None:
    ended = repo.run("import", "mlflow", store(), check=True)
    (run,) = Project(repo.path).list_runs()
    assert (run.operation, run.attempt.command, run.status) == ("src/train.py", ("{python}", "src/train.py"), "completed")
    assert (dict(run.flags), run.notes.label) == ({"lr": 0.3, "net/name": "cnn"}, "swift-owl")
    assert (run.notes.tags, run.notes.comments[0].text, run.notes.comments[0].author) == (("digits", "paper=1"), "a note", "")
    assert (run.metrics.ask("loss"), run.metrics.ask("loss:first"), run.metrics.ask("loss:count")) == (0.4, 0.9, 3)
    assert run.attempt.base == repo.head()
    assert str(run.attempt.created) == "2026-11-29 17:37:07.838000+00:00"
    assert [file.path for file in run.attempt.files] == ["model/weights.pkl"]
    assert "changes that were not committed" in ended.stderr
    assert "already here" in repo.run("import", "mlflow", repo.path.parent / "work", check=True).stderr
    assert not list(repo.path.parent.rglob("executed"))


def test_imported_run_restarts_with_another_flag(repo, store) -> None:
    repo.run("import", "mlflow", store(), check=True)
    repo.run("trust", "swift-owl", check=True)
    assert repo.run("--restart", "swift-owl", "lr=0.7", check=True).stdout == "loss: 0.7\n"


@pytest.mark.parametrize(
    ("status", "stage", "words"),
    [(1, "active", "MLflow recorded no end of it"), (3, "deleted", "it was deleted in MLflow"), (9, "active", "no end")],
)
def test_run_without_an_end_is_left_out(repo, store, status, stage, words) -> None:
    ended = repo.run("import", "mlflow", store(status=status, stage=stage), check=True)
    assert (words in ended.stderr, Project(repo.path).list_runs()) == (True, [])


@pytest.mark.parametrize(("status", "outcome"), [(4, ("error", 1)), (5, ("terminated", -15))])
def test_failed_run_keeps_its_outcome(repo, store, status, outcome) -> None:
    repo.run("import", "mlflow", store(status=status), check=True)
    (run,) = Project(repo.path).list_runs()
    assert (run.status, run.exit_status) == outcome


def test_links_of_a_store_are_not_followed(repo, store, tmp_path) -> None:
    directory = store() / "1" / RUN
    (tmp_path / "secret").write_text("secret")
    (directory / "artifacts/link").symlink_to(tmp_path / "secret")
    (directory / "params/stolen").symlink_to(tmp_path / "secret")
    (directory.parent / OTHER).symlink_to(directory)
    # whole directories of a run lead elsewhere too
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/stolen").write_text("secret")
    third = directory.parent / ("9" * 32)
    shutil.copytree(directory, third, symlinks=True)
    for name in ("params", "artifacts", "tags", "metrics"):
        shutil.rmtree(third / name)
        (third / name).symlink_to(tmp_path / "elsewhere")
    ended = repo.run("import", "mlflow", directory.parent.parent, check=True)
    runs = Project(repo.path).list_runs()
    assert ("a symbolic link" in ended.stderr, sorted(len(run.attempt.files) for run in runs)) == (True, [0, 1])
    assert not [run for run in runs if "stolen" in run.flags or "stolen" in run.metrics or run.notes.tags == ("stolen=secret",)]


@pytest.fixture
def database(tmp_path):
    """Writes a database as MLflow 3 does, with one run, and returns its path and a connection."""
    path = tmp_path / "db/mlflow.db"
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.executescript(TABLES)
    artifacts = path.parent / "mlruns/1" / RUN / "artifacts"
    artifacts.mkdir(parents=True)
    (artifacts / "model.txt").write_text("weights")
    row = (RUN, "swift-owl", "FINISHED", 1795973827838, 1795973828867, "active", str(artifacts), 1)
    connection.execute("insert into runs values (?, ?, ?, ?, ?, ?, ?, ?)", row)
    connection.executemany("insert into params values (?, ?, ?)", [("lr", "0.3", RUN), ("layers", "[1, 2]", RUN)])
    points = [("loss", 0.9, 1, RUN, 0, 0), ("loss", 0.4, 2, RUN, 1, 0), ("top", 1.7976931348623157e308, 3, RUN, 0, 0)]
    connection.executemany("insert into metrics values (?, ?, ?, ?, ?, ?)", points)
    connection.execute("insert into tags values ('mlflow.source.name', 'train.py', ?)", (RUN,))
    connection.commit()
    yield path, connection
    connection.close()


def test_run_of_a_database_is_a_run(repo, database) -> None:
    path, _ = database
    before = path.read_bytes()
    ended = repo.run("import", "mlflow", f"sqlite:///{path}", check=True)
    (run,) = Project(repo.path).list_runs()
    assert (run.operation, dict(run.flags), run.notes.label) == ("train.py", {"lr": 0.3, "layers": [1, 2]}, "swift-owl")
    assert (run.metrics.ask("loss"), run.metrics.ask("loss:first"), run.metrics.ask("top")) == (0.4, 0.9, float("inf"))
    assert [file.path for file in run.attempt.files] == ["model.txt"]
    assert "the source: MLflow recorded no commit that is here" in ended.stderr
    for typed in (path, f"sqlite:{path}", path.parent):
        assert "1 already here" in repo.run("import", "mlflow", typed, check=True).stderr
    assert (path.read_bytes(), sorted(one.name for one in path.parent.iterdir())) == (before, ["mlflow.db", "mlruns"])


@pytest.mark.parametrize("uri", ["/etc", "file:///etc", "../", "s3://bucket/x", "mlruns/1/../../../x/artifacts"])
def test_artifacts_elsewhere_are_not_read(repo, database, uri) -> None:
    path, connection = database
    connection.execute("update runs set artifact_uri = ?", (uri,))
    connection.commit()
    ended = repo.run("import", "mlflow", f"sqlite:{path}", check=True)
    (run,) = Project(repo.path).list_runs()
    assert ("artifacts that are not beside the store" in ended.stderr, run.attempt.files) == (True, ())


def test_damaged_database_harms_nothing(repo, database) -> None:
    path, connection = database
    connection.executemany("insert into metrics values ('m', ?, 1, ?, 0, 0)", [(number, RUN) for number in range(3_000)])
    connection.commit()
    whole = path.read_bytes()
    for page in range(1, len(whole) // 4096, 5):
        path.write_bytes(whole[: page * 4096] + b"\xff" * 4096 + whole[(page + 1) * 4096 :])
        ended = repo.run("import", "mlflow", path)
        assert ("Traceback" in ended.stderr, ended.returncode in {0, 129}) == (False, True)


def test_database_with_a_view_for_a_table_is_refused(repo, database) -> None:
    path, connection = database
    endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select '', '', i from n"
    connection.executescript(f"drop table params; create view params (key, value, run_uuid) as {endless};")
    ended = repo.run("import", "mlflow", path)
    assert (ended.returncode, "is no database of MLflow" in ended.stderr) == (129, True)


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + bytes(100)])
def test_file_that_is_no_store_is_refused(repo, tmp_path, content) -> None:
    (tmp_path / "x.db").write_bytes(content)
    for typed in ("x.db", "sqlite:x.db", "sqlite:none.db", "none"):
        ended = repo.run("import", "mlflow", f"sqlite:{tmp_path / typed[7:]}" if typed[:7] == "sqlite:" else tmp_path / typed)
        assert (ended.returncode, "Traceback" in ended.stderr) == (129, False)
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("typed", ["http://host:5000", "https://u:p@host", "databricks", "postgresql://host/db"])
def test_server_is_refused_with_what_to_do(repo, typed) -> None:
    ended = repo.run("import", "mlflow", typed)
    assert (ended.returncode, "mlflow experiments csv -x ID -o runs.csv && git run import csv" in ended.stderr) == (129, True)


PROGRAM = """\
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("digits")
for number in range(3):
    with mlflow.start_run(run_name=f"run-{number}"):
        mlflow.log_params({"lr": number / 10, "opt": "adam"})
        for step in range(4):
            mlflow.log_metric("val/loss", 1 / (step + 1), step=step)
        mlflow.log_metric("top", float("inf"))
        mlflow.set_tag("paper", "1")
        mlflow.log_text("hello", "sub/hello.txt")
try:
    with mlflow.start_run(run_name="fails"):
        raise RuntimeError
except RuntimeError:
    pass
"""


@pytest.mark.slow
def test_both_stores_of_the_real_mlflow(repo, tmp_path) -> None:
    python = tool("mlflow") / "python"
    script = tmp_path / "train.py"
    script.write_text(PROGRAM)
    environ = {**os.environ, "MLFLOW_ALLOW_FILE_STORE": "true"}
    for name, uri in (("files", "file:mlruns"), ("db", "sqlite:///mlflow.db")):
        (tmp_path / name).mkdir()
        subprocess.run([python, script, uri], cwd=tmp_path / name, env=environ, check=True, timeout=300, capture_output=True)
        repo.run("import", "mlflow", tmp_path / name, check=True)
        runs = {run.notes.label: run for run in Project(repo.path).list_runs()}
        run = runs["run-2"]
        assert (sorted(runs), runs["fails"].status) == (["fails", "run-0", "run-1", "run-2"], "error")
        assert (dict(run.flags), run.notes.tags) == ({"lr": 0.2, "opt": "adam"}, ("digits", "paper=1"))
        assert (run.metrics.ask("val/loss"), run.metrics.ask("val/loss:count"), run.metrics.ask("top")) == (
            0.25,
            4,
            float("inf"),
        )
        assert [file.path for file in run.attempt.files] == ["sub/hello.txt"]
        assert "4 already here" in repo.run("import", "mlflow", tmp_path / name, check=True).stderr
        shutil.rmtree(repo.path)
        Repo.create(repo.path)
