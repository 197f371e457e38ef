"""The metrics of whole runs: logged, printed and in event files, put together, each attempt's its own."""

from __future__ import annotations

import json
import time

import pytest
from supervised import shown

from gitrun.model.metrics import MetricCollector
from gitrun.workspace.metrics import PROGRESS_AFTER, Progress

PRINTED = """\
import os
import tensorboardX
lr = 0.1
writer = tensorboardX.SummaryWriter("runs")
for step in range(3):
    print(f"loss: {lr * (3 - step):.2f}")
    print(f"lr: {lr}")
    writer.add_scalar("loss", 99.0, step)
    writer.add_scalar("eval/acc", step / 2, step)
writer.close()
with open(os.environ["GITRUN_METRICS"], "a") as log:
    log.write('{"f1": 0.5, "step": 7}\\n')
"""


def points(repo, run="1"):
    """The lines of the record of a run's metrics."""
    found = repo.git("cat-file", "-p", f"runs/{shown(repo, run)['id']}:.gitrun/metrics.jsonl")
    return [json.loads(line) for line in found.splitlines()]


def test_what_is_logged_printed_and_in_event_files_is_put_together(repo) -> None:
    repo.write("fit.py", PRINTED)
    repo.run("fit.py", check=True)
    found = shown(repo)
    assert found["metrics"] == {"f1": 0.5, "loss": 0.1, "eval/acc": 1.0}
    assert found["series"]["loss"] == {"first": 0.3, "last": 0.1, "min": 0.1, "max": 0.3, "count": 3}
    assert points(repo) == [
        {"step": 7, "f1": 0.5}, {"step": 0, "loss": 0.3}, {"step": 1, "loss": 0.2}, {"step": 2, "loss": 0.1},
        {"step": 0, "eval/acc": 0.0}, {"step": 1, "eval/acc": 0.5}, {"step": 2, "eval/acc": 1.0},
    ]  # fmt: skip


def test_metrics_of_several_attempts_do_not_mix(repo) -> None:
    repo.write(".gitignore", "runs/\n")
    repo.write("fit.py", PRINTED)
    repo.run("fit.py", check=True)
    for number in range(2, 5):
        repo.run("--restart", "1", f"lr={number}", check=True)
    run = shown(repo)
    for number, attempt in enumerate(run["attempts"], 1):
        lr = number if number > 1 else 0.1
        assert attempt["metrics"]["loss"] == pytest.approx(lr)
        record = repo.git("log", "--format=%H", "-1", f"--grep=loss={lr:g}", f"runs/{run['id']}")
        lines = [json.loads(line) for line in repo.git("show", f"{record}:.gitrun/metrics.jsonl").splitlines()]
        assert [line["loss"] for line in lines if "loss" in line] == pytest.approx([lr * 3, lr * 2, lr])
        assert len([line for line in lines if "eval/acc" in line]) == 3


def test_program_goes_on_when_its_numbers_find_no_place(repo) -> None:
    repo.write(
        "p.py", "import os\nimport gitrun\nos.environ['GITRUN_METRICS'] = '/none/here'\nfor _ in 'ab': gitrun.log({'a': 1})\n"
    )
    said = repo.run("p.py", check=True).stderr
    assert said.count("gitrun cannot record metrics") == 1


def test_very_many_metrics_are_bounded_and_the_run_reads(repo) -> None:
    repo.write(
        "p.py",
        "for i in range(10_000):\n    print(f'metric-with-a-long-name-{i}: {i}')\nprint('metric-with-a-long-name-0: 5')\n",
    )
    said = repo.run("p.py", check=True).stderr
    assert "only the first 1,000 metrics are recorded" in said
    found = shown(repo)
    assert (found["status"], len(found["metrics"]), found["metrics"]["metric-with-a-long-name-0"]) == ("completed", 1000, 5.0)


def test_metrics_of_a_run_whose_supervisor_is_killed_are_recorded(repo) -> None:
    repo.run("--", "sh", "-c", "echo '{\"loss\": 3}' >>$GITRUN_METRICS; kill -9 $PPID")
    found = shown(repo)
    assert (found["status"], found["metrics"]) == ("terminated", {"loss": 3.0})


def test_runs_are_chosen_by_what_a_metric_was_over_time(repo) -> None:
    for worst in (5, 3):
        repo.run("--", "printf", f"loss: {worst}\nloss: 1\n", check=True)
    said = repo.run("list", "--columns", "loss,loss:max,loss:count", check=True).stdout
    assert said.split() == ["1.0", "3.0", "2", "1.0", "5.0", "2"]
    assert repo.run("select", "--max", "loss:max", check=True).stdout.strip() == shown(repo, "2")["id"]
    assert repo.run("list", "--where", "loss:max<4", "--format", "%(metric:loss:first)", check=True).stdout == "3.0\n"


def test_show_draws_the_course_of_what_had_more_than_two_values(repo) -> None:
    repo.run("--", "printf", "a: 1\na: 2\na: 3\nb: 1\nb: 2\nc: 1\n", check=True)
    said = [line.split() for line in repo.run("show", check=True).stdout.splitlines()]
    assert ["a", "min", "1", "max", "3", "3", "values", "▁▅█"] in said
    assert ["b", "min", "1", "max", "2", "2", "values"] in said
    assert not [line for line in said if line[:2] == ["c", "min"]]


def test_metric_file_with_the_bytes_of_before_counts(repo) -> None:
    repo.write("sub/fit.py", "import json\nwith open('metrics.json', 'w') as file: json.dump({'acc': 0.5}, file)\n")
    repo.write("sub/metrics.json", '{"acc": 0.5}')
    repo.write("idle.py", "print('idle')\n")
    repo.write("metrics.json", '{"acc": 0.7}')
    repo.git("add", "-A")
    repo.git("commit", "-qm", "results are tracked")
    for words in (("fit.py",), ("--restart", "1")):
        repo.run(*words, cwd=repo.path / "sub", check=True)
        assert (shown(repo)["metrics"], shown(repo)["files"]) == ({"acc": 0.5}, [])
    assert "1 metric" in repo.run("verify", "1", check=True).stdout
    repo.run("idle.py", check=True)
    assert shown(repo)["metrics"] == {}


def test_progress_is_said_once_when_it_is_due() -> None:
    said, collector = list[str](), MetricCollector()
    for step in range(1_200):
        collector.add_all({"loss": 1.0, "step": step})
    progress = Progress(said.append)
    progress.turn(collector)
    assert not said
    time.sleep(PROGRESS_AFTER[0])
    for _ in range(2):
        progress.turn(collector)
    assert said == ["recording metrics: 1,200 points read so far"]
