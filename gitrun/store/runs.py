"""Reads runs from a repository. Only this module knows how their commits are chained."""

from __future__ import annotations

from contextlib import contextmanager

from gitrun import git, model, store
from gitrun.dataclass import dataclass, replace
from gitrun.errors import BadRun
from gitrun.git.objects import Objects
from gitrun.model import decode, record_files
from gitrun.model.object_format import SHA1
from gitrun.model.run import BrokenRun, Notes, Run, is_id
from gitrun.store.commits import read_commit
from gitrun.store.live import is_live
from gitrun.store.outputs import Output
from gitrun.store.refs import tip_of
from gitrun.store.trust import trusted_ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from gitrun.git.exe import Git
    from gitrun.git.objects import Object, ObjectReader
    from gitrun.model.run import Attempt
    from gitrun.store.commits import Commit
    from gitrun.store.foreign import ForeignRuns


PARTS = (record_files.FLAGS, record_files.RUN, record_files.RESULT, record_files.NOTES)


@dataclass(frozen=True, slots=True)
class TipFiles:
    """The files of a run's tip by their names (PARTS); None for a missing one."""

    run_id: str
    tip: str
    parts: Mapping[str, Object | None]


@dataclass(frozen=True, slots=True)
class LastAttempt:
    """The last attempt behind a tip: its commit, its result if any, and the tree of the tip.

    `others` are further results on the attempt, newest first. With `is_merged`, more may be on another side of a merge.
    """

    attempt: Commit
    result: Commit | None
    top: str
    others: tuple[Commit, ...] = ()
    is_merged: bool = False

    @property
    def left(self) -> Commit:
        """Returns the commit with the files that the attempt left: its result, or the attempt itself."""
        return self.result or self.attempt


def read_runs(
    git: Git, objects: ObjectReader, names: Mapping[str, str], live: frozenset[str], customs: ForeignRuns | None = None
) -> list[Run | BrokenRun]:
    """Reads the runs (id -> tip), newest attempt first. Unreadable ones come last, each with its reason.

    `live` has the ids of running runs. Who reads very many runs in rounds gives the same `customs` each time.
    """
    wrong = {run_id: why for run_id, tip in names.items() if (why := reason_not_a_run(run_id, tip))}
    sound = {run_id: tip for run_id, tip in names.items() if run_id not in wrong}
    lasts = {tip: choose_result(git, objects, last, tip) for tip, last in last_attempts(objects, sound).items()}
    # one question for the files of all runs
    parts = objects.read_many([name for tip in sound.values() for name in object_names(lasts.get(tip), tip)])
    runs: list[Run] = []
    customs = customs or store.foreign.ForeignRuns(git, objects)
    broken = [BrokenRun(run_id, names[run_id], why) for run_id, why in wrong.items()]
    for position, (run_id, tip) in enumerate(sound.items()):
        contents = dict(zip(PARTS, parts[position * len(PARTS) : (position + 1) * len(PARTS)], strict=True))
        try:
            one = build_run(git, objects, TipFiles(run_id, tip, contents), lasts.get(tip), is_live=run_id in live)
            runs.append(customs.admit(one, lasts[tip].attempt))
        except BadRun as error:
            broken.append(BrokenRun(run_id, tip, error.message))
    runs = customs.date(runs)
    runs.sort(key=store.foreign.list_order, reverse=True)
    return [*runs, *broken]


def read_run(git: Git, run_id: str) -> Run | BrokenRun | None:
    """Reads one run by its full id; None if it is not here. Cheaper than the index while refs change."""
    tip = tip_of(git, run_id)
    if tip is None:
        return None
    with Objects(git) as objects:
        live = frozenset({run_id}) if is_live(git.state, run_id) else frozenset[str]()
        return next(iter(read_runs(git, objects, {run_id: tip}, live)))


def reason_not_a_run(run_id: str, tip: str) -> str:
    """Returns the reason why a ref cannot be a run by its name or target; empty if it may be one."""
    # git would take an id of the other object format for an abbreviation
    if not is_id(run_id) or (is_id(tip) and len(tip) != len(run_id)):
        return "its name is not an object id"
    return f"it is a symbolic ref to {tip.removeprefix('ref: ')}" if tip.startswith("ref: ") else ""


def require_first_attempt(objects: ObjectReader, run: Run, attempt: Commit) -> None:
    """Raises BadRun unless the run's id is that of its first attempt. `attempt` is its last one."""
    # a first attempt has no parent but its base commit
    if len(attempt.parents) > 1 if attempt.id == run.id else not leads_to_attempt(objects, attempt, run.id):
        raise BadRun("its name is not the id of its first attempt")


def leads_to_attempt(objects: ObjectReader, attempt: Commit, first: str) -> bool:
    """Returns whether the attempts before this one begin with the id `first`."""
    last: Commit | None = attempt
    for _ in range(model.validation_rules.MAX_COMMITS):
        if last is None or last.id == first or not last.parents:
            break
        # the last parent is the tip that a restart continues, after its base commit if it has one
        before = last.parents[-1]
        attempt_found = last_attempts(objects, {first: before}).get(before)
        last = attempt_found.attempt if attempt_found else None
    return last is not None and last.id == first


def object_names(last: LastAttempt | None, tip: str) -> tuple[str, ...]:
    """Returns git's names of PARTS, each in the commit that introduced it.

    A later commit could change a file, but people trusted the earlier one.
    """
    if last is None:
        return tuple(f"{tip}:{part}" for part in PARTS)
    begun, left = last.attempt.tree, last.left.tree
    return (
        f"{begun}:{record_files.FLAGS}",
        f"{begun}:{record_files.RUN}",
        f"{left}:{record_files.RESULT}",
        f"{last.top}:{record_files.NOTES}",
    )


def build_run(git: Git, objects: ObjectReader, files: TipFiles, last: LastAttempt | None, *, is_live: bool) -> Run:
    """Builds the run from the files of its tip. Raises BadRun."""
    run_id, parts = files.run_id, files.parts
    if last is None:
        raise BadRun("its ref leads to no attempt: an object is missing, or gitrun did not make it")
    contents = {
        name: file_content(part, name) for name, part in with_long_result(objects, parts).items() if name != record_files.NOTES
    }
    output = Output(str(git.common_dir), last.left.id)
    attempt = decode.read_attempt(attempt_origin(last, run_id), contents, live=is_live, times=output)
    if attempt.carried and attempt.id == run_id:
        raise BadRun("its first attempt carries files, but has no earlier attempt")
    run = Run(run_id, files.tip, attempt, parse_notes(parts[record_files.NOTES]))
    require_first_attempt(objects, run, last.attempt)
    return run


def with_long_result(objects: ObjectReader, parts: Mapping[str, Object | None]) -> Mapping[str, Object | None]:
    """Adds the content of a long result.toml, which is read only here: those of many runs would fill the memory."""
    result = parts[record_files.RESULT]
    if result is None or result.data is not None or result.kind != "blob":
        return parts
    return {**parts, record_files.RESULT: objects.read_many((result.id,), record_files.MAX_RESULT)[0]}


def parse_notes(part: Object | None) -> Notes:
    """Parses notes.toml. If it is unreadable, returns no annotations but the reason, so that the run stays usable."""
    try:
        return decode.read_notes(file_content(part, record_files.NOTES))
    except BadRun as error:
        return Notes(unreadable=error.message)


def file_content(part: Object | None, name: str) -> bytes | None:
    """Returns the bytes of a run's file; None if it is absent. Raises BadRun if it is too large or not a blob."""
    if part is None:
        return None
    if part.data is None or part.kind != "blob":
        raise BadRun(
            f"{name} is not a file of at most {record_files.MAX_RESULT >> 20 if name == record_files.RESULT else 2} MiB"
        )
    return part.data


def last_attempts(objects: ObjectReader, names: Mapping[str, str]) -> dict[str, LastAttempt]:
    """Finds the last attempt behind each tip (id -> tip). Returns those found, by tip.

    All runs go back one commit in each round, so that git is asked once a round.
    """
    attempts: dict[str, LastAttempt] = {}
    results: dict[str, list[Commit]] = {}
    merged: set[str] = set()
    tops: dict[str, str] = {}
    front = {tip: tip for tip in names.values()}
    for _ in range(model.validation_rules.MAX_COMMITS):
        if not front:
            break
        commits = objects.read_many(list(front.values()))
        behind: dict[str, str] = {}
        for tip, commit in zip(front, map(read_commit, commits), strict=True):
            if commit:
                tops.setdefault(tip, commit.tree)
            if commit and commit.kind == "attempt":
                ends = results.get(tip, [])
                attempts[tip] = LastAttempt(commit, ends[-1] if ends else None, tops[tip], tuple(ends[:-1]), tip in merged)
            elif commit and commit.parents:
                # the first parent of a merge is the tip of the later attempt
                behind[tip] = commit.parents[0]
                if commit.kind == "result":
                    results.setdefault(tip, []).append(commit)
                elif commit.kind == "merge":
                    merged.add(tip)
        front = behind
    return attempts


def choose_result(git: Git, objects: ObjectReader, last: LastAttempt, tip: str) -> LastAttempt:
    """Chooses the result of the last attempt. Of several, one made or trusted here wins, whatever the dates."""
    if not (last.others or last.is_merged):
        return last
    results = [*last.others, *([last.result] if last.result else [])]
    if last.is_merged:
        results += results_beside(objects, tip, last.attempt.id, {commit.id for commit in results})
    return replace(last, result=own_result(git, results) or last.result) if len(results) > 1 else last


def own_result(git: Git, results: Sequence[Commit]) -> Commit | None:
    """Returns the result that was made or is trusted here; None unless there are several and one of them is."""
    trusted = trusted_ids(git) if len(results) > 1 else frozenset()
    return next((commit for commit in results if commit.id in trusted), None)


def results_beside(objects: ObjectReader, tip: str, attempt_id: str, trusted: AbstractSet[str]) -> list[Commit]:
    """Returns further results of the attempt on all sides of merges behind the tip. `trusted` ids are left out."""
    commits: dict[str, Commit] = {}
    front = [tip]
    while front and len(commits) < model.validation_rules.MAX_COMMITS:
        names = [name for name in dict.fromkeys(front) if name not in commits]
        front = []
        for commit in filter(None, map(read_commit, objects.read_many(names))):
            commits[commit.id] = commit
            front += () if commit.kind == "attempt" else commit.parents
    return [
        one
        for one in commits.values()
        if one.kind == "result" and one.id not in trusted and attempt_below(one, commits) == attempt_id
    ]


def attempt_below(commit: Commit | None, commits: Mapping[str, Commit]) -> str:
    """Returns the id of the attempt below a commit of the run; empty if it is not among the known ones."""
    while commit and commit.kind != "attempt":
        commit = commits.get(commit.parents[0]) if commit.parents else None
    return commit.id if commit else ""


def read_attempts(git: Git, objects: Objects, run: Run) -> tuple[Attempt, ...]:
    """Returns all attempts of the run, oldest first, with both sides of merges."""
    return tuple(state.attempt for state in read_states(git, objects, run))


def read_states(git: Git, objects: Objects, run: Run) -> tuple[Run, ...]:
    """Returns the run as each attempt left it, oldest first. `tip` is the commit of that state."""
    if run.attempt.id == run.id:
        return (run,)
    commits = read_chain(objects, run)
    ends: dict[str, list[Commit]] = {}
    for commit in commits.values():
        if commit.kind == "result":
            ends.setdefault(attempt_below(commit, commits), []).append(commit)
    own = {attempt_id: own_result(git, results) or results[0] for attempt_id, results in ends.items()}
    begun = [commit for commit in reversed(commits.values()) if commit.kind == "attempt"]
    states = [state_after(git, objects, commit, own.get(commit.id), run) for commit in begun]
    if any(commit.kind == "merge" for commit in commits.values()):
        # the sides of a merge are ordered by time, but the last attempt of the tip stays last
        states.sort(key=lambda one: (one.attempt.id == run.attempt.id, one.attempt.created, one.attempt.id))
    return tuple(states)


def read_chain(objects: Objects, run: Run) -> dict[str, Commit]:
    """Returns the commits of the run by id, newest first; at merges the later attempt's side first."""
    chain: dict[str, Commit] = {}
    front = [run.tip]
    while front and len(chain) < model.validation_rules.MAX_COMMITS:
        name = front.pop()
        commit = read_commit(objects.read(name)) if name not in chain else None
        if commit:
            chain[name] = commit
            # a stack: the first parent, pushed last, is read first
            front += reversed(model.validation_rules.own_parents(name, commit.kind, commit.parents, run.id))
    return chain


def state_after(git: Git, objects: Objects, commit: Commit, result: Commit | None, run: Run) -> Run:
    """Returns the run as this attempt left it; `result` is its result, if any."""
    if commit.id == run.attempt.id:
        return run
    at = result or commit
    last = LastAttempt(commit, result, at.tree)
    parts = dict(zip(PARTS, objects.read_many(object_names(last, at.id)), strict=True))
    contents = {
        name: file_content(part, name) for name, part in with_long_result(objects, parts).items() if name != record_files.NOTES
    }
    attempt = decode.read_attempt(attempt_origin(last, run.id), contents, live=False, times=Output(str(git.common_dir), at.id))
    return replace(run, tip=at.id, attempt=attempt)


def attempt_origin(last: LastAttempt, run_id: str) -> decode.Origin:
    """Returns id, author, time, base and result of an attempt, from its commits."""
    commit = last.attempt
    before = model.validation_rules.own_parents(commit.id, commit.kind, commit.parents, run_id)
    # the parent that is no commit of the run is the user's
    base = next((parent for parent in commit.parents if parent not in before), None)
    return decode.Origin(commit.id, commit.author, commit.time, base, last.result.id if last.result else "")


def is_partial(git: Git) -> bool:
    """Returns whether this is a partial clone. Git fetches missing objects on demand; libgit2 1.9 does not."""
    # git 2.39 sets the extension no more, but older gits did
    promised = (values for name, values in git.config.items() if name.startswith("remote.") and name.endswith(".promisor"))
    return "extensions.partialclone" in git.config or any(values[-1] == "true" for values in promised)


@contextmanager
def local_reader(repository: Git) -> Iterator[ObjectReader]:
    """Opens a reader for very many objects that are here: libgit2, or git where libgit2 cannot read the repository."""
    if repository.object_format == SHA1:
        yield git.odb.Odb(repository)
        return
    # libgit2 1.9 reads SHA-256 only if it is built for that alone
    with git.objects.BulkObjects(repository) as objects:
        yield objects


@contextmanager
def reader_of_all(git: Git) -> Iterator[ObjectReader]:
    """Opens a reader for very many objects, which works in partial clones too."""
    if is_partial(git):
        with Objects(git) as objects:
            yield objects
        return
    with local_reader(git) as reader:
        yield reader
