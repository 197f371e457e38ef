"""Files that DVC keeps in its cache, by the pointers of dvc.lock and of `.dvc` files. The cache is where DVC's settings say."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitrun.errors import UsageError
from gitrun.extras.importers.foreign_files import clean_text, is_directory, path_fault, read_bytes, read_json, table_in
from gitrun.extras.importers.imported import ImportedFile, expand_home
from gitrun.source.draft import as_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gitrun.extras.importers.imported import Context
    from gitrun.source.dvc_stages import Stage

MD5 = re.compile(r"([0-9a-f]{2})([0-9a-f]{30}(?:\.dir)?)")
DVC, DIRECTORY = ".dvc", ".dir"
LARGEST = 10 << 20
"""The most bytes of a file that is taken from the cache."""
MOST_FILES = 2_000
"""The most files of a directory in the cache."""


class Cache:
    """A cache of DVC below `top`."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._sound: dict[str, bool] = {}

    def files(self, entry: Mapping[str, Any], left_out: list[str]) -> Iterator[ImportedFile]:
        """Yields the files that an entry of dvc.lock points to. Adds what is missing to `left_out`."""
        path, md5 = clean_text(entry.get("path"), 1_000), clean_text(entry.get("md5"), 40)
        location = self._locate(md5)
        if location is None or path_fault(path):
            left_out.append(f"{path or 'a path'} has no md5 of its own")
        elif not md5.endswith(DIRECTORY):
            yield from self._file(path, md5, left_out)
        elif not isinstance(items := read_json(location), list):
            left_out.append(f"{path} is not in DVC's cache")
        elif len(items) > MOST_FILES:
            # half a directory would be wrong data; a run gets the one of the working tree, if that has it
            left_out.append(f"{path} has more than {MOST_FILES:,} files, and stays in DVC's cache")
        else:
            for item in map(table_in, items):
                name = clean_text(item.get("relpath"), 1_000)
                yield from self._file(f"{path}/{name}", clean_text(item.get("md5"), 40), left_out)

    def _locate(self, md5: str) -> Path | None:
        """Returns where content with this md5 is: DVC 3 has `files/md5/`, DVC 2 has not. None if it is no md5."""
        match = MD5.fullmatch(md5)
        if match is None:
            return None
        locations = [self._top / part / match[1] / match[2] for part in ("files/md5", ".")]
        return next(
            (location for location in locations if location.is_file() and not location.parent.is_symlink()), locations[0]
        )

    def _file(self, path: str, md5: str, left_out: list[str]) -> Iterator[ImportedFile]:
        """Yields one file whose content has that md5."""
        location = self._locate(md5)
        if location is None or path_fault(path):
            left_out.append(f"{path} has no md5 of its own")
        elif not location.is_file():
            left_out.append(f"{path} is not in DVC's cache")
        elif location.stat().st_size > LARGEST:
            left_out.append(f"{path} is larger than 10 MiB, and stays in DVC's cache")
        elif not self._is_sound(location, md5):
            left_out.append(f"{path} in DVC's cache has another content than it should")
        else:
            yield ImportedFile(path, location)

    def _is_sound(self, location: Path, md5: str) -> bool:
        """Returns whether the content has this md5. Many experiments share a file, which is read once."""
        if md5 not in self._sound:
            data = read_bytes(location, LARGEST)
            # DVC 2 changed line ends of text before it hashed
            unix = None if data is None else data.replace(b"\r\n", b"\n")
            digests = [hashlib.md5(one, usedforsecurity=False).hexdigest() for one in (data, unix) if one is not None]
            self._sound[md5] = md5 in digests
        return self._sound[md5]


def find_project(context: Context, top: Path) -> str:
    """Returns where the DVC project is below the top: at or above what was typed, else the only one. Raises UsageError."""
    typed = context.locate(context.source)
    if typed != top and not typed.is_relative_to(top):
        raise UsageError(
            "experiments of DVC are read from this repository", "To get them here: dvc exp pull, then git run import dvc"
        )
    above = next((path for path in (typed, *typed.parents) if path.is_relative_to(top) and is_directory(path, DVC)), None)
    if above:
        return "" if above == top else above.relative_to(top).as_posix()
    # ml/.dvc/config
    paths = map(os.fsdecode, context.git.run("ls-files", "-z").split(b"\0"))
    names = [path.removesuffix(f"/{DVC}/config") for path in paths if path.endswith(f"/{DVC}/config")]
    if len(names) > 1:
        raise UsageError(f"DVC projects are in {', '.join(names[:10])}", f"To choose one: git run import dvc {names[0]}")
    return names[0] if names else ""


def find_cache(dvc: Path, environ: Mapping[str, str]) -> Path:
    """Returns the cache of a project with this directory `.dvc`: the user's setting `cache.dir`, else `.dvc/cache`."""
    home = Path(environ.get("XDG_CONFIG_HOME") or expand_home("~/.config"))
    for file in (dvc / "config.local", dvc / "config", home / "dvc" / "config"):
        parser = ConfigParser(interpolation=None, strict=False, allow_no_value=True)
        with suppress(ConfigParserError):
            parser.read_string((read_bytes(file) or b"").decode(errors="replace"))
            if directory := (parser.get("cache", "dir", fallback="") or "").strip("'\" \0"):
                return file.parent / expand_home(directory)
    return dvc / "cache"


def entries_below(directory: str, entries: object) -> dict[str, Mapping[str, Any]]:
    """Returns entries of a dvc.lock or a `.dvc` file by their paths below the top, which they get as `path`."""
    tables = [table for table in map(table_in, as_list(entries)) if isinstance(table.get("path"), str)]
    paths = (posixpath.normpath(posixpath.join(directory, table["path"])) for table in tables)
    return {path: {**table, "path": path} for path, table in zip(paths, tables, strict=True)}


def metric_files(stages: Iterable[Stage], metrics: Iterable[str], produced: Iterable[ImportedFile]) -> dict[str, bytes | Path]:
    """Returns the contents of files with metrics by a name that says how to read them."""
    paths = [*metrics, *(path for stage in stages for key in ("metrics", "plots") for path, _ in stage.paths(key))]
    names = {path: f"{path}/metrics{path[path.rindex('.') :]}" for path in paths if path.endswith((".json", ".csv"))}
    return {names.get(file.path, file.path): file.content for file in produced}


def named_paths(value: object) -> list[str]:
    """Returns the texts of a list of paths, or of the keys of tables in it."""
    items = list(value) if isinstance(value, dict) else as_list(value)
    names = [name for item in items for name in (item if isinstance(item, dict) else (item,))]
    return [clean_text(name, 1_000) for name in names if isinstance(name, str)]
