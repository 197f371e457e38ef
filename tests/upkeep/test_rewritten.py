"""History that is rewritten by git's own tools: runs come back under new ids, and what keeps the old one alive is named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from clones import clone, tip
from forms import asked_form
from repository import Repo
from sampled import sampled_values
from templates import made_once

from gitrun import Project

SCRIPT = "x = 1.0\nimport os\nprint('seen', x, sorted(name for name in os.listdir() if 'secret' in name or 'made' in name))\n"
SCRIPT += "open('made', 'w').write(str(x))\nopen('big.ignored', 'w').write('kept')\n"


@pytest.fixture
@made_once
def lived(empty_repo):
    """A repository with a secret in its history, a run of one attempt and one of two, with annotations and kept files."""
    repo = empty_repo
    repo.write(".gitignore", "*.ignored\n")
    repo.write("t.py", SCRIPT)
    repo.write("secret.txt", "hunter2\n")
    repo.commit("all")
    repo.git("config", "gitrun.maxIgnored", "0")
    repo.write("t.py", SCRIPT + "# changed\n")
    Project(repo.path).run("t.py")
    Project(repo.path).run("t.py", flags={"x": 2.0})
    second = Project(repo.path).list_runs()[0].id
    repo.run("tag", "good", second, check=True)
    repo.run("--restart", second, "x=3.0", check=True)
    repo.run("label", "best", second, check=True)
    repo.git("checkout", "--quiet", "t.py")
    return repo


def filter_repo(repo: Repo, *words: str) -> None:
    if asked_form().objects != "sha1":
        pytest.skip("git-filter-repo reads only ids of SHA-1")
    program = Path(sys.executable).parent / "git-filter-repo"
    subprocess.run([sys.executable, program, "--force", "--quiet", *words], cwd=repo.path, check=True)


def filter_branch(repo: Repo, *refs: str) -> None:
    repo.git("filter-branch", "-f", "--index-filter", "git rm -q --cached --ignore-unmatch secret.txt", "--", *refs)


def doctor(repo: Repo, *words: str) -> tuple[list[dict], int]:
    ended = repo.run("doctor", "--json", *words)
    assert "Traceback" not in ended.stderr
    return json.loads(ended.stdout), ended.returncode


def seen(repo: Repo) -> list[tuple[object, ...]]:
    """The runs without their ids."""
    project = Project(repo.path)
    return [
        (run.operation, dict(run.flags), run.status, run.output, run.notes.label, run.notes.tags, len(project.attempts(run)))
        for run in project.list_runs()
    ]


WAYS = {
    "filter-repo": lambda repo: filter_repo(repo, "--invert-paths", "--path", "secret.txt"),
    "filter-repo, only names": lambda repo: filter_repo(repo, "--name-callback", "return b'Somebody Else'"),
    "filter-branch": lambda repo: filter_branch(repo, "--all"),
}


@pytest.mark.parametrize("way", sampled_values(2, WAYS))
def test_runs_that_were_rewritten_come_back_under_new_ids(lived, tmp_path, monkeypatch, way) -> None:
    monkeypatch.setenv("FILTER_BRANCH_SQUELCH_WARNING", "1")
    before, old = seen(lived), set(tip(lived))
    WAYS[way](lived)
    assert seen(lived) == []
    found, code = doctor(lived)
    assert (code, [one["fixable"] for one in found if one["kind"] == "rewritten"]) == (1, [True, True])
    doctor(lived, "--fix")
    left, code = doctor(lived)
    assert [one["kind"] for one in left if one["kind"] in {"rewritten", "unreadable", "files", "index"}] == []
    assert seen(lived) == before
    new = {run.id: run for run in Project(lived.path).list_runs()}
    assert not new.keys() & old
    said = {comment.text for run in new.values() for comment in run.notes.comments}
    assert said == {f"was run {name.removeprefix('runs/')} before history was rewritten" for name in old}
    if "only names" not in way:
        names = lived.git("log", "--all", "--format=", "--name-only") if way == "filter-repo" else ""
        trees = [lived.git("ls-tree", "-r", "--name-only", f"refs/runs/{run}") for run in new]
        assert "secret.txt" not in names + "".join(trees)
    assert len(list((lived.path / ".git/gitrun/files").rglob("big.ignored"))) == 3
    other = Repo.create(tmp_path / "other")
    other.run("fetch", str(lived.path), check=True)
    assert {run.id for run in Project(other.path).list_runs()} == set(new)


def test_what_was_trusted_before_filter_repo_is_trusted_after(lived) -> None:
    filter_repo(lived, "--invert-paths", "--path", "secret.txt")
    doctor(lived, "--fix")
    project = Project(lived.path)
    assert all(project.sharing.is_trusted(run) for run in project.list_runs())
    ended = lived.run("--restart", project.list_runs()[1].id, check=True)
    assert ended.stdout == "seen 1.0 ['made']\n"
    lived.run("verify", project.list_runs()[1].id, check=True)


def test_what_no_map_of_this_machine_tells_is_not_trusted(lived, monkeypatch) -> None:
    monkeypatch.setenv("FILTER_BRANCH_SQUELCH_WARNING", "1")
    filter_branch(lived, "--all")
    doctor(lived, "--fix")
    project = Project(lived.path)
    assert not any(project.sharing.is_trusted(run) for run in project.list_runs())


def test_strange_run_under_a_trusted_name_is_not_trusted_by_the_doctor(lived, tmp_path) -> None:
    mine, other = (run.id for run in Project(lived.path).list_runs())
    filter_repo(lived, "--invert-paths", "--path", "secret.txt")
    heads = {name.removeprefix("runs/"): head for name, head in tip(lived).items()}
    lived.git("update-ref", f"refs/runs/{mine}", heads[other])
    lived.git("update-ref", "-d", f"refs/runs/{other}")
    (lived.path / ".git/gitrun/trust").write_text(f"{mine}\n")
    doctor(lived, "--fix")
    project = Project(lived.path)
    assert not any(project.sharing.is_trusted(run) for run in project.list_runs())


@pytest.mark.parametrize("tool", ["filter-repo", "filter-branch"])
def test_runs_that_keep_purged_history_alive_are_named(lived, tmp_path, monkeypatch, tool) -> None:
    monkeypatch.setenv("FILTER_BRANCH_SQUELCH_WARNING", "1")
    names = set(tip(lived))
    if tool == "filter-repo":
        filter_repo(lived, "--invert-paths", "--path", "secret.txt", "--refs", "refs/heads/main")
    else:
        filter_branch(lived, "main")
    assert len(seen(lived)) == 2
    (found,) = [one for one in doctor(lived)[0] if one["kind"] == "purged-history"]
    assert all(name.removeprefix("runs/")[:8] in found["message"] for name in names)
    assert not found["fixable"]
    lived.run("rm", *names, check=True)
    assert [one for one in doctor(lived)[0] if one["kind"] == "purged-history"] == []
    assert clone(lived.path, tmp_path / "clean").run("list", check=True).returncode == 0
