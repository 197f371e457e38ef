"""Reads an attempt's output, on demand, and its record of lent files."""

from __future__ import annotations

from pathlib import Path

from gitrun import git, model
from gitrun.dataclass import dataclass
from gitrun.errors import BadRun
from gitrun.process.environment import copy_environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitrun.git.objects import ObjectReader
    from gitrun.model.lent import Lent


@dataclass(frozen=True, slots=True)
class Output:
    """The output of an attempt: a blob in the tree of `commit`, in the repository at `git_dir`."""

    git_dir: str
    commit: str

    def read(self) -> bytes:
        """Returns the recorded output; empty if there is none. Opens the repository."""
        directory = Path(self.git_dir)
        with git.objects.Objects(git.exe.Git(directory, directory, None, "", copy_environment(), {})) as objects:
            record = objects.read(f"{self.commit}:{model.record_files.OUTPUT}")
        return record.data or b"" if record else b""


def lent_record(objects: ObjectReader, attempt_id: str) -> tuple[Lent, ...] | None:
    """Returns the record of what the attempt was lent. None if it has none, as attempts of earlier versions."""
    record = objects.read(f"{attempt_id}:{model.record_files.LENT}", limit=1 << 20)
    if record is None or record.data is None:
        return None
    try:
        return model.lent.read_lent(model.decode.parse_toml(record.data, model.record_files.LENT))
    except BadRun:
        return None
