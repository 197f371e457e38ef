"""The project of `stories/project/`, as others have it: to be cloned from a bare repository."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from repository import Repo

SOURCE = Path(__file__).parent / "stories" / "project"


def published(place: Path) -> Path:
    """The bare repository `cancer.git` in the directory, with the project in it."""
    work = Repo.create(place / "work")
    shutil.copytree(SOURCE, work.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    work.commit("A model of breast cancer data")
    subprocess.run(["git", "clone", "--quiet", "--bare", work.path, place / "cancer.git"], check=True)
    shutil.rmtree(work.path)
    return place / "cancer.git"
