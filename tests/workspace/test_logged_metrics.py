"""Lines of JSON that a program logs."""

from __future__ import annotations

import json

from supervised import shown


def points(repo, run="1"):
    """The lines of the record of a run's metrics."""
    found = repo.git("cat-file", "-p", f"runs/{shown(repo, run)['id']}:.gitrun/metrics.jsonl")
    return [json.loads(line) for line in found.splitlines()]


def test_several_processes_log_at_once_and_no_line_is_lost(repo) -> None:
    repo.write(
        "many.py",
        "import multiprocessing\nimport gitrun\ndef work(n):\n    for step in range(300):\n"
        "        gitrun.log({f'p{n}': step, 'pad' * 200: 1}, step=step)\n"
        "if __name__ == '__main__':\n    with multiprocessing.Pool(4) as pool:\n        pool.map(work, range(4), 1)\n",
    )
    repo.run("many.py", check=True)
    counts = {name: known["count"] for name, known in shown(repo)["series"].items()}
    assert counts == {f"p{number}": 300 for number in range(4)}


def test_any_language_logs_lines_of_json_and_bad_ones_are_passed_over(repo) -> None:
    lines = [
        '{"loss": 1, "step": 3}',
        "no",
        "[1]",
        '{"loss": "2", "acc": true, "n": null}',
        '{"loss": NaN}',
        '{"": 1, "a b": 2}',
    ]
    repo.run("--", "sh", "-c", "printf '%s\\n' \"$@\" >>$GITRUN_METRICS", "sh", *lines, check=True)
    assert shown(repo)["metrics"] == {"loss": "NaN", "a b": 2.0}
    assert points(repo) == [{"step": 3, "loss": 1.0}, {"step": 3, "loss": "NaN", "a b": 2.0}]


def test_a_pipe_in_the_place_of_the_log_holds_nobody_up(repo) -> None:
    repo.run("--", "sh", "-c", "mkfifo $GITRUN_METRICS; echo loss: 2", check=True)
    assert shown(repo)["metrics"] == {"loss": 2.0}
