"""Findings of `git run doctor`: a line and a remedy each. This module derives those that follow from git's config."""

from __future__ import annotations

import re
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeAlias

from gitrun.dataclass import dataclass
from gitrun.model.settings import NAMES, invalid_settings, unknown_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Config: TypeAlias = Mapping[str, tuple[str, ...]]

# core.fsync, by which new objects survive a power cut, came with git 2.36
OLDEST_GIT = (2, 36)
"""The oldest git that is known to do what gitrun needs."""
# stands for every run where refspecs and hideRefs are matched
PROBE_REF = "refs/runs/0"
FALSE = frozenset({"false", "no", "off", "0", ""})


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A problem (`words`) and its remedy (`hint`). `kind` is for programs; `path` is the path, ref or run.

    `repair` names a repair that loses nothing; it is empty if there is none.
    """

    kind: str
    words: str
    hint: str
    path: str = ""
    repair: str = ""


def check_version(text: str) -> Iterator[Diagnostic]:
    """Yields a finding if `git version` reports a version that is too old."""
    version = parse_version(text)
    if version and version < OLDEST_GIT:
        yield Diagnostic("old-git", f"{text.strip()} is older than 2.36", "Install a newer git")


def parse_version(text: str) -> tuple[int, int] | None:
    """Returns the first two numbers in the output of `git version`; None if there are none."""
    # git version 2.39.5 (Apple Git-154)
    match = re.search(r"(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else None


def check_settings(config: Config) -> Iterator[Diagnostic]:
    """Yields problems that these settings cause in a repository with runs."""
    for name in config:
        if name.startswith("remote.") and name.endswith(".fetch"):
            yield from check_fetch_refspecs(config, name.removeprefix("remote.").removesuffix(".fetch"))
        elif name.startswith("remote.") and name.endswith(".push"):
            yield from check_push_refspecs(config, name)
        elif name in {"transfer.hiderefs", "receive.hiderefs"} and hides_runs(config[name]):
            yield Diagnostic(
                "hidden-refs",
                f"{name} hides refs/runs: nobody can push runs here",
                f"To show them: git config --edit, and change {name}",
            )
        # git applies these two to refs/heads alone
        elif name in {"receive.denydeletes", "receive.denynonfastforwards"} and are_true(config, "core.bare", name):
            yield Diagnostic(
                "deny", f"{name} protects branches, not runs", "To protect refs/runs: git run hooks install pre-receive"
            )
    yield from check_durability(config)
    yield from check_own_settings(config)


def check_own_settings(config: Config) -> Iterator[Diagnostic]:
    """Yields `gitrun.*` settings that are invalid or unknown."""
    for name, error in invalid_settings(config):
        yield Diagnostic("setting", error.message, error.hint, name)
    for name in unknown_settings(config):
        # the name from git is in lower case, the documentation has gitrun.maxUntracked
        like = [name_known for name_known in NAMES if get_close_matches(name, [name_known.lower()])]
        suggestion = f"Did you mean {like[0]}? " if like else ""
        yield Diagnostic("setting", f"no setting {name}", f"{suggestion}To list the settings: git run help settings", name)


def check_durability(config: Config) -> Iterator[Diagnostic]:
    """Yields settings that put written objects at risk."""
    if last_value(config, "gitrun.fsync", "true") in FALSE:
        yield Diagnostic(
            "no-fsync", "gitrun.fsync is off: a power cut may lose finished runs", "git config --unset gitrun.fsync"
        )
    # several words may stand there: committed,-loose-object
    if "none" in last_value(config, "core.fsync", "").split(","):
        words = "core.fsync is none: a power cut may lose commits that runs were made from"
        yield Diagnostic("no-fsync", words, "git config --unset core.fsync")
    # git's grace period protects objects that no ref reaches yet
    if last_value(config, "gc.pruneexpire", "") in {"now", "all", "0"}:
        words = "gc.pruneExpire is now: git gc deletes objects while others write them"
        yield Diagnostic("prune-now", words, "git config --unset gc.pruneExpire")
    # false and umask are git's words for the permissions of one user
    if last_value(config, "core.sharedrepository", "false") not in {*FALSE, "umask"}:
        words = "core.sharedRepository is set, but gitrun's own files belong to one user: others cannot run here"
        yield Diagnostic("shared", words, "Give each user a clone")


def check_push_refspecs(config: Config, name: str) -> Iterator[Diagnostic]:
    """Yields a finding if the push refspecs of a remote change plain `git push`."""
    # +refs/heads/*:refs/runs/*: the push writes to the side after the colon
    spec = next((spec for spec in config[name] if matches_runs(spec.rpartition(":")[2])), None)
    # git pushes by these refspecs instead of push.default
    if spec:
        words = f"{name} = {spec} pushes runs, so plain git push no longer pushes the branch"
        yield Diagnostic("push-refspec", words, f"git config --unset-all {name}. To push runs: git run push")


def check_fetch_refspecs(config: Config, remote: str) -> Iterator[Diagnostic]:
    """Yields a finding if the fetch refspecs of a remote overwrite or delete runs."""
    specs = [spec for spec in config[f"remote.{remote}.fetch"] if matches_runs(spec.rpartition(":")[2])]
    if not specs:
        return
    name = f"remote.{remote}.prune"
    hint = "To fetch branches only: git config --edit. To fetch runs: git run fetch"
    # remote.<name>.prune overrides fetch.prune
    if last_value(config, name, last_value(config, "fetch.prune", "false")) not in FALSE:
        words = f"remote.{remote}.fetch = {specs[0]} with prune deletes runs that were never pushed"
        yield Diagnostic("mirror-prune", words, f"git config {name} false")
    # without a plus, git refuses an update that is no fast-forward
    elif specs[0].startswith("+"):
        words = f"remote.{remote}.fetch = {specs[0]} overwrites the runs here with those of {remote}"
        yield Diagnostic("mirror", words, hint)


def matches_runs(side: str) -> bool:
    """Returns whether one side of a refspec matches refs of runs."""
    return side.startswith("refs/runs/") or ("*" in side and fnmatchcase(PROBE_REF, side))


def hides_runs(prefixes: tuple[str, ...]) -> bool:
    """Returns whether these hideRefs values hide runs; as in git, the last match decides."""
    # ^ means the full name of the ref, ! takes back an earlier match
    fitting = [text for text in prefixes if f"{PROBE_REF}/".startswith(text.lstrip("!^").rstrip("/") + "/")]
    return bool(fitting) and not fitting[-1].startswith("!")


def are_true(config: Config, *names: str) -> bool:
    """Returns whether all of these settings are true."""
    return all(last_value(config, name, "false") not in FALSE for name in names)


def last_value(config: Config, name: str, default: str) -> str:
    """Returns the effective (last) value of a setting, in lower case."""
    return config.get(name, (default,))[-1].lower()
