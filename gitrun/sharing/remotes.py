"""Fetches and pushes runs through git: many refs at once, never forced, nothing pruned."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from gitrun.dataclass import dataclass, replace
from gitrun.errors import GitFailed, RemoteFailed, TooLarge, UsageError
from gitrun.git.objects import sync_tables
from gitrun.model.diagnostics import PROBE_REF
from gitrun.model.run import ARCHIVE, ID_DIGITS, OUTBOX, RUNS, is_id, run_ref, short_id
from gitrun.model.text import hide_passwords
from gitrun.sharing.quarantine import open_quarantine, remove_stale_quarantines
from gitrun.store.archive_tips import archived_tips_of
from gitrun.store.archives import PUBLIC, own_writers
from gitrun.store.refs import RefEdit, archive_heads, missing_objects, read_ref, ref_store, refs_of_runs, tips, tips_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from gitrun.git.exe import Git, RemoteAnswer

# https://host/a.git, ./a.bundle, me@host:a.git or host:a.git, but not 2:5, which is a range of runs
URL = re.compile(r"[a-z][a-z0-9+.-]*://|(?:/|\./|\.\./)|[\w.-]+@[\w.-]+:|\w[\w.-]*:(?!\d*$)", re.IGNORECASE)
# --dry-run fetches the objects, but writes neither refs nor FETCH_HEAD
FETCH = (
    "--dry-run", "--quiet", "--no-tags", "--no-prune", "--refmap=", "--no-recurse-submodules", "--no-auto-gc", "--no-filter",
)  # fmt: skip
FETCH_TO_REFS = (*FETCH[1:], "--no-write-fetch-head", "--no-write-commit-graph")
FEW = 50
"""Runs up to which each gets a refspec of its own. Git's time grows with the square of their number."""
IMPOSSIBLE = re.compile(r"transaction|atomic|lock|conflict", re.IGNORECASE)
"""Replies of gits that could not create conflicting refs, after no rule has refused them."""
OTHER_FORMAT = re.compile(r"mismatched algorithms|does not support this repository's hash algorithm")
"""Git's words about a repository with ids of the other object format."""
HOOK = "pre-receive hook declined"
"""Git's reply about a ref that a pre-receive hook declined."""
MOST = 10
"""Lines of the other side that are passed on."""
GIVEN_UP = 3
"""Consecutive single runs that were too large, after which rounds are no longer halved."""
TOO_LARGE = "the server takes no request of that size (HTTP 413); nginx: client_max_body_size"
OF_GIT = re.compile(r"error: (?:hook declined to update|cannot lock ref|denying|refusing|failed to|unable to|unpack) ?")
GONE_ON = "it has new commits there"
BUSY = "its ref is locked there. Try again"
MOVED = "another client changed it there at the same time. Try again"
RACES = frozenset({GONE_ON, BUSY, MOVED})
"""Reasons that a remote refuses a run for if another client was first."""
REASONS = {
    "fetch first": GONE_ON, "non-fast-forward": GONE_ON, "stale info": "it has changed there since it was fetched",
    "deletion prohibited": "the server does not allow deletion of refs (receive.denyDeletes)",
    "deny updating a hidden ref": "the server hides refs/runs (transfer.hideRefs)",
    "pre-receive hook declined": "the server's pre-receive hook declined it",
    "hook declined": "the server's update hook declined it",
    "failed to update ref": BUSY, "cannot lock ref": BUSY, "failed to lock": BUSY,
    # git 2.50 and newer
    "incorrect old value provided": MOVED, "reference already exists": MOVED, "reference does not exist": MOVED,
    "atomic push failed": "another run of this push was refused",
    "shallow update not allowed": "the server accepts nothing from a shallow clone. To get all: git fetch --unshallow",
    "unpacker error": "the server cannot store it",
    "missing necessary objects": "some of its objects are missing here. To check: git run doctor",
    "remote ref does not exist": "it does not exist there",
}  # fmt: skip
"""Git's reasons for refusing a ref, and their meaning for a run."""
NEGOTIATION = ("-c", "push.negotiate=true")
"""Git asks first what the remote has below the pushed runs, and need not look for that in an archive. Since git 2.32."""
# --no-follow-tags: push.followTags would publish the user's tags with the runs
PUSH = ("--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no")


@dataclass(frozen=True, slots=True)
class Pushed:
    """The outcome of a push by run id: new there, moved forward, unchanged (a count), rejected with reasons."""

    fresh: tuple[str, ...] = ()
    forward: tuple[str, ...] = ()
    same: int = 0
    rejected: tuple[tuple[str, str], ...] = ()
    messages: tuple[str, ...] = ()
    """Lines from hooks of the other side that the user has not seen."""


def remote_names(git: Git) -> list[str]:
    """Returns the names of the configured remotes."""
    # remote.<name>.url, where the name may contain dots
    matches = (re.fullmatch(r"remote\.(.+)\.url", name, re.DOTALL) for name in git.config)
    return list(dict.fromkeys(match[1] for match in matches if match))


def is_remote(git: Git, name: str) -> bool:
    """Returns whether a name is a remote: a configured name, a URL, `host:path`, or a path with `/`, `./` or `../` first."""
    return name in remote_names(git) or (URL.match(name) is not None and not name.startswith("-"))


def default_remote(git: Git, *, push: bool = False) -> str:
    """Returns the remote that git would use on this branch. Raises UsageError if there is none."""
    branch = git.attempt("symbolic-ref", "--quiet", "--short", "HEAD").stdout.decode(errors="surrogateescape").strip()
    names = [f"branch.{branch}.pushremote", "remote.pushdefault"] if push else []
    remotes = remote_names(git)
    for name in (*names, f"branch.{branch}.remote"):
        # git records "." as the remote of a branch that follows a local one
        if name in git.config and git.config[name][-1] != ".":
            return git.config[name][-1]
    if len(remotes) == 1:
        return remotes[0]
    if "origin" in remotes:
        return "origin"
    raise UsageError(
        "no remote given",
        f"Remotes: {', '.join(remotes)}" if remotes else "To add one: git remote add origin URL",
    )


@dataclass(frozen=True, slots=True)
class RemoteRuns:
    """The contents of a remote: the tips of its runs by id, and the heads of its archives by writer."""

    tips: Mapping[str, str]
    archives: Mapping[str, str]


def list_remote(git: Git, remote: str, patterns: Sequence[str]) -> RemoteRuns:
    """Returns the remote's runs whose ids match the patterns (`*`, `3fa2*`), and all its archives. Raises GitFailed."""
    words = (*(RUNS + pattern for pattern in patterns), f"{ARCHIVE}*")
    answer = git.run_remote("ls-remote", "--quiet", "--refs", "--", remote, *words, progress=False)
    if answer.status:
        raise GitFailed(*failure_text(answer, f"cannot fetch from {remote}"))
    lines = [line.split("\t") for line in answer.data.decode(errors="surrogateescape").splitlines()]
    # ls-remote also matches a pattern at the end of longer names, such as refs/heads/refs/runs/1
    under = {
        prefix: {line[1].removeprefix(prefix): line[0] for line in lines if line[-1].startswith(prefix)}
        for prefix in (RUNS, ARCHIVE)
    }
    there = RemoteRuns(under[RUNS], under[ARCHIVE])
    heads = (*there.tips.values(), *there.archives.values())
    if any(len(tip) != git.object_format.digits for tip in heads):  # of a bundle, git reads ids of any length
        raise GitFailed(*other_format(f"cannot fetch from {remote}"))
    return there


def fetch_tips(git: Git, remote: str, patterns: Sequence[str], prefix: str, *, progress: bool) -> RemoteRuns:
    """Fetches the remote's runs whose ids match the patterns (`*`, `3fa2*`). Returns all of them, and all archives there.

    Archives are fetched too, unless each of the patterns matches a run. New commits are kept by one ref below `prefix`: ten
    thousand refs, removed right after, would cost more than all the rest. Raises GitFailed.
    """
    there = list_remote(git, remote, patterns)
    local_tips, heads = tips_of(git, there.tips), archive_heads(git)
    fresh = [run_id for run_id, tip in there.tips.items() if local_tips.get(run_id) != tip]
    is_complete = all(pattern != "*" and any(fnmatchcase(run_id, pattern) for run_id in there.tips) for pattern in patterns)
    archives = {} if is_complete else {writer: head for writer, head in there.archives.items() if heads.get(writer) != head}
    if fresh or archives:
        specs = [f"{RUNS}{name}:{prefix}{name}" for name in (fresh if len(fresh) <= FEW else patterns)]
        specs += [f"{ARCHIVE}{writer}:{prefix}archive/{writer}" for writer in archives]
        # an archive that has moved is to be found by its head
        known = () if archives or len(fresh) > FEW else name_archived_runs(git, fresh, prefix)
        words = ("fetch", *FETCH, *known, *(("--progress",) if progress else ()), "--", remote, *specs)
        fetched = git.run_remote(*words, progress=progress)
        if fetched.status:
            raise GitFailed(*failure_text(fetched, f"cannot fetch from {remote}"))
        pin_commits(git, [*(there.tips[run_id] for run_id in fresh), *archives.values()], prefix)
    return replace(there, archives={} if is_complete else there.archives)


def fetch_named(git: Git, remote: str, run_ids: Sequence[str], prefix: str) -> dict[str, str] | None:
    """Fetches runs by their full ids into refs below `prefix`, in one conversation. Returns id -> tip.

    Returns None if that is not possible, for example because the remote lacks one of them.
    """
    specs = [f"{RUNS}{run_id}:{prefix}{run_id}" for run_id in run_ids]
    known = name_archived_runs(git, run_ids, prefix)
    words = ("-c", "core.logAllRefUpdates=false", "fetch", *FETCH_TO_REFS, *known, "--", remote, *specs)
    if git.run_remote(*words, progress=False).status:
        return None
    sync_tables(git, git.common_dir / "reftable")
    remote_tips = {run_id: tip for run_id in run_ids if (tip := read_ref(git, prefix + run_id))}
    return remote_tips if len(remote_tips) == len(run_ids) else None


def name_archived_runs(git: Git, run_ids: Collection[str], prefix: str) -> tuple[str, ...]:
    """Gives refs below `prefix` to those of the runs that are archived. Returns options for git fetch, to tell the remote.

    Without either, git looks on both sides for the archived state of a run in all that its archive has, newest run first.
    """
    heads = archive_heads(git)
    archived = archived_tips_of(git, heads, run_ids) if heads else {}
    passed_over = {*refs_of_runs(git, archived), *missing_objects(git, archived.values())}
    tips = {run_id: tip for run_id, tip in archived.items() if passed_over.isdisjoint((run_id, tip))}
    if not tips:
        return ()
    ref_store(git).apply([RefEdit(f"{prefix}known/{run_id}", tip, None, "fetch") for run_id, tip in tips.items()])
    # the remote learns of no other commits, so tips of branches are named too: runs are based on them
    words = ("for-each-ref", f"--count={FEW}", "--sort=-committerdate", "--format=%(objectname)", "refs/heads", "refs/remotes")
    return tuple(f"--negotiation-tip={tip}" for tip in (*tips.values(), *git.run(*words).decode().split()))


def list_tips(git: Git, remote: str, run_ids: Sequence[str]) -> dict[str, str]:
    """Returns those of the runs that every push URL of the remote has, as id -> tip. Raises GitFailed."""
    patterns = [run_ref(run_id) for run_id in run_ids] if len(run_ids) <= FEW else [f"{RUNS}*"]
    tips_found = []
    for target in push_targets(git, remote):
        answer = git.run_remote("ls-remote", "--quiet", "--refs", "--", target, *patterns, progress=False)
        if answer.status:
            raise GitFailed(*failure_text(answer, f"cannot ask {target}"))
        lines = (line.split("\t") for line in answer.data.decode(errors="surrogateescape").splitlines())
        tips_found.append({(line[1].removeprefix(RUNS), line[0]) for line in lines if line[-1].startswith(RUNS)})
    # with several push URLs, only what all of them have counts
    return dict(set.intersection(*tips_found))


def published_refs(git: Git, remote: str) -> dict[str, str]:
    """Returns the refs that every push URL of the remote has: ref -> object. Raises GitFailed."""
    refs = []
    for target in push_targets(git, remote):
        answer = git.run_remote("ls-remote", "--quiet", "--", target, progress=False)
        if answer.status:
            raise GitFailed(*failure_text(answer, f"cannot push to {remote}"))
        lines = (line.split("\t") for line in answer.data.decode(errors="surrogateescape").splitlines())
        refs.append({(line[-1], line[0]) for line in lines if is_id(line[0])})
    return dict(set.intersection(*refs))


def push_targets(git: Git, remote: str) -> list[str]:
    """Returns the targets of pushes: the remote's name, or its push URLs if they differ from the fetch URLs."""
    # ls-remote asks the fetch URL, even if pushes go elsewhere
    fetched, pushed = (git.attempt("remote", "get-url", *to, "--all", remote).stdout for to in ((), ("--push",)))
    return [remote] if fetched == pushed else pushed.decode(errors="surrogateescape").splitlines()


def pin_commits(git: Git, heads: Sequence[str], prefix: str) -> None:
    """Protects commits from gc with one ref, to a commit that has them all as parents. Other objects are ignored."""
    stdin = "".join(f"{head}\n" for head in dict.fromkeys(heads)).encode()
    lines = git.run("cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=stdin).decode().splitlines()
    # commit <id>, or <id> missing
    parents = [line.replace("commit ", "parent ") for line in lines if line.startswith("commit ")]
    if parents:
        who = "gitrun <gitrun@localhost> 0 +0000"
        text = "\n".join(
            [f"tree {git.object_format.empty_tree}", *parents, f"author {who}", f"committer {who}", "", "incoming runs", ""]
        )
        # writes the empty tree, which the commit below must find as an object
        git.run("mktree", stdin=b"")
        commit_id = git.run("hash-object", "-w", "-t", "commit", "--stdin", stdin=text.encode()).decode().strip()
        ref_store(git).apply([RefEdit(f"{prefix}all", commit_id, None, "fetch")])


def push_tips(git: Git, remote: str, runs: Mapping[str, str], *, progress: bool) -> Pushed:
    """Pushes the runs (id -> tip). Each moves forward there or is rejected. Raises GitFailed.

    If a server refuses the size (nginx: 1 MB by default), the round is halved and tried again.
    """
    if not runs:
        return Pushed()
    remove_stale_quarantines(git)
    there = tips(git) if len(runs) > FEW else None
    pushed, rounds, alone = Pushed(), [dict(runs)], 0
    while rounds:
        some = rounds.pop(0)
        try:
            pushed = add_outcomes(pushed, push_round(git, remote, some, progress=progress, is_all=some == there))
            alone = 0
        except TooLarge:
            half = len(some) // 2
            if half and alone < GIVEN_UP:
                pairs = list(some.items())
                rounds = [dict(pairs[:half]), dict(pairs[half:]), *rounds]
                continue
            alone += 1
            pushed = add_outcomes(pushed, Pushed(rejected=tuple((run_id, TOO_LARGE) for run_id in some)))
    return pushed


def push_round(git: Git, remote: str, runs: Mapping[str, str], *, progress: bool, is_all: bool) -> Pushed:
    """Pushes these runs at once. `is_all` means that they are all runs here. Raises GitFailed, TooLarge."""
    if len(runs) <= FEW:
        return push_refs(git, remote, [f"{tip}:{run_ref(run_id)}" for run_id, tip in runs.items()], runs, progress=progress)
    # all runs can be pushed from their own refs, by one pattern and without a temporary ref for each
    if is_all and all(is_id(run_id) and is_id(tip) for run_id, tip in runs.items()):
        return push_refs(git, remote, [f"{RUNS}*:{RUNS}*"], runs, progress=progress)
    # one pattern for the refs below a prefix: git's time grows with the square of the number of refspecs
    with open_quarantine(git, OUTBOX) as prefix:
        ref_store(git).apply([RefEdit(prefix + run_id, tip, None, "push") for run_id, tip in runs.items()])
        return push_refs(git, remote, [f"{prefix}*:{RUNS}*"], runs, progress=progress)


def has_archived_state(git: Git, runs: Mapping[str, str]) -> bool:
    """Returns whether one of the runs (id -> tip) goes on from a state that is in an archive."""
    heads = archive_heads(git)
    return bool(heads) and any(runs[run_id] != tip for run_id, tip in archived_tips_of(git, heads, runs).items())


def add_outcomes(one: Pushed, two: Pushed) -> Pushed:
    """Adds up the outcomes of two rounds."""
    messages = tuple(dict.fromkeys((*one.messages, *two.messages)))
    return Pushed(
        (*one.fresh, *two.fresh), (*one.forward, *two.forward), one.same + two.same, (*one.rejected, *two.rejected), messages
    )


def push_refs(git: Git, remote: str, specs: Sequence[str], runs: Mapping[str, str], *, progress: bool) -> Pushed:
    """Pushes the runs (id -> tip) by these refspecs. Raises GitFailed, TooLarge."""
    words = ("push", *PUSH, "--progress" if progress else "--no-progress", "--", remote, *specs)
    negotiation = NEGOTIATION if len(runs) <= FEW and has_archived_state(git, runs) else ()
    answer = git.run_remote(*mirror_off(git, remote), *negotiation, *words, progress=progress)
    # the remote may have objects that it is about to prune, and not all that they need
    if negotiation and answer.status and b"missing necessary objects" in answer.data:
        answer = git.run_remote(*mirror_off(git, remote), *words, progress=progress)
    lines = list(parse_porcelain(answer.data))
    # with several URLs, one may fail without any status line
    if answer.status and not any(flag == "!" for flag, _, _ in lines):
        failed = TooLarge if re.search(r"\bHTTP 413\b|error: 413\b", answer.reason) else GitFailed
        raise failed(*failure_text(answer, f"cannot push to {remote}"))
    reasons = refusals_of_hook(answer)
    refused = {run_id: reasons.get(run_id, reason) for flag, run_id, reason in lines if flag == "!"}
    # if another client pushes the same tip at the same time, ours is refused although the ref is right
    there = list_tips(git, remote, list(refused)) if refused else {}
    rejected = {run_id: explain_refusal(reason) for run_id, reason in refused.items() if there.get(run_id) != runs[run_id]}
    # with several push URLs git reports a run once for each
    fresh = dict.fromkeys(run_id for flag, run_id, _ in lines if flag == "*" and run_id not in rejected)
    forward = dict.fromkeys(run_id for flag, run_id, _ in lines if flag == " " and run_id not in {*fresh, *rejected})
    same = len(runs) - len(fresh) - len(forward) - len(rejected)
    return Pushed(tuple(fresh), tuple(forward), same, tuple(rejected.items()), said_by_hooks(answer) if rejected else ())


def delete_on_remote(git: Git, remote: str, runs: Mapping[str, str]) -> Pushed:
    """Deletes the runs (id -> expected tip) on the remote. Raises GitFailed."""
    # without a lease git deletes the ref wherever it points
    leases = [f"--force-with-lease={run_ref(run_id)}:{tip}" for run_id, tip in runs.items()]
    specs = [f":{run_ref(run_id)}" for run_id in runs]
    words = (*mirror_off(git, remote), "push", *PUSH, *leases)
    answer = git.run_remote(*words, "--", remote, *specs, progress=False)
    # our server hook requires this option; other servers may not support options, so it is sent second
    if refusals_of_hook(answer):
        again = git.run_remote(*words, "--push-option=gitrun.delete", "--", remote, *specs, progress=False)
        answer = again if again.data else answer
    lines = list(parse_porcelain(answer.data))
    if answer.status and not lines:
        raise GitFailed(*failure_text(answer, f"cannot delete on {remote}"))
    reasons = refusals_of_hook(answer)
    rejected = {run_id: explain_refusal(reasons.get(run_id, reason)) for flag, run_id, reason in lines if flag == "!"}
    # git says the same of a ref that is not there
    stale = [run_id for run_id, reason in rejected.items() if reason == REASONS["stale info"]]
    rejected |= reasons_without_ref(git, remote, stale) if stale else {}
    deleted = tuple(run_id for flag, run_id, _ in lines if flag == "-")
    return Pushed(forward=deleted, rejected=tuple(rejected.items()), messages=said_by_hooks(answer))


def reasons_without_ref(git: Git, remote: str, run_ids: Sequence[str]) -> dict[str, str]:
    """Returns why those of the runs that have no refs on the remote cannot be deleted there: id -> reason. Raises GitFailed."""
    there, heads = list_remote(git, remote, run_ids), archive_heads(git)
    archived = archived_tips_of(git, heads, run_ids) if there.archives else {}
    own = own_writers(git).get(PUBLIC, "")
    mine = archived_tips_of(git, heads, run_ids, own) if own in there.archives else {}
    reasons: dict[str, str] = {}
    for run_id in run_ids:
        if run_id in there.tips:
            continue
        name = short_id(run_id)
        if run_id in mine:
            reasons[run_id] = (
                f"it is in an archive there. To delete it: git run rm {name}, git run purge {name}, then git run push"
            )
        elif run_id in archived:
            reasons[run_id] = "it is in an archive there, which only the repository that wrote it can change"
        else:
            reasons[run_id] = REASONS["remote ref does not exist"]
    return reasons


def why_refused(git: Git, remote: str) -> str:
    """Returns the reason why the remote would refuse runs; empty if it would accept them. Changes nothing there.

    Pushes `0` and `0/0` in one transaction, which cannot succeed: no repository can have both. All rules and hooks of the
    remote still judge it. The pushed object is the empty tree, which every git knows.
    """
    words = (*mirror_off(git, remote), "push", *PUSH)
    specs = [f"{git.object_format.empty_tree}:{ref}" for ref in (PROBE_REF, f"{PROBE_REF}/0")]
    answer = git.run_remote(*words, "--atomic", "--", remote, *specs, progress=False)
    reason = next((reason for _, _, reason in parse_porcelain(answer.data)), None)
    if reason is None:  # unreachable, read-only, or without atomic pushes
        answer = git.run_remote(*words, "--dry-run", "--", remote, specs[0], progress=False)
        return answer.reason if answer.status else ""
    is_our_hooks = any(line.startswith(f"gitrun: refused {PROBE_REF}:") for line in answer.messages) and HOOK in reason
    if IMPOSSIBLE.search(reason) or is_our_hooks:
        return ""
    return "; ".join([explain_refusal(reason), *said_by_hooks(answer)[:1]])


def said_by_hooks(answer: RemoteAnswer) -> tuple[str, ...]:
    """Returns lines from hooks of the other side that the user has not seen: at most MOST, without repetition.

    Leaves out our own hook's reasons, which are per run, and what git says about single refs.
    """
    refusal_lines = (
        line for line in answer.messages if not line.startswith(f"gitrun: refused {RUNS}") and not OF_GIT.match(line)
    )
    lines = list(dict.fromkeys(re.sub(rf"{RUNS}{ID_DIGITS}", f"{RUNS}…", line) for line in refusal_lines))
    more = [f"… {len(lines) - MOST:,} more lines"] if len(lines) > MOST else []
    return () if answer.is_seen else (*lines[:MOST], *more)


def explain_refusal(reason: str) -> str:
    """Explains why a ref was refused. Words of a server or hook that are not git's own stay as they are."""
    bare = reason.removeprefix("[remote rejected] ").removeprefix("[rejected] ").removeprefix("[remote failure] ").strip("()")
    return next((words for start, words in REASONS.items() if bare.startswith(start)), bare)


def refusals_of_hook(answer: RemoteAnswer) -> dict[str, str]:
    """Returns the reasons of gitrun's own pre-receive hook on the other side, by run id."""
    # gitrun: refused refs/runs/<id>: <reason>
    matches = (re.match(rf"gitrun: refused {RUNS}({ID_DIGITS}): (.*)", line) for line in answer.messages)
    return {match[1]: match[2] for match in matches if match}


def mirror_off(git: Git, remote: str) -> tuple[str, ...]:
    """Returns the options that let git push refspecs to a mirror remote."""
    # with remote.<name>.mirror, git push refuses every refspec
    return ("-c", f"remote.{remote}.mirror=false") if f"remote.{remote}.mirror" in git.config else ()


def parse_porcelain(porcelain: bytes) -> Iterator[tuple[str, str, str]]:
    """Yields flag, run and summary for each run's ref in the output of `git push --porcelain`."""
    for line in porcelain.decode(errors="replace").splitlines():
        # * <TAB> <local ref>:<remote ref> <TAB> [new reference]; other lines are "To <url>" and "Done"
        fields = line.split("\t")
        if len(fields) == 3 and len(fields[0]) == 1 and f":{RUNS}" in fields[1]:
            yield fields[0], fields[1].rpartition(f":{RUNS}")[2], fields[2]


def failure_text(answer: RemoteAnswer, what: str) -> tuple[str, str]:
    """Returns message and hint for a git command that failed, without passwords of URLs."""
    messages = () if answer.is_seen else [line.removeprefix("error: ").rstrip(".") for line in answer.messages[:3]]
    words = hide_passwords("; ".join([f"{what}: {answer.reason}", *messages]))
    if OTHER_FORMAT.search(answer.reason):
        return other_format(what)
    # git calls a bundle complete that was written in a shallow clone, and misses a commit
    if "prerequisite" in answer.reason or "Could not read" in answer.reason:
        return words, "To go on: fetch the commits that these runs are based on"
    return words, "To list the remotes: git remote -v"


def other_format(what: str) -> tuple[str, str]:
    """Returns message and hint for an exchange between a repository of SHA-1 and one of SHA-256."""
    reason = "one repository has SHA-1 ids and the other SHA-256, and runs cannot move between them"
    return f"{what}: {reason}", "To see which: git rev-parse --show-object-format"


def push_lfs_objects(git: Git, remote: str, runs: Mapping[str, str]) -> None:
    """Pushes the LFS objects of the runs, if this repository has any. Raises GitFailed."""
    if not (git.common_dir / "lfs" / "objects").is_dir():
        return
    # git lfs takes refs as arguments, and a command line has a limited length
    for start in range(0, len(runs), 100):
        some = list(runs)[start : start + 100]
        refs = refs_of_runs(git, some)
        # an archived run has no ref
        names = [run_ref(run_id) if run_id in refs else runs[run_id] for run_id in some]
        answer = git.run_remote("lfs", "push", remote, *names, progress=False)
        if answer.status:
            raise RemoteFailed(
                f"git-lfs cannot push large files: {hide_passwords(answer.reason)}", "To see its configuration: git lfs env"
            )
