"""Steps: each its own run, linked to the whole; what stops one stops the rest; restarts go on with the runs that are there."""

from __future__ import annotations

from clones import clone
from pipelines import PREPARE, PROJECT, TRAIN, by_operation, record
from supervised import last, output, runs, shown, until


def test_steps_are_runs_of_their_own_linked_both_ways_and_given_flags(piped) -> None:
    done = piped.run("all", "n=2", check=True)
    assert done.stdout == "prepared 2\ntrained 0.5 xx\nreported\n"
    found = by_operation(piped)
    whole = found["all"]
    assert (whole["flags"], found["train"]["flags"], found["prepare"]["flags"]) == ({"n": 2}, {"lr": 0.5, "n": 2}, {"n": 2})
    steps = record(piped, whole["id"])["steps"]
    assert steps == [
        {"operation": name, "run": found[name]["id"], "status": "completed"} for name in ("prepare", "train", "report.sh")
    ]
    assert {record(piped, step["run"], "run.toml")["parent"] for step in steps} == {whole["id"]}
    assert {run["source"] for run in found.values()} == {whole["source"]}
    assert output(piped, "all") == b"prepared 2\ntrained 0.5 xx\nreported\n"
    assert record(piped, found["train"]["id"], "run.toml")["needs"][0]["run"] == found["prepare"]["id"]


def test_steps_use_the_runs_of_their_own_pipeline_even_if_another_is_marked(piped) -> None:
    piped.run("prepare", "n=9", check=True)
    piped.run("mark", "1", check=True)
    assert piped.run("all", "n=1", check=True).stdout.splitlines()[1] == "trained 0.5 x"


def test_restart_restarts_the_runs_of_the_steps(piped) -> None:
    piped.run("all", check=True)
    before = by_operation(piped)
    piped.write("prepare.py", "raise SystemExit('not this one')\n")
    assert piped.run("--restart", "all", "n=1", check=True).stdout.splitlines()[:2] == ["prepared 1", "trained 0.5 x"]
    assert {name: run["id"] for name, run in by_operation(piped).items()} == {n: run["id"] for n, run in before.items()}
    assert shown(piped, "train")["attempts"][1]["flags"] == {"lr": 0.5, "n": 1}


def test_restart_with_new_source_takes_the_new_steps(piped) -> None:
    piped.run("all", check=True)
    piped.write("gitrun.toml", PROJECT.replace('"report.sh"]', '"prepare"]'))
    piped.write("prepare.py", PREPARE.replace("prepared", "made"))
    done = piped.run("--restart", "all", "--force-sourcecode", check=True)
    assert done.stdout == "made 3\ntrained 0.5 xxx\nmade 3\n"


def test_needed_skips_steps_that_are_completed_and_rest_on_the_same_files(piped) -> None:
    piped.write("report.sh", "exit 3\n")
    assert piped.run("all").returncode == 3
    piped.write("report.sh", "echo reported\n")
    done = piped.run("--needed", "all", check=True)
    assert done.stdout == "reported\n"
    assert [step["status"] for step in record(piped, "all")["steps"]] == ["skipped", "skipped", "completed"]
    assert "Skipping because" in piped.run("--needed", "all").stdout


def test_needed_runs_a_step_whose_needed_files_are_others(piped) -> None:
    piped.write("train.py", TRAIN.replace("n = 0\n", ""))
    piped.run("all", "n=1", check=True)
    assert piped.run("--needed", "all", "n=2", check=True).stdout == "prepared 2\ntrained 0.5 xx\n"


def test_failing_step_stops_with_its_exit_code(piped) -> None:
    piped.write("train.py", "lr = 1\nraise SystemExit(7)\n")
    done = piped.run("all")
    assert (done.returncode, done.stdout) == (7, "prepared 3\n")
    assert [step["status"] for step in record(piped, "all")["steps"]] == ["completed", "error"]
    assert record(piped, "all")["reason"] == "step train: error"


def test_pipeline_in_a_pipeline_uses_the_runs_of_the_one_around_it(piped) -> None:
    piped.write(
        "gitrun.toml", PROJECT + '[operations.outer]\nsteps = ["prepare", "inner"]\n[operations.inner]\nsteps = ["train"]\n'
    )
    piped.run("prepare", "n=9", check=True)
    assert piped.run("outer", "n=1", "lr=3", check=True).stdout == "prepared 1\ntrained 3 x\n"
    found = by_operation(piped)
    assert record(piped, found["inner"]["id"], "run.toml")["parent"] == found["outer"]["id"]
    assert record(piped, found["train"]["id"], "run.toml")["parent"] == found["inner"]["id"]
    assert output(piped, "outer") == b"prepared 1\ntrained 3 x\n"


def test_step_is_not_skipped_over_a_run_that_nobody_here_trusts(piped, tmp_path) -> None:
    bob = clone(piped.path, tmp_path / "bob")
    bob.run("prepare", check=True)
    piped.run("fetch", str(bob.path), check=True)
    assert piped.run("--needed", "all", check=True).stdout == "prepared 3\ntrained 0.5 xxx\nreported\n"


def test_bring_of_a_pipeline_brings_what_all_its_steps_made(piped) -> None:
    piped.write(
        "gitrun.toml", PROJECT + '[operations.outer]\nsteps = ["prepare", "inner"]\n[operations.inner]\nsteps = ["train"]\n'
    )
    assert "Copied: 2 files" in piped.run("--bring", "outer", "n=1", "lr=3", check=True).stderr
    assert ((piped.path / "data.txt").read_text(), (piped.path / "model.txt").read_text()) == ("x", "3")


def test_pipeline_started_from_a_subdirectory_is_the_same(piped) -> None:
    (piped.path / "sub").mkdir()
    assert piped.run("all", cwd=piped.path / "sub", check=True).stdout.endswith("reported\n")
    assert last(piped)["operation"] == "report.sh"


def test_staged_pipeline_is_started_later_of_the_source_it_was_staged_with(piped) -> None:
    piped.run("--stage", "all", "n=1", check=True)
    piped.write("prepare.py", "")
    assert [run["status"] for run in runs(piped)] == ["staged"]
    assert piped.run("--start", "all", check=True).stdout == "prepared 1\ntrained 0.5 x\nreported\n"


def test_dry_run_names_the_steps_and_writes_nothing(piped) -> None:
    done = piped.run("--dry-run", "all", "n=5", check=True)
    assert ("steps:     prepare, train, report.sh\n" in done.stdout, runs(piped)) == (True, [])


def test_own_limit_of_a_step_and_that_of_the_whole_both_hold(piped) -> None:
    piped.write("report.sh", "sleep 30\n")
    done = piped.run("--stop-after", "2s", "all")
    assert (done.returncode, [run["status"] for run in runs(piped)][-1]) == (143, "terminated")
    entry = '[operations.slow]\ncommand = ["sleep", "30"]\nstop-after = "0.3s"\n'
    entry += '[operations.two]\nsteps = ["slow"]\nstop-after = "20s"\n'
    piped.write("gitrun.toml", PROJECT + entry)
    assert piped.run("two", timeout=15).returncode == 143


def test_stop_ends_a_pipeline_in_the_background(piped) -> None:
    piped.write("prepare.py", "import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    run = piped.run("--background", "all", check=True).stdout.strip()
    until(lambda: b"ready" in output(piped, run))
    piped.run("stop", run, check=True)
    found = by_operation(piped)
    assert (found["all"]["status"], found["prepare"]["status"]) == ("terminated", "terminated")
    assert [step["status"] for step in record(piped, run)["steps"]] == ["terminated"]


def test_show_names_what_was_needed_the_steps_and_the_whole(piped) -> None:
    piped.run("all", check=True)
    found = by_operation(piped)
    train = shown(piped, "train")
    assert (train["parent"], train["needs"][0]["run"]) == (found["all"]["id"], found["prepare"]["id"])
    assert f"needs:     prepare {found['prepare']['id'][:8]}  data.txt\n" in piped.run("show", "train").stdout
    text = piped.run("show", "all", check=True).stdout
    assert f"step:      train {found['train']['id'][:8]}  completed\n" in text
    assert f"part of:   {found['all']['id'][:8]}\n" in piped.run("show", "train").stdout
