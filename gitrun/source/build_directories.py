"""Build directories configured for the absolute path of the working tree: they build the files found there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TOOLS = frozenset({"cmake", "cpack", "ctest", "gmake", "make", "meson", "muon", "ninja", "samu"})
"""Build programs, for which every sign of a configured directory is checked. Others get the quickest check only."""
CACHE = "CMakeCache.txt"
SIGNS = (CACHE, "build.ninja", "compile_commands.json", "config.status", "meson-info/meson-info.json")
MOST = 200
"""Directories, and entries of each, that are checked at most."""
LARGEST = 4 << 20
"""Bytes of a file that are searched for the path."""


def configured_for(tops: tuple[str, ...], words: list[str], ignored: Iterable[bytes], cwd: str) -> tuple[str, ...]:
    """Returns the directories, relative to `tops[0]`, that are configured for one of `tops`.

    `tops` are spellings of one directory. `ignored` are paths that git ignores, directories with a trailing `/`. `words` is the
    command and `cwd` its directory.
    """
    is_build = bool(words) and os.path.basename(words[0]) in TOOLS
    directories = [os.fsdecode(path).rstrip("/") for path in ignored if path.endswith(b"/")][:MOST]
    # reading all signs for every command would cost time before each start
    if not is_build:
        return tuple(path for path in directories if names_a_top(os.path.join(tops[0], path, CACHE), tops))
    # `cmake --build out` and `ninja -C out` name the directory themselves
    typed = (os.path.normpath(os.path.join(cwd, word)) for word in words[1:] if not os.path.isabs(word))
    # `.` is the source itself, and `../` leads out of the working tree
    configured = [path for path in (*directories, *typed) if path != "." and not path.startswith("../")]
    return tuple(dict.fromkeys(path for one in configured for path in configured_in(tops, one)))


def configured_in(tops: tuple[str, ...], path: str) -> Iterator[str]:
    """Yields `path`, and directories in it, that are configured for one of `tops`."""
    candidate = os.path.join(tops[0], path)
    try:
        inner = [f"{path}/{name}" for name in os.listdir(candidate)[:MOST]]
    except OSError:
        return
    # build trees are often one level down: build/debug, build/release
    for one in (path, *inner):
        if any(names_a_top(os.path.join(tops[0], one, sign), tops) for sign in SIGNS):
            yield one


def names_a_top(file: str, tops: tuple[str, ...]) -> bool:
    """Returns whether the file exists and contains one of the paths."""
    try:
        with open(file, "rb") as stream:
            # CMakeCache.txt: CMAKE_HOME_DIRECTORY:INTERNAL=/home/ann/project
            content = stream.read(LARGEST)
    except OSError:
        return False
    return any(os.fsencode(top) in content for top in tops)
