"""What may be executed: attempts that were made here, and those that somebody here trusts; all else is data.

A line of the file `trust` is the id of an attempt or of its result, or `signer` and the fingerprint of a key; with `-`
before it, trust is taken back. What is not in it, however it came (fetched, cloned, copied), is not executed. An attempt's
id proves its source and flags, its result's the files that a restart finds, so trust holds for exactly what was looked at;
what is added elsewhere is to be trusted anew.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from gitrun.errors import GitFailed, NotTrusted
from gitrun.model.record import DIRECTORY
from gitrun.model.refs import EMPTY_TREE, is_id, short
from gitrun.model.text import safe_text
from gitrun.store.places import make_common

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.model.run import Attempt, Run
    from gitrun.store.signing import Signature

SIGNER, BACK = "signer ", "-"
MANY = 10
"""Changed files that are named before somebody trusts a run."""
FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/=]{43,44}|[0-9A-F]{40}|[0-9A-F]{64}")


def file_of(git: Git) -> Path:
    """Where trust is written down."""
    return git.state / "trust"


def made_here(git: Git, commit: str) -> None:
    """Writes down that the attempt, or the result, is made here, before its ref is set."""
    append(git, (commit,))


def commits_of(run: Run) -> tuple[str, ...]:
    """What is trusted when the run is: its last attempt, and its result, whose files the next attempt finds."""
    attempt = run.attempt
    return (attempt.id, attempt.result) if attempt.result else (attempt.id,)


def is_trusted(git: Git, run: Run) -> bool:
    """Whether the run's last attempt may be executed, and what it left be read."""
    return all(is_trusted_commit(git, commit) for commit in commits_of(run))


def is_trusted_commit(git: Git, commit: str) -> bool:
    """Whether an attempt, or a result, was made here, is trusted, or a trusted signer has signed it."""
    text = written(git)
    if is_in(text, commit):
        return True
    if f"\n{SIGNER}" not in text or is_taken_back(text, commit):
        return False
    from gitrun.store.signing import signature

    return is_trusted_signer(git, signature(git, commit))


def is_trusted_signer(git: Git, found: Signature | None) -> bool:
    """Whether a good signature is by a key that is trusted."""
    return bool(found and found.is_good and {found.key, found.primary} & set(signers(git)))


def is_in(text: str, line: str) -> bool:
    """Whether the last word about a line is that it holds."""
    return text.rfind(f"\n{line}\n") > text.rfind(f"\n{BACK}{line}\n")


def is_taken_back(text: str, line: str) -> bool:
    """Whether the last word about a line is that it does not hold any more."""
    return text.rfind(f"\n{BACK}{line}\n") > text.rfind(f"\n{line}\n")


def written(git: Git) -> str:
    """The file's text, each line between line ends."""
    try:
        return "\n" + file_of(git).read_text(errors="replace")
    except (FileNotFoundError, PermissionError):  # another user's word is not ours
        return "\n"


def signers(git: Git) -> list[str]:
    """The fingerprints of trusted keys."""
    text = written(git)
    lines = dict.fromkeys(line for line in text.splitlines() if line.startswith(SIGNER))
    return [line.removeprefix(SIGNER) for line in lines if is_in(text, line)]


def trusted(git: Git) -> frozenset[str]:
    """The ids of the attempts and results that were made here or are trusted."""
    last = {line.removeprefix(BACK): line for line in written(git).splitlines()}
    return frozenset(line for line in last.values() if is_id(line))


def trusted_of(git: Git, runs: Iterable[Run]) -> Iterator[Run]:
    """Those of the runs whose last attempt may be executed, and what it left be read."""
    known, has_signers = trusted(git), bool(signers(git))
    return (run for run in runs if known.issuperset(commits_of(run)) or (has_signers and is_trusted(git, run)))


def trust(git: Git, names: Iterable[str]) -> None:
    """Trusts attempts and results (ids), and signers (fingerprints)."""
    append(git, map(line_of, names))


def distrust(git: Git, names: Iterable[str]) -> None:
    """Takes trust in attempts, results and signers back."""
    append(git, (BACK + line_of(name) for name in names))


def line_of(name: str) -> str:
    """How the file names a commit or a signer."""
    return name if is_id(name) else SIGNER + name


def is_fingerprint(text: str) -> bool:
    """Whether it is what a key is called: `SHA256:...` of ssh, 40 or 64 capital hex digits of OpenPGP."""
    return FINGERPRINT.fullmatch(text) is not None


def append(git: Git, lines: Iterable[str]) -> None:
    """Adds lines in one piece, for which no lock is needed: the last word about a line counts."""
    text = "\n" + "".join(f"{line}\n" for line in lines)  # what a full disk has cut short does not swallow the first
    make_common(git.state)
    descriptor = os.open(file_of(git), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def require_trusted(git: Git, run: Run, *, clean: bool = False) -> None:
    """Raises NotTrusted, which says who made it and what it would execute, unless the run's last attempt may be executed.

    What it left must be trusted too, unless another attempt is to begin `clean`.
    """
    attempt = run.attempt
    if is_trusted_commit(git, attempt.id):
        if not clean and attempt.result and not is_trusted_commit(git, attempt.result):
            raise not_left_here(git, run)
        return
    from gitrun.store.signing import signature

    found, known = signature(git, attempt.id), short(run.id)
    error = NotTrusted(
        f"run {known} was not made here, and is data until it is trusted", f"git run trust {known}, once you have read it"
    )
    where = f"  in {attempt.cwd}" if attempt.cwd else ""
    lines = (
        f"gitrun:   made by   {attempt.author or 'nobody that it names'}, {found.words if found else 'unsigned'}",
        f"gitrun:   executes  {' '.join(attempt.command) or attempt.operation}{where}",
        f"gitrun:   flags     {attempt.flags_text or 'none'}",
        f"gitrun:   source    {difference(git, attempt)} (git run diff {known})",
        *((f"gitrun:   carries   {listed(list(attempt.carried))}, from the attempt before",) if attempt.carried else ()),
    )
    error.detail = "\n".join(safe_text(line) for line in lines)
    raise error


def not_left_here(git: Git, run: Run) -> NotTrusted:
    """The error of a run that may be executed, but whose result came from elsewhere."""
    known = short(run.id)
    error = NotTrusted(
        f"what run {known} left was not made here, and is data until it is trusted",
        f"git run trust {known}, once you have looked at it; --clean starts without its files",
    )
    changed = changed_files(git, run.attempt.id, run.attempt.result)
    error.detail = safe_text(f"gitrun:   left      {listed(changed) if changed else 'no files'}")
    return error


def difference(git: Git, attempt: Attempt) -> str:
    """How the attempt's source differs from the commit that it was made from."""
    base = attempt.base or EMPTY_TREE
    old, new = base, attempt.id
    if attempt.content:
        from gitrun.store.modules import Side, aligned, side_of

        with suppress(GitFailed):  # an object is missing, which is said below
            old, new = aligned(git, Side(base), side_of(attempt, attempt.id))
    changed = changed_files(git, old, new)
    if changed is None:
        return f"its commit {short(base)} is not here"
    if not changed:
        return f"exactly that of commit {short(base)}"
    return f"{f'commit {short(base)}' if attempt.base else 'no commit'} with {listed(changed)}"


def changed_files(git: Git, old: str, new: str) -> list[str] | None:
    """The files that differ between two commits or trees, each with git's letter for how; None if one is not here."""
    done = git.attempt("diff-tree", "-r", "-z", "--name-status", "--no-renames", "--end-of-options", old, new)
    if done.returncode:
        return None
    fields = done.stdout.split(b"\0")
    pairs = [(status, os.fsdecode(path)) for status, path in zip(fields[0:-1:2], fields[1::2], strict=False)]
    return [f"{status.decode()} {path}" for status, path in pairs if path.partition("/")[0] != DIRECTORY]


def listed(changed: list[str]) -> str:
    """The first of some changes or paths, and how many more there are."""
    more = f" and {len(changed) - MANY:,} more" if len(changed) > MANY else ""
    return f"{', '.join(changed[:MANY])}{more}"
