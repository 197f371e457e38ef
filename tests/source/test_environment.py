"""The part of the environment that gitrun records: packages in directories, lock files, devices, variables that are allowed."""

from __future__ import annotations

import json
import os

import pytest

from gitrun.model.decode import parse_toml
from gitrun.model.settings import Settings
from gitrun.source.environment import describe_gpus, encode_packages, find_installed, select_variables


def distribution(site, name, **files):
    """A package's metadata in a directory of packages."""
    place = site / name
    place.mkdir(parents=True)
    for file, content in files.items():
        (place / file.replace("__", ".")).write_text(content)
    return site


def env_of(repo, run="1"):
    return json.loads(repo.run("show", run, "--json", check=True).stdout)["environment"]


def test_packages_are_known_by_the_names_of_their_metadata(tmp_path):
    site = distribution(tmp_path / "site-packages", "Foo_Bar.baz-1.2.dist-info")
    distribution(site, "old-0.9-py3.11.egg-info")
    distribution(site, "bare.egg-info", **{"PKG-INFO": "Metadata-Version: 1\nVersion: 7\n"})
    distribution(site, "edited-2.0.dist-info", direct_url__json='{"url": "file:///me", "dir_info": {"editable": true}}')
    commit = "1a2b3c4d" * 5
    url = {"url": "https://user:secret@host/x", "vcs_info": {"vcs": "git", "commit_id": commit}}
    distribution(site, "pinned-3.0.dist-info", direct_url__json=json.dumps(url))
    assert find_installed([str(site), str(tmp_path / "none")]) == {
        "bare": "7", "edited": "2.0 (editable)", "foo-bar-baz": "1.2", "old": "0.9", "pinned": f"3.0 (git {commit})",
    }  # fmt: skip


def test_of_two_packages_with_one_name_the_first_directory_counts(tmp_path):
    first = distribution(tmp_path / "a", "it-2.dist-info")
    second = distribution(tmp_path / "b", "It-1.dist-info")
    assert find_installed([str(first), str(second)]) == {"it": "2"}


def test_metadata_with_odd_names_or_content_breaks_nothing(tmp_path):
    site = distribution(tmp_path / "s", "no_version.dist-info", direct_url__json="[" * 10_000)
    distribution(site, '"quoted"-1\n2.dist-info')
    distribution(site, os.fsdecode(b"\xff-1.dist-info"))
    distribution(site, "a" * 220 + "-1.dist-info")
    found = find_installed([str(site)])
    assert parse_toml(encode_packages(found), "env.toml") == {"packages": found}
    assert list(found.values()) == ["1\n2"]


def test_equal_packages_are_equal_bytes_however_they_were_installed(tmp_path):
    for place, names in (("a", ("x-1.dist-info", "y-2.dist-info")), ("b", ("y-2.dist-info", "x-1.dist-info"))):
        for name in names:
            distribution(tmp_path / place, name)
    assert encode_packages(find_installed([str(tmp_path / "a")])) == encode_packages(find_installed([str(tmp_path / "b")]))
    assert encode_packages({}) == encode_packages(None) == b""


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, {}),
        (
            {
                "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug\n",
                "proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t\t NVIDIA A100\nIRQ: 3\nGPU UUID: GPU-1\n",
            },
            {"driver": "535.104.05", "devices": ["NVIDIA A100"]},
        ),
        ({"dev/nvidia0": "", "dev/nvidia1": "", "dev/nvidiactl": ""}, {"devices": ["NVIDIA", "NVIDIA"]}),
        ({"dev/kfd": ""}, {"devices": ["AMD"]}),
    ],
)
def test_devices_are_those_that_the_kernel_shows(tmp_path, files, found):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert describe_gpus(str(tmp_path)) == found


def test_only_variables_that_are_named_are_recorded():
    environ = {"OMP_NUM_THREADS": "4", "AWS_SECRET_ACCESS_KEY": "x", "MY_LEVEL": "3", "MY_BYTES": "\udcff"}
    assert select_variables(environ, Settings().record_env) == {"OMP_NUM_THREADS": "4"}
    assert select_variables(environ, ("MY_*",)) == {"MY_LEVEL": "3"}


def test_runs_of_one_environment_record_one_blob_and_another_is_seen(repo, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    for _ in range(2):
        repo.run("echo.py", check=True)
    first, second = (
        repo.git("rev-parse", f"runs/{run}:.gitrun/env.toml")
        for run in repo.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/runs").split()
    )
    assert first == second
    for name in ("LC_ALL", "TZ"):
        monkeypatch.delenv(name)
    repo.run("echo.py", check=True)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    repo.git("config", "gitrun.recordEnv", "OMP_*")
    repo.write("requirements.txt", "x==1\n")
    repo.run("echo.py", check=True)
    locks = env_of(repo)["locks"]
    assert locks == {"requirements.txt": repo.git("hash-object", "requirements.txt")}
    said = repo.run("diff", "--env", "2", "1", check=True).stdout.splitlines()
    rows = [line.split() for line in said[1:]]
    assert ["variables.OMP_NUM_THREADS", "4", "5"] in rows
    assert ["locks.requirements.txt", "-", *locks.values()] in rows
    assert len(rows) == 2


def test_a_package_that_is_installed_between_two_runs_is_the_difference(repo, tmp_path, monkeypatch):
    import subprocess
    import sys

    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "env"))
    site = next((tmp_path / "env" / "lib").iterdir()) / "site-packages"
    distribution(site, "gone-1.0.dist-info")
    distribution(site, "kept-1.0.dist-info")
    distribution(site, "moved-1.0.dist-info")
    repo.run("echo.py", check=True)
    (site / "gone-1.0.dist-info").rmdir()
    (site / "moved-1.0.dist-info").rename(site / "moved-1.1.dist-info")
    distribution(site, "fresh-2.0.dist-info")
    repo.run("echo.py", check=True)
    assert env_of(repo)["packages"] == {"fresh": "2.0", "kept": "1.0", "moved": "1.1"}
    said = repo.run("diff", "--env", "2", "1", check=True).stdout.splitlines()
    assert [line.split() for line in said[1:]] == [["moved", "1.0", "1.1"], ["gone", "1.0", "-"], ["fresh", "-", "2.0"]]
    assert said[0].startswith("packages")
    repo.run("--", "true", check=True)
    rows = repo.run("diff", "--env", "2", "1", check=True).stdout.splitlines()
    assert rows[-1].split()[0] == "packages"
    assert "3 recorded" in rows[-1]
