"""A reference to an attempt's output, as a value that can be pickled and read later."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gitrun import git, model
from gitrun.process.environment import copy_environment


@dataclass(frozen=True, slots=True)
class Output:
    """The output of an attempt: a blob in the tree of `commit`, in the repository at `git_dir`."""

    git_dir: str
    commit: str

    def read(self) -> bytes:
        """Returns the recorded output; empty if there is none. Opens the repository."""
        place = Path(self.git_dir)
        with git.objects.Objects(git.exe.Git(place, place, None, "", copy_environment(), {})) as objects:
            found = objects.read(f"{self.commit}:{model.record_files.OUTPUT}")
        return found.data or b"" if found else b""
