"""The hooks: trailers in commit messages, notes on commits, runs pushed with their commits, checks on a server."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from gitrun import sharing
from gitrun.dataclass import dataclass, replace
from gitrun.errors import BadRun, GitrunError
from gitrun.git.exe import with_quarantine
from gitrun.model.object_format import is_absent
from gitrun.model.run import ARCHIVE, COMPLETED, RUNS, short_id
from gitrun.model.text import count_text, safe_text
from gitrun.sharing import archive_rules, hook_files, remotes
from gitrun.sharing.transfer import Sharing
from gitrun.store import notes
from gitrun.store.commits import scratch_directory
from gitrun.store.index import Index, garbage_collector_off
from gitrun.store.refs import archived_tip
from gitrun.store.runs import local_reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.model.run import Run
    from gitrun.model.settings import Settings
    from gitrun.sharing.hook_files import Update
    from gitrun.sharing.validate import Inspector

MOST = 10
"""Runs that a message names at most."""


@dataclass(frozen=True, slots=True)
class HookResult:
    """The result of a hook: lines to print, and whether git must stop."""

    lines: tuple[str, ...] = ()
    blocks: bool = False


class HookCalls:
    """`project.hooks`: does what git's hooks ask for in one repository."""

    def __init__(self, repository: Git, settings: Settings) -> None:
        self._git, self._settings = repository, settings

    @property
    def files(self) -> hook_files.Hooks:
        """Returns the object that installs and removes the hook files."""
        return hook_files.Hooks(self._git)

    def prepare_commit_msg(self, index_file: Path | None, message: Path, *, is_edited: bool) -> bool:
        """Adds a `Run:` trailer for the best run of the tree of an index (None: the user's). Returns whether it wrote anything.

        A run of this tree that the message already names counts as the best. It replaces trailers of runs of other trees. If
        the tree has no run, they stay, because the user may have written them.
        """
        # without the state directory there are no runs
        tree = tree_of_index(self._git, index_file or self._git.git_dir / "index") if self._git.state.is_dir() else None
        if tree is None:
            return False
        with Index(self._git) as index:
            runs = index.made_of(tree)
        data = message.read_bytes()
        text, rest = hook_files.split_off_trailers(data)
        run = hook_files.best_run(runs)
        is_unwritten = hook_files.is_empty_message(text, comment_prefix(self._git))
        if run is None or (is_unwritten and not is_edited):
            return False
        run = hook_files.run_of_trailer(self._git.run("interpret-trailers", "--parse", "--no-divider", stdin=data), runs) or run
        if data.count(b"\nRun: ") == 1 and f"\nRun: {run.id}\n".encode() in data:
            return False  # keep the position that the user gave the trailer
        text += b"" if rest or text.endswith(b"\n") else b"\n"  # `git merge -m` omits the final newline
        rewritten = add_trailer(self._git, text, f"Run: {run.id}")
        # an empty first line for the user's subject, as git leaves it above a Signed-off-by
        fresh = message.with_name(f"{message.name}.gitrun")
        fresh.write_bytes((b"\n" if is_unwritten else b"") + rewritten + rest)
        fresh.replace(message)
        return True

    def commit_msg(self, message: Path) -> bool:
        """Empties a message that holds only what prepare-commit-msg added. Returns whether it did.

        git refuses an empty message, so the commit is aborted as it would be without hooks.
        """
        data = message.read_bytes()
        text, rest = hook_files.split_off_trailers(data)
        # these modes keep comment lines, so for git a message of comments is not empty
        keeps_all = self._git.config.get("commit.cleanup", ("",))[-1] in {"whitespace", "verbatim"}
        if keeps_all or text + rest == data or not hook_files.is_empty_message(text, comment_prefix(self._git)):
            return False
        message.write_bytes(b"")
        return True

    def post_commit(self) -> bool:
        """Writes a note for the new commit, if notes are enabled and it has runs. Returns whether it did."""
        result = self._git.attempt("rev-parse", "HEAD", "HEAD^{tree}")
        names = result.stdout.decode().split()
        return len(names) == 2 and notes.add_note_of_commit(self._git, *names)

    def pre_push(self, remote: str, updates: Sequence[Update]) -> HookResult:
        """Pushes the runs of the pushed commits, or only checks that they are there, as `gitrun.prePush` says."""
        if self._settings.pre_push == "off":
            return HookResult()
        # the user, or gitrun itself, is pushing runs: nothing more to push
        if ours := [update.ref.removeprefix(RUNS) for update in updates if update.is_ours and not update.is_deletion]:
            held_back = Sharing(self._git, self._settings).held_back(ours)
            return HookResult(tuple(map(held_text, held_back.items())), blocks=bool(held_back))
        # only deletions of runs
        if any(update.is_ours for update in updates):
            return HookResult()
        commits = commits_pushed(self._git, remote, updates)
        if not commits:
            return HookResult()
        sharing = Sharing(self._git, self._settings)
        with Index(self._git) as index:
            runs_pushed = runs_of_commits(index, commits)
        runs = {run.id: run for run in sharing.made_here(runs_pushed) if run.status == COMPLETED}
        bare = list(warn_without_run(commits, updates, runs_pushed)) if self._settings.pre_push in {"check", "require"} else []
        if self._settings.pre_push == "check":
            return HookResult((*bare, *missing_on_remote(self._git, remote, runs)))
        wrong = list(push_runs(sharing, remote, runs, [update.new for update in updates if not update.is_deletion]))
        sent = [line for line, is_wrong in wrong if not is_wrong]
        failed = [line for line, is_wrong in wrong if is_wrong]
        blocks = self._settings.pre_push == "require" and bool(bare or failed)
        last = (
            ["error: the push is stopped, because gitrun.prePush is require. To push anyway: git push --no-verify"]
            if blocks
            else []
        )
        return HookResult((*sent, *failed, *bare, *last), blocks)

    def pre_receive(self, updates: Sequence[Update], environ: Mapping[str, str], *, may_delete: bool) -> list[str]:
        """Returns a safe line for each of gitrun's refs whose update must be refused; empty if all may be updated.

        A run may be created or extended: its new tip must descend from the old one. All checks of a fetch apply.
        `environ` is the environment of the hook, in which git names the directories of the pushed objects.
        """
        # one inspector for all updates: it checks objects that runs share once
        here, refused = with_quarantine(self._git, environ), list[str]()
        with garbage_collector_off(), local_reader(here) as reader:
            inspector = sharing.validate.Inspector(here, reader)
            for update in (one for one in updates if not one.is_talk):
                reason = hook_files.reason_to_refuse_name(update, may_delete=may_delete) if update.is_ours else ""
                if not reason and update.ref.startswith(ARCHIVE) and not update.is_deletion:
                    reason = archive_rules.reason_to_refuse_archive(inspector, reader, update, may_delete=may_delete)
                elif not reason and update.is_ours and not update.is_deletion:
                    reason = reason_to_refuse_move(self._git, inspector, update)
                if reason:
                    refused.append(f"refused {safe_text(update.ref)}: {safe_text(reason)}")
        return refused


def comment_prefix(git: Git) -> bytes:
    """Returns the prefix of git's own comment lines in a message."""
    # git 2.45 introduced core.commentString; core.commentChar is the older name
    prefix = git.config.get("core.commentstring") or git.config.get("core.commentchar", ("#",))
    # with auto, git picks a character that begins no line of the message, # first
    return b"#" if prefix[-1] == "auto" else prefix[-1].encode()


def add_trailer(git: Git, text: bytes, trailer: str) -> bytes:
    """Returns the message with the trailer at its end, above git's comments.

    A message that has the trailer, also with a shortened id, is returned unchanged.
    """
    # --no-divider: three dashes are text in a message, not the start of a patch
    words = ("--no-divider", "--where=end", "--if-exists=add", "--if-missing=add", f"--trailer={trailer}")
    trailers = git.run("interpret-trailers", "--parse", "--no-divider", stdin=text).splitlines()
    there = any(len(line) >= len(b"Run: 0000") and trailer.encode().startswith(line) for line in trailers)
    return text if there else git.run("interpret-trailers", *words, stdin=text)


def tree_of_index(git: Git, index_file: Path) -> str | None:
    """Returns the tree of an index without touching it; None if it cannot be written, for example during a conflict."""
    # a repository has no index before the first git add
    if not index_file.is_file():
        return None
    # the tree is only looked up, so it need not be synced to the disk
    quick = replace(git, config={**git.config, "gitrun.fsync": ("false",)})
    with scratch_directory(git) as directory:
        # write-tree updates the cache tree in the index, so it gets a copy
        own = directory / "index"
        shutil.copy2(index_file, own)
        result = quick.attempt("write-tree", index=own)
    return result.stdout.decode().strip() if result.returncode == 0 else None


def commits_pushed(git: Git, remote: str, updates: Sequence[Update]) -> dict[str, str]:
    """Returns the commits that the remote lacks, as far as known here, each with its tree."""
    new_commits = [update.new for update in updates if not update.is_deletion]
    old_commits = [update.old for update in updates if not is_absent(update.old)]
    lines = "".join(f"{name}^{{commit}}\n" for name in [*new_commits, *old_commits]).encode()
    # the remote's old tips may be missing here, and rev-list fails on missing names
    there = git.run("cat-file", "--batch-check=%(objectname)", stdin=lines).decode().splitlines()
    # a missing name is answered with: <name> missing
    heads = [line for line in there[: len(new_commits)] if " " not in line]
    if not heads:
        return {}
    limits = [f"^{line}" for line in there[len(new_commits) :] if " " not in line]
    # a push to a plain URL has no tracking refs that would limit the walk
    tracked = ("--not", f"--remotes={remote}") if remote in remotes.remote_names(git) else ()
    words = ("rev-list", "--no-commit-header", "--format=%H %T", "--ignore-missing", "--stdin", *tracked)
    listing = git.run(*words, stdin="".join(f"{line}\n" for line in [*heads, *limits]).encode()).decode()
    return dict(line.split(" ", 1) for line in listing.splitlines())


def runs_of_commits(index: Index, commits: Mapping[str, str]) -> list[Run]:
    """Returns the runs made from exactly these commits' trees, or based on these commits."""
    # one pass over all runs is cheaper than two queries a commit
    if len(commits) > index.count():
        trees = set(commits.values())
        return [run for run in index.readable_runs() if run.attempt.source in trees or run.attempt.base in commits]
    runs = (run for commit, tree in commits.items() for run in (*index.made_of(tree), *index.made_from(commit, tree)))
    return list({run.id: run for run in runs}.values())


def warn_without_run(commits: Mapping[str, str], updates: Sequence[Update], runs: Sequence[Run]) -> Iterator[str]:
    """Yields a line for each branch whose new tip has no completed run of exactly its tree."""
    sources = {run.attempt.source for run in runs if run.status == COMPLETED}
    for update in updates:
        if update.ref.startswith("refs/heads/") and update.new in commits and commits[update.new] not in sources:
            branch = safe_text(update.ref.removeprefix("refs/heads/"))
            yield f"warning: no completed run here was made from exactly the commit of {branch} ({short_id(update.new)})"


def missing_on_remote(git: Git, remote: str, runs: Mapping[str, Run]) -> Iterator[str]:
    """Yields a line that names the runs whose state here is missing from the remote."""
    there = remotes.list_tips(git, remote, list(runs)) if runs else {}
    missing = [run_id for run_id in runs if there.get(run_id) != runs[run_id].tip]
    if missing:
        some = " ".join(map(short_id, missing[:MOST])) + (" ..." if len(missing) > MOST else "")
        are = "is" if len(missing) == 1 else "are"
        fact = f"warning: {count_text(len(missing), 'run')} of these commits {are} not on {remote}"
        yield f"{fact}. To push: git run push {remote} {some}"


def push_runs(sharing: Sharing, remote: str, runs: Mapping[str, Run], pushed: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Pushes the runs. Yields a line for each result, with true if it is a failure.

    Searches for secrets in everything that the remote lacks, except the commits that the user pushes (`pushed`).
    """
    held_back = sharing.held_back(runs)
    yield from ((held_text(one), True) for one in held_back.items())
    tips = {run.id: run.tip for run in runs.values() if run.id not in held_back}
    try:
        there = {*sharing.published(remote, tips), *pushed} if tips else set()
        # one search for all runs; a search for each only after a hit
        if tips and sharing.secrets(tips, there):
            for run_id, tip in list(tips.items()):
                if secrets := sharing.secrets({run_id: tip}, there):
                    reason = f"{secrets[0].path} may hold secrets ({secrets[0].reason})"
                    yield f"warning: run {short_id(run_id)} is not pushed: {reason}", True
                    del tips[run_id]
        push_result = sharing.push(remote, tips) if tips else None
    except GitrunError as error:
        # yielded, not raised: only gitrun.prePush=require lets a failure stop the user's push
        yield f"warning: the runs of these commits are not pushed: {error.message}", True
        return
    if push_result:
        for run_id, reason in push_result.rejected:
            yield f"warning: run {short_id(run_id)} is not pushed: {reason}", True
        if count := len(push_result.fresh) + len(push_result.forward):
            yield f"pushed {count_text(count, 'run')} of these commits to {remote}", False


def held_text(entry: tuple[str, str]) -> str:
    """Returns a message that a run (id, path of a submodule) was not pushed, and how to push it."""
    run_id, path = entry
    fact = f"warning: run {short_id(run_id)} is not pushed: it contains files of submodule {safe_text(path)}"
    return f"{fact}. To push it: git run push --with-submodules {short_id(run_id)}"


def reason_to_refuse_move(git: Git, inspector: Inspector, update: Update) -> str:
    """Returns why a run's ref may not move as asked; empty if it may."""
    try:
        chain = inspector.chain(update.ref.removeprefix(RUNS), update.new)
    except BadRun as error:
        return error.message
    # an archived run has no ref here
    before = archived_tip(git, chain.run_id) if is_absent(update.old) else update.old
    # git itself refuses this only with receive.denyNonFastForwards, which is off by default
    if before is not None and before not in chain.commits:
        return "it has new commits here. To merge them: git run pull, then push again"
    return ""
