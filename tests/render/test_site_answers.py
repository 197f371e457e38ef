"""What a static site has of runs, and what it keeps to itself."""

from __future__ import annotations

import json
import math

import pytest

from gitrun import Project
from gitrun.render.site_answers import ALL, NONE, SiteAnswers, SiteOptions, encode_steps, encode_values


def packs_of(repo, **options) -> dict:
    """All packs about the runs of a repository, by name."""
    project = Project(repo.path)
    return dict(SiteAnswers(project, project.list_runs(), SiteOptions(**options)).packs())


def test_values_of_a_curve_have_the_digits_that_a_page_shows() -> None:
    assert encode_values([0.1 + 0.2, 2.39374123, 1e-12, 12345678.0]) == [0.3, 2.39374, 1e-12, 12345700.0]
    assert encode_values([math.nan, math.inf]) == ["NaN", "Infinity"]


def test_fewer_digits_of_a_value_are_those_of_the_exact_one() -> None:
    values = [0.01 + number * 7.3e-7 for number in range(20_000)]
    assert any(f"{float(f'{value:.6g}'):.4g}" != f"{value:.4g}" for value in values)
    for value, kept in zip(values, encode_values(values), strict=True):
        assert [f"{kept:.{digits}g}" for digits in range(2, 7)] == [f"{value:.{digits}g}" for digits in range(2, 7)]


def test_steps_that_count_up_are_the_first_of_them() -> None:
    assert [encode_steps(steps) for steps in ((3.0, 4.0, 5.0), (0.0, 2.0, 4.5), (7.0,))] == [3, [0, 2, 4.5], [7]]


def test_people_code_and_variables_stay_out_unless_asked_for(repo) -> None:
    repo.git("config", "gitrun.recordEnv", "TOKEN")
    repo.write("new.py", "print('hello')\n")
    repo.run("new.py", "--comment", "fine", env={"TOKEN": "s3cret"}, check=True)
    text = json.dumps(packs_of(repo))
    assert [word in text for word in ("A User", "user@example.org", "s3cret", "print('hello')")] == [False] * 4
    everything = json.dumps(packs_of(repo, has_authors=True, has_source=True))
    assert [word in everything for word in ("A User", "s3cret", "print('hello')")] == [True, False, True]


def test_directories_of_the_machine_are_not_named(repo) -> None:
    repo.write("where.py", "import os\nopen('a.txt', 'w').write('x')\nprint(os.getcwd(), __file__, os.environ['HOME'])\n")
    repo.run("where.py", check=True)
    text = json.dumps(packs_of(repo))
    home = repo.run("--", "sh", "-c", "echo $HOME", check=True).stdout.strip()
    for place in (str(repo.path), str(repo.path.parent), home, "/slots/"):
        assert place not in text, place


@pytest.mark.parametrize(("files", "stored"), [(NONE, []), ("images", ["a.png"]), (ALL, ["a.png", "b.html"])])
def test_files_are_those_that_are_asked_for(repo, files, stored) -> None:
    repo.write(
        "make.py", "for name in ('a.png', 'b.html'): open(name, 'w').write('x')\nopen('c.png', 'wb').write(bytes(2 << 20))\n"
    )
    repo.run("make.py", check=True)
    found = packs_of(repo, files=files)
    assert found["run-0"]["runs"][0].get("stored", []) == stored
    (run,) = Project(repo.path).list_runs()
    assert sorted(found.get(f"files-{run.id}", {})) == stored


def test_what_is_missing_is_named(repo) -> None:
    repo.write("make.py", "open('b.html', 'w').write('x')\nprint('x' * 70_000)\n")
    repo.run("make.py", check=True)
    project = Project(repo.path)
    answers = SiteAnswers(project, project.list_runs(), SiteOptions())
    list(answers.packs())
    assert answers.left_out == ["all code", "names of authors", "1 file of runs", "the beginning of 1 output"]


def test_attempts_of_a_run_are_whole_again_with_its_keys(repo) -> None:
    repo.run("echo.py", "x=2", check=True)
    repo.run("--restart", "1", "x=3", check=True)
    pack = packs_of(repo)["run-0"]
    (run,) = (entry["run"] for entry in pack["runs"])
    first, last = run["attempts"]
    assert first["flags"]["x"] == 2
    assert "flags" not in last
    assert {"flags", "started", "status"} <= set(pack["keys"])
    assert len(pack["runs"][0]["lineage"]["nodes"]) == 2
