"""GIT_TRACE2_EVENT: git's own format, below the git that started us, and what we ask of git below us."""

from __future__ import annotations

import json

import pytest
from sampled import sampled

REQUIRED = {"event", "sid", "thread", "time"}


def events(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def of_ours(found: list[dict]) -> list[dict]:
    ours = next(event["sid"] for event in found if event["event"] == "version" and event["exe"] == "gitrun")
    return [event for event in found if event["sid"] == ours]


def test_events_hang_below_the_git_that_started_us_and_its_children_below_us(repo, tmp_path) -> None:
    target = tmp_path / "events"
    repo.run("list", env={"GIT_TRACE2_EVENT": str(target)}, check=True)
    found = events(target.read_text())
    ours = of_ours(found)
    first = found[0]["sid"]
    assert ours[0]["sid"].startswith(f"{first}/")
    below = {event["sid"] for event in found} - {first, ours[0]["sid"]}
    assert below
    assert all(sid.startswith(f"{ours[0]['sid']}/") for sid in below)


def test_events_are_those_of_git_in_their_order(repo, tmp_path) -> None:
    target = tmp_path / "events"
    assert repo.run("show", "nothing", env={"GIT_TRACE2_EVENT": str(target)}).returncode == 128
    ours = of_ours(events(target.read_text()))
    assert [event["event"] for event in ours] == ["version", "start", "cmd_name", "cmd_mode", "exit", "atexit"]
    assert all(event.keys() >= REQUIRED for event in ours)
    start, name, mode, end = ours[1:5]
    assert start["argv"][1:] == ["show", "nothing"]
    assert (name["name"], name["hierarchy"], mode["name"]) == ("run", "_run_dashed_/run", "show")
    assert (end["code"], end["t_abs"] > 0) == (128, True)


def test_directory_gets_a_file_and_a_number_is_a_descriptor(repo, tmp_path) -> None:
    repo.run("list", env={"GIT_TRACE2_EVENT": str(tmp_path)}, check=True)
    assert any('"exe":"gitrun"' in file.read_text() for file in tmp_path.iterdir() if file.is_file())
    assert of_ours(events(repo.run("list", env={"GIT_TRACE2_EVENT": "1"}, check=True).stderr))


@pytest.mark.parametrize("target", sampled(3, ["0", "", "relative", "/no/such/directory/file", "9"]))
def test_target_that_there_is_not_changes_nothing(repo, target) -> None:
    ended = repo.run("echo.py", env={"GIT_TRACE2_EVENT": target})
    assert (ended.returncode, ended.stdout) == (0, "1.0 2 'a'\n")
    assert not (repo.path / "relative").exists()


def test_passwords_in_addresses_are_not_written(repo, tmp_path) -> None:
    target = tmp_path / "events"
    repo.run("show", "https://user:secret@example.org/x", env={"GIT_TRACE2_EVENT": str(target)})
    ours = of_ours(events(target.read_text()))
    assert "https://user:<redacted>@example.org/x" in ours[1]["argv"]


def test_git_says_in_its_own_trace_when_we_began_and_ended(repo, tmp_path) -> None:
    repo.run("list", env={"GIT_TRACE2_PERF": str(tmp_path / "perf")}, check=True)
    said = (tmp_path / "perf").read_text()
    assert "class:dashed argv:[git-run list]" in said
    assert "d1 | main" in said
