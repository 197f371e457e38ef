"""Exchanges runs with other repositories: fetch, push, delete, export, import, and the trust in runs from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun import store
from gitrun.dataclass import dataclass
from gitrun.errors import AmbiguousRun, GitFailed, NotTrusted, UnknownRun, UsageError
from gitrun.git.exe import failure_reason
from gitrun.git.objects import Objects
from gitrun.model.run import TRASH, Run, is_id, run_ref, short_id
from gitrun.model.run_names import parse_id_prefix
from gitrun.model.submodules import outermost_modules
from gitrun.sharing import quarantine, remotes, secret_scan
from gitrun.sharing.quarantine import FetchWish
from gitrun.store import trust
from gitrun.store.index import Index
from gitrun.store.live import is_live
from gitrun.store.refs import tips
from gitrun.store.runs import local_reader, read_attempts, read_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.model.run import File
    from gitrun.model.settings import Settings
    from gitrun.sharing.quarantine import Received
    from gitrun.sharing.remotes import Pushed
    from gitrun.sharing.secret_scan import SecretFinding
    from gitrun.sharing.validate import Chain
    from gitrun.store.commits import Signature

    Pick = Callable[[Sequence[Run]], Collection[str]]


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """A request to fetch runs: ids or prefixes of ids (none: all runs), of which `pick` selects some by id.

    `merge` merges runs that have new attempts on both sides. `progress` shows git's progress to the user. With `lenient`, names
    that the remote lacks are no error, and deleted runs stay deleted.
    """

    names: tuple[str, ...] = ()
    pick: Pick | None = None
    merge: bool = False
    progress: bool = False
    lenient: bool = False


class Sharing:
    """The runs of one repository, seen from other repositories."""

    def __init__(self, git: Git, settings: Settings) -> None:
        self._git, self._settings = git, settings

    def fetch(self, remote: str, order: FetchRequest) -> Received:
        """Fetches runs from a remote, or from a bundle at a path. Raises GitFailed, UnknownRun."""
        git = self._git
        patterns = [f"{parse_id_prefix(name)}*" for name in order.names] or ["*"]
        # quarantine: fetched refs stay under a private prefix until their runs are checked
        with quarantine.open_quarantine(git) as prefix:
            there = None
            if 0 < len(order.names) <= remotes.FEW and all(map(is_id, order.names)) and not order.progress:
                there = remotes.fetch_named(git, remote, order.names, prefix)
            if there is None:
                there = remotes.fetch_tips(git, remote, patterns, prefix, progress=order.progress)
            names = find_ids(there, order.names, remote) if order.names and not order.lenient else frozenset[str]()
            wish = FetchWish(names, self._keeping(order.pick) if order.pick else None, merge=order.merge)
            return quarantine.receive_runs(git, there, wish)

    def _keeping(self, pick: Pick) -> Callable[[Sequence[Chain]], Collection[str]]:
        def keep(chains: Sequence[Chain]) -> Collection[str]:
            with local_reader(self._git) as reader:
                arrived = read_runs(self._git, reader, {chain.run: chain.tip for chain in chains}, frozenset())
            return pick([run for run in arrived if isinstance(run, Run)])

        return keep

    def all_tips(self) -> dict[str, str]:
        """Returns all runs of this repository that are not running: id -> tip."""
        local_tips = tips(self._git)
        # other programs may have put refs there
        return {run: tip for run, tip in local_tips.items() if is_id(run) and is_id(tip) and not is_live(self._git.state, run)}

    def made_here(self, runs: Sequence[Run]) -> list[Run]:
        """Returns the finished runs whose first or last attempt was made here or is trusted."""
        trusted = trust.trusted_ids(self._git)
        return [run for run in runs if run.attempt.stopped and not trusted.isdisjoint((run.id, run.attempt.id))]

    def attempts_made_here(self) -> frozenset[str]:
        """Returns the ids of attempts and results that were made here or are trusted."""
        return trust.trusted_ids(self._git)

    def published(self, remote: str) -> frozenset[str]:
        """Returns the commits that the refs of a remote point to. Raises GitFailed."""
        return remotes.published_objects(self._git, remote)

    def unpublished(self, runs: Mapping[str, str], there: Collection[str]) -> list[str]:
        """Returns the user's commits below the runs that `there` lacks: short id and subject, newest first."""
        stdin = "".join([*(f"{tip}\n" for tip in runs.values()), *(f"^{name}\n" for name in there)]).encode()
        words = (
            "--ignore-missing",
            "--no-commit-header",
            "--format=%h %s",
            # gitrun's own commits have this trailer
            "--invert-grep",
            "--grep=^Gitrun-Kind: ",
            "--stdin",
        )
        return self._git.run("rev-list", "--abbrev=8", *words, stdin=stdin).decode(errors="replace").splitlines()

    def secrets(self, runs: Mapping[str, str], there: Collection[str]) -> list[SecretFinding]:
        """Returns what looks like a secret in the runs, except in commits reachable from `there`."""
        return secret_scan.scan_for_secrets(
            self._git, [*runs.values(), *(f"^{name}" for name in there)], self._settings.secrets
        )

    def secrets_in_export(self, runs: Mapping[str, str], without: str | None = None) -> list[SecretFinding]:
        """Returns what looks like a secret in a bundle of the runs. Leaves out what `without` or a remote has."""
        tips = [*runs.values(), *([f"^{without}"] if without else [])]
        return secret_scan.scan_for_secrets(self._git, tips, self._settings.secrets, ("--remotes",))

    def held_back(self, runs: Iterable[str]) -> dict[str, str]:
        """Returns the runs that must not be pushed: id -> path of a submodule whose files the run recorded.

        Code of another repository leaves only with `gitrun.pushSubmodules`, or if the caller does not ask here.
        """
        if self._settings.push_submodules:
            return {}
        with store.index.Index(self._git) as index, Objects(self._git) as objects:
            runs_here = (run for run in map(index.get, runs) if isinstance(run, Run))
            secrets = ((run.id, one) for run in runs_here for one in read_attempts(self._git, objects, run) if one.content)
            return {run: next(iter(outermost_modules(attempt.submodules)), "?") for run, attempt in secrets}

    def push(self, remote: str, runs: Mapping[str, str], *, progress: bool = False) -> Pushed:
        """Pushes the runs (id -> tip) and their git-lfs files. Raises GitFailed."""
        if runs:
            # first, so that no run arrives without its large files
            remotes.push_lfs_objects(self._git, remote, runs)
        return remotes.push_tips(self._git, remote, runs, progress=progress)

    def left_behind(self, runs: Collection[str]) -> list[tuple[str, File]]:
        """Returns the files of these runs that only exist beside the repository, each with the id of its run."""
        with Index(self._git) as index:
            runs_here = [run for run in map(index.get, runs) if isinstance(run, Run)]
        return store.kept_files.unsent_files(self._git, runs_here)

    def delete(self, remote: str, runs: Mapping[str, str]) -> Pushed:
        """Deletes the runs (id -> tip as known here) on the remote. Raises GitFailed."""
        return remotes.delete_on_remote(self._git, remote, runs)

    def known(self, names: Sequence[str]) -> dict[str, str]:
        """Returns the runs, here or in the trash, that these id prefixes name: id -> tip. Raises UnknownRun."""
        # the right side wins: a run in both places still exists
        there = tips(self._git, TRASH) | tips(self._git)
        return {run: there[run] for run in sorted(find_ids(there, names, "this repository"))}

    def is_here(self, run: str) -> bool:
        """Returns whether this repository has the run, not in the trash."""
        return run in tips(self._git)

    def export(self, runs: Mapping[str, str], file: Path, without: str | None = None) -> None:
        """Writes a bundle of the runs and their history, except what `without` has. Raises GitFailed."""
        # refs go over stdin, because a command line has a limited length
        stdin = "".join(f"{run_ref(run)}\n" for run in runs) + (f"^{without}\n" if without else "")
        result = self._git.attempt("bundle", "create", "--quiet", str(file), "--stdin", stdin=stdin.encode())
        if result.returncode:
            raise GitFailed(f"cannot export the runs: {failure_reason(result.stderr)}")

    def import_(self, file: Path, order: FetchRequest) -> Received:
        """Fetches runs from a bundle. Raises GitFailed, UsageError."""
        if not file.is_file():
            raise UsageError(f"no file '{file}'", "To write one: git run export RUNS FILE")
        # git could take a relative name without a slash for a remote of that name
        return self.fetch(str(file.absolute()), order)

    def trust(self, names: Sequence[str], *, back: bool = False) -> None:
        """Trusts attempts (ids) and keys (fingerprints), or revokes that trust if `back` is set."""
        (trust.revoke_trust if back else trust.grant_trust)(self._git, names)

    def keys_of(self, runs: Sequence[Run]) -> list[str]:
        """Returns the keys that signed the last attempts of the runs. Raises NotTrusted if a run lacks a good signature."""
        keys = []
        for run in runs:
            signed = self.signature(run)
            if signed is None or not signed.is_good:
                raise NotTrusted(
                    f"run {short_id(run.id)}: {signed.words if signed else 'unsigned'}",
                    "To trust the run itself: git run trust RUN",
                )
            keys.append(signed.primary or signed.key)
        return list(dict.fromkeys(keys))

    def signature(self, run: Run) -> Signature | None:
        """Returns git's verdict on the signature of the run's last attempt; None if it is unsigned."""
        return store.commits.read_signature(self._git, run.attempt.id)

    def is_key(self, word: str) -> bool:
        """Returns whether a word is the fingerprint of a key."""
        return trust.is_fingerprint(word)

    def trusted_keys(self) -> list[str]:
        """Returns the fingerprints of trusted keys."""
        return trust.trusted_signers(self._git)

    def proves(self, commit: str, run: Run) -> bool:
        """Returns whether the commit's id proves the run's last attempt and its result: it is one of them, or above both."""
        last = run.attempt.result or run.attempt.id
        return commit in {run.tip, last} or not self._git.attempt("merge-base", "--is-ancestor", last, commit).returncode

    def is_trusted(self, run: Run) -> bool:
        """Returns whether the run's last attempt may be executed."""
        return trust.is_trusted(self._git, run)

    def untrusted(self, runs: Sequence[Run]) -> list[Run]:
        """Returns the runs that may not be executed."""
        trusted = {run.id for run in trust.trusted_runs(self._git, runs)}
        return [run for run in runs if run.id not in trusted]

    def default_remote(self, *, push: bool = False) -> str:
        """Returns the remote that git uses by default. Raises UsageError."""
        return remotes.default_remote(self._git, push=push)

    def is_remote(self, word: str) -> bool:
        """Returns whether a word names a remote, not a run."""
        return remotes.is_remote(self._git, word)


def find_ids(there: Mapping[str, str], names: Sequence[str], remote: str) -> frozenset[str]:
    """Returns the ids that the prefixes name. Raises UnknownRun if one matches no run or several."""
    matches = set()
    for name in names:
        ids = [run for run in there if run.startswith(parse_id_prefix(name))]
        if not ids:
            raise UnknownRun(f"{remote} has no run '{name}'")
        if len(ids) > 1:
            raise AmbiguousRun(f"'{name}' matches {len(ids)} runs: {', '.join(map(short_id, ids[:8]))}", "Give more digits")
        matches.add(ids[0])
    return frozenset(matches)
