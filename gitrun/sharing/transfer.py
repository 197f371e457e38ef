"""Exchanges runs with other repositories: fetch, push, delete, export, import, and the trust in runs from elsewhere."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from gitrun import store
from gitrun.dataclass import dataclass, replace
from gitrun.errors import AmbiguousRun, GitFailed, NotTrusted, UnknownRun, UsageError
from gitrun.git.exe import failure_reason
from gitrun.git.objects import Objects
from gitrun.model.run import OUTBOX, RUNS, TRASH, Run, is_id, run_ref, short_id
from gitrun.model.run_names import parse_id_prefix
from gitrun.model.submodules import outermost_modules
from gitrun.sharing import incoming_archives, outgoing_archives, quarantine, remotes, secret_scan
from gitrun.sharing.quarantine import IncomingRules
from gitrun.sharing.remotes import Pushed
from gitrun.store import trust
from gitrun.store.archives import PUBLIC, own_writers
from gitrun.store.index import Index
from gitrun.store.index_rows import MAY_HAVE_MODULES
from gitrun.store.live import live_runs
from gitrun.store.refs import RefEdit, archive_heads, ref_store, refs_of_runs, tip_of, tips
from gitrun.store.runs import local_reader, read_attempts, read_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.model.run import File
    from gitrun.model.settings import Settings
    from gitrun.sharing.incoming_archives import IncomingArchive
    from gitrun.sharing.outgoing_archives import OwnRuns
    from gitrun.sharing.quarantine import Received
    from gitrun.sharing.remotes import RemoteRuns
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

    def fetch(self, remote: str, request: FetchRequest) -> Received:
        """Fetches runs from a remote, or from a bundle at a path. Raises GitFailed, UnknownRun."""
        git = self._git
        patterns = [f"{parse_id_prefix(name)}*" for name in request.names] or ["*"]
        # quarantine: fetched refs stay under a private prefix until their runs are checked
        with quarantine.open_quarantine(git) as prefix:
            named = None
            if 0 < len(request.names) <= remotes.FEW and all(map(is_id, request.names)) and not request.progress:
                named = remotes.fetch_named(git, remote, request.names, prefix)
            if named is None:
                listing = remotes.fetch_tips(git, remote, patterns, prefix, progress=request.progress)
            else:
                listing = remotes.RemoteRuns(named, {})
            received = quarantine.Received()
            is_plain = not request.names and not request.pick
            archives = self._archives(listing, received, is_plain=is_plain, merge=request.merge)
            there = dict(listing.tips)
            if not is_plain:
                # of an archive, some runs are received as if they had refs there
                archived = {run_id: tip for archive in archives for run_id, tip in archive.tips.items()}
                there = {run_id: tip for run_id, tip in archived.items() if matches_any(run_id, patterns)} | there
            names = find_ids(there, request.names, remote) if request.names and not request.lenient else frozenset[str]()
            rules = IncomingRules(names, self._keep_picked(request.pick) if request.pick else None, merge=request.merge)
            quarantine.receive_runs(git, there, rules, received)
            for archive in archives if is_plain else ():
                incoming_archives.receive_archive(git, archive, listing.tips.keys(), rules, received)
        # a bundle is no remote that keeps the runs
        if remote in remotes.remote_names(git):
            store.pushed.record_pushed(git, there.values())
        return received

    def _archives(self, listing: RemoteRuns, received: Received, *, is_plain: bool, merge: bool) -> list[IncomingArchive]:
        """Returns the fetched archives; for a fetch of all runs only those that differ from what is here.

        Of these only what is new, unless runs that have diverged are to be merged.
        """
        here = archive_heads(self._git) if listing.archives else {}
        wanted = {writer: head for writer, head in listing.archives.items() if not is_plain or here.get(writer) != head}
        known = here if is_plain and not merge else {}
        return incoming_archives.read_incoming(self._git, wanted, known, received) if wanted else []

    def _keep_picked(self, pick: Pick) -> Callable[[Sequence[Chain]], Collection[str]]:
        """Returns a function that reads incoming runs and returns the ids of those that `pick` selects."""

        def keep(chains: Sequence[Chain]) -> Collection[str]:
            with local_reader(self._git) as reader:
                arrived = read_runs(self._git, reader, {chain.run_id: chain.tip for chain in chains}, frozenset())
            return pick([run for run in arrived if isinstance(run, Run)])

        return keep

    def all_tips(self) -> dict[str, str]:
        """Returns all runs of this repository that are not running: id -> tip."""
        local_tips = tips(self._git)
        live = live_runs(self._git.state)
        # other programs may have put refs there
        return {run_id: tip for run_id, tip in local_tips.items() if is_id(run_id) and is_id(tip) and run_id not in live}

    def has_own_archive(self) -> bool:
        """Returns whether runs that were made here are in an archive."""
        return own_writers(self._git).get(PUBLIC) in archive_heads(self._git)

    def own_runs(self, index: Index, there: Mapping[str, str]) -> OwnRuns:
        """Returns the finished runs that were made here, for a push to a remote with these refs (ref -> object)."""
        return outgoing_archives.own_runs(self._git, index, there)

    def made_here(self, runs: Sequence[Run]) -> list[Run]:
        """Returns the finished runs whose first or last attempt was made here or is trusted."""
        return outgoing_archives.made_here(runs, trust.trusted_ids(self._git))

    def attempts_made_here(self) -> frozenset[str]:
        """Returns the ids of attempts and results that were made here or are trusted."""
        return trust.trusted_ids(self._git)

    def published_refs(self, remote: str) -> dict[str, str]:
        """Returns the refs of a remote: ref -> object. Raises GitFailed."""
        return remotes.published_refs(self._git, remote)

    def published(self, remote: str, run_ids: Iterable[str]) -> frozenset[str]:
        """Returns the commits that a remote has, as `commits_there` does. Raises GitFailed."""
        return self.commits_there(self.published_refs(remote), run_ids)

    def commits_there(self, refs: Mapping[str, str], run_ids: Iterable[str]) -> frozenset[str]:
        """Returns what the refs (ref -> object) of a remote point to, and the states of these runs that archives there list."""
        return frozenset(refs.values()) | outgoing_archives.archived_there(self._git, run_ids, refs)

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

    def held_back(self, run_ids: Iterable[str]) -> dict[str, str]:
        """Returns the runs that must not be pushed: id -> path of a submodule whose files the run recorded.

        Code of another repository leaves only with `gitrun.pushSubmodules`, or if the caller does not ask here.
        """
        if self._settings.push_submodules:
            return {}
        with store.index.Index(self._git) as index, Objects(self._git) as objects:
            # most runs have one attempt, which the index has
            attempts = (
                (run.id, attempt)
                for run in index.get_many(list(run_ids), MAY_HAVE_MODULES)
                for attempt in ((run.attempt,) if run.attempt.id == run.id else read_attempts(self._git, objects, run))
            )
            with_modules = ((run_id, attempt) for run_id, attempt in attempts if attempt.content)
            return {run_id: next(iter(outermost_modules(attempt.submodules)), "?") for run_id, attempt in with_modules}

    def push(self, remote: str, runs: Mapping[str, str], *, progress: bool = False, archive: bool = False) -> Pushed:
        """Pushes the runs (id -> tip) and their git-lfs files. Raises GitFailed.

        With `archive`, also pushes what is new in this repository's archive, as `own_runs` says.
        """
        if not runs and not archive:
            return Pushed()
        # first, so that no run arrives without its large files
        remotes.push_lfs_objects(self._git, remote, runs)
        archived = outgoing_archives.push_archive(self._git, remote, runs, progress=progress, is_whole=archive)
        sent = {*archived.fresh, *archived.same}
        rest = {run_id: tip for run_id, tip in runs.items() if run_id not in sent}
        pushed = remotes.push_tips(self._git, remote, rest, progress=progress)
        rejected = {run_id for run_id, _ in pushed.rejected}
        store.pushed.record_pushed(self._git, (tip for run_id, tip in runs.items() if run_id not in rejected))
        return replace(pushed, fresh=(*archived.fresh, *pushed.fresh), same=pushed.same + len(archived.same))

    def count_unpushed(self) -> int:
        """Returns the number of ended runs that no remote has, as far as gitrun knows; 0 without a remote."""
        return store.pushed.count_unpushed(self._git) if remotes.remote_names(self._git) else 0

    def left_behind(self, run_ids: Collection[str]) -> list[tuple[str, File]]:
        """Returns the files of these runs that only exist beside the repository, each with the id of its run."""
        with Index(self._git) as index:
            runs_here = [run for run in map(index.get, run_ids) if isinstance(run, Run)]
        return store.kept_files.unsent_files(self._git, runs_here)

    def delete(self, remote: str, runs: Mapping[str, str]) -> Pushed:
        """Deletes the runs (id -> tip as known here) on the remote. Raises GitFailed."""
        return remotes.delete_on_remote(self._git, remote, runs)

    def known(self, names: Sequence[str]) -> dict[str, str]:
        """Returns the runs, here or in the trash, that these id prefixes name: id -> tip. Raises UnknownRun."""
        # the right side wins: a run in both places still exists
        there = tips(self._git, TRASH) | tips(self._git)
        return {run_id: there[run_id] for run_id in sorted(find_ids(there, names, "this repository"))}

    def is_here(self, run_id: str) -> bool:
        """Returns whether this repository has the run, not in the trash."""
        return tip_of(self._git, run_id) is not None

    def is_shallow(self) -> bool:
        """Returns whether this clone lacks the older part of its history."""
        return (self._git.common_dir / "shallow").exists()

    def export(self, runs: Mapping[str, str], file: Path, without: str | None = None) -> None:
        """Writes a bundle of the runs and their history, except what `without` has. Raises GitFailed."""
        with quarantine.open_quarantine(self._git, OUTBOX) as prefix:
            refs = refs_of_runs(self._git, runs)
            archived = {run_id: tip for run_id, tip in runs.items() if run_id not in refs}
            # git writes refs into a bundle, and archived runs have none
            ref_store(self._git).apply([RefEdit(prefix + run_id, tip, None, "export") for run_id, tip in archived.items()])
            # refs go over stdin, because a command line has a limited length
            names = [prefix + run_id if run_id in archived else run_ref(run_id) for run_id in runs]
            stdin = "".join(f"{name}\n" for name in names) + (f"^{without}\n" if without else "")
            target = file.with_name(f"{file.name}.gitrun") if archived else file
            result = self._git.attempt("bundle", "create", "--quiet", str(target), "--stdin", stdin=stdin.encode())
        if result.returncode:
            raise GitFailed(f"cannot export the runs: {failure_reason(result.stderr)}")
        if archived:
            rename_bundled_refs(target, file, prefix)

    def import_(self, file: Path, request: FetchRequest) -> Received:
        """Fetches runs from a bundle. Raises GitFailed, UsageError."""
        if not file.is_file():
            raise UsageError(f"no file '{file}'", "To write one: git run export RUNS FILE")
        # git could take a relative name without a slash for a remote of that name
        return self.fetch(str(file.absolute()), request)

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

    def is_remote(self, name: str) -> bool:
        """Returns whether a name is that of a remote, not of a run."""
        return remotes.is_remote(self._git, name)


def rename_bundled_refs(bundle: Path, file: Path, prefix: str) -> None:
    """Moves a bundle to `file`, and names the refs below `prefix` as runs in it. Raises GitFailed."""
    old, new = prefix.encode(), RUNS.encode()
    try:
        with bundle.open("rb") as source, file.open("wb") as target:
            # lines such as <id> refs/runs/<id>, an empty line, and a pack
            while (line := source.readline()) not in {b"\n", b""}:
                target.write(line.replace(b" " + old, b" " + new))
            target.write(line)
            shutil.copyfileobj(source, target)
    except OSError as error:
        raise GitFailed(f"cannot export the runs: {error.strerror or error}") from error
    finally:
        bundle.unlink(missing_ok=True)


def matches_any(run_id: str, patterns: Sequence[str]) -> bool:
    """Returns whether the id matches one of the patterns (`*`, `3fa2*`)."""
    return any(run_id.startswith(pattern[:-1]) for pattern in patterns)


def find_ids(there: Mapping[str, str], names: Sequence[str], remote: str) -> frozenset[str]:
    """Returns the ids that the prefixes name. Raises UnknownRun if one matches no run or several."""
    matches = set()
    for name in names:
        ids = [run_id for run_id in there if run_id.startswith(parse_id_prefix(name))]
        if not ids:
            raise UnknownRun(f"{remote} has no run '{name}'")
        if len(ids) > 1:
            raise AmbiguousRun(f"'{name}' matches {len(ids)} runs: {', '.join(map(short_id, ids[:8]))}", "Give more digits")
        matches.add(ids[0])
    return frozenset(matches)
