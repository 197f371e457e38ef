"""Author and committer of commits that gitrun writes without a git process."""

from __future__ import annotations

import time

from gitrun.process.environment import read_variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitrun.git.exe import Git

CUT_OFF = frozenset([*map(chr, range(0x21)), *".,:;<>\"\\'"])
"""The characters that git cuts off both ends of a name or an address (ident.c)."""
DROPPED = "\0\n<>"
"""The characters that git drops within."""


def format_identities(git: Git) -> bytes | None:
    """Returns the lines of author and committer for a commit made now, as git would write them.

    Returns None if only git can tell: a date comes from the environment, or a name needs cleaning.
    """
    environ = git.environ
    # our own clock zone is that of git only in the same environment
    if "GIT_AUTHOR_DATE" in environ or "GIT_COMMITTER_DATE" in environ or environ.get("TZ") != read_variable("TZ"):
        return None
    lines, fallback, now = [], git.identity(), format_now()
    for role in ("author", "committer"):
        name, email = (identity_part(git, fallback, role, part) for part in ("name", "email"))
        if not (is_plain(name) and is_plain(email)):
            return None
        lines.append(f"{role} {name} <{email}> {now}\n")
    try:
        return "".join(lines).encode()
    except UnicodeEncodeError:
        return None


def is_plain(text: str) -> bool:
    """Returns whether git writes a name or an address as it is."""
    return bool(text) and CUT_OFF.isdisjoint((text[0], text[-1])) and not any(char in text for char in DROPPED)


def identity_part(git: Git, fallback: dict[str, str], role: str, part: str) -> str:
    """Returns the name or the address of a role; empty if there is none. Variables of the user win over `fallback`."""
    variable = f"GIT_{role}_{part}".upper()
    by_environment = git.environ.get(variable, fallback.get(variable))
    if by_environment is not None:
        return by_environment
    values = git.config.get(f"{role}.{part}") or git.config.get(f"user.{part}") or ("",)
    return values[-1]


def format_now() -> str:
    """Returns the time in git's format: seconds since 1970 and the offset from UTC."""
    # localtime_r of glibc does not notice that TZ has changed
    time.tzset()
    now = time.time()
    minutes = time.localtime(now).tm_gmtoff // 60
    hours, rest = divmod(abs(minutes), 60)
    return f"{int(now)} {'-' if minutes < 0 else '+'}{hours:02}{rest:02}"
