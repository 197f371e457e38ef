"""Changes of a run's code, as a reviewer reads them."""

from __future__ import annotations

import pytest

from gitrun import Project
from gitrun.views.code_changes import LINES, read_code_changes


def changes_of_newest(repo):
    """The changes of the newest run since the one before it, or since its commit if it is the first."""
    project = Project(repo.path)
    new, *older = project.list_runs()
    return read_code_changes(project.git, older[0] if older else None, new)


def test_changes_since_the_run_before_are_lines_of_a_diff(repo) -> None:
    repo.write("a b.py", "x = 1\ny = 2\n")
    repo.run("a b.py", check=True)
    repo.write("a b.py", "x = 1\ny = 3\n")
    repo.run("a b.py", check=True)
    found = changes_of_newest(repo)
    assert [(change.path, change.what) for change in found.paths] == [("a b.py", "changed")]
    assert found.lines[-3:] == (" x = 1", "-y = 2", "+y = 3")
    assert (found.commit, found.more_lines) == ("", False)


def test_first_run_has_its_uncommitted_changes(repo) -> None:
    repo.write("new.py", "print(1)\n")
    repo.run("new.py", check=True)
    found = changes_of_newest(repo)
    assert found.commit == repo.head().strip()
    assert found.lines[-1] == "+print(1)"


def test_run_of_a_clean_commit_has_no_changes(repo) -> None:
    repo.run("echo.py", check=True)
    assert changes_of_newest(repo) == type(changes_of_newest(repo))()
    repo.run("echo.py", "x=2", check=True)
    assert changes_of_newest(repo).paths == ()


def test_settings_and_drivers_of_the_user_change_nothing(repo) -> None:
    repo.write(".gitattributes", "*.py diff=upper\n")
    repo.commit()
    repo.run("echo.py", check=True)
    repo.write("echo.py", "x = 'é'\n\n\nprint(x)\n")
    repo.run("echo.py", check=True)
    plain = changes_of_newest(repo)
    for name, value in {
        "diff.upper.textconv": "tr a-z A-Z <", "diff.upper.command": "false", "diff.noprefix": "true", "diff.context": "0",
        "diff.algorithm": "patience", "color.ui": "always", "diff.suppressBlankEmpty": "true", "core.quotePath": "false",
    }.items():  # fmt: skip
        repo.git("config", name, value)
    assert changes_of_newest(repo) == plain
    assert "+x = 'é'" in plain.lines


@pytest.mark.parametrize("path", ["tab\tname.py", "*.py", ":(top)x.py"])
def test_path_that_means_more_to_git_is_a_path(repo, path) -> None:
    repo.run("echo.py", check=True)
    repo.write(path, "new\n")
    repo.run("echo.py", check=True)
    found = changes_of_newest(repo)
    assert [change.path for change in found.paths] == [path]
    assert found.lines[-1] == "+new"


def test_long_difference_is_cut_and_says_so(repo) -> None:
    repo.run("echo.py", check=True)
    repo.write("long.txt", "".join(f"line {number}\n" for number in range(LINES)))
    repo.write("wide.txt", "é\x1b[31m" * 100_000)
    repo.run("echo.py", check=True)
    found = changes_of_newest(repo)
    assert (len(found.lines), found.more_lines, len(found.paths)) == (LINES, True, 2)
    assert max(map(len, found.lines)) <= 200
    assert "\x1b" not in "".join(found.lines)
