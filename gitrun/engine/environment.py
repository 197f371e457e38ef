"""What of the environment an attempt records: equal environments are equal bytes.

No times, paths or names of machines and people; of the environment's variables only those that a setting names.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from gitrun.engine.interpreter import mtime, read_cache
from gitrun.git.objects import EXECUTABLE, FILE
from gitrun.model.record import toml
from gitrun.model.text import is_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from gitrun.engine.interpreter import Interpreter
    from gitrun.engine.road import Road
    from gitrun.git.objects import Objects

    Locks: TypeAlias = tuple[tuple[str, str], ...]

LOCKS = frozenset({
    "Cargo.lock", "Gemfile.lock", "Manifest.toml", "Pipfile.lock", "Project.toml", "bun.lock", "composer.lock", "flake.lock",
    "go.mod", "go.sum", "package-lock.json", "pdm.lock", "pixi.lock", "pnpm-lock.yaml", "poetry.lock", "renv.lock", "uv.lock",
    "yarn.lock",
})  # fmt: skip
BEGIN, END = ("conda-lock", "constraints", "environment", "pylock", "requirements"), (".toml", ".txt", ".yaml", ".yml")
"""Names, and beginnings and ends of names, of files at the top of a source that say which versions of others it needs."""
MOST, LONGEST = 5_000, 200
"""Packages that are recorded, and characters of a name, a version or a variable."""
DEVICE = r"(?m)^Model:\s*(.+?)\s*$"
DRIVER = r"Kernel Module\D*([0-9][0-9.]+)"


def env_toml(road: Road, python: Interpreter | None, locks: Locks) -> bytes:
    """What is env.toml of an attempt whose script this Python runs (None: it is no script), with its lock files."""
    machine = os.uname()
    packages = packages_of(python, road.git.state) if python else None
    return toml({
        "platform": {"system": machine.sysname, "machine": machine.machine, "release": machine.release},
        "git": {"version": git_version(road)},
        "python": {"version": python.version, "implementation": python.implementation} if python else None,
        "gpu": gpus() or None,
        "variables": variables(road.git.environ, road.settings.record_env) or None,
        "locks": dict(locks) or None,
    }) + packages_toml(packages)  # fmt: skip


def lock_files(objects: Objects, tree: str) -> Locks:
    """The lock files at the top of a tree, with the ids of their blobs."""
    named = ((os.fsdecode(name), entry) for name, entry in objects.tree(tree).items() if entry.mode in {FILE, EXECUTABLE})
    return tuple((name, entry.id) for name, entry in named if is_lock(name) and is_text(name))


def is_lock(name: str) -> bool:
    """Whether a file of this name says which versions of others are needed."""
    return name in LOCKS or (name.startswith(BEGIN) and name.endswith(END))


def variables(environ: Mapping[str, str], wanted: Sequence[str]) -> dict[str, str]:
    """Those of the variables whose names fit one of the patterns."""
    patterns = [pattern for pattern in wanted if any(sign in pattern for sign in "*?[")]
    names = sorted(name for name in environ if name in wanted or any(fnmatchcase(name, pattern) for pattern in patterns))
    return {name: environ[name][:LONGEST] for name in names if is_text(name + environ[name])}


def git_version(road: Road) -> str:
    """The version of git; asked when the program has changed."""
    program = shutil.which("git", path=road.git.environ.get("PATH")) or ""
    now = [program, mtime(program)]
    cache = road.git.state / "environment.json"
    known = read_cache(cache)
    if known.get("git_stamp") != now:
        said = road.git.run("version").decode(errors="replace").strip()
        known |= {"git_stamp": now, "git": said.removeprefix("git version ")}
        write_cache(cache, known)
    return str(known["git"])


def packages_of(python: Interpreter, state: Path) -> dict[str, str]:
    """The installed distributions of a Python and their versions; looked for again when a directory has changed."""
    cache = state / "environment.json"
    now = [[path, mtime(path)] for path in python.paths]
    known = read_cache(cache)
    entry = known.get(python.executable)
    if not isinstance(entry, dict) or entry.get("stamp") != now:
        entry = {"stamp": now, "packages": installed(python.paths)}
        write_cache(cache, known | {python.executable: entry})
    packages: dict[str, str] = entry["packages"]
    return packages


def write_cache(cache: Path, known: dict[str, Any]) -> None:
    """Keeps what was found out."""
    fresh = cache.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
    fresh.write_text(json.dumps(known))
    fresh.replace(cache)


def installed(paths: Sequence[str]) -> dict[str, str]:
    """The distributions in these directories by name, in the order of names; of two with one name the first counts."""
    found: dict[str, str] = {}
    for path in paths:
        for name, version in distributions(path):
            key = re.sub(r"[-_.]+", "-", name).lower()
            if key not in found and len(found) < MOST and max(len(key), len(version)) <= LONGEST and is_text(key + version):
                found[key] = version
    return dict(sorted(found.items()))


def distributions(path: str) -> Iterator[tuple[str, str]]:
    """Name and version of each distribution in a directory, as the names of its metadata say."""
    try:
        names = sorted(os.listdir(path))
    except OSError:
        return
    for entry in names:
        stem, dot, kind = entry.rpartition(".")
        place = os.path.join(path, entry)
        if dot and kind == "dist-info":
            name, _, version = stem.rpartition("-")
            if name:
                yield name, version + origin(os.path.join(place, "direct_url.json"))
        elif dot and kind == "egg-info":
            name, _, version = stem.partition("-")
            version = version.partition("-")[0] or version_in(os.path.join(place, "PKG-INFO"))
            yield name, version if "site-packages" in path or "dist-packages" in path else f"{version} (editable)".lstrip()


def origin(path: str) -> str:
    """How a distribution came here if it is of no index: ` (editable)`, ` (git 1a2b3c4d)`; no address: it may hold secrets."""
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read(1 << 16))
        if found.get("dir_info", {}).get("editable") is True:
            return " (editable)"
        commit = found.get("vcs_info", {}).get("commit_id")
        return f" ({found['vcs_info'].get('vcs', 'vcs')} {commit[:40]})" if commit else ""
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return ""


def version_in(path: str) -> str:
    """The version in a PKG-INFO; empty if there is none."""
    try:
        with open(path, "rb") as file:
            found = re.search(rb"^Version: *(\S+)", file.read(1 << 14), re.MULTILINE)
    except OSError:
        return ""
    return found[1].decode(errors="replace") if found else ""


def packages_toml(packages: Mapping[str, str] | None) -> bytes:
    """The table of packages: names are sorted, and a thousand of them cost no time."""
    if not packages:
        return b""
    simple = all(re.fullmatch(r"[\w.+!() -]*", version, re.ASCII) for version in packages.values())
    if not simple or not all(re.fullmatch(r"[\w-]+", name, re.ASCII) for name in packages):
        return b"\n" + toml({"packages": dict(packages)})
    return ("\n[packages]\n" + "".join(f'{name} = "{version}"\n' for name, version in packages.items())).encode()


def gpus(root: str = "/") -> dict[str, object]:
    """The driver and the devices of NVIDIA, or how many AMD has, as the kernel shows them; nothing is started for it."""
    proc, found = os.path.join(root, "proc/driver/nvidia"), dict[str, object]()
    if os.path.isdir(proc):
        driver = re.search(DRIVER, text_of(os.path.join(proc, "version")))
        cards = os.path.join(proc, "gpus")
        slots = sorted(os.listdir(cards)) if os.path.isdir(cards) else []
        models = [model[1] for slot in slots if (model := re.search(DEVICE, text_of(os.path.join(cards, slot, "information"))))]
        found = {"driver": driver[1]} if driver else {}
        found |= {"devices": sorted(models)} if models else {}
    elif os.path.exists(os.path.join(root, "dev/nvidia0")):
        names = (name for name in os.listdir(os.path.join(root, "dev")) if re.fullmatch(r"nvidia[0-9]+", name))
        found = {"devices": ["NVIDIA"] * len(list(names))}
    elif os.path.exists(os.path.join(root, "dev/kfd")):
        found = {"devices": ["AMD"]}
    return found


def text_of(path: str) -> str:
    """The text of a small file of the kernel's; empty if it does not read."""
    try:
        with open(path, "rb") as file:
            return file.read(4096).decode(errors="replace")
    except OSError:
        return ""
