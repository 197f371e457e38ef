"""git run label: one name for a run."""

from __future__ import annotations

import json

from annotated import shown


def test_label_is_a_name_of_the_run(runs) -> None:
    runs.run("label", "best one", "3", check=True)
    assert shown(runs, "best one")["flags"] == {"x": 1, "y": 2, "z": "a"}
    runs.run("label", "--clear", "3", check=True)
    assert runs.run("show", "best one").returncode == 128


def test_label_that_never_names_its_run_is_said_to_mean_another(runs) -> None:
    other = str(shown(runs, "2")["id"])
    meanings = {"7": "a number of the list", "echo.py": "an operation", other[:6]: f"run {other[:8]}"}
    for label, meaning in meanings.items():
        told = runs.run("label", label, "1", check=True).stderr.splitlines()
        assert told[1:] == [f"gitrun: note: as the name of a run, '{label}' means {meaning}, not this label"]


def test_label_that_another_run_has_is_said_to_name_none_alone(runs) -> None:
    assert runs.run("label", "best", "1:2", check=True).stderr.count("\n") == 1
    told = runs.run("label", "best", "3", check=True).stderr.splitlines()
    assert told[1:] == ["gitrun: note: 2 other runs have this label too: 'best' does not name one run"]


def test_a_long_label_makes_no_long_line(repo) -> None:
    repo.run("echo.py", check=True)
    label = "\u3164" * 5000
    lines = repo.run("label", label, "1", check=True).stderr.splitlines()
    for words in (["list"], ["show", "1"], ["log"], ["compare"], ["rm", "1"]):
        ended = repo.run(*words, check=True)
        lines += [*ended.stdout.splitlines(), *ended.stderr.splitlines()]
    assert max(map(len, lines)) < 400
    assert "\u3164" not in "".join(lines)
    assert json.loads(repo.run("list", "--deleted", "--json", check=True).stdout)[0]["label"] == label
