"""Checks the runs of a repository and gitrun's local state. Reads only; `doctor` repairs."""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from contextlib import closing, suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from gitrun.errors import BadRun, GitFailed, ObjectsGone
from gitrun.git.lock_state import is_held
from gitrun.git.objects import Objects, parse_tree_ids
from gitrun.model.diagnostics import Diagnostic
from gitrun.model.run import ARCHIVE, INCOMING, OUTBOX, RUNS, TRASH, BrokenRun, Run, is_id, short_id
from gitrun.model.text import count_text, safe_text, shell_word
from gitrun.store import trash
from gitrun.store.archive_tips import archive_faults
from gitrun.store.archives import read_archive_commit
from gitrun.store.commits import read_commit
from gitrun.store.foreign import ReceivedTimes
from gitrun.store.index import Index, garbage_collector_off
from gitrun.store.index_rows import VERSION, encode_row
from gitrun.store.live import is_live, is_still_supervised, recorded_runs
from gitrun.store.notes import NOTES, notes_exist, notes_wanted, read_note
from gitrun.store.refs import archive_heads, damaged_refs, ref_store, tips
from gitrun.store.runs import is_partial, local_reader, read_runs, reader_of_all
from gitrun.store.trust import TrustedIds
from gitrun.upkeep.rewritten import ORIGINAL, is_rewritten, runs_on_commits
from gitrun.upkeep.scope import AHEAD

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from gitrun.git.exe import Git
    from gitrun.git.objects import ObjectReader
    from gitrun.model.object_format import ObjectFormat
    from gitrun.upkeep.scope import Scope

WHOLE = 1 << 20
"""Bytes up to which a loose object is verified in full; of a larger one only the header is."""
# prefixes, since Linux has nfs4 and smb3 too
NETWORKED = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "afs", "ceph", "lustre", "glusterfs")
MANY = 10
"""Runs named in a finding about purged history; further ones are counted."""
NAMED = 3
"""Runs named in other findings; further ones are counted."""


def check_runs(git: Git, now: datetime, scope: Scope) -> tuple[list[Diagnostic], int]:
    """Checks the refs and records of the runs, and the index. Returns the findings and the number of readable runs."""
    diagnostics: list[Diagnostic] = []
    with garbage_collector_off(), reader_of_all(git) as reader:
        runs = read_runs(git, reader, scope.tips, frozenset())
        originals = runs_in_original(git, reader, {run.id for run in runs if isinstance(run, BrokenRun)})
        for run in runs:
            if isinstance(run, BrokenRun):
                diagnostics.append(
                    describe_rewritten(run, run.id in originals)
                    if is_rewritten(git, reader, run.id, run.tip)
                    else describe_broken(run)
                )
            elif run.attempt.created - now > AHEAD:
                when = f"{run.attempt.created:%Y-%m-%d %H:%M}"
                words = f"run {short_id(run.id)} has a date in the future, {when}: it stays first in lists until then"
                diagnostics.append(
                    Diagnostic("future", words, f"Check the clock. To delete the run: git run rm {short_id(run.id)}", run.id)
                )
            elif run.notes.unreadable:
                words = f"cannot read the annotations of run {short_id(run.id)}: {run.notes.unreadable}"
                earlier = f"git log runs/{short_id(run.id)} -- .gitrun/notes.toml"
                hint = f"To see earlier ones: {earlier}. To start new ones: git run label"
                diagnostics.append(Diagnostic("annotations", words, hint, run.id))
        diagnostics += check_index(git, scope, runs)
        diagnostics += check_purged_history(git, [run for run in runs if isinstance(run, Run)], scope.replaced)
    return diagnostics, sum(isinstance(run, Run) for run in runs)


def check_refs(git: Git) -> Iterator[Diagnostic]:
    """Yields runs whose ref file is empty or malformed. Git cannot fetch while there is one."""
    for run_id, path in sorted(damaged_refs(git).items()):
        tip = tip_in_index(git, run_id)
        where = f"it was at {short_id(tip)}" if tip else "its old position is unknown"
        words = f"the ref of run {short_id(run_id)} is damaged, perhaps by a power cut; {where}"
        hint = f"git update-ref {RUNS}{run_id} {tip}" if tip else f"rm {shell_word(path)}"
        yield Diagnostic("broken-ref", words, hint, run_id, "ref")


def check_archives(git: Git) -> Iterator[Diagnostic]:
    """Yields archives that cannot be read, or whose last commit no longer can."""
    heads = archive_heads(git)
    faults = head_faults(git, heads) | archive_faults(git, heads) if heads else {}
    for writer, fault in faults.items():
        words = f"archive {safe_text(writer)} cannot be read: {fault}"
        yield Diagnostic(
            "archive", words, f"To fetch it again: git run fetch. To look at it: git log {ARCHIVE}{writer}", writer
        )


def head_faults(git: Git, heads: Mapping[str, str]) -> dict[str, str]:
    """Reads the last commit of each archive (writer -> head commit). Returns the reason of each that cannot be read."""
    faults: dict[str, str] = {}
    for writer, head in sorted(heads.items()):
        try:
            with Objects(git) as objects:
                read_archive_commit(objects, head)
        except (BadRun, ObjectsGone) as error:
            faults[writer] = error.message
    return faults


def tip_in_index(git: Git, run_id: str) -> str:
    """Returns the tip that the index last saw for the run, if that commit exists; else empty."""
    path = git.state / "index.sqlite"
    # mode=ro, because a plain connection would create a missing file
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1.0)) as base:
        for (tip,) in base.execute("SELECT tip FROM runs WHERE id = ?", (run_id,)):
            return tip if is_id(tip) and git.attempt("cat-file", "-e", f"{tip}^{{commit}}").returncode == 0 else ""
    return ""


def runs_in_original(git: Git, reader: ObjectReader, broken: Collection[str]) -> frozenset[str]:
    """Returns those of the broken runs that are readable under `refs/original/`, where git filter-branch left them."""
    if not broken:
        return frozenset()
    originals = tips(git, ORIGINAL + RUNS)
    runs = read_runs(git, reader, {run_id: tip for run_id, tip in originals.items() if run_id in broken}, frozenset())
    return frozenset(run.id for run in runs if isinstance(run, Run))


def describe_rewritten(run: BrokenRun, is_saved: bool) -> Diagnostic:  # noqa: FBT001 - the only thing that is not of the run
    """Describes a run that was rewritten together with the history: its name no longer matches its content."""
    ref = RUNS + run.id
    words = f"run {short_id(run.id)} cannot be read: {run.reason}. It was rewritten with the history of this repository"
    hint = "git run doctor --fix"
    back = f". To restore the old run: git update-ref {ref} {ORIGINAL}{ref}" if is_saved else ""
    return Diagnostic("rewritten", words, hint + back, run.id, "rewritten")


def check_purged_history(git: Git, runs: Iterable[Run], replaced: frozenset[str]) -> Iterator[Diagnostic]:
    """Yields a finding if runs keep commits alive that were `replaced` on branches only."""
    alive = runs_on_commits(git, runs, replaced)
    if alive:
        names = " ".join(map(short_id, alive[:MANY])) + (f" and {len(alive) - MANY:,} more" if len(alive) > MANY else "")
        whose = f"because {count_text(len(alive), 'run')} use{'s' * (len(alive) == 1)} it: {names}"
        words = f"history that was rewritten on branches is still in this repository, {whose}"
        hint = "To rewrite runs too: git filter-repo without --refs. To delete them: git run rm, then git run purge"
        yield Diagnostic("purged-history", words, hint, alive[0])


def describe_broken(run: BrokenRun) -> Diagnostic:
    """Describes a ref among the runs that is not a run, or is not readable."""
    if is_id(run.id) and is_id(run.tip):
        hint = f"To fetch it: git fetch --refetch REMOTE refs/runs/{run.id}. To delete it: git run rm {short_id(run.id)}"
        return Diagnostic("unreadable", f"run {short_id(run.id)} cannot be read: {run.reason}", hint, run.id)
    ref = RUNS + run.id
    return Diagnostic("not-a-run", f"{ref} is not a run: {run.reason}", f"git update-ref --no-deref -d {shell_word(ref)}", ref)


def check_index(git: Git, scope: Scope, runs: Iterable[Run | BrokenRun]) -> Iterator[Diagnostic]:
    """Yields a finding if the index disagrees with the refs and the runs that were read.

    Refs that have moved since the scope was chosen are no fault of the index. An index that is absent, of another version,
    or being written is passed over: it is a cache.
    """
    path = git.state / "index.sqlite"
    if not os.path.exists(path):
        return
    hint = "The next command that reads runs makes a new one"
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1.0)) as base:
            # an index of another version is rebuilt by the next look at the runs
            if base.execute("PRAGMA user_version").fetchone() != (VERSION,):
                return
            # the whole file was checked when archived runs were passed over
            (sound,) = base.execute("PRAGMA integrity_check(1)").fetchone() if scope.rows is None else ("ok",)
            rows = {run_id: (tip, text) for run_id, tip, text in rows_in_index(base, scope.rows)}
            stamp = dict(base.execute("SELECT name, value FROM state").fetchall()).get("stamp")
    except sqlite3.OperationalError:  # another process is writing it
        return
    except sqlite3.DatabaseError as error:
        yield Diagnostic("index", f"cannot read the index: {error}", hint, str(path), "remove")
        return
    fresh = {run.id: (run.tip, encode_row(run)) for run in runs if isinstance(run, Run)}
    wrong = {run_id for run_id, row in rows.items() if scope.tips.get(run_id) == row[0] and fresh.get(run_id) != row}
    # only an index that claims to be up to date must have exactly these runs, each with its present tip
    if stamp and stamp == scope.token == ref_store(git).token():
        sound_rows = rows.keys() - damaged_refs(git).keys()
        wrong |= fresh.keys() ^ sound_rows
        wrong |= {run_id for run_id in fresh.keys() & sound_rows if rows[run_id][0] != fresh[run_id][0]}
    if wrong or sound != "ok":
        reason = f"of {name_some(sorted(wrong))}" if wrong else f": {sound}"
        yield Diagnostic("index", f"the index differs from the refs{' ' if wrong else ''}{reason}", hint, str(path), "remove")


def rows_in_index(base: sqlite3.Connection, runs: frozenset[str] | None) -> list[tuple[str, str, str]]:
    """Returns id, tip and record of the readable runs in an index; of these runs, if given."""
    query = "SELECT id, tip, record FROM runs WHERE broken IS NULL"
    if runs is None:
        return base.execute(query).fetchall()
    query = f"{query} AND id IN (SELECT value FROM json_each(?))"  # noqa: S608 - ours
    return base.execute(query, (json.dumps(sorted(runs)),)).fetchall()


def check_live(git: Git) -> Iterator[Diagnostic]:
    """Yields the live records whose supervisor is dead."""
    for run_id in recorded_runs(git.state):
        if not is_live(git.state, run_id) and not is_still_supervised(git.state, run_id):
            words = f"run {short_id(run_id)} was killed, and its outcome is not recorded yet"
            yield Diagnostic("dead-run", words, "To record it: git run list", run_id, "recover")


def check_temporary_refs(git: Git) -> Iterator[Diagnostic]:
    """Yields the private refs and tokens that killed fetches and pushes left behind."""
    # names of refs are bytes that need not be UTF-8
    names = git.run("for-each-ref", "--format=%(refname)", INCOMING, OUTBOX).decode(errors="surrogateescape").splitlines()
    tokens = {name.split("/")[3] for name in names}
    with suppress(OSError):
        tokens |= {entry.name for entry in (git.state / "tokens").iterdir()}
    for token in sorted(tokens):
        if not is_held(git.state / "tokens" / token):
            words = f"a killed fetch or push left its private refs ({token})"
            yield Diagnostic("private-refs", words, "The next git run fetch or push deletes them", token, "sweep")


def check_trash(git: Git, before: float | None) -> Iterator[Diagnostic]:
    """Yields leftovers of killed deletions, and runs deleted at or before `before` (seconds since 1970; None: never expire)."""
    there = trash.deleted_tips(git)
    doubled = sorted(tips(git, TRASH).keys() - there.keys())
    if doubled:
        words = f"a killed deletion also left {name_some(doubled)} in the trash"
        yield Diagnostic("trash", words, "The next git run rm or git run gc repairs it", repair="settle")
    old = [
        run_id
        for run_id, at in trash.deletion_times(git).items()
        if run_id in there and before is not None and int(at) <= before
    ]
    if old:
        yield Diagnostic(
            "expired", f"{name_some(old)} in the trash can be purged", "To purge: git run gc. To restore: git run restore"
        )


def check_notes(git: Git, scope: Scope, runs: int) -> Iterator[Diagnostic]:
    """Yields a finding if notes exist, but are unreadable or lack runs made here. `runs` is the number of readable runs."""
    if not notes_wanted(git) or not notes_exist(git):
        return
    trusted, received = TrustedIds(git), ReceivedTimes(git)
    # a run whose tip is its first attempt has no result yet
    begun = [run_id for run_id, tip in scope.tips.items() if tip != run_id]
    # nobody writes notes of runs that come from elsewhere, trusted or not
    own = [run_id for run_id in begun if run_id in trusted and received.get(run_id) is None]
    ended = {run_id for run_id in own if not is_live(git.state, run_id)}
    if scope.passed_over:  # the notes of these are far more than those of the others
        with suppress(ObjectsGone), Objects(git) as objects:
            ended = {run_id for run_id in ended if not read_note(objects, NOTES, run_id)}
        if not ended:
            return
    result = git.attempt("ls-tree", "-r", "--name-only", NOTES)
    # git spreads notes over directories: ab/cdef…, ab/cd/ef…
    noted = {line.replace("/", "") for line in result.stdout.decode(errors="replace").splitlines()}
    missing = list_unnoted(git, ended - noted, noted) if runs else []
    if result.returncode or missing:
        words = f"{NOTES} lacks {name_some(missing)}" if missing else f"{NOTES} cannot be read"
        yield Diagnostic("notes", words, "git run notes --rebuild", NOTES, "notes")


def list_unnoted(git: Git, run_ids: Collection[str], noted: Collection[str]) -> list[str]:
    """Returns those of the runs whose last attempt has a result and no note. A first attempt that was staged has neither."""
    if not run_ids:
        return []
    with Index(git) as index:
        last = {run_id: index.get(run_id) for run_id in run_ids}
    return sorted(
        run_id for run_id, run in last.items() if isinstance(run, Run) and run.attempt.result and run.attempt.id not in noted
    )


def check_file_system(git: Git) -> Iterator[Diagnostic]:
    """Yields a finding if the repository is on a network file system, where locks do not reach other machines."""
    form = file_system_type(os.path.realpath(git.common_dir))
    if form.startswith(NETWORKED):
        words = f"the repository is on {form}: gitrun cannot see runs that run on other machines"
        yield Diagnostic("network", words, "Give each machine a clone, and share runs with git run push and git run fetch")


def file_system_type(path: str) -> str:
    """Returns the type of the file system at `path` as Linux names it; empty if unknown."""
    mounted = ("", "")
    with suppress(OSError), open("/proc/self/mounts", errors="replace") as file:
        for line in file:
            # server:/home /home nfs4 rw,relatime,vers=4.2 0 0
            _, mount_point, form, *_ = line.split(" ")
            # the innermost mount counts
            if (path == mount_point or path.startswith(mount_point.rstrip("/") + "/")) and len(mount_point) >= len(mounted[0]):
                mounted = (mount_point, form)
    return mounted[1]


def check_objects(git: Git, scope: Scope) -> Iterator[Diagnostic]:
    """Yields loose objects that are empty or damaged, and missing objects that the runs need."""
    store = git.common_dir / "objects"
    form = git.object_format
    bad = {name: size for name, size in loose_objects(git) if not is_intact(store / name[:2] / name[2:], name, size, form)}
    needing = runs_needing(git, frozenset(bad))
    for name, size in bad.items():
        runs = needing.get(name, [])
        words = (
            f"object {short_id(name)} is {'damaged' if size else 'empty'}; {name_some(runs)} need{'s' * (len(runs) == 1)} it"
        )
        again = (
            f"To fetch it: git fetch --refetch REMOTE {RUNS}{runs[0]}. If you have the content: git hash-object -w FILE"
            if runs
            else ""
        )
        hint = again or "No run needs it"
        path = str(store / name[:2] / name[2:])
        yield Diagnostic("object", words if runs else words.partition(";")[0], hint, path, "set aside" if size else "remove")
    if bad:  # git fails at the first damaged object, so missing ones are looked for only without any
        return
    missing = missing_objects_of_runs(git, scope)
    needing = runs_needing(git, missing)
    for name in sorted(missing):
        runs = needing.get(name, [])
        words = f"object {short_id(name)} is missing, so {name_some(runs)} cannot be read completely"
        hint = f"git fetch --refetch REMOTE {RUNS}{next(iter(runs), '*')}"
        yield Diagnostic("missing", words, hint, name)


def missing_objects_of_runs(git: Git, scope: Scope) -> frozenset[str]:
    """Returns the objects of runs that are missing. The branch history that runs were made from is not checked."""
    globs = (f"--glob={RUNS}*", *((f"--glob={ARCHIVE}*",) if scope.rows is None else ()))
    if is_partial(git):  # git fetches them when they are read
        return frozenset()
    with suppress(GitFailed):  # an unreadable commit is reported with its run
        commits = git.run("rev-list", *globs, "--not", "--branches", "--tags", "--remotes")
        # ?<id> stands for a missing object
        lines = git.run("rev-list", "--objects", "--missing=print", "--no-walk", "--stdin", stdin=commits).splitlines()
        return frozenset(line[1:].decode() for line in lines if line.startswith(b"?"))
    return frozenset()


def loose_objects(git: Git) -> Iterator[tuple[str, int]]:
    """Yields the id and file size of every loose object."""
    for start in range(256):
        with suppress(OSError), os.scandir(git.common_dir / "objects" / f"{start:02x}") as entries:
            for entry in entries:
                # objects/ab/cdef… holds the object abcdef…
                name = f"{start:02x}{entry.name}"
                if is_id(name):
                    yield name, entry.stat(follow_symlinks=False).st_size


def is_intact(path: os.PathLike[str], name: str, size: int, object_format: ObjectFormat) -> bool:
    """Returns whether the file of a loose object is intact. Above WHOLE bytes only its header is checked."""
    if not size:
        return False
    try:
        with open(path, "rb") as file:
            data = file.read(WHOLE)
        # the unpacked file begins with its kind and size: `blob 12`, and a NUL
        unpacked = zlib.decompressobj().decompress(data, 64) if size > WHOLE else zlib.decompress(data)
    except OSError:  # unreadable for this user, or just packed by a gc
        return True
    except zlib.error:
        return False
    if size > WHOLE:
        return unpacked.startswith((b"blob ", b"tree ", b"commit ", b"tag "))
    return object_format.hash(unpacked).hexdigest() == name


def runs_needing(git: Git, bad: frozenset[str]) -> dict[str, list[str]]:
    """Maps each bad object to the ids of the runs that reach it, archived ones too."""
    needing: dict[str, list[str]] = {}
    if not bad:
        return needing
    sound = set[str]()
    with local_reader(git) as reader:
        for run_id, tip in tips(git).items():
            commits, front = set[str](), [tip] if is_id(tip) else []
            while front:
                name = front.pop()
                if name in commits or name in sound:
                    continue
                commits.add(name)
                one = reader.read(name, 1 << 26) if name not in bad else None
                commit = read_commit(one)
                if commit:
                    front += [commit.tree, *commit.parents]
                elif one and one.kind == "tree" and one.data is not None:
                    front += parse_tree_ids(one.data, git.object_format.size).values()
            for name in commits & bad:
                needing.setdefault(name, []).append(run_id)
            # objects below a run without bad ones are not walked again for the next run
            if not commits & bad:
                sound |= commits
    return needing


def name_some(run_ids: Iterable[str]) -> str:
    """Names the first few runs and counts the others, as text."""
    names = list(run_ids)
    rest = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"run{'s' * (len(names) != 1)} {', '.join(map(short_id, names[:NAMED]))}{rest}" if names else "no run"


def to_utc(now: float) -> datetime:
    """Converts seconds since 1970 to a time in UTC."""
    return datetime.fromtimestamp(now, timezone.utc)
