"""The four forms of a repository: ids of SHA-1 or SHA-256, refs in files or in reftables."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

NEWER_GIT = "GITRUN_TEST_NEWER_GIT"
"""Variable with the directory of a git that knows reftables, for a machine whose own does not."""
FORM = "GITRUN_TEST_FORM"
"""Variable with the form that all repositories of the tests have: `sha256`, `reftable`, or both with a plus between."""
ASKED, GIVEN = os.environ.get(FORM, ""), os.environ.get(NEWER_GIT, "")
KNOWS_REFTABLES = (2, 45)
"""The first version of git with reftables."""


@dataclass(frozen=True, slots=True)
class Form:
    """The object format and the format of refs of new repositories, by git's names."""

    objects: str = "sha1"
    refs: str = "files"

    @property
    def name(self) -> str:
        """Returns the form as one word."""
        return f"{self.objects}-{self.refs}"

    def apply(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Makes `git init` and `git clone` of this process make such repositories. Skips the test if no git here can."""
        if self.refs == "reftable":
            directory = newer_git()
            if directory is None:
                pytest.skip(f"no git 2.45 or newer for reftables; {NEWER_GIT} can name its directory")
            if shutil.which("git") != str(directory / "git"):
                monkeypatch.setenv("PATH", os.pathsep.join([str(directory), os.environ["PATH"]]))
            monkeypatch.setenv("GIT_DEFAULT_REF_FORMAT", self.refs)
        if self.objects != "sha1":
            monkeypatch.setenv("GIT_DEFAULT_HASH", self.objects)


FORMS = tuple(Form(objects, refs) for refs in ("files", "reftable") for objects in ("sha1", "sha256"))


@cache
def newer_git() -> Path | None:
    """Returns the directory of a git that knows reftables; None if there is none."""
    gits = (shutil.which("git", path=GIVEN) if GIVEN else None, shutil.which("git"))
    return next((Path(git).parent for git in gits if git and knows_reftables(git)), None)


def knows_reftables(git: str) -> bool:
    """Returns whether the git at this path reads reftables."""
    said = subprocess.run([git, "version"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, re.findall(r"[0-9]+", said)[:2])) >= KNOWS_REFTABLES


def use_asked_git() -> None:
    """Puts the newer git first for all of the tests, if they were asked to have reftables."""
    if asked_form().refs == "reftable" and (directory := newer_git()):
        os.environ["PATH"] = os.pathsep.join([str(directory), os.environ["PATH"]])


def asked_form() -> Form:
    """Returns the form that all repositories of the tests have."""
    words = ASKED.split("+")
    return Form("sha256" if "sha256" in words else "sha1", "reftable" if "reftable" in words else "files")


with_files = pytest.mark.skipif(asked_form().refs != "files", reason="the test changes git's files of refs")
with_sha1 = pytest.mark.skipif(asked_form().objects != "sha1", reason="the test is of SHA-1 ids")
