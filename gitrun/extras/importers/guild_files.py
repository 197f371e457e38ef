"""The files of a run of Guild AI: source, data, what the run produced, and event files."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass
from gitrun.extras.importers.foreign_files import Listing, clean_text, list_files, read_bytes
from gitrun.extras.importers.guild_runs import GUILD, ID, MICROSECONDS, NEVER
from gitrun.extras.importers.imported import ImportedFile, read_time
from gitrun.workspace.tensorboard import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from gitrun.extras.importers.guild_runs import GuildRun

# s train.py 93026f77… train.py: kind, path in the run, sha1, path in the project
SOURCE, DEPENDENCY = "s", "d"
LARGEST_MANIFEST, QUOTES = 4 << 20, frozenset("'\"\\")


@dataclass(frozen=True, slots=True)
class Division:
    """The files of a run: its source with what it depended on, what it produced, and reasons why others were left out."""

    source: tuple[ImportedFile, ...]
    produced: tuple[ImportedFile, ...]
    left_out: tuple[str, ...]


def divide_files(run: GuildRun) -> Division:
    """Divides the files of a run by its manifest. Files of older Guilds are below `.guild/sourcecode`."""
    listing = list_files(run.directory, without=frozenset({GUILD}))
    inner = list_files(run.directory / GUILD / "sourcecode")
    locations = {file.path: file for file in listing.files}
    locations |= {f"{GUILD}/sourcecode/{file.path}": file for file in inner.files}
    own: dict[str, str] = {}
    left_out = list(reasons_of(run, listing))
    for kind, path, name in read_manifest(run.directory / GUILD / "manifest"):
        if kind in {SOURCE, DEPENDENCY} and path in locations:
            # the source of older Guilds is recorded where it was in the project
            own[path] = path.removeprefix(f"{GUILD}/sourcecode/") if kind == SOURCE else path
        elif kind == DEPENDENCY:
            left_out.append("a file that it needed is not in the run's directory")
        elif kind == SOURCE:
            left_out.append(f"source file {clean_text(name, 100)} is not in the run's directory")
    source = [ImportedFile(name, locations[path].location, locations[path].is_executable) for path, name in own.items()]
    return Division(tuple(source) if own else inner.imported(), listing.imported(own), tuple(left_out))


def reasons_of(run: GuildRun, listing: Listing) -> Iterator[str]:
    """Yields the reasons why files of the directory are left out."""
    for path in listing.links:
        # the links of a batch and a pipeline lead to their runs, which are imported
        if not ID.fullmatch((run.directory / path).readlink().name):
            yield "a symbolic link"
    yield from (reason for _, reason in listing.left_out)


def read_manifest(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yields kind, path in the run, and path in the project of each file that Guild put into a run."""
    data = read_bytes(path, LARGEST_MANIFEST) or b""
    for line in data.decode(errors="surrogateescape").split("\n"):
        try:
            # shlex takes a microsecond for each character, and hardly any path has a quote
            words = shlex.split(line) if QUOTES.intersection(line) else line.split()
        except ValueError:
            continue
        if len(words) >= 3:
            yield words[0], words[1], words[3] if len(words) > 3 else words[1]


def event_files(run: GuildRun) -> Sequence[tuple[str, Path]]:
    """Returns the event files of a run, each with the prefix of its tags: its directory, unless Guild itself wrote it.

    Those that Guild wrote before the run was restarted are left out. Their events have no times, but their names have.
    """
    started = int((read_time(run.attrs.get("started"), MICROSECONDS) or NEVER).timestamp())
    named = [file for file in list_files(run.directory / GUILD).files if file.path.startswith(PREFIX)]
    own = [("", file.location) for file in named if file_time(file.path) >= started]
    others = (file for file in list_files(run.directory, without=frozenset({GUILD})).files)
    programs = ((os.path.split(file.path), file.location) for file in others)
    return [
        *own,
        *((f"{above}/" if above else "", location) for (above, name), location in programs if name.startswith(PREFIX)),
    ]


def file_time(name: str) -> int:
    """Returns the time in the name of an event file, in seconds since 1970; 0 if it has none."""
    # events.out.tfevents.1795976898.vm.15544.0
    digits = name.removeprefix(PREFIX).partition(".")[0]
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 12 else 0
