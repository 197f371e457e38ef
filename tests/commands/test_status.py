"""git run status, for people."""

from __future__ import annotations


def test_status_says_what_runs_and_what_is_not_pushed(team) -> None:
    team.ann.run("echo.py", "x=2", check=True)
    assert team.ann.run("status", check=True).stdout == "0 runs running, 1 not pushed\n"


def test_script_called_status_is_reached_by_its_path(repo) -> None:
    repo.write("status", "#!/bin/sh\necho mine\n").chmod(0o755)
    assert repo.run("./status", check=True).stdout == "mine\n"
