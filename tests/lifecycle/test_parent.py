"""Steps belong to the run of their pipeline, and its journal names them."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest
from pipelines import TRAIN, by_operation, record
from supervised import live, runs, said, start, until

from gitrun.lifecycle.parent import read_journal
from gitrun.model.provenance import StepRun

if TYPE_CHECKING:
    from repository import Repo


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_during_a_step_ends_the_whole_even_if_the_step_gets_over_it(piped, number, code) -> None:
    over = "import signal, sys\nfor n in (2, 15): signal.signal(n, lambda *_: sys.exit(0))\n"
    piped.write("prepare.py", over + "print('ready', flush=True)\nsignal.pause()\n")
    process = start(piped, "all")
    said(process)
    os.kill(owner_of_step(piped), number)
    assert process.wait(20) == code
    found = by_operation(piped)
    assert (found["all"]["status"], "train" in found) == ("terminated", False)
    process.communicate()


def owner_of_step(repo: Repo) -> int:
    """The process that supervises the runs that are running."""
    paths = until(lambda: [path / "owner" for path in live(repo) if (path / "owner").exists()])
    found: int = json.loads(paths[0].read_text())["pid"]
    return found


def test_killed_pipeline_and_its_step_are_finished_and_go_on_from_there(piped) -> None:
    wait = "import os, time\nif not os.path.exists(os.environ['GATE']):\n    print('ready', flush=True)\n    time.sleep(60)\n"
    piped.write("train.py", wait + TRAIN)
    gate = piped.path.parent / "gate"
    process = start(piped, "all", env={**os.environ, "GATE": str(gate)})
    said(process)
    os.kill(owner_of_step(piped), signal.SIGKILL)
    process.communicate()
    found = by_operation(piped)
    assert (found["all"]["status"], found["train"]["status"], found["prepare"]["status"]) == (
        "terminated",
        "terminated",
        "completed",
    )
    steps = record(piped, "all")["steps"]
    assert [(step["operation"], step["status"]) for step in steps] == [("prepare", "completed"), ("train", "terminated")]
    assert found["train"]["id"] == steps[1]["run"]
    assert "files" not in record(piped, "train"), "what was put there for it is not its own"
    gate.write_text("")
    done = piped.run("--restart", "all", env={"GATE": str(gate)}, check=True)
    assert done.stdout == "prepared 3\ntrained 0.5 xxx\nreported\n"
    assert {run["id"] for run in runs(piped) if run["operation"] != "report.sh"} == {run["id"] for run in found.values()}


def test_a_journal_is_read_up_to_its_broken_line(tmp_path) -> None:
    journal = tmp_path / "journal"
    journal.write_text('["a", "1", "running"]\n["a", "1", "completed"]\n["b", "2", "running"]\n["c", "3", "com')
    assert read_journal(journal) == (StepRun("a", "1", "completed"), StepRun("b", "2", "terminated"))


def test_without_a_journal_no_step_has_run(tmp_path) -> None:
    assert read_journal(tmp_path / "none") == ()
