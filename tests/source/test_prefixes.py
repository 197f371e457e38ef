"""The environments that a command may use."""

from __future__ import annotations

import os
import subprocess
import sys

from editable import make_environment

from gitrun.source.prefixes import find_prefixes, site_directories


def test_the_environments_that_a_command_may_use_are_found(tmp_path):
    top, active = tmp_path / "top", tmp_path / "active"
    for place in (top / ".venv", active):
        make_environment(place)
    (active / "bin" / "tool").write_text(f"#!/bin/sh\n'''exec' \"{tmp_path}/a/bin/python\" \"$0\" \"$@\"\n' '''\n")
    (active / "bin" / "tool").chmod(0o755)
    shims = tmp_path / "pyenv" / "shims"
    shims.mkdir(parents=True)
    (shims / "python").symlink_to(sys.executable)
    (tmp_path / "pyenv" / "versions" / "3.12.1").mkdir(parents=True)
    environ = {"VIRTUAL_ENV": str(active), "PATH": f"{shims}{os.pathsep}{active}/bin", "HOME": str(tmp_path)}
    found = find_prefixes(["tool"], environ, (str(top / "sub"), str(top)))
    assert {str(top / ".venv"), str(active), str(tmp_path / "pyenv" / "versions" / "3.12.1")} <= set(found)


def test_the_environments_of_conda_are_found_for_conda_alone(tmp_path):
    environment = tmp_path / "miniforge" / "envs" / "train"
    (environment / "conda-meta").mkdir(parents=True)
    (tmp_path / ".conda").mkdir()
    (tmp_path / ".conda" / "environments.txt").write_text(f"{environment}\n")
    environ = {"HOME": str(tmp_path), "PATH": ""}
    assert str(environment) in find_prefixes(["conda", "run", "-n", "train", "python"], environ, (str(tmp_path),))
    assert str(environment) not in find_prefixes(["python"], environ, (str(tmp_path),))


def test_an_environment_takes_packages_from_its_base_if_it_says_so(tmp_path):
    place = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", place], check=True)
    assert [site for site in site_directories(str(place)) if not site.startswith(str(place))]
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", place], check=True)
    assert not [site for site in site_directories(str(place)) if not site.startswith(str(place))]
