"""The flags of a script as it lies in a tree: read from the tree once, then known by the id of its blob."""

from __future__ import annotations

import json
import os
import zlib
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from gitrun.errors import GitFailed
from gitrun.git.objects import EXECUTABLE, FILE, TREE
from gitrun.model.flags import Flag
from gitrun.model.scripts import Command, Group, ParameterFile, Script, read_script
from gitrun.store.places import make_private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gitrun.git.objects import Entry, Objects

FORMAT = 5
"""To be raised when the same source may be read to other flags than before."""
DIRECTORY = "scripts"
MOST_KEPT = 500
LONGEST_FILE = 1 << 20
ENDS = (b".py", b".yaml", b".yml")


class TreeFiles:
    """The files of a tree, for `read_script`; `asked` is what it wanted to know, and the answer in short."""

    def __init__(self, objects: Objects, tree: str) -> None:
        self._objects, self._tree = objects, tree
        self._folders: dict[str, Mapping[bytes, Entry]] = {}
        self.asked: dict[str, str] = {}

    def read(self, path: str) -> bytes | None:
        """The content of a file; None if there is none, or one that is too long."""
        entry = self.entry(path)
        self.asked[path] = self.answer(path)
        found = self._objects.read(entry.id, LONGEST_FILE) if entry else None
        return found.data if found and found.kind == "blob" else None

    def names(self, path: str) -> tuple[str, ...]:
        """The names of directories, modules and YAML files in a directory; none if there is none."""
        self.asked[path + "/"] = self.answer(path + "/")
        return tuple(map(os.fsdecode, self.named(path)))

    def named(self, path: str) -> list[bytes]:
        """As `names`: other files come and go, and matter to nobody."""
        return [name for name, entry in self.folder(path).items() if entry.mode == TREE or name.endswith(ENDS)]

    def answer(self, question: str) -> str:
        """What is the same as long as the answer is: of a file its blob, of a directory its names."""
        if question.endswith("/"):
            names = b"\0".join(sorted(self.named(question[:-1])))
            return f"{zlib.crc32(names):08x}{zlib.adler32(names):08x}"
        entry = self.entry(question)
        return entry.id if entry else ""

    def entry(self, path: str) -> Entry | None:
        """The file at the path."""
        folder, _, name = path.rpartition("/")
        entry = self.folder(folder).get(os.fsencode(name))
        return entry if entry and entry.mode in {FILE, EXECUTABLE} else None

    def folder(self, path: str) -> Mapping[bytes, Entry]:
        """What a directory of the tree has; nothing if there is none."""
        if path not in self._folders:
            above, _, name = path.rpartition("/")
            try:
                entry = self.folder(above).get(os.fsencode(name)) if path else None
                is_there = not path or (entry is not None and entry.mode == TREE)
                self._folders[path] = self._objects.tree(entry.id if entry else self._tree) if is_there else {}
            except GitFailed:
                self._folders[path] = {}
        return self._folders[path]


def script_of(objects: Objects, tree: str, path: str, blob: str, source: bytes) -> Script:
    """The flags of the script at `path` of the tree, whose blob and source these are."""
    files = TreeFiles(objects, tree)
    place = objects.git.state / DIRECTORY / f"{blob}-{zlib.crc32(os.fsencode(path)):08x}"
    known = recall(place, files)
    if known:
        return known
    script = read_script(source, path, files)
    if not script.partial:  # with what is missing now, it may be read in full later
        remember(place, script, files.asked)
    return script


def recall(place: Path, files: TreeFiles) -> Script | None:
    """What was read before, if all that it rests on is still the same."""
    try:
        checksum, _, text = place.read_bytes().partition(b"\n")
        if int(checksum) != zlib.crc32(text):
            return None
        found = json.loads(text)
        if found["format"] != FORMAT or any(files.answer(question) != answer for question, answer in found["asked"].items()):
            return None
        return script_from(found["script"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def remember(place: Path, script: Script, asked: Mapping[str, str]) -> None:
    """Keeps what was read; a disk that does not take it costs only time."""
    text = json.dumps({"format": FORMAT, "asked": asked, "script": asdict(script)}).encode()
    fresh = place.with_name(f"{place.name}.{os.getpid()}")
    with suppress(OSError):
        make_private(place.parent)
        kept = list(place.parent.iterdir())
        for old in kept if len(kept) > MOST_KEPT else ():
            old.unlink(missing_ok=True)
        fresh.write_bytes(b"%d\n%s" % (zlib.crc32(text), text))
        fresh.replace(place)


def script_from(found: Mapping[str, Any]) -> Script:
    """The script that was written as JSON. Raises KeyError, TypeError."""
    groups = tuple(
        Group(group["flag"], tuple(map(command_from, group["options"])), over=group["over"]) for group in found["groups"]
    )
    return Script(
        tuple(map(flag_from, found["flags"])), found["style"], found["frontend"],
        tuple(map(command_from, found["commands"])), groups, found["partial"], found.get("advice", ""),
        tuple(ParameterFile(**one) for one in found.get("files", ())), tuple(found.get("arguments", ())),
    )  # fmt: skip


def command_from(found: Mapping[str, Any]) -> Command:
    """The sub-command that was written as JSON."""
    commands = tuple(map(command_from, found["commands"]))
    return Command(
        found["name"], tuple(map(flag_from, found["flags"])), commands, tuple(found["aliases"]), found.get("partial", "")
    )


def flag_from(found: Mapping[str, Any]) -> Flag:
    """The flag that was written as JSON."""
    return Flag(
        **{
            **found,
            "choices": tuple(found["choices"]),
            "words": tuple(found["words"]),
            "aliases": tuple(found.get("aliases", ())),
        }
    )
