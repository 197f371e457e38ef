"""Files that DVC keeps in its cache, by the pointers of a dvc.lock. Only the project's own `.dvc/cache` is read."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from gitrun.extras.importers.foreign_files import clean_text, path_fault, read_bytes, read_json
from gitrun.extras.importers.imported import ImportedFile
from gitrun.source.dvc_stages import list_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from gitrun.source.dvc_stages import Stage

MD5 = re.compile(r"([0-9a-f]{2})([0-9a-f]{30}(?:\.dir)?)")
DIRECTORY = ".dir"
LARGEST = 10 << 20
"""The most bytes of a file that is taken from the cache."""
MOST_FILES = 2_000
"""The most files of a directory in the cache."""


class Cache:
    """The cache of a DVC project. `left_out` are reasons why a file was not taken, for the run that asked last."""

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
            left_out.append(f"{path} is not in .dvc/cache")
        else:
            for item in items[:MOST_FILES]:
                inner = item if isinstance(item, dict) else {}
                name = clean_text(inner.get("relpath"), 1_000)
                yield from self._file(f"{path}/{name}", clean_text(inner.get("md5"), 40), left_out)
            if len(items) > MOST_FILES:
                left_out.append(f"{path} has more than {MOST_FILES:,} files")

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
            left_out.append(f"{path} is not in .dvc/cache")
        elif location.stat().st_size > LARGEST:
            left_out.append(f"{path} is larger than 10 MiB, and stays in .dvc/cache")
        elif not self._is_sound(location, md5):
            left_out.append(f"{path} in .dvc/cache has another content than it should")
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


def metric_files(stages: Iterable[Stage], metrics: Iterable[str], produced: Iterable[ImportedFile]) -> dict[str, bytes | Path]:
    """Returns the contents of files with metrics by a name that says how to read them."""
    paths = [*metrics, *(path for stage in stages for key in ("metrics", "plots") for path, _ in stage.paths(key))]
    names = {path: f"{path}/metrics{path[path.rindex('.') :]}" for path in paths if path.endswith((".json", ".csv"))}
    return {names.get(file.path, file.path): file.content for file in produced}


def named_paths(value: object) -> list[str]:
    """Returns the texts of a list of paths, or of the keys of tables in it."""
    items = list(value) if isinstance(value, dict) else list_of(value)
    names = [name for item in items for name in (item if isinstance(item, dict) else (item,))]
    return [clean_text(name, 1_000) for name in names if isinstance(name, str)]
