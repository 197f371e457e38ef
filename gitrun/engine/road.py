"""What a run goes along on: a value that is there before anything that runs programs is imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitrun.engine.process import Stream
    from gitrun.git.exe import Git
    from gitrun.model.request import Request
    from gitrun.model.settings import Settings


@dataclass(frozen=True, slots=True)
class Road:
    """What a run goes along on: the repository, the settings, where output is shown and where words are said."""

    git: Git
    settings: Settings
    stdout: Stream
    stderr: Stream
    say: Callable[[str], None]


def lends(road: Road, request: Request) -> bool:
    """Tells whether the program gets what is not in the snapshot."""
    return not request.no_link and bool((road.settings.link and road.settings.lend) or request.links)
