"""The session of one command. Cheap to import: it imports nothing that runs programs."""

from __future__ import annotations

from gitrun.dataclass import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gitrun.git.exe import Git
    from gitrun.model.settings import Settings
    from gitrun.process.streams import Stream


@dataclass(frozen=True, slots=True)
class Session:
    """The session of one command: repository, settings, output streams, and `say`, which shows a message."""

    git: Git
    settings: Settings
    stdout: Stream
    stderr: Stream
    say: Callable[[str], None]
