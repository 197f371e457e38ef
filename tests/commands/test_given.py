"""What a person typed comes first wherever flags are shown, and where a run ran is kept by its restarts."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone

import pytest
import tomli

from gitrun import Project, run_params_for_restart
from gitrun.model.decode import Origin, read_attempt


def run_toml(repo, run="1") -> dict:
    head = Project(repo.path).find(run).attempt.id
    return tomli.loads(repo.git("cat-file", "blob", f"{head}:.gitrun/run.toml"))


@pytest.fixture
def wide(repo):
    """A repository with a script of many flags."""
    repo.write("wide.py", "".join(f"a{number:02} = {number}\n" for number in range(20)) + "z = 1\nprint(z)\n")
    return repo


def test_typed_flags_come_first_in_subject_list_show_and_report(wide) -> None:
    wide.run("wide.py", "z=3", "a19=0", check=True)
    start = "z=3 a19=0 a00=0 a01=1"
    subject = wide.git("log", "-1", "--format=%s", Project(wide.path).find("1").attempt.id)
    assert subject.startswith(f"run wide.py {start}")
    assert (len(subject), subject[-1]) == (72, "…")
    assert start in wide.run("list").stdout
    assert f"flags:     {start}" in wide.run("show").stdout
    assert start in wide.run("list", "--format", "%(flags)").stdout
    assert start in wide.run("log", "1").stdout
    assert wide.run("report", "1").stdout.index("z=3") < wide.run("report", "1").stdout.index("a00=0")


def test_given_is_recorded_and_in_every_json(wide) -> None:
    wide.run("wide.py", "z=3", "a19=0", check=True)
    assert run_toml(wide)["given"] == ["z", "a19"]
    shown = json.loads(wide.run("show", "--json").stdout)
    listed, selected = (json.loads(wide.run(verb, "--json").stdout)[0] for verb in ("list", "select"))
    assert shown["given"] == shown["attempts"][0]["given"] == listed["given"] == selected["given"] == ["z", "a19"]
    plan = json.loads(wide.run("wide.py", "a03=1", "--dry-run", "--json").stdout)
    assert plan["given"] == ["a03"]


def test_restart_puts_its_own_flags_before_those_of_before(wide) -> None:
    wide.run("wide.py", "z=3", "a19=0", check=True)
    wide.run("--restart", "1", "a05=7", "z=4", check=True)
    assert run_toml(wide)["given"] == ["a05", "z", "a19"]
    assert "a05=7 z=4 a19=0 a00=0" in wide.run("list").stdout


def test_run_that_was_made_before_given_was_recorded_is_read() -> None:
    old = {".gitrun/run.toml": b'format = 1\noperation = "a.py"\n'}
    origin = Origin("a" * 40, "", datetime(2026, 11, 22, tzinfo=timezone.utc), None, "")
    attempt = read_attempt(origin, old, live=False, times=None)
    assert (attempt.given, attempt.params.link, attempt.params.in_place) == ((), (), False)


def test_what_configures_hydra_is_not_listed_unless_it_was_typed(repo) -> None:
    repo.write("gitrun.toml", '[operations.a]\ncommand = ["true"]\nflags-to = "env"\n[operations.a.flags]\n'
               '"hydra.verbose" = false\n"model._target_" = "m.Net"\n"model._partial_" = true\nlr = 0.1\n')  # fmt: skip
    repo.run("a", check=True)
    assert re.search(r"completed  [0-9.]+s  lr=0.1$", repo.run("list").stdout)
    assert "model._target_=m.Net" in repo.run("show").stdout
    repo.run("a", "hydra.verbose=true", check=True)
    assert re.search(r"completed  [0-9.]+s  hydra.verbose=true lr=0.1$", repo.run("list", "1").stdout)


def test_restart_keeps_links_outputs_and_place(repo) -> None:
    repo.write(".gitignore", "data/\nout/\n")
    repo.write("data/a.csv", "1\n")
    repo.write("sub/t.py", "import os\nos.makedirs('out', exist_ok=True)\nopen('out/m.pt', 'w').write('m')\n")
    at = repo.path / "sub"
    repo.run("t.py", "--link", "../data", "--output", "out/*.pt", cwd=at, check=True)
    kept = {"link": ["data"], "output": ["sub/out/*.pt"]}
    assert kept.items() <= run_toml(repo)["params"].items()
    assert "m" in repo.run("cat", "-p", "sub/out/m.pt").stdout
    assert json.loads(repo.run("show", "--json").stdout)["files"][0]["stored"] == "git"
    repo.run("--restart", "1", check=True)
    assert kept.items() <= run_toml(repo)["params"].items()
    assert "options:   --link data --output 'sub/out/*.pt'\n" in repo.run("show").stdout
    repo.run("--restart", "1", "--no-link", "--output", "x", check=True)
    params = run_toml(repo)["params"]
    assert (params["no_link"], params.get("link"), params["output"]) == (True, None, ["x"])


def test_restart_with_new_code_of_a_run_in_place_is_in_place(repo) -> None:
    repo.write("t.py", "import os\nprint(os.getcwd())\n")
    assert repo.run("t.py", "--in-place", check=True).stdout == f"{repo.path}\n"
    assert repo.run("--restart", "1", "--force-sourcecode", check=True).stdout == f"{repo.path}\n"
    assert run_toml(repo)["params"]["in_place"] is True
    ended = repo.run("--restart", "1", check=True)
    assert ended.stdout != f"{repo.path}\n"
    assert "note: this attempt uses the run's own code in a workspace" in ended.stderr
    assert "in_place" not in run_toml(repo)["params"]


def test_parameters_of_a_restart_are_still_nine(repo) -> None:
    repo.run("echo.py", "--no-link", "--output", "x", check=True)
    assert len(run_params_for_restart(Project(repo.path).find("1"))) == 9


def test_new_run_accepts_the_option_for_the_code_that_it_takes_anyway(repo) -> None:
    assert repo.run("echo.py", "--force-sourcecode", check=True).stdout == "1.0 2 'a'\n"


def test_needed_lists_the_ten_newest_matches_and_a_count(repo) -> None:
    repo.write("a.py", "x = 1\n")
    for _ in range(12):
        repo.run("a.py", check=True)
    lines = repo.run("--needed", "a.py").stdout.splitlines()
    assert (len(lines), lines[-1]) == (12, "  and 2 more")
    assert repo.run("list", "1").stdout.split()[1] in lines[1]
    repo.run("a.py", "x=2", check=True)
    assert repo.run("--restart", "1", "--needed", "x=1").stdout.splitlines()[-1] == "  and 2 more"


def test_run_of_a_step_has_as_given_what_was_typed_for_the_whole(wide) -> None:
    wide.write("gitrun.toml", '[operations.all]\nsteps = [{run = "wide.py", flags = {a01 = 5}}]\n')
    wide.run("all", "z=3", check=True)
    assert run_toml(wide, "wide.py")["given"] == ["z"]


def test_log_and_skips_show_words_and_no_plumbing(repo) -> None:
    added = "".join(f"p.add_argument('{name}', default=1.0)\n" for name in ("--a._target_", "--lr"))
    repo.write("a.py", f"import argparse\np = argparse.ArgumentParser()\n{added}p.parse_known_args()\n")
    repo.run("a.py", "--", "--odd", check=True)
    assert "_target_" in repo.run("show", "1").stdout
    for words in (("log", "1"), ("--needed", "a.py", "--", "--odd")):
        printed = repo.run(*words, check=True).stdout
        assert ("_target_" in printed, "lr=1.0 -- --odd" in printed) == (False, True)
