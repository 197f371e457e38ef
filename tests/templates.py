"""Repositories that many tests begin with: made once, by git and gitrun, and copied for each test."""

from __future__ import annotations

import os
import shutil
import struct
from dataclasses import fields, replace
from functools import wraps
from hashlib import sha1, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from repository import ANSWERS, ECHO, Repo

from gitrun import Project

if TYPE_CHECKING:
    from collections.abc import Callable

HERE_ALONE = ("worktrees", "slots")
"""Directories in .git that hold absolute paths: a copy begins without a slot, as a clone does."""


def made_once(make: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a fixture that prepares a repository do so once, and copy it for each test.

    `make` is given the repository and, if it has parameters, the request. It returns the repository, its project, or a
    tuple of them and constants.
    """
    made: dict[object, Any] = {}

    @wraps(make)
    def fixture(**given: Any) -> Any:
        (repo,) = (
            one
            for value in given.values()
            for one in (value if isinstance(value, tuple) else (value,))
            if isinstance(one, Repo)
        )
        parameter = getattr(given.get("request"), "param", None)
        templates = repo.path.parent.parent / "templates" / f"{make.__module__}.{make.__qualname__}"
        template = templates / str(list(made).index(parameter) if parameter in made else len(made))
        if not template.exists():
            # another fixture's runs would be in the template, and in every later test with it
            assert "repo" not in given or repo.git("for-each-ref", "refs/runs") == "", "two fixtures prepare one repository"
            made[parameter] = make(**given)
            copy_tree(repo.path, template)
        shutil.rmtree(repo.path)
        copy(template, repo.path)
        return moved(made[parameter], repo)

    return fixture


def place_made_once(make: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """Makes a fixture that fills `tmp_path` with several repositories do so once, and copy them for each test.

    `make` returns a dataclass of repositories. Where one names another by its path, in its configuration, the copy names
    the copy.
    """
    made: dict[Path, Any] = {}

    @wraps(make)
    def fixture(tmp_path: Path) -> Any:
        template = tmp_path.parent / "templates" / f"{make.__module__}.{make.__qualname__}"
        if not template.exists():
            template.mkdir(parents=True)
            made[template] = make(template)
        copy_tree(template, tmp_path)
        result = made[template]
        repos = {
            field.name: Repo(tmp_path / getattr(result, field.name).path.relative_to(template)) for field in fields(result)
        }
        for repo in repos.values():
            config = repo.path / (".git/config" if (repo.path / ".git").is_dir() else "config")
            config.write_text(config.read_text().replace(str(template), str(tmp_path)))
            if config.parent != repo.path:
                refresh_index(repo)
        return replace(result, **repos)

    return fixture


def moved(result: Any, repo: Repo) -> Any:
    """Returns what the making of a template returned, for this copy of it."""
    if isinstance(result, tuple):
        return tuple(moved(one, repo) for one in result)
    return Project(repo.path) if isinstance(result, Project) else repo if isinstance(result, Repo) else result


def ask_machine(path: Path) -> None:
    """Makes a run in a repository at `path`, and has later ones know what gitrun asked Python and git for it."""
    repo = Repo.create(path)
    repo.write("echo.py", ECHO)
    repo.commit("echo")
    repo.run("echo.py", check=True)
    state = path / ".git" / "gitrun"
    ANSWERS.update({name: (state / name).read_bytes() for name in ("environment.json", "interpreters.json")})


def echo(path: Path) -> Repo:
    """A repository at `path` with one commit of `echo.py`."""
    template = path.parent.parent / "templates" / "echo"
    if not template.exists():
        repo = Repo.create(template)
        repo.write("echo.py", ECHO)
        repo.commit("echo")
    return copy(template, path)


def copy(template: Path, path: Path) -> Repo:
    """A copy of a repository, whose index knows the files of the copy."""
    copy_tree(template, path)
    repo = Repo(path)
    refresh_index(repo)
    return repo


def copy_tree(source: Path | str, target: Path | str) -> None:
    """Copies a directory, without what no copy has. `shutil.copytree` looks for more attributes and takes longer."""
    place, status = Path(target), Path(source).stat()
    place.mkdir(parents=True, exist_ok=True)
    with os.scandir(source) as found:
        entries = list(found)
    skipped = left_out(str(source), [entry.name for entry in entries])
    for entry in entries:
        if entry.name in skipped:
            continue
        if entry.is_symlink():
            (place / entry.name).symlink_to(Path(entry.path).readlink())
        elif entry.is_dir():
            copy_tree(entry.path, f"{target}/{entry.name}")
        else:
            copy_file(entry, f"{target}/{entry.name}")
    place.chmod(status.st_mode & 0o7777)
    os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))


def copy_file(source: os.DirEntry[str], target: str) -> None:
    """Copies the bytes of a file, its rights and its times."""
    status = source.stat()
    reading, writing = os.open(source.path, os.O_RDONLY), os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        while data := os.read(reading, 1 << 20):
            os.write(writing, data)
        os.fchmod(writing, status.st_mode & 0o7777)
        os.utime(writing, ns=(status.st_atime_ns, status.st_mtime_ns))
    finally:
        os.close(reading)
        os.close(writing)


def refresh_index(repo: Repo, git_dir: Path | None = None) -> None:
    """Tells the index of a copy which files it has now, as `git update-index --refresh` does in ten times the time.

    It is in `git_dir`, by default `.git`. Files whose time or size differ from those in the index are left to git.
    """
    path = (git_dir or repo.path / ".git") / "index"
    data = bytearray(path.read_bytes()) if path.exists() else bytearray()
    digest = next((digest for digest in (sha1, sha256) if is_whole(data, digest)), None)
    if digest is None or data[:8] != b"DIRC\0\0\0\2":
        repo.git("update-index", "-q", "--refresh")
        return
    (count,) = struct.unpack_from(">L", data, 8)
    head, at = 42 + digest().digest_size, 12
    for _ in range(count):
        end = data.index(0, at + head)
        is_same, found = compare_entry(data, at, os.fsencode(repo.path) + b"/" + data[at + head : end])
        if is_same:
            struct.pack_into(">LLLLLL", data, at, *found)
        at += (end - at + 8) // 8 * 8
    path.write_bytes(data[: -digest().digest_size] + digest(data[: -digest().digest_size]).digest())


def is_whole(data: bytes, digest: Callable[..., Any]) -> bool:
    """Returns whether an index ends with this digest of what is before."""
    size = digest().digest_size
    return digest(data[:-size]).digest() == data[-size:]


def compare_entry(data: bytes, at: int, path: bytes) -> tuple[bool, tuple[int, ...]]:
    """Returns whether a file has the time and size of its entry in an index, and with which words the entry begins then."""
    try:
        status = os.lstat(path)
    except OSError:
        return False, ()
    times = [part & 0xFFFFFFFF for ns in (status.st_ctime_ns, status.st_mtime_ns) for part in divmod(ns, 10**9)]
    is_same = struct.unpack_from(">LL", data, at + 8) == (*times[2:],) and struct.unpack_from(">L", data, at + 36) == (
        status.st_size & 0xFFFFFFFF,
    )
    return is_same, (*times, status.st_dev & 0xFFFFFFFF, status.st_ino & 0xFFFFFFFF)


def left_out(directory: str, names: list[str]) -> set[str]:
    """Returns the names that no copy has: what belongs to one place, and the sample hooks."""
    return {name for name in names if name.endswith(".sample") or (name in HERE_ALONE and "/.git" in directory)}
