"""The action for GitHub and the template for GitLab: valid by their schemas, and each script does its work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from gitrun.commands.completion import complete_words
from gitrun.commands.install_docs import SHARE

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("forked")
CI = SHARE / "ci"
ACTION = yaml.safe_load((CI / "action.yml").read_text())
GITLAB = yaml.safe_load((CI / "gitlab.yml").read_text())
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}


@pytest.mark.parametrize(("name", "words"), [("action.yml", ["vendor.github-actions"]), ("gitlab.yml", ["vendor.gitlab-ci"])])
def test_file_is_valid_by_the_schema_of_its_service(name, words, tmp_path) -> None:
    pytest.importorskip("check_jsonschema")
    call = [sys.executable, "-m", "check_jsonschema", "--data-transform", "gitlab-ci", "--builtin-schema", *words]
    done = subprocess.run([*call, CI / name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # the schema can refuse something
    broken = tmp_path / name
    broken.write_text(
        (CI / name).read_text().replace("runs:\n  using: composite", "runs:\n  using: 1").replace("rules:", "ruls:")
    )
    assert subprocess.run([*call, broken], capture_output=True, check=False).returncode


def scripts() -> list[str]:
    jobs = [job for job in GITLAB.values() if "script" in job]
    return [*(step["run"] for step in STEPS.values() if "run" in step), *(line for job in jobs for line in job["script"])]


def test_scripts_use_options_that_there_are_and_no_expressions() -> None:
    for script in scripts():
        assert "${{" not in script
        for verb, words in re.findall(r"git run ([a-z]+) ([^|;&\n]*)", script):
            assert set(re.findall(r"(?<!\S)--[a-z]+", words)) <= {name.rstrip("=") for name in complete_words(verb).split()}


def step(repo, name: str, temp: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """A step of the action as a runner executes it."""
    given = {key: value["default"] for key, value in ACTION["inputs"].items()} | inputs
    env = {key: given[re.fullmatch(r"\$\{\{ inputs\.(\w+) \}\}", text)[1]] for key, text in STEPS[name].get("env", {}).items()}
    files = {variable: str(temp / variable) for variable in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITHUB_PATH")}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[name]["run"]], cwd=repo.path, capture_output=True,
        text=True, check=False, env={**os.environ, **files, **env, "RUNNER_TEMP": str(temp)},
    )  # fmt: skip


def test_steps_fetch_report_verify_and_make_a_site(team, tmp_path) -> None:
    ann, bob = team.ann, team.bob
    base = ann.head()
    ann.run("echo.py", "x=2", check=True)
    ann.run("push", "origin", "--all", check=True)
    for name in ("Fetch the runs", "Report the runs", "Verify the newest run", "Make the site"):
        done = step(bob, name, tmp_path)
        assert done.returncode == 0, (name, done.stdout + done.stderr)
    assert "echo.py" in (tmp_path / "GITHUB_STEP_SUMMARY").read_text()
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == f"junit={tmp_path}/runs.xml\n"
    assert "<testcase" in (tmp_path / "runs.xml").read_text()
    assert (tmp_path / "runs-site" / "index.html").is_file()
    ann.write("echo.py", "x = 1\nprint('loss:', x)\n")
    ann.run("echo.py", "x=3", check=True)
    ann.commit("second")
    for words in (("push", "--quiet"), ("run", "push", "origin", "--all")):
        ann.git(*words)
    bob.git("pull", "--quiet")
    for name in ("Fetch the runs", "Report the runs", "Verify the newest run"):
        done = step(bob, name, tmp_path, base=base)
        assert done.returncode == 0, (name, done.stdout + done.stderr)
    assert "reproduced: run" in done.stdout


def test_run_that_differs_fails_the_job(team, tmp_path) -> None:
    team.ann.write("echo.py", "import os\nprint('loss:', int.from_bytes(os.urandom(4)))\n")
    team.ann.run("echo.py", check=True)
    team.ann.commit("random")
    for words in (("push", "--quiet"), ("run", "push", "origin", "--all")):
        team.ann.git(*words)
    team.bob.git("pull", "--quiet")
    assert step(team.bob, "Fetch the runs", tmp_path).returncode == 0
    assert step(team.bob, "Verify the newest run", tmp_path).returncode == 1


def test_jobs_of_gitlab_report_verify_and_make_a_site(team, tmp_path) -> None:
    base = team.ann.head()
    team.ann.write("echo.py", "x = 1\nprint('loss:', x)\n")
    team.ann.run("echo.py", "x=3", check=True)
    team.ann.commit("second")
    for words in (("push", "--quiet"), ("run", "push", "origin", "--all")):
        team.ann.git(*words)
    # a runner checks out a commit, and no branch
    subprocess.run(
        ["git", "clone", "--quiet", "--no-checkout", team.ann.git("remote", "get-url", "origin"), tmp_path / "job"], check=True
    )
    subprocess.run(["git", "checkout", "--quiet", "--detach", team.ann.head()], cwd=tmp_path / "job", check=True)
    variables = {**GITLAB["variables"], "CI_MERGE_REQUEST_DIFF_BASE_SHA": base}
    for name, words in (("gitrun-report", "new: run"), ("gitrun-verify", "reproduced: run"), ("pages", "wrote public: 1 run")):
        done = subprocess.run(
            ["sh", "-e", "-c", "\n".join(GITLAB[name]["script"])], cwd=tmp_path / "job", capture_output=True, text=True,
            check=False, env={**os.environ, **variables},
        )  # fmt: skip
        assert (done.returncode, words in done.stdout + done.stderr) == (0, True), (name, done.stdout + done.stderr)
    assert "<testcase" in (tmp_path / "job/runs.xml").read_text()
    assert (tmp_path / "job/public/index.html").is_file()
