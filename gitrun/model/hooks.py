"""Hooks as texts and decisions: which files are ours, what a commit's message gets, what of a push is meant; no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitrun.model.refs import RUNS, is_id
from gitrun.model.status import COMPLETED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitrun.model.run import Run

CLIENT = ("prepare-commit-msg", "commit-msg", "post-commit", "pre-push")
SERVER = ("pre-receive",)
NAMES = (*CLIENT, *SERVER)
READERS = frozenset({"pre-push", "pre-receive"})
"""Hooks that are told by lines on stdin, which can be read once: two of them in one file leave each other nothing."""
BLOCKED = 9
"""The exit code with which `git run hook pre-push` ends the push: no failure of ours has it."""
CONFIGURED = (2, 54)
"""The version of git from which on hooks may be settings, any number of each kind."""
MANAGERS = {
    ".husky": "husky",
    "lefthook.yml": "lefthook", "lefthook.yaml": "lefthook", ".lefthook.yml": "lefthook", ".lefthook.yaml": "lefthook",
    "lefthook.toml": "lefthook", "lefthook.json": "lefthook",
    ".pre-commit-config.yaml": "pre-commit", ".pre-commit-config.yml": "pre-commit",
}  # fmt: skip
"""Programs that keep hooks, by what lies at the top of a working tree that uses them."""
MARK = re.compile(rb"^# git-run-tracker hook [a-z-]+ ([0-9a-f-]{12})$", re.MULTILINE)
TRAILER = re.compile(rb"^Run: [0-9a-f]{40}\r?\n?", re.MULTILINE)
SCISSORS = re.compile(rb"^[^ \n] -+ >8 -+$", re.MULTILINE)
SIGNED = b"Signed-off-by: "
OURS = re.compile(r"refs/(runs|gitrun)(?:/.*)?", re.IGNORECASE | re.DOTALL)
ABSENT = "0" * 40


@dataclass(frozen=True, slots=True)
class Update:
    """A ref that goes from one object to another, as git tells its hooks; 40 zeros stand for no ref."""

    ref: str
    old: str
    new: str

    @property
    def is_deletion(self) -> bool:
        """Whether the ref goes away."""
        return self.new == ABSENT

    @property
    def is_ours(self) -> bool:
        """Whether the ref lies where runs and our own state lie, or, on a file system without case, would."""
        return OURS.fullmatch(self.ref) is not None


def digest(data: bytes) -> bytes:
    """What the mark of a hook of ours with this content says of all its other lines."""
    import hashlib  # five milliseconds, which a commit need not wait

    return hashlib.sha256(MARK.sub(b"", data, count=1)).hexdigest()[:12].encode()


def is_ours(data: bytes) -> bool:
    """Whether a hook is ours, of this version or another, and as we wrote it."""
    found = MARK.search(data)
    return found is not None and found[1] == digest(data)


def version_from(said: str) -> tuple[int, int]:
    """The version in what `git version` says."""
    found = re.search(r"(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def guarded(name: str, arguments: str = '"$@"') -> str:
    """A line of shell that calls this hook where `git-run` is; a client's ends badly for nothing but a push held back."""
    goes_on = "" if name in SERVER else f" || [ $? -ne {BLOCKED} ]"
    return f"if command -v git-run >/dev/null; then git run hook {name} {arguments}{goes_on} || exit; fi"


def settings_of(name: str) -> dict[str, str]:
    """The settings that are our hook of this name for git 2.54 or newer (git-hook(1))."""
    return {f"hook.gitrun-{name}.event": name, f"hook.gitrun-{name}.command": f"f() {{ {guarded(name)}; }}; f"}


def snippet(manager: str, names: Sequence[str]) -> str:
    """What people who use a program that keeps hooks write into its file."""
    return "\n".join(filter(None, (HEADS[manager], *(BODIES[manager](name) for name in names))))


def husky(name: str) -> str:
    """A file of husky's."""
    return f"# .husky/{name}\n{guarded(name)}"


def lefthook(name: str) -> str:
    """An entry of lefthook's."""
    run, more = guarded(name, "{0}"), ""
    if name == "pre-push":
        # lefthook 2 leaves a command out if the pushed commits change no files against @{push}, unless it names files
        run, more = f"{run} # {{files}}", "\n      files: ls lefthook.* .lefthook.* 2>/dev/null || true\n      use_stdin: true"
    return f"{name}:\n  commands:\n    git-run:\n      run: '{run}'{more}"


def pre_commit(name: str) -> str:
    """A hook of pre-commit's."""
    takes = "" if name.endswith("commit-msg") else "\n        pass_filenames: false"
    shows = "\n        verbose: true" if name == "pre-push" else ""  # it hides what hooks say that let git go on
    return (
        f"      - id: git-run-{name}\n        name: git run {name}\n        entry: sh -c '{guarded(name)}' -\n"
        f"        language: system\n        stages: [{name}]\n        always_run: true{takes}{shows}"
    )


HEADS = {
    "husky": "",
    "lefthook": "# lefthook.yml, then: lefthook install",
    "pre-commit": "# .pre-commit-config.yaml, below `repos:`; then: pre-commit install -t STAGE, for each of the stages\n"
    "  - repo: local\n    hooks:",
}
BODIES = {"husky": husky, "lefthook": lefthook, "pre-commit": pre_commit}


def received(stdin: bytes) -> list[Update]:
    """The updates of which git tells pre-receive. Raises ValueError."""
    lines = (line.split(" ", 2) for line in stdin.decode(errors="surrogateescape").splitlines())
    return [Update(ref, require_id(old), require_id(new)) for old, new, ref in lines]


def pushed(stdin: bytes) -> list[Update]:
    """The updates of which git tells pre-push: refs as the other side names them. Raises ValueError."""
    lines = (line.rsplit(" ", 3) for line in stdin.decode(errors="surrogateescape").splitlines())
    return [Update(ref, require_id(old), require_id(new)) for _, new, ref, old in lines]


def require_id(word: str) -> str:
    """The word, which is a full object id. Raises ValueError."""
    if not is_id(word):
        raise ValueError(word)
    return word


def wrong_update(update: Update, *, may_delete: bool) -> str:
    """Why a ref of ours may not be updated so, as far as its name tells; empty if it may."""
    if update.is_deletion:
        return "" if may_delete else "deleting takes push option gitrun.delete, and here the setting gitrun.allowDelete"
    if not update.ref.startswith(RUNS):
        return "runs are pushed to refs/runs/<id>, and nothing beside them"
    return ""


def best(runs: Iterable[Run]) -> Run | None:
    """The run that stands for a tree: of the completed ones, which come newest first, the marked one, else the latest."""
    found = [run for run in runs if run.status == COMPLETED]
    return next((run for run in found if run.notes.marked), found[0] if found else None)


def without_runs(message: bytes) -> tuple[bytes, bytes]:
    """A commit's message without the trailers that we wrote into it, up to the line below which git cuts; and the rest."""
    cut = SCISSORS.search(message)
    end = cut.start() if cut else len(message)
    return TRAILER.sub(b"", message[:end]), message[end:]


def is_unwritten(message: bytes, comment: bytes = b"#") -> bool:
    """Whether there is nothing in a message (up to the cut) but comments and trailers of ours or of git's own."""
    lines = TRAILER.sub(b"", message).splitlines()
    return not any(line.strip() and not line.startswith((comment, SIGNED)) for line in lines)


def named_of(trailers: bytes, runs: Sequence[Run]) -> Run | None:
    """Which of the runs `Run:` among parsed trailers names, shortened or not."""
    values = [line.partition(b":")[2].strip().decode(errors="replace") for line in trailers.splitlines() if line[:4] == b"Run:"]
    return next((run for value in values if len(value) >= 4 for run in runs if run.id.startswith(value)), None)
