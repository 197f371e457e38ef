"""git run import dvc: experiments below refs/exps."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time

import pytest
from forms import Form, asked_form
from launchers import tool
from repository import Repo

from gitrun import Project

PIPELINE = """\
stages:
  prepare:
    cmd: python prepare.py
    deps: [prepare.py]
    params: [prepare.seed]
    outs: [data.txt]
  train:
    cmd: python train.py
    deps: [train.py, data.txt]
    params: [train.lr, train.epochs]
    outs: [model.bin]
    metrics:
    - metrics.json: {cache: false}
    plots:
    - curve.csv: {cache: false, x: step, y: loss}
"""
PARAMS = "prepare:\n  seed: 1\ntrain:\n  lr: {lr}\n  epochs: 3\n"
PREPARE = """\
import yaml
seed = yaml.safe_load(open("params.yaml"))["prepare"]["seed"]
open("data.txt", "w").write(f"{seed}\\n")
"""
TRAIN = """\
import json, sys, yaml
params = yaml.safe_load(open("params.yaml"))["train"]
loss = float(open("data.txt").read())
if params["lr"] > 5:
    sys.exit("diverged")
with open("curve.csv", "w") as file:
    file.write("step,loss\\n")
    for step in range(params["epochs"]):
        loss *= 1 - params["lr"]
        file.write(f"{step},{loss}\\n")
json.dump({"loss": loss, "acc": {"test": 1 - loss}}, open("metrics.json", "w"))
open("model.bin", "w").write(f"weights {loss}\\n")
"""
IGNORED = "/data.txt\n/model.bin\n"


@pytest.fixture
def project(tmp_path) -> Repo:
    """A project of DVC before its first experiment."""
    repo = Repo.create(tmp_path / "project")
    for name, text in (
        ("dvc.yaml", PIPELINE),
        ("params.yaml", PARAMS.format(lr=0.1)),
        ("prepare.py", PREPARE),
        ("train.py", TRAIN),
    ):
        repo.write(name, text)
    repo.write(".gitignore", IGNORED)
    repo.git("add", "-A")
    repo.git("commit", "-qm", "base")
    return repo


def into_cache(repo: Repo, path: str, content: bytes) -> dict[str, object]:
    """Puts a content into the cache as DVC 3 does, and returns its entry of dvc.lock."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    repo.write(f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}", content)
    return {"path": path, "hash": "md5", "md5": md5, "size": len(content)}


def experiment(repo: Repo, name: str, lr: float, loss: float, **files: bytes) -> str:
    """Makes a commit on HEAD as `dvc exp run` does, at its ref; the branch and the working tree stay."""
    base = repo.head()
    repo.write("params.yaml", PARAMS.format(lr=lr))
    repo.write("metrics.json", json.dumps({"loss": loss, "acc": {"test": 1 - loss}}))
    repo.write("curve.csv", f"step,loss\n0,{2 * loss}\n1,{loss}\n")
    outs = [into_cache(repo, path, content) for path, content in files.items()]
    repo.write("dvc.lock", json.dumps({"schema": "2.0", "stages": {"train": {"cmd": "python train.py", "outs": outs}}}))
    paths = ("params.yaml", "metrics.json", "curve.csv", "dvc.lock")
    repo.git("add", "-f", *paths)
    commit = repo.git("commit-tree", "-p", base, "-m", "dvc: commit experiment 71db2d6b", repo.git("write-tree"))
    repo.git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", commit)
    repo.git("reset", "-q", "--hard", base)
    return commit


def test_experiment_is_a_run_on_its_base(project) -> None:
    experiment(project, "brave-lion", 0.3, 0.25, **{"model.bin": b"weights\n"})
    before = project.git("for-each-ref", "refs/exps", "refs/heads")
    project.run("import", "dvc", check=True)
    (run,) = Project(project.path).list_runs()
    assert (run.operation, run.status, run.notes.label) == ("dvc repro", "completed", "brave-lion")
    assert dict(run.flags) == {"prepare.seed": 1, "train.lr": 0.3, "train.epochs": 3}
    assert run.attempt.given == ("train.lr",)
    assert (run.metrics.ask("loss"), run.metrics.ask("loss:first"), run.metrics.ask("acc/test")) == (0.25, 0.5, 0.75)
    assert run.attempt.base == project.head()
    assert {file.path for file in run.attempt.files} == {"metrics.json", "curve.csv", "model.bin"}
    assert project.git("cat-file", "-p", f"{run.tip}:model.bin") == "weights"
    assert project.git("for-each-ref", "refs/exps", "refs/heads") == before


def test_second_import_changes_nothing(project) -> None:
    experiment(project, "one", 0.3, 0.25)
    first = project.run("import", "dvc", check=True).stderr
    runs = project.git("for-each-ref", "refs/runs")
    experiment(project, "two", 0.4, 0.2)
    second = project.run("import", "dvc", check=True).stderr
    assert ("imported 1 run from dvc" in first, "imported 1 run from dvc; 1 already here" in second) == (True, True)
    assert runs in project.git("for-each-ref", "refs/runs")


def test_imported_experiment_restarts_without_dvc(project) -> None:
    experiment(project, "one", 0.5, 0.125)
    project.run("import", "dvc", check=True)
    assert project.run("--restart", "one").returncode != 0
    project.run("trust", "one", check=True)
    project.run("--restart", "one", "train.lr=0.75", "prepare.seed=2", check=True)
    (run,) = Project(project.path).list_runs()
    assert (run.status, run.metrics.ask("loss")) == ("completed", 2 * 0.25**3)
    assert "reproduced" in project.run("verify", "one", check=True).stdout
    # the user's files are as they were
    assert project.git("status", "--porcelain", "--untracked-files=no") == ""


def test_content_that_is_not_what_the_lock_says_is_left_out(project) -> None:
    experiment(project, "one", 0.3, 0.25, **{"model.bin": b"right\n"})
    (file,) = (path for path in project.path.joinpath(".dvc/cache").rglob("*") if path.is_file())
    file.write_bytes(b"wrong\n")
    ended = project.run("import", "dvc", check=True)
    assert "model.bin in DVC's cache has another content than it should" in ended.stderr
    file.unlink()
    file.symlink_to(project.path / "train.py")
    assert "model.bin" not in {file.path for file in Project(project.path).list_runs()[0].attempt.files}


def test_failed_task_of_the_queue_is_a_run_with_an_error(project) -> None:
    base = project.head()
    project.write("params.yaml", PARAMS.format(lr=7))
    # a pickle, which would run a command if it was loaded
    project.write(".dvc/tmp/repro.dat", b"cos\nsystem\n(S'touch executed'\ntR.")
    project.git("add", "-f", "params.yaml", ".dvc/tmp/repro.dat")
    tree = project.git("write-tree")
    index = project.git("commit-tree", "-p", base, "-m", "Index stash", tree)
    task = project.git("commit-tree", "-p", base, "-p", index, "-m", f"dvc-exp:{base}:{base}:fails", tree)
    for queue in ("failed", "stash"):
        message = f"dvc-exp:{base}:{base}:fails"
        project.git("update-ref", "--create-reflog", "-m", f"commit: {message}", f"refs/exps/celery/{queue}", task)
    project.git("reset", "-q", "--hard", base)
    project.write(
        f".dvc/tmp/exps/run/{task}/{task}.out",
        "Reproducing experiment 'fails'\n> python train.py\ndiverged\nERROR: failed to run: python train.py, exited with 3\n",
    )
    ended = project.run("import", "dvc", check=True)
    (run,) = Project(project.path).list_runs()
    assert (run.notes.label, run.status, run.exit_status, run.flags.get("train.lr")) == ("fails", "error", 3, 7)
    assert "diverged" in run.output
    assert "(fails): it waits in DVC's queue" in ended.stderr
    assert ".dvc/tmp/repro.dat" not in project.git("ls-tree", "-r", "--name-only", run.tip)
    assert not (project.path / "executed").exists()


def test_pipeline_that_only_dvc_unfolds_is_said(project) -> None:
    project.write("dvc.yaml", "stages:\n  train:\n    foreach: [1, 2]\n    do:\n      cmd: echo ${item}\n")
    project.git("commit", "-qam", "foreach")
    experiment(project, "one", 0.3, 0.25)
    ended = project.run("import", "dvc", check=True)
    (run,) = Project(project.path).list_runs()
    assert run.attempt.command == ("dvc", "repro")
    assert "a restart starts dvc repro" in ended.stderr


def test_experiment_without_stages_says_that_no_command_is_recorded(project) -> None:
    # as Live(save_dvc_exp=True) of DVCLive writes it
    project.write(
        "dvc.yaml", "params: [dvclive/params.yaml]\nmetrics: [./eval.json]\nplots:\n- dvclive/plots/metrics: {x: step}\n"
    )
    project.write("dvclive/params.yaml", "lr: 0.25\n")
    project.write("dvclive/plots/metrics/train/loss.tsv", "step\ttrain/loss\n0\t0.5\n1\t0.25\n")
    project.write("eval.json", '{"acc": 0.9}')
    project.git("add", "-A")
    base, tree = project.head(), project.git("write-tree")
    commit = project.git("commit-tree", "-p", base, "-m", "dvc: commit experiment 1", tree)
    project.git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/live", commit)
    project.git("reset", "-q", "--hard")
    ended = project.run("import", "dvc", check=True)
    (run,) = Project(project.path).list_runs()
    assert (run.operation, dict(run.flags)) == ("dvc exp save", {"lr": 0.25})
    assert (run.metrics.ask("train/loss"), run.metrics.ask("train/loss:count"), run.metrics.ask("acc")) == (0.25, 2, 0.9)
    assert "what ran: dvc exp save and DVCLive record no command" in ended.stderr


@pytest.mark.parametrize(
    "pipeline",
    [
        b"stages: {a: &a [*a]}",
        b"stages: [" * 9_000,
        b"\xff\xfe",
        b"!!python/object/apply:os.system ['touch executed']",
        b"stages:\n  t: {outs: [../x, /etc/passwd, .git/config]}",
    ],
)
def test_hostile_pipeline_makes_a_plain_run(project, pipeline) -> None:
    project.write("dvc.yaml", pipeline)
    project.git("commit", "-qam", "hostile")
    experiment(project, "one", 0.3, 0.25)
    project.run("import", "dvc", check=True)
    (run,) = Project(project.path).list_runs()
    assert run.flags.get("train.lr") == 0.3
    assert not {file.path for file in run.attempt.files} & {"../x", "/etc/passwd", ".git/config"}
    assert not (project.path / "executed").exists()


def test_repository_without_experiments_says_so(project) -> None:
    ended = project.run("import", "dvc")
    assert (ended.returncode, "no experiments of DVC in this repository" in ended.stderr) == (129, True)


def test_project_below_the_top_is_read_with_its_cache_elsewhere(project, tmp_path) -> None:
    names = ("dvc.yaml", "params.yaml", "prepare.py", "train.py", ".gitignore")
    (project.path / "ml").mkdir()
    for name in names:
        project.git("mv", name, f"ml/{name}")
    project.write("ml/.dvc/config", f"[cache]\n    dir = {tmp_path}/cache\n")
    project.write("ml/.gitignore", f"{IGNORED}/raw.csv\n")
    project.git("add", "-A")
    project.git("commit", "-qm", "below")
    base = project.head()
    # the data of this experiment is new, and the cache of another directory has it
    raw = into_cache(project, "raw.csv", b"7\n")
    shutil.move(project.path / ".dvc/cache", tmp_path / "cache")
    shutil.rmtree(project.path / ".dvc")
    project.write("ml/raw.csv.dvc", json.dumps({"outs": [raw]}))
    project.write("ml/params.yaml", PARAMS.format(lr=0.5))
    project.write("ml/prepare.py", 'open("data.txt", "w").write(open("raw.csv").read())\n')
    project.write("ml/metrics.json", '{"loss": 0.875}')
    project.git("add", "-A", "-f")
    commit = project.git("commit-tree", "-p", base, "-m", "dvc: commit experiment 1", project.git("write-tree"))
    project.git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/below", commit)
    project.git("reset", "-q", "--hard", base)
    project.run("import", "dvc", check=True)
    (run,) = Project(project.path).list_runs()
    assert (run.operation, run.flags.get("train.lr"), run.metrics.ask("loss")) == ("dvc repro", 0.5, 0.875)
    assert project.git("cat-file", "-p", f"{run.id}:ml/raw.csv") == "7"
    for words, directory in (((), "ml"), (("ml",), ".")):
        assert "1 already here" in project.run("import", "dvc", *words, cwd=project.path / directory, check=True).stderr
    project.run("trust", "below", check=True)
    project.run("--restart", "below", check=True)
    (run,) = Project(project.path).list_runs()
    assert run.metrics.ask("loss") == 0.875
    project.write("other/.dvc/config", "")
    project.git("add", "-A")
    ended = project.run("import", "dvc")
    assert (ended.returncode, "DVC projects are in ml, other" in ended.stderr) == (129, True)


def test_pipelines_in_several_directories_are_one_run(project) -> None:
    for name in ("dvc.yaml", "params.yaml", "prepare.py", "train.py", ".gitignore"):
        project.git("rm", "-q", name)
    for name, value in (("a", 1), ("b", 2)):
        project.write(f"{name}/train.py", f'open("out.txt", "w").write("{value}\\n")\n')
        project.write(f"{name}/dvc.yaml", "stages:\n  train:\n    cmd: python train.py\n    outs: [out.txt]\n")
        project.write(f"{name}/.gitignore", "/out.txt\n")
    project.git("add", "-A")
    project.git("commit", "-qm", "two pipelines")
    base = project.git("rev-parse", "HEAD")
    for name, content in (("a", b"1\n"), ("b", b"2\n")):
        lock = {"stages": {"train": {"cmd": "python train.py", "outs": [into_cache(project, "out.txt", content)]}}}
        project.write(f"{name}/dvc.lock", json.dumps(lock))
        project.git("add", f"{name}/dvc.lock")
    commit = project.git("commit-tree", "-p", base, "-m", "dvc: commit experiment 1", project.git("write-tree"))
    project.git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/both", commit)
    project.git("reset", "-q", "--hard", base)
    project.run("import", "dvc", check=True)
    (run,) = Project(project.path).list_runs()
    assert {file.path for file in run.attempt.files} == {"a/out.txt", "b/out.txt"}
    project.run("trust", "both", check=True)
    assert "reproduced" in project.run("verify", "both", check=True).stdout


def test_source_outside_of_the_repository_is_refused(project) -> None:
    ended = project.run("import", "dvc", "../elsewhere")
    assert (ended.returncode, "experiments of DVC are read from this repository" in ended.stderr) == (129, True)


SEARCH = """\
from dvc.repo import Repo
repo = Repo(".")
for number in range(18):
    repo.experiments.run(params=[f"train.lr={0.02 + number / 25}"], name=f"exp-{number}")
for name, lr in (("fails", 7), ("good", 0.9)):
    repo.experiments.run(queue=True, params=[f"train.lr={lr}"], name=name)
"""


@pytest.mark.slow
@pytest.mark.skipif(asked_form() != Form(), reason="DVC reads SHA-1 and refs in files alone")
def test_twenty_experiments_of_the_real_dvc(project, tmp_path) -> None:
    programs = tool("dvc")
    environ = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "VIRTUAL_ENV": str(programs.parent),
    }

    def dvc(*words: str) -> str:
        return subprocess.run(
            words, cwd=project.path, env=environ, check=True, timeout=500, stdout=subprocess.PIPE, text=True
        ).stdout

    dvc("dvc", "init", "--quiet")
    dvc("dvc", "repro", "--quiet")
    project.git("add", "-A")
    project.git("commit", "-qm", "first")
    dvc("python", "-c", SEARCH)
    dvc("dvc", "queue", "start", "--jobs", "1")
    while any(word in dvc("dvc", "queue", "status") for word in ("Queued", "Running")):
        time.sleep(1)
    dvc("dvc", "queue", "stop", "--kill")
    before = project.git("for-each-ref", "refs/exps", "refs/heads")

    ended = project.run("import", "dvc", check=True)
    assert "imported 20 runs from dvc" in ended.stderr
    runs = {run.notes.label: run for run in Project(project.path).list_runs()}
    assert (len(runs), runs["fails"].status, runs["fails"].exit_status, runs["good"].status) == (20, "error", 1, "completed")
    assert (runs["good"].flags.get("train.lr"), runs["good"].metrics.ask("loss:count")) == (0.9, 3)
    assert {file.path for file in runs["good"].attempt.files} == {"curve.csv", "data.txt", "metrics.json", "model.bin"}
    assert "diverged" in runs["fails"].output
    # compared, restarted, verified, pushed
    table = project.run("compare", "--csv", check=True).stdout
    assert (table.count("\n"), "train.lr" in table.splitlines()[0]) == (21, True)
    for name in ("exp-3", "exp-4"):
        project.run("trust", name, check=True)
    assert "reproduced" in project.run("verify", "exp-4", check=True).stdout
    project.run("--restart", "exp-3", "train.lr=0.5", check=True)
    assert Project(project.path).list_runs()[0].metrics.ask("loss") == 0.125
    assert "reproduced" in project.run("verify", "exp-3", check=True).stdout
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "shared.git"], check=True)
    project.git("remote", "add", "origin", tmp_path / "shared.git")
    project.run("push", "--all", check=True)
    assert project.git("ls-remote", "origin", "refs/runs/*").count("\n") + 1 == 20
    # nothing of DVC's was touched
    assert project.git("for-each-ref", "refs/exps", "refs/heads") == before
    assert "imported 0 runs from dvc; 20 already here" in project.run("import", "dvc", check=True).stderr
