"""git run import guild: the runs of a Guild home."""

from __future__ import annotations

import subprocess

import pytest
from repository import Repo

from gitrun import Project

SECRET = "CANARY-7c1f2d99"
OP = "op-cmd: {cmd-args: ['${python_exe}', -um, guild.op_main, train, --, __flag_args__], cmd-flags: {lr: {}}}"


@pytest.fixture
def repo(tmp_path) -> Repo:
    return Repo.create(tmp_path / "project")


@pytest.fixture
def guild_run(tmp_path):
    """Writes a run of a Guild home, as Guild 0.9 does, and returns its directory."""

    def write(number: int = 1, opref: str = "guildfile:/p/guild.yml 3a62 m train", **attrs: str):
        key = f"{number:032x}"
        directory = tmp_path / "home/runs" / key
        (directory / ".guild/attrs").mkdir(parents=True)
        (directory / "train.py").write_text("lr = 0.1\nprint(f'loss: {lr}')\n")
        (directory / "model.txt").write_text("weights\n")
        guild = directory / ".guild"
        (guild / "opref").write_text(opref)
        (guild / "output").write_text("loss: 0.2\n")
        (guild / "manifest").write_text("s train.py 93026f77fa151530eacbcb48718bcfb5500ec8b4 train.py\n")
        told = {
            "cmd": "[python, -um, guild.op_main, train]", "flags": "{lr: 0.2}", "user_flags": "{lr: 0.2}", "id": key,
            "initialized": 1795973642744128, "started": 1795973642854662, "stopped": 1795973644282970, "exit_status": 0,
            "op": OP,
            "env": f"AWS_SECRET_ACCESS_KEY: {SECRET}\n", "host": "vm", "user": "ann", "label": "lr=0.2",
            "platform": "{uname: 'Linux vm 6.1', python_version: '3.11.7 (main)'}",
            "pip_freeze": f"[numpy==1.26.4, 'x @ git+https://{SECRET}@host/x']", **attrs,
        }  # fmt: skip
        for name, text in told.items():
            (guild / "attrs" / name).write_text(f"{text}\n")
        return directory

    return write


def take(repo: Repo, home, *words: str) -> subprocess.CompletedProcess[str]:
    return repo.run("import", "guild", home, *words)


def all_objects(repo: Repo) -> bytes:
    names = subprocess.run(
        ["git", "cat-file", "--batch-all-objects", "--batch-check=%(objectname)"],
        cwd=repo.path,
        capture_output=True,
        check=True,
    ).stdout
    return subprocess.run(["git", "cat-file", "--batch"], cwd=repo.path, input=names, capture_output=True, check=True).stdout


def test_run_of_guild_is_a_run(repo, tmp_path, guild_run) -> None:
    guild_run(tags="[good]", marked="true", comments="[{body: hi, user: ann, time: 1795973645565667}]")
    assert take(repo, tmp_path / "home").returncode == 0
    (run,) = Project(repo.path).list_runs()
    assert (run.operation, run.attempt.command, dict(run.flags)) == ("m:train", ("{python}", "train.py"), {"lr": 0.2})
    assert (run.status, run.output, run.notes.tags, run.notes.marked, run.notes.label) == (
        "completed",
        "loss: 0.2\n",
        ("good",),
        True,
        None,
    )
    assert [(file.path, file.stored) for file in run.attempt.files] == [("model.txt", "git")]
    assert (run.notes.comments[0].text, run.notes.comments[0].author) == ("hi", "")
    assert str(run.attempt.created) == "2026-11-29 17:34:02.744128+00:00"


def test_nothing_of_the_environment_is_anywhere(repo, tmp_path, guild_run) -> None:
    guild_run()
    take(repo, tmp_path / "home", "--authors").check_returncode()
    assert SECRET.encode() not in all_objects(repo)
    found = subprocess.run(["grep", "-r", SECRET, repo.path], capture_output=True, text=True, check=False)
    assert found.stdout == ""


def test_host_and_user_are_recorded_only_if_asked(repo, tmp_path, guild_run) -> None:
    guild_run()
    take(repo, tmp_path / "home").check_returncode()
    assert b"ann" not in all_objects(repo)
    assert b" vm" not in all_objects(repo)
    other = Repo.create(tmp_path / "other")
    take(other, tmp_path / "home", "--authors").check_returncode()
    assert Project(other.path).list_runs()[0].attempt.author == "ann <ann@vm>"
