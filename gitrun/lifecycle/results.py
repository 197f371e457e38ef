"""Collects what an attempt's program left, and tells the user what of it is unusual."""

from __future__ import annotations

import os

from gitrun.dataclass import replace
from gitrun.lazy import shlex
from gitrun.model.run import COMPLETED, short_id
from gitrun.model.text import safe_text, size_text
from gitrun.source.snapshot import name_first_paths
from gitrun.store.attempts import Collected
from gitrun.workspace import links, outputs
from gitrun.workspace.metrics import collect_metrics
from gitrun.workspace.slots import bind_content_git
from gitrun.workspace.worktree_records import write_worktree_record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitrun.model.plan import Outcome
    from gitrun.model.run import File
    from gitrun.store.attempts import AttemptHandle
    from gitrun.workspace.lending import Lending
    from gitrun.workspace.metrics import Meter
    from gitrun.workspace.session import Session
    from gitrun.workspace.workspace import Workspace

DOWNLOAD = 10 << 20
"""Size in bytes above which ignored files of a run may be a download that other runs could share."""
RESULTS = frozenset({
    "artifacts", "build", "checkpoint", "checkpoints", "ckpt", "dist", "lightning_logs", "log", "logs", "mlruns", "models",
    "out", "output", "outputs", "result", "results", "runs", "tb_logs", "wandb",
})  # fmt: skip
"""Usual names of result directories, which are never taken for downloads."""


def collect_results(
    session: Session, attempt: AttemptHandle, workspace: Workspace, ended: Outcome, meter: Meter | None = None
) -> Collected:
    """Stores what the program left in the repository or beside it. Returns the outcome with metrics and files.

    `meter` is the reader of metrics that was fed while the program ran. If the workspace is gone, the files of the previous
    attempt are handed on. Raises GitFailed, OSError.
    """
    if not workspace.tree.is_dir():
        ended = replace(ended, files=hand_on_files(attempt), reason=ended.reason or "its workspace was removed")
        return Collected(replace(ended, metrics=collect_metrics(attempt.live, ended, None, session.say, meter)), {})
    status, git, checkout = outputs.status_without_git(workspace), workspace.git, workspace.checkout
    if not workspace.is_working_tree:
        warn_of_commit(session, workspace, attempt.id)
    if not workspace.is_working_tree and (status is None or checkout):
        # the program may have removed the `.git` file of its worktree
        keeps_index = bool(status and checkout and checkout.is_at(git.git_dir / "index"))
        write_worktree_record(git, attempt.id, keeps_index=keeps_index)
    top = session.git.worktree
    bound = replace(workspace, git=bind_content_git(session.git, workspace.git))
    keep = outputs.Keep(attempt.kept, attempt.inherited)
    produced = outputs.collect_outputs(bound, keep, session.settings.max_produced, session.say, status)
    # in the working tree `../x` is already where the user wants it
    outside = () if workspace.is_working_tree else outputs.collect_beside(top, workspace.tree, attempt.kept)
    # what is behind a link is not in the workspace, so only times show a change
    through = links.list_written_through(top or workspace.tree, workspace.linked, ended.started.timestamp())
    outcome = replace(ended, files=(*outside, *produced.files), shared=tuple(map(os.fsdecode, through)))
    outcome = replace(outcome, metrics=collect_metrics(attempt.live, outcome, workspace.tree, session.say, meter))
    return Collected(outcome, produced.changes, produced.status, produced.lost)


def warn_of_commit(session: Session, workspace: Workspace, attempt_id: str) -> None:
    """Warns if the program left HEAD of its worktree at a commit that no ref has. git would delete it in time."""
    try:
        head = (workspace.git.git_dir / "HEAD").read_text("ascii", "replace").strip()
    except OSError:
        return
    if head == attempt_id or head.startswith("ref:"):
        return
    holder = session.git.attempt("for-each-ref", "--count=1", "--contains", head)
    if holder.returncode == 0 and not holder.stdout:
        commit = short_id(head)
        session.say(f"warning: the program made commit {commit} on no branch. To keep it: git branch NAME {commit}")


def hand_on_files(attempt: AttemptHandle) -> tuple[File, ...]:
    """Hands the files that the previous attempt kept outside git on to this attempt unchanged. Returns them."""
    return outputs.hand_on_kept(attempt.inherited, attempt.kept) if attempt.inherited else ()


def report_results(session: Session, workspace: Workspace, collected: Collected) -> None:
    """Tells the user what of the collected files is unusual or lost."""
    outcome = collected.outcome
    # links lead to the user's own files, which other runs may read
    if outcome.shared:
        names = name_first_paths(list(map(os.fsencode, outcome.shared)))
        session.say(f"warning: the program wrote into files that the run shares: {names}")
    if outcome.status == COMPLETED:
        unmade = outputs.outputs_without_files(workspace.outputs, outcome.files, workspace.tree)
        if unmade:
            session.say(
                f"warning: the program wrote no file for these outputs: {name_first_paths(list(map(os.fsencode, unmade)))}"
            )
    if not workspace.is_working_tree:
        advise_sharing(session, outcome)
    if collected.status is None:
        session.say("warning: the run's workspace was removed during the run: what the program wrote there is lost")
    if collected.lost:
        session.say(f"warning: not recorded, because it cannot be read: {name_first_paths(collected.lost)}")


def advise_sharing(session: Session, outcome: Outcome) -> None:
    """Suggests, once for each ignored directory, how runs can share a likely download or cache."""
    sizes: dict[str, int] = {}
    for file in outcome.files:
        top, slash, _ = file.path.partition("/")
        if slash and file.stored == "local" and top != "..":
            sizes[top] = sizes.get(top, 0) + file.size
    large = [top for top, size in sizes.items() if top.strip("._").lower() not in RESULTS and size >= DOWNLOAD]
    for top in advise_once(session, large):
        session.say(
            f"note: {safe_text(top)}/ holds {size_text(sizes[top])} that only this run has. "
            f"To share it between runs: git config --add gitrun.link {shlex.quote(top)}"
        )


def warn_of_linked_directories(session: Session, lending: Lending) -> None:
    """Warns, once for each ignored directory, that a walk over it does not go into the directories in it that are links."""
    hidden: dict[str, list[str]] = {}
    for entry in lending.entries:
        path = entry.path.rstrip("/")
        if entry.links and entry.path.endswith("/") and path.rpartition("/")[2].strip("._").lower() not in RESULTS:
            start = os.fsencode(entry.path)
            below = [one for one in lending.links if one.startswith(start) and one not in lending.environments]
            hidden[path] = [os.fsdecode(one) for one in below if os.path.isdir(lending.top + b"/" + one)]
    for path in advise_once(session, [path for path, names in hidden.items() if names], "links in "):
        names = hidden[path]
        who = (
            f"{safe_text(names[0])} is a link"
            if len(names) == 1
            else f"{len(names):,} directories in {safe_text(path)} are links"
        )
        session.say(
            f"warning: {who} to yours, which find, os.walk() and rglob() do not follow. "
            f"To link all of {safe_text(path)}: git config --add gitrun.link {shlex.quote(path)}"
        )


def advise_once(session: Session, subjects: Sequence[str], topic: str = "") -> list[str]:
    """Returns those of the subjects that no earlier message was about, and records them."""
    if not subjects:
        return []
    record = session.git.state / "advised"
    keys = {subject: topic + safe_text(subject) for subject in subjects}
    advised = record.read_text().splitlines() if record.exists() else []
    fresh = [subject for subject, key in keys.items() if key not in advised]
    with record.open("a") as lines:
        lines.writelines(f"{keys[subject]}\n" for subject in fresh)
    return fresh
