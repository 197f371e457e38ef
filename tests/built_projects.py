"""Projects with build directories."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from repository import Repo


@pytest.fixture
def built(empty_repo: Repo) -> Repo:
    """A repository whose ignored directory `build` CMake has configured for the working tree."""
    if not shutil.which("cmake"):
        pytest.skip("cmake is not installed")
    empty_repo.write("CMakeLists.txt", "cmake_minimum_required(VERSION 3.13)\nproject(demo NONE)\n")
    empty_repo.write(".gitignore", "build/\n")
    empty_repo.write("t.py", "print(1)\n")
    subprocess.run(["cmake", "-S", ".", "-B", "build"], cwd=empty_repo.path, check=True, capture_output=True)
    empty_repo.commit()
    return empty_repo
