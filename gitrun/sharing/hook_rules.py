"""Git hooks as values: hook texts, ownership of hook files, trailers of messages, pushed refs. No I/O."""

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
"""Hooks that read stdin. Stdin can be read only once, so a file cannot hold two of them."""
BLOCKED = 9
"""Exit code with which `git run hook pre-push` stops the push; no other failure of gitrun has it."""
CONFIGURED = (2, 54)
"""The first git that takes hooks from its config, any number for each event."""
MANAGERS = {
    ".husky": "husky",
    "lefthook.yml": "lefthook", "lefthook.yaml": "lefthook", ".lefthook.yml": "lefthook", ".lefthook.yaml": "lefthook",
    "lefthook.toml": "lefthook", "lefthook.json": "lefthook",
    ".pre-commit-config.yaml": "pre-commit", ".pre-commit-config.yml": "pre-commit",
}  # fmt: skip
"""Programs that manage hooks, by the file at the top of a working tree that shows their use."""
MARK = re.compile(rb"^# git-run-tracker hook [a-z-]+ ([0-9a-f-]{12})$", re.MULTILINE)
TRAILER = re.compile(rb"^Run: [0-9a-f]{40}\r?\n?", re.MULTILINE)
SCISSORS = re.compile(rb"^[^ \n] -+ >8 -+$", re.MULTILINE)
SIGNED = b"Signed-off-by: "
OURS = re.compile(r"refs/(runs|gitrun)(?:/.*)?", re.IGNORECASE | re.DOTALL)
ABSENT = "0" * 40


@dataclass(frozen=True, slots=True)
class Update:
    """A ref update as git reports it to hooks: ref, old id, new id; 40 zeros stand for no object."""

    ref: str
    old: str
    new: str

    @property
    def is_deletion(self) -> bool:
        """Returns whether the update deletes the ref."""
        return self.new == ABSENT

    @property
    def is_ours(self) -> bool:
        """Returns whether the ref is below refs/runs or refs/gitrun, ignoring case as some file systems do."""
        return OURS.fullmatch(self.ref) is not None


def digest(data: bytes) -> bytes:
    """Returns the digest that a hook's mark must have: 12 hex digits over the file without the mark."""
    import hashlib  # takes 5 ms, which most commits need not wait for

    return hashlib.sha256(MARK.sub(b"", data, count=1)).hexdigest()[:12].encode()


def is_ours(data: bytes) -> bool:
    """Returns whether gitrun, of any version, wrote this hook and nobody changed it."""
    found = MARK.search(data)
    return found is not None and found[1] == digest(data)


def version_from(said: str) -> tuple[int, int]:
    """Parses (major, minor) from the output of `git version`; (0, 0) if there is no number."""
    found = re.search(r"(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def guarded(name: str, arguments: str = '"$@"') -> str:
    """Returns the line of shell that calls this hook if `git-run` is installed.

    A client hook fails only with BLOCKED: no other error of gitrun may stop git.
    """
    goes_on = "" if name in SERVER else f" || [ $? -ne {BLOCKED} ]"
    return f"if command -v git-run >/dev/null; then git run hook {name} {arguments}{goes_on} || exit; fi"


def settings_of(name: str) -> dict[str, str]:
    """Returns the config entries that install this hook in git 2.54 or newer (git-hook(1))."""
    return {f"hook.gitrun-{name}.event": name, f"hook.gitrun-{name}.command": f"f() {{ {guarded(name)}; }}; f"}


def snippet(manager: str, names: Sequence[str]) -> str:
    """Returns the text that users of a hook manager add to its file."""
    return "\n".join(filter(None, (HEADS[manager], *(BODIES[manager](name) for name in names))))


def husky(name: str) -> str:
    """Returns the file of husky for this hook."""
    return f"# .husky/{name}\n{guarded(name)}"


def lefthook(name: str) -> str:
    """Returns the entry of lefthook.yml for this hook."""
    run, more = guarded(name, "{0}"), ""
    if name == "pre-push":
        # lefthook 2 leaves a command out if the pushed commits change no files against @{push}, unless it names files
        run, more = f"{run} # {{files}}", "\n      files: ls lefthook.* .lefthook.* 2>/dev/null || true\n      use_stdin: true"
    return f"{name}:\n  commands:\n    git-run:\n      run: '{run}'{more}"


def pre_commit(name: str) -> str:
    """Returns the entry of .pre-commit-config.yaml for this hook."""
    takes = "" if name.endswith("commit-msg") else "\n        pass_filenames: false"
    shows = "\n        verbose: true" if name == "pre-push" else ""  # pre-commit hides the output of hooks that succeed
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
    """Parses the ref updates that git writes to pre-receive. Raises ValueError."""
    lines = (line.split(" ", 2) for line in stdin.decode(errors="surrogateescape").splitlines())
    return [Update(ref, require_id(old), require_id(new)) for old, new, ref in lines]


def pushed(stdin: bytes) -> list[Update]:
    """Parses the ref updates that git writes to pre-push; refs have their remote names. Raises ValueError."""
    lines = (line.rsplit(" ", 3) for line in stdin.decode(errors="surrogateescape").splitlines())
    return [Update(ref, require_id(old), require_id(new)) for _, new, ref, old in lines]


def require_id(word: str) -> str:
    """Returns the word if it is a full object id. Raises ValueError otherwise."""
    if not is_id(word):
        raise ValueError(word)
    return word


def wrong_update(update: Update, *, may_delete: bool) -> str:
    """Returns the reason to refuse an update of a run ref, judged by its name alone; empty if there is none."""
    if update.is_deletion:
        return "" if may_delete else "deleting takes push option gitrun.delete, and here the setting gitrun.allowDelete"
    if not update.ref.startswith(RUNS):
        return "runs are pushed to refs/runs/<id>, and nothing beside them"
    return ""


def best(runs: Iterable[Run]) -> Run | None:
    """Returns the run to name for a tree: the marked completed run, else the first (`runs` are newest first)."""
    found = [run for run in runs if run.status == COMPLETED]
    return next((run for run in found if run.notes.marked), found[0] if found else None)


def without_runs(message: bytes) -> tuple[bytes, bytes]:
    """Splits a commit message into the text without our trailers and the rest from git's scissors line on."""
    cut = SCISSORS.search(message)
    end = cut.start() if cut else len(message)
    return TRAILER.sub(b"", message[:end]), message[end:]


def is_unwritten(message: bytes, comment: bytes = b"#") -> bool:
    """Returns whether a message without its scissors part holds only comments, our trailers and Signed-off-by."""
    lines = TRAILER.sub(b"", message).splitlines()
    return not any(line.strip() and not line.startswith((comment, SIGNED)) for line in lines)


def named_of(trailers: bytes, runs: Sequence[Run]) -> Run | None:
    """Returns the run that a `Run:` trailer names by its id or the first 4 or more digits of it; None without one."""
    values = [line.partition(b":")[2].strip().decode(errors="replace") for line in trailers.splitlines() if line[:4] == b"Run:"]
    return next((run for value in values if len(value) >= 4 for run in runs if run.id.startswith(value)), None)
