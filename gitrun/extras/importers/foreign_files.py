"""Files of other tools, which anybody may have made: read within budgets, never through symbolic links, never executed."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitrun import source
from gitrun.dataclass import dataclass
from gitrun.extras.importers.imported import ImportedFile
from gitrun.model.run import is_safe
from gitrun.model.tree import EXECUTABLE, FILE
from gitrun.model.validation_rules import name_fault
from gitrun.process.output_lines import open_regular

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

LARGEST_RECORD = 1 << 20
"""Most bytes of a file that describes a run."""
LARGEST_YAML = 256 << 10
"""Most bytes of such a file in YAML: half a second to parse."""
MOST_VALUES = 20_000
"""Most values of such a file, after every YAML reference is expanded."""
MOST_CONTAINERS = 2_000_000
"""Most lists and tables of a JSON file."""
DEEPEST = 32
"""Most levels of values in such a file, and YAML nesting above which Python's stack would end."""
MOST_FILES = 20_000
"""Most files of a run."""
DEEPEST_DIRECTORY = 90
BRACKETS = re.compile(rb"[][{}]")
INDENTS = re.compile(rb"(?m)^[-? ]+")
# 1:1:1:… is a number to base 60 in YAML 1.1, and takes time that grows with the square of its length
SEXAGESIMAL = re.compile(rb"(?::[0-5]?[0-9]){20}")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file below a directory: its path there with `/`, where it is, its size, and whether it may be executed."""

    path: str
    location: Path
    size: int
    is_executable: bool

    @property
    def mode(self) -> str:
        """Returns the mode as git writes it."""
        return EXECUTABLE if self.is_executable else FILE


@dataclass(slots=True)
class Listing:
    """The regular files below a directory, symbolic links, and what was left out: pairs of path and reason."""

    files: list[FoundFile]
    links: list[str]
    left_out: list[tuple[str, str]]

    def imported(self, without: Container[str] = ()) -> tuple[ImportedFile, ...]:
        """Returns the files as those of a run, without some paths."""
        return tuple(
            ImportedFile(file.path, file.location, file.is_executable) for file in self.files if file.path not in without
        )

    def reasons(self) -> tuple[str, ...]:
        """Returns the reasons why something was left out, each once."""
        links = ["a symbolic link"] if self.links else []
        return tuple(dict.fromkeys([*links, *(reason for _, reason in self.left_out)]))


def list_files(top: Path, *, without: frozenset[str] = frozenset()) -> Listing:
    """Lists the files below a directory, sorted, without entries of the top that are in `without`. Follows no links."""
    listing = Listing([], [], [])
    if top.is_symlink():
        listing.links.append(top.name)
        return listing
    # an explicit stack: a hostile directory may be deeper than Python recurses
    stack = [("", top)]
    while stack:
        prefix, directory = stack.pop()
        for entry in scan_directory(directory):
            path = f"{prefix}{entry.name}"
            if not prefix and entry.name in without:
                continue
            if len(listing.files) + len(listing.links) >= MOST_FILES:
                listing.left_out.append((path, f"the run has more than {MOST_FILES:,} files"))
                return listing
            add_entry(listing, stack, path, entry)
    listing.files.sort(key=lambda file: file.path)
    return listing


def add_entry(listing: Listing, stack: list[tuple[str, Path]], path: str, entry: os.DirEntry[str]) -> None:
    """Adds one entry of a directory to the listing, or a directory to the stack."""
    fault = path_fault(path)
    if fault:
        listing.left_out.append((path, fault))
    elif entry.is_symlink():
        listing.links.append(path)
    elif entry.is_dir(follow_symlinks=False):
        if path.count("/") >= DEEPEST_DIRECTORY:
            listing.left_out.append((path, f"more than {DEEPEST_DIRECTORY} nested directories"))
        else:
            stack.append((f"{path}/", Path(entry.path)))
    elif entry.is_file(follow_symlinks=False):
        status = entry.stat(follow_symlinks=False)
        listing.files.append(FoundFile(path, Path(entry.path), status.st_size, bool(status.st_mode & stat.S_IXUSR)))
    else:
        listing.left_out.append((path, "not a regular file"))


def is_directory(top: Path, *names: str) -> bool:
    """Returns whether the names lead from a directory to one below it, none of them a symbolic link."""
    steps = [top.joinpath(*names[:count]) for count in range(1, len(names) + 1)]
    return all(step.is_dir() and not step.is_symlink() for step in steps)


def scan_directory(directory: Path) -> Iterator[os.DirEntry[str]]:
    """Yields the entries of a directory by name; none if it cannot be read."""
    try:
        with os.scandir(directory) as entries:
            yield from sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return


def path_fault(path: str) -> str:
    """Returns the reason why no run may have a file at the path; empty if one may."""
    if not is_safe(path):
        return "its path leads out of the run, or into .git or .gitrun"
    faults = (name_fault(os.fsencode(part)) for part in path.split("/"))
    return next(filter(None, faults), "")


def read_bytes(path: Path, limit: int = LARGEST_RECORD) -> bytes | None:
    """Returns the content of a regular file; None if there is none, it is a link, or it has more than `limit` bytes."""
    file = open_regular(os.fspath(path))
    if file is None:
        return None
    with file:
        try:
            data = file.read(limit + 1)
        except OSError:
            return None
    return data if len(data) <= limit else None


def read_yaml(path: Path) -> Any:  # noqa: ANN401 - whatever a file has
    """Returns the value of a YAML file; None without one that is valid and within budgets. Raises MissingPackage."""
    data = read_bytes(path, LARGEST_YAML)
    return None if data is None else parse_yaml(data)


def parse_yaml(data: bytes) -> Any:  # noqa: ANN401 - whatever a file has
    """Returns the value of YAML text; None unless it is valid and within budgets. Raises MissingPackage.

    Only plain data comes of it: tags that make objects are an error of PyYAML's safe loader.
    """
    yaml = source.config_files.import_yaml()
    if is_too_deep(data) or SEXAGESIMAL.search(data):
        return None
    try:
        text = data.decode("utf-8-sig")
        # the loader in C is ten times faster and as safe, but not every build of PyYAML has it
        value = yaml.load(text, Loader=yaml.CSafeLoader) if yaml.__with_libyaml__ else yaml.safe_load(text)
    # a mapping as a key is a TypeError, a date that does not exist a ValueError
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, AttributeError, OverflowError):
        return None
    return value if count_values(value, {}) <= MOST_VALUES else None


def is_too_deep(data: bytes) -> bool:
    """Returns whether YAML text may nest deeper than any record does. Loaders recurse for each level, also in C."""
    depth = 0
    for piece in BRACKETS.findall(data):
        depth = depth + 1 if piece in b"[{" else max(depth - 1, 0)
        if depth > 10 * DEEPEST:
            return True
    # `- - - -` and `? ? ? ?` nest as well, and so does each deeper indent
    return any(len(begin) > 20 * DEEPEST for begin in INDENTS.findall(data))


def read_json(path: Path, limit: int = LARGEST_RECORD) -> Any:  # noqa: ANN401 - whatever a file has
    """Returns the value of a JSON file; None without one that is valid and within budgets."""
    data = read_bytes(path, limit)
    # an empty list takes two bytes in the file, and thirty times as many in memory
    if data is None or data.count(b"[") + data.count(b"{") > MOST_CONTAINERS:
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def count_values(value: object, counts: dict[int, int], depth: int = 0) -> int:
    """Counts a value and all values in it, up to a little over MOST_VALUES. What contains itself counts as too many."""
    if not isinstance(value, dict | list | set | tuple):
        return 1
    if depth > DEEPEST:
        return MOST_VALUES + 1
    if id(value) not in counts:
        # counts a value that contains itself as too many, and ends the recursion
        counts[id(value)] = MOST_VALUES
        inner = value.values() if isinstance(value, dict) else value
        counts[id(value)] = min(1 + sum(count_values(one, counts, depth + 1) for one in inner), MOST_VALUES + 1)
    return counts[id(value)]


def read_text(path: Path, limit: int = LARGEST_RECORD) -> str:
    """Returns the content of a small file as text without the last line end; empty if there is none."""
    data = read_bytes(path, limit)
    return "" if data is None else data.decode(errors="replace").removesuffix("\n")


def table_in(value: object, *names: str) -> Mapping[str, Any]:
    """Returns the table that these names lead to in a record, from table to table; an empty one if there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def texts_in(value: object, most: int = 1_000, longest: int = 4_000) -> tuple[str, ...]:
    """Returns the texts of a list, at most `most` of them."""
    items = value[:most] if isinstance(value, list) else []
    return tuple(clean_text(item, longest) for item in items if isinstance(item, str))


def clean_text(value: object, most: int) -> str:
    """Returns a text of at most `most` characters that is valid Unicode without NUL; empty for anything but text."""
    if not isinstance(value, str):
        return ""
    return value[:most].encode("utf-8", "replace").decode().replace("\0", "\ufffd")
