"""Settings are git's: from the command line, the environment, included files, this worktree; and nonsense is refused."""

from __future__ import annotations

import json

import pytest
from supervised import ended
from templates import made_once

COUNTED = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "gitrun.bring", "GIT_CONFIG_VALUE_0": "true"}


@pytest.fixture
@made_once
def maker(repo):
    """A repository whose script makes a file, and is asked to bring it by a setting only."""
    repo.write("make.py", "open('made', 'w').write('a')\n")
    repo.commit()
    return repo


@pytest.mark.parametrize(
    "words", [("-c", "gitrun.bring"), ("-c", "GitRun.BRING=on"), ("--config-env=gitrun.bring=YES",)], ids=str
)
def test_setting_of_the_command_line_counts(maker, monkeypatch, words) -> None:
    monkeypatch.setenv("YES", "yes")
    maker.git(*words, "run", "make.py")
    assert (maker.path / "made").exists()


def test_setting_of_the_environment_counts(maker) -> None:
    maker.run("make.py", env=COUNTED, check=True)
    assert (maker.path / "made").exists()


@pytest.mark.parametrize("condition", ["gitdir:**/repo/.git", "onbranch:main", "hasconfig:remote.*.url:https://example.org/**"])
def test_setting_of_a_file_that_is_included_on_a_condition_counts(maker, world, condition) -> None:
    maker.git("config", "remote.origin.url", "https://example.org/a.git")
    (world / "more").write_text("[gitrun]\n\tbring\n")
    with (world / ".gitconfig").open("a") as config:
        config.write(f'[includeIf "{condition}"]\n\tpath = more\n')
    maker.run("make.py", check=True)
    assert (maker.path / "made").exists()


def test_setting_of_this_worktree_counts_here_only(maker) -> None:
    maker.git("config", "extensions.worktreeConfig", "true")
    maker.git("worktree", "add", "-q", "../other")
    other = type(maker)(maker.path.parent / "other")
    other.git("config", "--worktree", "gitrun.bring", "true")
    for repo, brought in ((maker, False), (other, True)):
        repo.run("make.py", check=True)
        assert (repo.path / "made").exists() == brought


def test_nearer_setting_wins(maker) -> None:
    maker.git("config", "gitrun.bring", "true")
    maker.git("-c", "gitrun.bring=false", "run", "make.py")
    assert not (maker.path / "made").exists()


@pytest.mark.parametrize("setting", ["gitrun.bring=perhaps", "gitrun.maxProduced=big", "gitrun.stopGrace=soon"])
def test_setting_that_makes_no_sense_is_refused_by_its_name(maker, setting) -> None:
    name, value = setting.split("=")
    maker.git("config", name, value)
    done = maker.run("make.py")
    assert done.returncode == 129
    assert f"setting {name} must be" in done.stderr
    assert f"not '{value}'. To find where it is set: git config --show-origin {name}" in done.stderr
    maker.git("config", "gitrun.maxUntraked", "1m")
    assert maker.run("list", check=True).stderr == "gitrun: no runs here yet. To make one: git run <script>\n"
    found = json.loads(maker.run("doctor", "--json").stdout)
    assert [one["kind"] for one in found] == ["setting", "setting"]
    assert name in found[0]["message"]
    assert found[1]["hint"].startswith("Did you mean gitrun.maxUntracked?")


@pytest.mark.parametrize(
    ("setting", "words"),
    [("trashExpire", ["gc"]), ("gc.keep", ["gc"]), ("gc.status", ["gc"]), ("prePush", ["hook", "pre-push", "."])],
)
def test_setting_that_does_not_read_stops_those_who_need_it(maker, setting, words) -> None:
    maker.git("config", f"gitrun.{setting}", "soon?")
    assert f"setting gitrun.{setting} must be" in maker.run(*words).stderr
    maker.run("make.py", check=True)


@pytest.mark.parametrize("setting", ["gitrun.fsync=maybe", "gitrun.gc.status=nope", "gitrun.trashExpire=", "gitrun.sign=x"])
def test_doctor_names_every_setting_that_does_not_read(maker, setting) -> None:
    done = ended(maker, "git", "-c", setting, "run", "doctor")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(f"setting {setting.partition('=')[0]} must be ")


def test_settings_do_not_reach_the_program(maker) -> None:
    script = (
        "import os; print([name for name in os.environ if name.startswith(('GIT_CONFIG_C', 'GIT_CONFIG_K', 'GIT_CONFIG_P'))])"
    )
    maker.write("show.py", script)
    assert maker.run("show.py", env=COUNTED, check=True).stdout == "[]\n"
