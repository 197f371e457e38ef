"""The frame of importers: values of other tools become runs, and a forged run costs no more than itself."""

from __future__ import annotations

from collections import UserDict
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from repository import Repo

from gitrun import Project
from gitrun.errors import GitFailed
from gitrun.extras.importers.imported import ImportedFile, ImportedNeed, ImportedRun, LeftOut, MetricPoint
from gitrun.extras.importers.importing import import_runs
from gitrun.lifecycle import launch
from gitrun.model.batch import BatchDefinition
from gitrun.model.run import Comment
from gitrun.model.space import Choice

DAY = datetime(2024, 5, 17, 12, 30, 0, 123456, tzinfo=timezone.utc)
TRAIN = b"lr = 0.1\nprint(f'loss: {lr}')\n"


def imported(key: str = "a", **changes) -> ImportedRun:
    """A run of a script, with whatever differs."""
    run = ImportedRun(
        key=key, tool="other", operation="train.py", kind="script", command=("{python}", "train.py"), created=DAY,
        flags={"lr": 0.3}, given=("lr",), source=(ImportedFile("train.py", TRAIN),), started=DAY, stopped=DAY,
        output=b"loss: 0.3\n", points=lambda: (MetricPoint("loss", step, 0.3 / (step + 1)) for step in range(3)),
    )  # fmt: skip
    return replace(run, **changes)


@pytest.fixture
def repo(tmp_path) -> Repo:
    repo = Repo.create(tmp_path / "project")
    repo.write("train.py", TRAIN)
    repo.commit()
    return repo


def take(repo: Repo, *runs: ImportedRun | LeftOut, **options):
    return import_runs(Project(repo.path).git, runs, **options)


def test_everything_of_a_run_is_there(repo, tmp_path) -> None:
    (tmp_path / "model.bin").write_bytes(b"weights")
    files = (ImportedFile("out/model.bin", tmp_path / "model.bin"), ImportedFile("go.sh", b"exit\n", is_executable=True))
    notes = {"label": "best", "tags": ("b", "a"), "comments": (Comment("hm", "ann", DAY),), "marked": True}
    report = take(repo, imported(base=repo.head(), produced=files, **notes))
    (run,) = Project(repo.path).list_runs()
    assert report.new == (run.id,)
    assert (run.operation, run.status, dict(run.flags), run.output) == ("train.py", "completed", {"lr": 0.3}, "loss: 0.3\n")
    assert (run.attempt.created, run.attempt.base) == (DAY, repo.head())
    assert (run.metrics.ask("loss:count"), run.metrics.ask("loss:first")) == (3, 0.3)
    assert (run.notes.label, run.notes.tags, run.notes.marked) == ("best", ("a", "b"), True)
    assert run.notes.comments == notes["comments"]
    assert repo.git("ls-tree", "-r", "--format=%(objectmode) %(path)", run.tip).splitlines()[-3:] == [
        "100755 go.sh", "100644 out/model.bin", "100644 train.py",
    ]  # fmt: skip
    assert repo.git("show", f"{run.tip}:.gitrun/metrics.jsonl").splitlines()[1] == '{"step": 1, "loss": 0.15}'
    assert repo.run("doctor").returncode == 0


def test_equal_input_makes_equal_ids_in_two_repositories(repo, tmp_path) -> None:
    other = Repo.create(tmp_path / "other")
    runs = [imported(), imported("b", label="x")]
    assert take(repo, *runs).new == take(other, *runs).new
    assert repo.git("for-each-ref", "refs/runs") == other.git("for-each-ref", "refs/runs")


def test_second_import_changes_nothing(repo) -> None:
    take(repo, imported(), imported("b"))
    before = repo.git("for-each-ref"), repo.git("count-objects", "-v")
    report = take(repo, imported(), imported("b"))
    assert (report.new, report.same) == ((), 2)
    assert (repo.git("for-each-ref"), repo.git("count-objects", "-v")) == before


def test_run_that_was_archived_is_here(repo) -> None:
    take(repo, imported(), imported("b"))
    repo.run("gc", "--archive", check=True)
    assert repo.git("for-each-ref", "refs/runs") == ""
    report = take(repo, imported(), imported("b"), imported("c"))
    assert (len(report.new), report.same) == (1, 2)


def test_refs_of_many_runs_are_packed(repo, monkeypatch) -> None:
    monkeypatch.setattr(launch, "MOST_LOOSE", 2)
    take(repo, *(imported(str(number)) for number in range(3)))
    assert list((repo.path / ".git/refs/runs").glob("*")) == []
    assert len(Project(repo.path).list_runs()) == 3


def test_dry_run_writes_nothing(repo) -> None:
    before = repo.git("count-objects", "-v")
    assert len(take(repo, imported(), dry_run=True).new) == 1
    assert (repo.git("for-each-ref", "refs/runs"), repo.git("count-objects", "-v")) == ("", before)


def test_deleted_run_does_not_come_back(repo) -> None:
    take(repo, imported())
    repo.run("rm", "1", check=True)
    report = take(repo, imported())
    assert (report.new, report.deleted) == ((), 1)


def test_imported_run_is_restarted_once_it_is_trusted(repo) -> None:
    take(repo, imported())
    assert "not trusted" in repo.run("--restart", "1", "lr=0.5").stderr
    repo.run("trust", "1", check=True)
    ended = repo.run("--restart", "1", "lr=0.5", check=True)
    assert ended.stdout == "loss: 0.5\n"


def test_large_files_lie_beside_git(repo, tmp_path) -> None:
    (tmp_path / "large.bin").write_bytes(bytes(11 << 20))
    report = take(repo, imported(produced=(ImportedFile("large.bin", tmp_path / "large.bin"),)))
    (run,) = Project(repo.path).list_runs()
    assert (report.large, [(file.path, file.stored) for file in run.attempt.files]) == (11 << 20, [("large.bin", "local")])
    assert (repo.path / f".git/gitrun/files/{run.id}/{run.attempt.id}/large.bin").stat().st_size == 11 << 20
    assert "large.bin" not in repo.git("ls-tree", "-r", run.tip)


def test_file_larger_than_the_disk_is_refused_at_once(repo, tmp_path) -> None:
    with (tmp_path / "sparse.bin").open("wb") as file:
        file.truncate(8 << 40)
    with pytest.raises(GitFailed, match="are free"):
        take(repo, imported(produced=(ImportedFile("sparse.bin", tmp_path / "sparse.bin"),)))
    assert (repo.git("for-each-ref", "refs/runs"), (repo.path / ".git/gitrun/files").exists()) == ("", False)


def test_long_output_keeps_its_ends_in_git(repo, tmp_path) -> None:
    (tmp_path / "output").write_bytes(b"a" * (6 << 20) + b"z" * (6 << 20))
    take(repo, imported(output=tmp_path / "output"))
    (run,) = Project(repo.path).list_runs()
    assert (run.output[:3], run.output[-3:], len(run.output) < 11 << 20) == ("aaa", "zzz", True)
    assert "2097152 bytes left out" in run.output


def test_needs_and_steps_name_runs_by_their_ids(repo) -> None:
    made = imported("data", operation="prepare.py", produced=(ImportedFile("data.txt", b"x"),), parent="pipe")
    user = imported("user", needs=(ImportedNeed("data", "prepare.py", ("data.txt",)),), parent="pipe")
    pipe = imported("pipe", operation="pipe", kind="steps", command=(), steps=("data", "user"))
    take(repo, user, made, pipe)
    project = Project(repo.path)
    runs = {run.operation: run for run in project.list_runs()}
    (basis,) = project.runs.read_bases([runs["train.py"]])
    assert [need.run_id for need in basis.needs] == [runs["prepare.py"].id]
    assert basis.parent == runs["pipe"].id
    assert "prepare.py" in repo.run("show", "pipe", check=True).stdout
    assert repo.run("doctor").returncode == 0


def test_batch_has_its_trials(repo) -> None:
    definition = BatchDefinition("grid", {"lr": Choice((0.1, 0.2))})
    batch = imported("batch", operation="train.py+", kind="batch", flags={}, given=(), batch_definition=definition)
    trials = [imported(f"t{number}", flags={"lr": number / 10}, batch="batch", trial=number) for number in (1, 2)]
    take(repo, *trials, batch)
    project = Project(repo.path)
    (run,) = [run for run in project.list_runs() if run.operation == "train.py+"]
    read = project.read_batch(run)
    assert ([trial.flags["lr"] for trial in read.trials], read.counts.completed) == ([0.1, 0.2], 2)
    assert repo.run("doctor").returncode == 0


def test_circle_of_needs_is_cut_and_told(repo) -> None:
    a = imported("a", needs=(ImportedNeed("b", "x"),))
    b = imported("b", needs=(ImportedNeed("a", "x"),), parent="b")
    report = take(repo, a, b)
    assert len(report.new) == 2
    assert [one.reason for one in report.left_out] == ["it depends on itself"]


@pytest.mark.parametrize(
    "path", ["../x", "/etc/x", ".git/hooks/post-checkout", "a/.GIT/config", ".gitrun/run.toml", "a//b", "x" * 300]
)
def test_no_file_leaves_the_run(repo, tmp_path, path) -> None:
    file = ImportedFile(path, b"evil")
    report = take(repo, imported(source=(ImportedFile("train.py", TRAIN), file), produced=(file,)))
    (run,) = Project(repo.path).list_runs()
    assert len(report.left_out) == 2
    assert repo.git("ls-tree", "-r", "--name-only", run.tip).splitlines()[-1] == "train.py"
    assert not (tmp_path / "x").exists()


def test_file_that_is_a_directory_elsewhere_is_dropped(repo) -> None:
    take(repo, imported(produced=(ImportedFile("train.py/x", b"x"), ImportedFile("a", b"1"), ImportedFile("a/b", b"2"))))
    (run,) = Project(repo.path).list_runs()
    assert [file.path for file in run.attempt.files] == ["a"]


def test_source_that_looks_like_a_secret_is_skipped(repo) -> None:
    take(repo, imported(source=(ImportedFile("train.py", TRAIN), ImportedFile(".env", b"KEY=1"))))
    (run,) = Project(repo.path).list_runs()
    assert [one.path for one in run.attempt.skipped] == [".env"]
    assert ".env" not in repo.git("ls-tree", "-r", "--name-only", run.tip).splitlines()


def test_file_that_changes_while_it_is_read_moves_nothing(repo, tmp_path) -> None:
    script = tmp_path / "train.py"
    script.write_bytes(b"lr = 7\n")

    class Changing(UserDict):
        """Facts of an environment that are read after the script was hashed, and change it."""

        def __iter__(self):
            script.write_bytes(b"lr = 8\n")
            return super().__iter__()

    with pytest.raises(GitFailed):
        take(repo, imported(source=(ImportedFile("train.py", script),), environment=Changing(python={"version": "3.11"})))
    assert repo.git("for-each-ref", "refs/runs") == ""


def test_two_runs_of_one_name_are_one(repo) -> None:
    report = take(repo, imported(), imported(flags={"lr": 9.0}))
    assert (len(report.new), report.left_out[0].reason) == (1, "there are two runs of this name")


def test_tree_of_the_repository_can_be_the_source(repo) -> None:
    tree = repo.git("rev-parse", "HEAD^{tree}")
    take(repo, imported(source=(ImportedFile("more.py", b"x"),), source_tree=tree))
    (run,) = Project(repo.path).list_runs()
    names = repo.git("ls-tree", "-r", "--name-only", run.id).splitlines()
    assert names[-2:] == ["more.py", "train.py"]
