"""Flags of a script in a tree: read from the source once, then cached by the identity of its file."""

from __future__ import annotations

import json
import os
import zlib
from contextlib import suppress

from gitrun.dataclass import asdict
from gitrun.git.locks import make_private_directory
from gitrun.model.flags import Flag
from gitrun.scripts.discover import Command, Group, ParameterFile, Script, read_script
from gitrun.scripts.script import NEAR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from gitrun.model.tree import Tree

FORMAT = 22
"""Version of the cache. Raise it when the same source may be read differently than before."""
DIRECTORY = "scripts"
MOST_KEPT = 500


class RecordedTree:
    """A tree that records each question in `answers`, with a fingerprint of the answer."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.answers: dict[str, str] = {}

    def read(self, path: str, limit: int) -> bytes | None:
        """Returns the content of a file."""
        self.identity(path)
        return self._tree.read(path, limit)

    def mode(self, path: str) -> str | None:
        """Returns the mode of a path."""
        mode = self._tree.mode(path)
        self.identity(path)
        return mode

    def names(self, path: str, endings: tuple[str, ...] = NEAR) -> tuple[str, ...]:
        """Returns the names in a directory."""
        self.answers[f"{path}/"] = fingerprint_answer(self._tree, f"{path}/")
        return self._tree.names(path, endings)

    def identity(self, path: str) -> str:
        """Returns the identity of a file."""
        self.answers[path] = self._tree.identity(path)
        return self.answers[path]


def fingerprint_answer(tree: Tree, path: str) -> str:
    """Returns a file's identity, or a checksum of a directory's names if the path ends with `/`.

    Only names count for a directory: which modules exist decides how an import resolves. Only those that are looked for count,
    so that other files do not invalidate the cache.
    """
    if not path.endswith("/"):
        return tree.identity(path)
    names = b"\0".join(sorted(map(os.fsencode, tree.names(path[:-1], NEAR))))
    # two checksums, because importing hashlib takes 3 ms
    return f"{zlib.crc32(names):08x}{zlib.adler32(names):08x}"


def read_script_cached(tree: Tree, path: str, source: bytes, cache: Path | None) -> Script:
    """Returns the flags of the script at `path` of the tree, whose content is `source`. `cache` is a directory, if any."""
    # the path counts too: the same source imports other modules from another directory
    entry = cache / f"{tree.identity(path)}-{zlib.crc32(os.fsencode(path)):08x}" if cache else None
    cached = load_script(entry, tree) if entry else None
    if cached:
        return cached
    # every file that the readers look at, also one that is missing, can change the answer later
    recorded = RecordedTree(tree)
    script = read_script(source, path, recorded)
    if entry and not script.partial:  # an import could not be resolved in this tree, but may be in another
        store_script(entry, script, recorded.answers)
    return script


def load_script(path: Path, tree: Tree) -> Script | None:
    """Returns the cached script if every file that it was read from is unchanged, else None."""
    try:
        checksum, _, text = path.read_bytes().partition(b"\n")
        # the file is not synced: after a power loss it may be there but empty or cut
        if int(checksum) != zlib.crc32(text):
            return None
        data = json.loads(text)
        if data["format"] != FORMAT or any(
            fingerprint_answer(tree, asked_path) != answer for asked_path, answer in data["asked"].items()
        ):
            return None
        return decode_script(data["script"])
    # any damage of the cache means that the script is read again
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def store_script(path: Path, script: Script, answers: Mapping[str, str]) -> None:
    """Caches a script that was read from these files. Ignores a full or read-only disk."""
    text = json.dumps({"format": FORMAT, "asked": answers, "script": asdict(script)}).encode()
    # written under another name first, so that readers never see half a file
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(OSError):
        make_private_directory(path.parent)
        scripts = list(path.parent.iterdir())
        # a full cache is emptied; the next runs fill it again
        for old in scripts if len(scripts) > MOST_KEPT else ():
            old.unlink(missing_ok=True)
        fresh.write_bytes(b"%d\n%s" % (zlib.crc32(text), text))
        fresh.replace(path)


def decode_script(data: Mapping[str, Any]) -> Script:
    """Returns the script that `store_script` or the introspected program wrote as JSON. Raises KeyError, TypeError."""
    groups = tuple(
        Group(group["flag"], tuple(map(decode_command, group["options"])), over=group["over"], follows=group["follows"])
        for group in data["groups"]
    )
    return Script(
        tuple(map(decode_flag, data["flags"])), data["style"], data["frontend"],
        tuple(map(decode_command, data["commands"])), groups, data["partial"], data.get("advice", ""),
        tuple(ParameterFile(**one) for one in data.get("files", ())), tuple(data.get("arguments", ())),
        by_words=data.get("by_words", False), file_prefixes=data.get("file_prefixes", ""),
    )  # fmt: skip


def decode_command(data: Mapping[str, Any]) -> Command:
    """Returns a sub-command written as JSON."""
    commands = tuple(map(decode_command, data["commands"]))
    return Command(
        data["name"], tuple(map(decode_flag, data["flags"])), commands, tuple(data["aliases"]), data.get("partial", "")
    )


def decode_flag(data: Mapping[str, Any]) -> Flag:
    """Returns a flag written as JSON."""
    return Flag(
        **{
            **data,
            "choices": tuple(data["choices"]),
            "words": tuple(data["words"]),
            # only a project file sets it
            "when": (),
            # introspect_child.py leaves it out for some flags
            "aliases": tuple(data.get("aliases", ())),
        }
    )
