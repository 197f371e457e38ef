"""git run import guild: the runs of a Guild home."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from guild_home import SECRET
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from repository import Repo
from tensorboardX import SummaryWriter

from gitrun import Project
from gitrun.extras.importers.imported import Context, ImportedRun
from gitrun.extras.importers.kinds.guild import read_runs


@pytest.fixture
def repo(tmp_path) -> Repo:
    return Repo.create(tmp_path / "project")


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
    assert str(run.attempt.created) == "2026-11-29 17:34:02.854662+00:00"


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


def test_older_home_has_its_source_below_the_attributes(repo, tmp_path, guild_run) -> None:
    directory = guild_run()
    (directory / ".guild/sourcecode").mkdir()
    (directory / "train.py").rename(directory / ".guild/sourcecode/train.py")
    (directory / ".guild/manifest").write_text("s .guild/sourcecode/train.py 93026f77 train.py\n")
    take(repo, tmp_path / "home").check_returncode()
    (run,) = Project(repo.path).list_runs()
    assert run.attempt.command == ("{python}", "train.py")
    assert [file.path for file in run.attempt.files] == ["model.txt"]


def test_runs_that_have_not_ended_are_left_out(repo, tmp_path, guild_run) -> None:
    guild_run(1)
    (guild_run(2) / ".guild/PENDING").touch()
    (guild_run(3) / ".guild/STAGED").touch()
    running = guild_run(4)
    (running / ".guild/attrs/exit_status").unlink()
    (running / ".guild/LOCK").write_text(f"{os.getpid()}\n")
    report = json.loads(take(repo, tmp_path / "home", "--json").stdout)
    assert [one["reason"] for one in report["left_out"]] == ["it was never started", "it was never started", "it is running"]
    assert len(report["imported"]) == 1


def test_run_that_was_killed_is_terminated(repo, tmp_path, guild_run) -> None:
    (guild_run() / ".guild/attrs/exit_status").unlink()
    take(repo, tmp_path / "home").check_returncode()
    (run,) = Project(repo.path).list_runs()
    assert (run.status, run.exit_status, run.attempt.reason) == ("terminated", -9, "Guild recorded no exit status")


def test_batch_and_pipeline_are_found_by_their_links(repo, tmp_path, guild_run) -> None:
    trials = [guild_run(number, flags=f"{{lr: 0.{number}}}") for number in (1, 2)]
    batch = guild_run(3, opref="builtin:guildai 0.9.0 '' +", flags="{}", user_flags="{}", label="")
    for trial in trials:
        (batch / trial.name).symlink_to(f"../{trial.name}")
    shutil.copytree(guild_run(4, flags="{lr: [0.1, 0.2]}"), batch / ".guild/proto")
    shutil.rmtree(batch.parent / f"{4:032x}")
    pipe = guild_run(5, opref="guildfile:/p/guild.yml 3a62 m pipe", steps="[{run: train}]")
    (pipe / "train").symlink_to(f"../{trials[0].name}")
    take(repo, tmp_path / "home").check_returncode()
    project = Project(repo.path)
    runs = {run.operation: run for run in project.list_runs()}
    assert runs.keys() == {"m:train", "m:train+", "m:pipe"}
    assert [trial.flags["lr"] for trial in project.read_batch(runs["m:train+"]).trials] == [0.1, 0.2]
    assert len(project.runs.read_family(runs["m:pipe"])[1]) == 1


def test_step_whose_operation_is_in_guild_yml_is_an_entry(repo, tmp_path, guild_run) -> None:
    first = guild_run(1, opref="guildfile:/p/guild.yml 3a62 m prepare")
    source = {"config": first.name, "uri": "operation:prepare", "paths": [f"../{first.name}/model.txt"]}
    need = json.dumps({"data": {"operation:prepare": source}})
    second = guild_run(2, deps=need)
    pipe = guild_run(3, opref="guildfile:/p/guild.yml 3a62 m pipe", steps="[{run: prepare}, {run: train}]")
    for name, run in (("prepare", first), ("train", second)):
        (pipe / name).symlink_to(f"../{run.name}")
        (run / "guild.yml").write_text("- model: m\n  operations: {prepare: prepare, train: train}\n")
        with (run / ".guild/manifest").open("a") as manifest:
            manifest.write("s guild.yml 93026f77 'guild.yml'\n")
    take(repo, tmp_path / "home").check_returncode()
    project = Project(repo.path)
    bases = {run.operation: project.runs.read_bases([run])[0] for run in project.list_runs()}
    assert {name: basis.is_entry for name, basis in bases.items()} == {"m:prepare": False, "m:train": True, "m:pipe": True}
    assert [path for path, _ in bases["m:train"].needs[0].files] == ["model.txt"]


def test_links_out_of_a_run_are_not_read(repo, tmp_path, guild_run) -> None:
    (tmp_path / "secret").write_text(SECRET)
    directory = guild_run()
    for name in (".guild/output", "model.txt", "train.py", ".guild/attrs/label"):
        (directory / name).unlink()
        (directory / name).symlink_to(tmp_path / "secret")
    (directory / ".guild/events.out.tfevents.1.vm.1.0").symlink_to(tmp_path / "secret")
    (directory / "deep").symlink_to("/")
    (tmp_path / "home/runs" / ("f" * 32)).symlink_to(directory)
    ended = take(repo, tmp_path / "home")
    (run,) = Project(repo.path).list_runs()
    assert (run.output, run.notes.label, run.attempt.files) == ("", None, ())
    assert SECRET.encode() not in all_objects(repo)
    assert "a symbolic link" in ended.stderr


LIES = {
    "flags": ["{a b: 1}", "[1]", "{lr: {x: 1}}", "{lr: 1e999, x: !!binary aGk=}", "{? [a] : b}", "{lr: 2024-01-01}", "{1: 2}"],
    "exit_status": ["true", "99999999999999999999", "'0'", "-15", "[0]"],
    "initialized": ["-1", "1e300", ".nan", "99999999999999999999", "now"],
    "stopped": ["0", ".inf"],
    "op": ["[]", "{op-cmd: 3}", "{op-cmd: {cmd-args: [1, 2]}}", "{op-cmd: {cmd-args: ['${python_exe}', -um, guild.op_main]}}"],
    "cmd": ["{}", "['\\0']", "[]"],
    "deps": ["[]", "{a: {b: {config: ../../x, uri: 'operation:x', paths: [../../../etc/passwd]}}}", "{a: [b]}"],
    "comments": ['[1, {body: 3, time: x}, {body: "\\e[31m\\0", time: -5}]', "{}"],
    "tags": ["{}", '[1, [2], "a\\nb"]'],
    "label": ['"\\e]0;evil\\a"', "[x]", '"\\ud800"'],
    "user": ['"a\\nparent 0000 <x> 1"'],
    "vcs_commit": ["git:--help", "git:" + "0" * 40, "3"],
    "random_seed": ["99999999999999999999999", "x"],
    "pip_freeze": ["{}", "[1, 'a==1\\nb']"],
    "platform": ["[]", "{uname: 3}"],
    "run_params": ["[]", "{max_trials: -1, opt_flags: 3, gpus: []}"],
}  # fmt: skip


def test_no_lie_of_an_attribute_keeps_other_runs_out(repo, tmp_path, guild_run) -> None:
    lies = [(name, text) for name, texts in LIES.items() for text in texts]
    for number, (name, text) in enumerate(lies, 1):
        guild_run(number, **{name: text})
    guild_run(999)
    (guild_run(1000) / ".guild/manifest").write_text("s ../../x 1 ../../x\ns /etc/passwd 1 x\ns '\nd\n\x00 \x00 \x00\n")
    guild_run(1001, opref="'")
    guild_run(1002, opref="guildfile:x 1 '' \"\x1b[31mtrain=\"")
    report = json.loads(take(repo, tmp_path / "home", "--json", "--authors").stdout)
    assert len(report["imported"]) + len(report["refused"]) == len(lies) + 4
    assert report["refused"] == {}
    assert repo.run("doctor").returncode == 0
    listed = repo.run("list", "--all", check=True)
    assert "\x1b" not in listed.stdout
    assert "passwd" not in repo.git("ls-tree", "-r", "--name-only", Project(repo.path).list_runs()[0].tip)


@given(data=st.binary(max_size=80), name=st.sampled_from(sorted(LIES)))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_in_an_attribute_are_a_run(data, name, tmp_path, guild_run) -> None:
    home = tmp_path / "home"
    shutil.rmtree(home, ignore_errors=True)
    (guild_run() / ".guild/attrs" / name).write_bytes(data)
    (run,) = read_runs(Context(str(home), None, home, {}))
    assert isinstance(run, ImportedRun)


def test_import_that_was_killed_goes_on(repo, tmp_path, guild_run) -> None:
    large = guild_run(1) / "large.bin"
    large.write_bytes(bytes(11 << 20))
    for number in range(2, 20):
        guild_run(number)
    reference = Repo.create(tmp_path / "reference")
    take(reference, tmp_path / "home").check_returncode()
    for delay in (0.3, 0.6, 0.9, 1.2):
        words = [sys.executable, "-m", "gitrun", "import", "guild", tmp_path / "home"]
        process = subprocess.Popen(
            words, cwd=repo.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(delay)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # the files of a run that is not there yet are garbage that gc removes, and nothing else is wrong
        assert [line for line in repo.run("doctor").stdout.splitlines() if "are kept here, but" not in line] == []
    take(repo, tmp_path / "home").check_returncode()
    assert repo.git("for-each-ref") == reference.git("for-each-ref")
    assert repo.git("fsck", "--connectivity-only") == ""


def test_metrics_of_before_a_restart_are_left_out(repo, tmp_path, guild_run) -> None:
    directory = guild_run()
    for number, name in ((1, "1795973600.vm.1.0"), (2, "1795973643.vm.2.0")):
        with SummaryWriter(str(tmp_path / "events")) as writer:
            writer.add_scalar("loss", number, 0)
        (file,) = (tmp_path / "events").iterdir()
        file.rename(directory / f".guild/events.out.tfevents.{name}")
    take(repo, tmp_path / "home").check_returncode()
    (run,) = Project(repo.path).list_runs()
    assert (run.metrics["loss"], run.metrics.ask("loss:count")) == (2.0, 1)


@pytest.mark.parametrize("place", ["named", "environment", "above", "project", "exported"])
def test_home_is_found_where_guild_has_it(place, tmp_path, guild_run) -> None:
    guild_run()
    top, environ, source = tmp_path / "top", {}, ""
    here = top / "project/sub"
    here.mkdir(parents=True)
    match place:
        case "named":
            environ = {"GUILD_HOME": str(tmp_path / "home")}
        case "environment":
            (tmp_path / "home").rename(top / ".guild")
            environ = {"VIRTUAL_ENV": str(top)}
        case "above":
            (tmp_path / "home").rename(top / ".guild")
        case "project":
            (tmp_path / "home").rename(here / ".guild")
            source = "."
        case "exported":
            source = str(tmp_path / "home/runs")
    (run,) = read_runs(Context(source, None, here, environ))
    assert run.operation == "m:train"


def test_attributes_behind_a_link_are_not_read(repo, tmp_path, guild_run) -> None:
    secret, sound = guild_run(1, label="elsewhere"), guild_run(2, label="here")
    home = sound.parent
    shutil.move(secret, tmp_path / "secret")
    for name, target in ((".guild", ".guild"), (".guild/attrs", ".guild/attrs")):
        directory = home / f"{len(name):032x}"
        (directory / name).parent.mkdir(parents=True)
        (directory / name).symlink_to(tmp_path / "secret" / target)
    ended = take(repo, tmp_path / "home")
    assert ended.stderr.count("its directory has no attributes of a run") == 1
    assert [run.notes.label for run in Project(repo.path).list_runs()] == ["here"]


def test_batch_of_an_optimizer_is_a_batch(repo, tmp_path, guild_run) -> None:
    # as Guild 0.9 leaves it with scikit-optimize 0.9: the flags of the run are those of the optimizer
    trials = [guild_run(number, flags=f"{{lr: 0.{number}}}") for number in (1, 2)]
    batch = guild_run(3, opref="builtin:guildai 0.9.0 skopt gp", flags="{kappa: 1.96}", objective="loss", max_trials="2")
    for trial in trials:
        (batch / trial.name).symlink_to(f"../{trial.name}")
    shutil.copytree(guild_run(4, flags="{lr: '[0.1:0.9]'}"), batch / ".guild/proto")
    shutil.rmtree(batch.parent / f"{4:032x}")
    take(repo, tmp_path / "home").check_returncode()
    project = Project(repo.path)
    (run,) = [run for run in project.list_runs() if run.attempt.kind == "batch"]
    assert len(project.read_batch(run).trials) == 2
    shown = repo.run("show", run.id, check=True).stdout
    assert "sampler:   gp, minimize loss, at most 2 trials\nspace:     lr=uniform[0.1:0.9]\n" in shown
