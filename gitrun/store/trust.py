"""Trust: attempts made here, or trusted by somebody here, may be executed. All others are only data.

Each line of the file `trust` is the id of an attempt or result, or `signer` and a key's fingerprint. A `-` before it revokes
it. An attempt's id proves its source and flags; a result's id proves the files that a restart finds. Trust therefore covers
exactly what was reviewed; later commits made elsewhere need trust of their own.
"""

from __future__ import annotations

import os
from contextlib import suppress

from gitrun import store
from gitrun.errors import GitFailed, NotTrusted
from gitrun.git.locks import make_shared_directory
from gitrun.lazy import lazy_pattern
from gitrun.model.run import DIRECTORY, ID_DIGITS, is_id, short_id
from gitrun.model.text import safe_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.model.run import Attempt, Run
    from gitrun.store.commits import Signature

SIGNER, BACK = "signer ", "-"
FEW = 80
"""Names for which the file is searched; more of them are worth a table."""
MANY = 10
"""Changed files named to a person who is to trust a run; further ones are counted."""
ID_LINE = lazy_pattern(rf"(?m)^{ID_DIGITS}$")
FINGERPRINT = lazy_pattern(r"SHA256:[A-Za-z0-9+/=]{43,44}|[0-9A-F]{40}|[0-9A-F]{64}")


def trust_file(git: Git) -> Path:
    """Returns the path of the trust file."""
    return git.state / "trust"


def record_made_here(git: Git, *commits: str) -> None:
    """Records attempts and results as made here. Call it before their refs are set."""
    append_lines(git, commits)


def commits_to_trust(run: Run) -> tuple[str, ...]:
    """Returns the commits to trust with the run: its last attempt, and the result whose files the next attempt finds."""
    attempt = run.attempt
    return (attempt.id, attempt.result) if attempt.result else (attempt.id,)


def is_trusted(git: Git, run: Run) -> bool:
    """Returns whether the run's last attempt may be executed and its result's files used."""
    return all(is_trusted_commit(git, commit) for commit in commits_to_trust(run))


def is_trusted_commit(git: Git, commit: str) -> bool:
    """Returns whether an attempt or result was made here, is trusted, or is signed by a trusted signer."""
    text = read_trust_file(git)
    if last_grants(text, commit):
        return True
    # a signature is verified only if that can matter: it starts gpg or ssh-keygen
    if f"\n{SIGNER}" not in text or last_revokes(text, commit):
        return False

    return is_trusted_signer(git, store.commits.read_signature(git, commit))


def is_trusted_signer(git: Git, signature: Signature | None) -> bool:
    """Returns whether the signature is good and by a trusted key."""
    return bool(signature and signature.is_good and {signature.key, signature.primary} & set(trusted_signers(git)))


def last_grants(text: str, line: str) -> bool:
    """Returns whether the last mention of the line grants trust."""
    # line ends on both sides: an entry must not match inside a longer line
    granted = text.rfind(f"\n{line}\n")
    return granted >= 0 and text.find(f"\n{BACK}{line}\n", granted) < 0


def last_revokes(text: str, line: str) -> bool:
    """Returns whether the last mention of the line revokes trust."""
    return text.rfind(f"\n{BACK}{line}\n") > text.rfind(f"\n{line}\n")


def read_trust_file(git: Git) -> str:
    """Returns the text of the trust file, with a line end before and after each line."""
    try:
        return "\n" + trust_file(git).read_text(errors="replace")
    except (FileNotFoundError, PermissionError):  # an unreadable file of another user grants no trust
        return "\n"


def trusted_signers(git: Git) -> list[str]:
    """Returns the fingerprints of trusted keys."""
    text = read_trust_file(git)
    if f"\n{SIGNER}" not in text:
        return []
    lines = dict.fromkeys(line for line in text.splitlines() if line.startswith(SIGNER))
    return [line.removeprefix(SIGNER) for line in lines if last_grants(text, line)]


def trusted_ids(git: Git) -> frozenset[str]:
    """Returns the ids of attempts and results that were made here or are trusted."""
    text = read_trust_file(git)
    ids = frozenset(ID_LINE.findall(text))
    return ids - revoked_in(text) if f"\n{BACK}" in text else ids


def revoked_ids(git: Git) -> frozenset[str]:
    """Returns the ids of attempts and results that were made here or trusted, and no longer are."""
    text = read_trust_file(git)
    return revoked_in(text) if f"\n{BACK}" in text else frozenset()


def revoked_in(text: str) -> frozenset[str]:
    """Returns the ids whose last mention in the text of the trust file revokes trust."""
    # the last mention of an id replaces earlier ones
    last = {line.removeprefix(BACK): line for line in text.splitlines()}
    return frozenset(name for name, line in last.items() if line.startswith(BACK) and is_id(name))


class TrustedIds:
    """The ids of attempts and results that were made here or are trusted: `name in TrustedIds(git)`.

    Questions about the first FEW names search the text, which for one run among very many takes a hundredth of the time of a
    table.
    """

    def __init__(self, git: Git) -> None:
        self._git = git
        self._text = read_trust_file(git)
        self._answers: dict[object, bool] = {}
        self._ids: frozenset[str] = frozenset()

    def __contains__(self, name: object) -> bool:
        if name in self._answers:
            return self._answers[name]
        if len(self._answers) < FEW:
            self._answers[name] = isinstance(name, str) and is_id(name) and last_grants(self._text, name)
            return self._answers[name]
        if self._text:
            self._ids, self._text = trusted_ids(self._git), ""
        return name in self._ids


def trusted_runs(git: Git, runs: Iterable[Run]) -> Iterator[Run]:
    """Returns the trusted runs among these, as `is_trusted` decides, with one read of the file."""
    trusted, has_signers = TrustedIds(git), bool(trusted_signers(git))
    return (
        run
        for run in runs
        if all(commit in trusted for commit in commits_to_trust(run)) or (has_signers and is_trusted(git, run))
    )


def grant_trust(git: Git, names: Iterable[str]) -> None:
    """Trusts attempts and results by id, and signers by fingerprint."""
    append_lines(git, map(trust_line, names))


def revoke_trust(git: Git, names: Iterable[str]) -> None:
    """Revokes trust in attempts, results and signers."""
    append_lines(git, (BACK + trust_line(name) for name in names))


def trust_line(name: str) -> str:
    """Returns the line of the trust file for a commit id or a fingerprint."""
    return name if is_id(name) else SIGNER + name


def is_fingerprint(text: str) -> bool:
    """Returns whether the text is a key's fingerprint: `SHA256:...` of ssh, 40 or 64 hex digits of OpenPGP."""
    return FINGERPRINT.fullmatch(text) is not None


def append_lines(git: Git, lines: Iterable[str]) -> None:
    """Appends lines in one write, which needs no lock. The last mention of a line counts."""
    # a line end first: the file may end in a line that a full disk cut short
    text = "\n" + "".join(f"{line}\n" for line in lines)
    make_shared_directory(git.state)
    # O_APPEND: processes that write at the same time do not overwrite each other
    descriptor = os.open(trust_file(git), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def require_trusted(git: Git, run: Run, *, clean: bool = False) -> None:
    """Raises NotTrusted unless the run's last attempt may be executed. Its detail shows maker, command and changes.

    The result must be trusted too, unless the next attempt starts `clean` and uses no files of it.
    """
    attempt = run.attempt
    if is_trusted_commit(git, attempt.id):
        if not clean and attempt.result and not is_trusted_commit(git, attempt.result):
            raise foreign_result_error(git, run)
        return

    signature, name = store.commits.read_signature(git, attempt.id), short_id(run.id)
    error = NotTrusted(
        f"run {name} was not made here, and is not trusted", f"To trust it, once you have read it: git run trust {name}"
    )
    where = f"  in {attempt.cwd}" if attempt.cwd else ""
    lines = (
        f"gitrun:   made by   {attempt.author or 'unknown'}, {signature.words if signature else 'unsigned'}",
        f"gitrun:   executes  {' '.join(attempt.command) or attempt.operation}{where}",
        f"gitrun:   flags     {attempt.flags_text or 'none'}",
        f"gitrun:   source    {source_difference(git, attempt)} (git run diff {name})",
        *((f"gitrun:   carries   {join_first(list(attempt.carried))}, from the previous attempt",) if attempt.carried else ()),
    )
    # names, commands and flags from elsewhere may contain control sequences of terminals
    error.detail = "\n".join(safe_text(line) for line in lines)
    raise error


def foreign_result_error(git: Git, run: Run) -> NotTrusted:
    """Makes the error for a trusted attempt whose result came from elsewhere."""
    name = short_id(run.id)
    error = NotTrusted(
        f"the files that run {name} left were not made here, and are not trusted",
        f"To trust them, once you have read them: git run trust {name}. To start without them: --clean",
    )
    changed = changed_files(git, run.attempt.id, run.attempt.result)
    error.detail = safe_text(f"gitrun:   left      {join_first(changed) if changed else 'no files'}")
    return error


def source_difference(git: Git, attempt: Attempt) -> str:
    """Describes in words how the attempt's source differs from its base commit."""
    base = attempt.base or git.object_format.empty_tree
    old, new = base, attempt.id
    if attempt.content:
        with suppress(GitFailed):  # a missing object is reported below
            old, new = store.submodules.align_sources(
                git, store.submodules.ComparedSource(base), store.submodules.compared_source(attempt, attempt.id)
            )
    changed = changed_files(git, old, new)
    if changed is None:
        return f"its commit {short_id(base)} is not here"
    if not changed:
        return f"exactly commit {short_id(base)}"
    return f"{f'commit {short_id(base)}' if attempt.base else 'no commit'} with {join_first(changed)}"


def changed_files(git: Git, old: str, new: str) -> list[str] | None:
    """Returns the files that differ between two commits or trees, with git's status letters; None if one is not here."""
    result = git.attempt("diff-tree", "-r", "-z", "--name-status", "--no-renames", "--end-of-options", old, new)
    if result.returncode:
        return None
    # A NUL <path> NUL M NUL <path> NUL
    fields = result.stdout.split(b"\0")
    pairs = [(status, os.fsdecode(path)) for status, path in zip(fields[0:-1:2], fields[1::2], strict=False)]
    return [f"{status.decode()} {path}" for status, path in pairs if path.partition("/")[0] != DIRECTORY]


def join_first(changed: list[str]) -> str:
    """Joins the first changes or paths as text and counts the others."""
    more = f" and {len(changed) - MANY:,} more" if len(changed) > MANY else ""
    return f"{', '.join(changed[:MANY])}{more}"
