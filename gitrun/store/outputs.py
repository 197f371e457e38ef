"""Where the output of an attempt is, as a value that can be kept and read later."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Output:
    """Where the output of an attempt is: a blob below a commit of the repository at `git_dir`."""

    git_dir: str
    commit: str

    def read(self) -> bytes:
        """The recorded output."""
        from gitrun.git.exe import Git
        from gitrun.git.objects import Objects
        from gitrun.log import environment
        from gitrun.model.record import OUTPUT

        place = Path(self.git_dir)
        with Objects(Git(place, place, None, "", environment(), {})) as objects:
            found = objects.read(f"{self.commit}:{OUTPUT}")
        return found.data or b"" if found else b""
