"""Findings of `git run doctor`: a line and a remedy each. This module derives those that follow from git's config."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeAlias

from gitrun.model.settings import NAMES, unknown, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Config: TypeAlias = Mapping[str, tuple[str, ...]]

OLDEST = (2, 36)
"""The oldest git that is known to do what gitrun needs."""
PROBE = "refs/runs/0"
NO = frozenset({"false", "no", "off", "0", ""})


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem (`words`) and its remedy (`hint`). `kind` is for programs; `place` is the path, ref or run.

    `cure` names a repair that loses nothing; it is empty if there is none.
    """

    kind: str
    words: str
    hint: str
    place: str = ""
    cure: str = ""


def in_version(said: str) -> Iterator[Finding]:
    """Yields a finding if `git version` reports a version that is too old."""
    found = re.search(r"(\d+)\.(\d+)", said)
    if found and (int(found[1]), int(found[2])) < OLDEST:
        yield Finding("old-git", f"{said.strip()} is older than 2.36", "install a newer git")


def in_settings(config: Config) -> Iterator[Finding]:
    """Yields problems that these settings cause in a repository with runs."""
    for name in config:
        if name.startswith("remote.") and name.endswith(".fetch"):
            yield from in_fetch(config, name.removeprefix("remote.").removesuffix(".fetch"))
        elif name.startswith("remote.") and name.endswith(".push"):
            yield from in_push(config, name)
        elif name in {"transfer.hiderefs", "receive.hiderefs"} and is_hidden(config[name]):
            yield Finding("hidden-refs", f"{name} hides refs/runs: nobody can push runs here", f"git config --edit: {name}")
        elif name in {"receive.denydeletes", "receive.denynonfastforwards"} and is_on(config, "core.bare", name):
            yield Finding("deny", f"{name} protects branches, not runs", "a hook pre-receive can protect refs/runs")
    yield from in_safety(config)
    yield from in_ours(config)


def in_ours(config: Config) -> Iterator[Finding]:
    """Yields `gitrun.*` settings that are invalid or unknown."""
    for name, error in wrong(config):
        yield Finding("setting", error.message, error.hint, name)
    for name in unknown(config):
        like = [known for known in NAMES if get_close_matches(name, [known.lower()])]
        meant = f"is {like[0]} meant? " if like else ""
        yield Finding("setting", f"there is no setting {name}", f"{meant}git run help, CONFIGURATION, has all", name)


def in_safety(config: Config) -> Iterator[Finding]:
    """Yields settings that put written objects at risk."""
    if last(config, "gitrun.fsync", "true") in NO:
        yield Finding("no-fsync", "gitrun.fsync is off: a power cut may take finished runs", "git config --unset gitrun.fsync")
    if "none" in last(config, "core.fsync", "").split(","):
        words = "core.fsync is none: commits that runs were made from may not survive a power cut"
        yield Finding("no-fsync", words, "git config --unset core.fsync")
    # git's grace period protects objects that no ref reaches yet
    if last(config, "gc.pruneexpire", "") in {"now", "all", "0"}:
        words = "gc.pruneExpire is now: git gc takes objects away while others write them"
        yield Finding("prune-now", words, "git config --unset gc.pruneExpire")
    if last(config, "core.sharedrepository", "false") not in {*NO, "umask"}:
        words = "core.sharedRepository: what gitrun keeps beside git is of one user; others cannot run here"
        yield Finding("shared", words, "give each user a clone")


def in_push(config: Config, name: str) -> Iterator[Finding]:
    """Yields a finding if the push refspecs of a remote change plain `git push`."""
    spec = next((spec for spec in config[name] if covers(spec.rpartition(":")[2])), None)
    if spec:
        words = f"{name} = {spec} pushes runs, and then plain git push forgets the branch"
        yield Finding("push-refspec", words, f"git config --unset-all {name}; git run push pushes runs")


def in_fetch(config: Config, remote: str) -> Iterator[Finding]:
    """Yields a finding if the fetch refspecs of a remote overwrite or delete runs."""
    specs = [spec for spec in config[f"remote.{remote}.fetch"] if covers(spec.rpartition(":")[2])]
    if not specs:
        return
    name = f"remote.{remote}.prune"
    hint = "git config --edit: let it name refs/heads/*; git run fetch fetches runs"
    if last(config, name, last(config, "fetch.prune", "false")) not in NO:
        words = f"remote.{remote}.fetch = {specs[0]} with prune deletes runs that were never pushed"
        yield Finding("mirror-prune", words, f"git config {name} false")
    elif specs[0].startswith("+"):
        words = f"remote.{remote}.fetch = {specs[0]} puts the runs of {remote} over those that are here"
        yield Finding("mirror", words, hint)


def covers(side: str) -> bool:
    """Returns whether one side of a refspec matches refs of runs."""
    return side.startswith("refs/runs/") or ("*" in side and fnmatchcase(PROBE, side))


def is_hidden(prefixes: tuple[str, ...]) -> bool:
    """Returns whether these hideRefs values hide runs; as in git, the last match decides."""
    fitting = [text for text in prefixes if f"{PROBE}/".startswith(text.lstrip("!^").rstrip("/") + "/")]
    return bool(fitting) and not fitting[-1].startswith("!")


def is_on(config: Config, *names: str) -> bool:
    """Returns whether all of these settings are true."""
    return all(last(config, name, "false") not in NO for name in names)


def last(config: Config, name: str, default: str) -> str:
    """Returns the effective (last) value of a setting, in lower case."""
    return config.get(name, (default,))[-1].lower()
