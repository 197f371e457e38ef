"""The environment that an attempt records. Equal environments give equal bytes.

It holds no times, paths, or names of machines and people, and only those variables that a setting names.
"""

from __future__ import annotations

import json
import os
import re
from fnmatch import fnmatchcase

from gitrun.model.encode import encode_table
from gitrun.model.text import is_text
from gitrun.model.tree import is_regular_file
from gitrun.process.child import find_program
from gitrun.source.interpreter import get_mtime, read_cache, write_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from gitrun.model.tree import Tree
    from gitrun.source.interpreter import Interpreter
    from gitrun.workspace.session import Session

    Locks: TypeAlias = tuple[tuple[str, str], ...]

LOCKS = frozenset({
    "Cargo.lock", "Gemfile.lock", "Manifest.toml", "Pipfile.lock", "Project.toml", "bun.lock", "composer.lock", "flake.lock",
    "go.mod", "go.sum", "package-lock.json", "pdm.lock", "pixi.lock", "pnpm-lock.yaml", "poetry.lock", "renv.lock", "uv.lock",
    "yarn.lock",
})  # fmt: skip
BEGIN, END = ("conda-lock", "constraints", "environment", "pylock", "requirements"), (".toml", ".txt", ".yaml", ".yml")
"""Prefixes and suffixes of further lock files. Like LOCKS, they are looked for only at the top of a source."""
MOST, LONGEST = 5_000, 200
"""Packages that are recorded at most, and characters of a name, a version or a variable."""
# Model:           NVIDIA A100-SXM4-40GB
DEVICE = r"(?m)^Model:\s*(.+?)\s*$"
# NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023
DRIVER = r"Kernel Module\D*([0-9][0-9.]+)"


def encode_environment(session: Session, python: Interpreter | None, locks: Locks) -> bytes:
    """Returns the content of env.toml. `python` runs the attempt's script (None: it is no script)."""
    machine = os.uname()
    packages = list_packages(python, session.git.state) if python else None
    return encode_table({
        "platform": {"system": machine.sysname, "machine": machine.machine, "release": machine.release},
        "git": {"version": git_version(session)},
        "python": {"version": python.version, "implementation": python.implementation} if python else None,
        "gpu": describe_gpus() or None,
        "variables": select_variables(session.git.environ, session.settings.record_env) or None,
        "locks": dict(locks) or None,
    }) + encode_packages(packages)  # fmt: skip


def list_lock_files(tree: Tree) -> Locks:
    """Returns name and identity of each lock file at the top of a tree."""
    # only the top: a lock file further down belongs to another project
    names = (name for name in tree.names("") if is_lock(name) and is_text(name))
    return tuple((name, tree.identity(name)) for name in names if is_regular_file(tree, name))


def is_lock(name: str) -> bool:
    """Returns whether a file of this name pins the versions of dependencies."""
    return name in LOCKS or (name.startswith(BEGIN) and name.endswith(END))


def select_variables(environ: Mapping[str, str], wanted_patterns: Sequence[str]) -> dict[str, str]:
    """Returns the variables whose names match one of the patterns, values cut to LONGEST characters."""
    patterns = [pattern for pattern in wanted_patterns if any(sign in pattern for sign in "*?[")]
    names = sorted(
        name for name in environ if name in wanted_patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
    )
    return {name: environ[name][:LONGEST] for name in names if is_text(name + environ[name])}


def git_version(session: Session) -> str:
    """Returns git's version, cached until the program changes."""
    program = find_program("git", session.git.environ) or ""
    now = [program, get_mtime(program)]
    cache = session.git.state / "environment.json"
    cached = read_cache(cache)
    if cached.get("git_stamp") != now:
        output = session.git.run("version").decode(errors="replace").strip()
        cached |= {"git_stamp": now, "git": output.removeprefix("git version ")}
        write_cache(cache, cached)
    return str(cached["git"])


def list_packages(python: Interpreter, state: Path) -> dict[str, str]:
    """Returns the installed distributions of a Python and their versions, cached until a directory changes."""
    cache = state / "environment.json"
    now = [[path, get_mtime(path)] for path in python.paths]
    cached = read_cache(cache)
    entry = cached.get(python.executable)
    if not isinstance(entry, dict) or entry.get("stamp") != now or not isinstance(entry.get("packages"), dict):
        entry = {"stamp": now, "packages": find_installed(python.paths)}
        write_cache(cache, cached | {python.executable: entry})
    packages: dict[str, str] = entry["packages"]
    return packages


def normalize_name(name: str) -> str:
    """Returns the normalized name of a package (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def find_installed(paths: Sequence[str]) -> dict[str, str]:
    """Returns the distributions in these directories, sorted by normalized name (PEP 503). The first of a name wins."""
    packages: dict[str, str] = {}
    for path in paths:
        for name, version in distributions(path):
            key = normalize_name(name)
            # the first directory wins, as it does for imports
            if (
                key not in packages
                and len(packages) < MOST
                and max(len(key), len(version)) <= LONGEST
                and is_text(key + version)
            ):
                packages[key] = version
    return dict(sorted(packages.items()))


def distributions(path: str) -> Iterator[tuple[str, str]]:
    """Yields name and version of each distribution in a directory, as far as possible from file names alone."""
    try:
        names = sorted(os.listdir(path))
    except OSError:
        return
    for entry in names:
        stem, dot, kind = entry.rpartition(".")
        directory = os.path.join(path, entry)
        # parsing METADATA of hundreds of packages would cost too much at each start
        if dot and kind == "dist-info":
            # x_y-1.0.dist-info: wheels have no dash within either part (PEP 427)
            name, _, version = stem.rpartition("-")
            if name:
                yield name, version + origin_suffix(os.path.join(directory, "direct_url.json"))
        elif dot and kind == "egg-info":
            # x-1.0-py3.11.egg-info, or x.egg-info with the version in PKG-INFO
            name, _, version = stem.partition("-")
            version = version.partition("-")[0] or read_version(os.path.join(directory, "PKG-INFO"))
            yield name, version if "site-packages" in path or "dist-packages" in path else f"{version} (editable)".lstrip()


def origin_suffix(path: str) -> str:
    """Returns a suffix for distributions from no index: ` (editable)` or ` (git 1a2b3c4d)`.

    URLs are omitted, because they may hold secrets.
    """
    try:
        with open(path, "rb") as file:
            # {"url": "file:///home/ann/x", "dir_info": {"editable": true}} (PEP 610)
            origin = json.loads(file.read(1 << 16))
        if origin.get("dir_info", {}).get("editable") is True:
            return " (editable)"
        commit = origin.get("vcs_info", {}).get("commit_id")
        return f" ({origin['vcs_info'].get('vcs', 'vcs')} {commit[:64]})" if commit else ""
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return ""


def read_version(path: str) -> str:
    """Returns the version in a PKG-INFO; empty if there is none."""
    try:
        with open(path, "rb") as file:
            version = re.search(rb"^Version: *(\S+)", file.read(1 << 14), re.MULTILINE)
    except OSError:
        return ""
    return version[1].decode(errors="replace") if version else ""


IN_NAMES = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
IN_VERSIONS = IN_NAMES | frozenset(".+!() ")
"""Characters of bare keys in TOML, and of versions that need no escapes there."""


def encode_packages(packages: Mapping[str, str] | None) -> bytes:
    """Returns the table of packages. Plain names and versions take a fast path around the TOML writer."""
    if not packages:
        return b""
    if not (IN_NAMES.issuperset("".join(packages)) and IN_VERSIONS.issuperset("".join(packages.values())) and all(packages)):
        return b"\n" + encode_table({"packages": dict(packages)})
    return ("\n[packages]\n" + "".join(f'{name} = "{version}"\n' for name, version in packages.items())).encode()


def describe_gpus(root: str = "/") -> dict[str, object]:
    """Returns driver and devices of NVIDIA, or whether AMD is present, from kernel files. Starts no program."""
    # nvidia-smi and rocm-smi would slow down every start
    proc, devices = os.path.join(root, "proc/driver/nvidia"), dict[str, object]()
    if os.path.isdir(proc):
        driver = re.search(DRIVER, read_kernel_file(os.path.join(proc, "version")))
        cards = os.path.join(proc, "gpus")
        slots = sorted(os.listdir(cards)) if os.path.isdir(cards) else []
        models = [
            model[1]
            for slot in slots
            if (model := re.search(DEVICE, read_kernel_file(os.path.join(cards, slot, "information"))))
        ]
        devices = {"driver": driver[1]} if driver else {}
        devices |= {"devices": sorted(models)} if models else {}
    elif os.path.exists(os.path.join(root, "dev/nvidia0")):
        names = (name for name in os.listdir(os.path.join(root, "dev")) if re.fullmatch(r"nvidia[0-9]+", name))
        devices = {"devices": ["NVIDIA"] * len(list(names))}
    # the device of AMD's compute driver, which ROCm uses
    elif os.path.exists(os.path.join(root, "dev/kfd")):
        devices = {"devices": ["AMD"]}
    return devices


def read_kernel_file(path: str) -> str:
    """Returns the first 4096 bytes of a kernel file as text; empty if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(4096).decode(errors="replace")
    except OSError:
        return ""
