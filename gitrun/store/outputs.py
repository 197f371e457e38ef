"""A reference to an attempt's output, as a value that can be pickled and read later."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Output:
    """The output of an attempt: a blob in the tree of `commit`, in the repository at `git_dir`."""

    git_dir: str
    commit: str

    def read(self) -> bytes:
        """Returns the recorded output; empty if there is none. Opens the repository."""
        from gitrun.git.exe import Git
        from gitrun.git.objects import Objects
        from gitrun.log import environment
        from gitrun.model.encode import OUTPUT

        place = Path(self.git_dir)
        with Objects(Git(place, place, None, "", environment(), {})) as objects:
            found = objects.read(f"{self.commit}:{OUTPUT}")
        return found.data or b"" if found else b""
