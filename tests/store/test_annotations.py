"""Annotations: commits on a run's tip that change one file."""

from __future__ import annotations

from annotated import shown

from gitrun import Project


def test_annotation_is_a_commit_on_the_tip_that_changes_one_file(runs) -> None:
    run = Project(runs.path).list_runs()[0]
    runs.run("label", "x", check=True)
    tip = runs.git("rev-parse", f"refs/runs/{run.id}")
    assert runs.git("log", "-1", "--format=%P %s", tip) == f"{run.tip} label x"
    assert runs.git("diff", "--name-only", run.tip, tip) == ".gitrun/notes.toml"
    assert "Gitrun-Kind: annotation" in runs.git("log", "-1", "--format=%B", tip)


def test_what_is_so_already_makes_no_commit(runs) -> None:
    runs.run("mark", check=True)
    before = runs.git("for-each-ref", "refs/runs")
    assert "is unchanged" in runs.run("mark", check=True).stderr
    assert runs.git("for-each-ref", "refs/runs") == before


def test_annotation_during_a_run_does_not_disturb_it(runs) -> None:
    runs.write(
        "slow.py",
        "import pathlib, time\nwhile not pathlib.Path(STOP).exists():\n    time.sleep(0.01)\nprint('end')".replace(
            "STOP", repr(str(runs.path / "stop"))
        ),
    )
    run = runs.run("run", "--background", "slow.py", check=True).stdout.strip()
    runs.run("label", "while it runs", run, check=True)
    (runs.path / "stop").write_text("")
    runs.run("watch", run, check=True)
    found = Project(runs.path).find(run)
    assert (found.status, found.notes.label, found.output) == ("completed", "while it runs", "end\n")


def test_many_runs_are_annotated_by_few_processes(runs, tmp_path) -> None:
    trace = tmp_path / "trace"
    runs.run("tag", "a", ":3", env={"GIT_TRACE2": str(trace)}, check=True)
    assert trace.read_text().count(" start ") < 20
    assert runs.git("fsck", "--strict", "--no-dangling") == ""


LONG = "long " * 18_000


def test_annotations_that_could_not_be_read_any_more_are_refused(runs) -> None:
    for _ in range(11):
        runs.run("comment", "1", "-m", LONG, check=True)
    refused = runs.run("comment", "1", "-m", LONG)
    assert (refused.returncode, refused.stderr.count("\n")) == (129, 1)
    assert "cannot be larger than 1 MiB" in refused.stderr
    assert len(shown(runs)["comments"]) == 11
