"""Flags of a script in a tree: read from the source once, then cached by the id of its blob."""

from __future__ import annotations

import json
import os
import zlib
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from gitrun.errors import GitFailed
from gitrun.git.locks import make_private_directory
from gitrun.git.objects import EXECUTABLE, FILE, TREE
from gitrun.model.flags import Flag
from gitrun.scripts.discover import Command, Group, ParameterFile, Script, read_script

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gitrun.git.objects import Entry, Objects

FORMAT = 5
"""Version of the cache. Raise it when the same source may be read differently than before."""
DIRECTORY = "scripts"
MOST_KEPT = 500
LONGEST_FILE = 1 << 20
ENDS = (b".py", b".yaml", b".yml")


class TreeFiles:
    """The files of a tree, for `read_script`. `asked` records each question and a fingerprint of its answer."""

    def __init__(self, objects: Objects, tree: str) -> None:
        self._objects, self._tree = objects, tree
        self._folders: dict[str, Mapping[bytes, Entry]] = {}
        self.asked: dict[str, str] = {}

    def read(self, path: str) -> bytes | None:
        """Returns the content of a file; None if it is missing or too long."""
        entry = self.entry(path)
        self.asked[path] = self.answer(path)
        found = self._objects.read(entry.id, LONGEST_FILE) if entry else None
        return found.data if found and found.kind == "blob" else None

    def names(self, path: str) -> tuple[str, ...]:
        """Returns the names of directories, modules and YAML files in a directory; empty if it is missing."""
        self.asked[path + "/"] = self.answer(path + "/")
        return tuple(map(os.fsdecode, self.named(path)))

    def named(self, path: str) -> list[bytes]:
        """Returns these names as bytes. Other files are left out, so that they do not invalidate the cache."""
        return [name for name, entry in self.folder(path).items() if entry.mode == TREE or name.endswith(ENDS)]

    def answer(self, question: str) -> str:
        """Returns a fingerprint of an answer: a file's blob id, or a checksum of a directory's names."""
        # only names count for a directory: which modules exist decides how an import resolves
        if question.endswith("/"):
            names = b"\0".join(sorted(self.named(question[:-1])))
            # two checksums, because importing hashlib takes 3 ms
            return f"{zlib.crc32(names):08x}{zlib.adler32(names):08x}"
        entry = self.entry(question)
        return entry.id if entry else ""

    def entry(self, path: str) -> Entry | None:
        """Returns the regular file at the path, or None."""
        folder, _, name = path.rpartition("/")
        entry = self.folder(folder).get(os.fsencode(name))
        return entry if entry and entry.mode in {FILE, EXECUTABLE} else None

    def folder(self, path: str) -> Mapping[bytes, Entry]:
        """Returns the entries of a directory of the tree; empty if it is missing."""
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
    """Returns the flags of the script at `path` of the tree. `blob` and `source` are its id and content."""
    files = TreeFiles(objects, tree)
    # the path counts too: the same source imports other modules from another directory
    place = objects.git.state / DIRECTORY / f"{blob}-{zlib.crc32(os.fsencode(path)):08x}"
    known = recall(place, files)
    if known:
        return known
    script = read_script(source, path, files)
    if not script.partial:  # an import could not be resolved in this tree, but may be in another
        remember(place, script, files.asked)
    return script


def recall(place: Path, files: TreeFiles) -> Script | None:
    """Returns the cached script if every file that it was read from is unchanged, else None."""
    try:
        checksum, _, text = place.read_bytes().partition(b"\n")
        if int(checksum) != zlib.crc32(text):
            return None
        found = json.loads(text)
        if found["format"] != FORMAT or any(files.answer(question) != answer for question, answer in found["asked"].items()):
            return None
        return script_from(found["script"])
    # any damage of the cache means that the script is read again
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def remember(place: Path, script: Script, asked: Mapping[str, str]) -> None:
    """Caches a script. Ignores a full or read-only disk."""
    text = json.dumps({"format": FORMAT, "asked": asked, "script": asdict(script)}).encode()
    # written under another name first, so that readers never see half a file
    fresh = place.with_name(f"{place.name}.{os.getpid()}")
    with suppress(OSError):
        make_private_directory(place.parent)
        kept = list(place.parent.iterdir())
        # a full cache is emptied; the next runs fill it again
        for old in kept if len(kept) > MOST_KEPT else ():
            old.unlink(missing_ok=True)
        fresh.write_bytes(b"%d\n%s" % (zlib.crc32(text), text))
        fresh.replace(place)


def script_from(found: Mapping[str, Any]) -> Script:
    """Returns the script that `remember` or the asker wrote as JSON. Raises KeyError, TypeError."""
    groups = tuple(
        Group(group["flag"], tuple(map(command_from, group["options"])), over=group["over"]) for group in found["groups"]
    )
    return Script(
        tuple(map(flag_from, found["flags"])), found["style"], found["frontend"],
        tuple(map(command_from, found["commands"])), groups, found["partial"], found.get("advice", ""),
        tuple(ParameterFile(**one) for one in found.get("files", ())), tuple(found.get("arguments", ())),
    )  # fmt: skip


def command_from(found: Mapping[str, Any]) -> Command:
    """Returns a sub-command written as JSON."""
    commands = tuple(map(command_from, found["commands"]))
    return Command(
        found["name"], tuple(map(flag_from, found["flags"])), commands, tuple(found["aliases"]), found.get("partial", "")
    )


def flag_from(found: Mapping[str, Any]) -> Flag:
    """Returns a flag written as JSON."""
    return Flag(
        **{
            **found,
            "choices": tuple(found["choices"]),
            "words": tuple(found["words"]),
            "aliases": tuple(found.get("aliases", ())),
        }
    )
