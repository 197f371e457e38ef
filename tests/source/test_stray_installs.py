"""Installs from inside a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import launchers
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from launchers import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A package made by `uv init --package`."""
    return launchers.make_uv(tmp_path)


def test_an_install_from_inside_a_program_is_warned_of_and_found_by_doctor(project):
    project.repo.write("Makefile", "all:\n\tuv sync --quiet\n")
    assert project.repo.run("doctor", env=project.environ).returncode == 0
    ended = project.run("--", "make", "-s")
    finding = ".venv imports demo from a workspace of gitrun"
    assert f"gitrun: warning: {finding}. To repair it: uv sync --reinstall-package demo\n" in ended.stderr
    found = project.repo.run("doctor", env=project.environ)
    assert (found.returncode, found.stdout) == (1, f"{finding}. uv sync --reinstall-package demo\n")
    launchers.said(["uv", "sync", "--quiet", "--reinstall-package", "demo"], project.repo.path, project.environ)
    assert project.repo.run("doctor", env=project.environ).returncode == 0
