"""The settings `gitrun.*` of git config as one value."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from gitrun import model
from gitrun.errors import UsageError
from gitrun.model.run import STATUSES
from gitrun.model.secrets import FILES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import TypeAlias

    Config: TypeAlias = Mapping[str, tuple[str, ...]]

KNOWN = (
    "ago at now today yesterday noon midnight tea never last am pm t z utc gmt "
    "second minute hour day week month year "
    "monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun "
    "january february march april may june july august september october november december "
    "jan feb mar apr jun jul aug sep sept oct nov dec "
    "a one two three four five six seven eight nine ten"
)
WORDS = frozenset(KNOWN.split())
PART = re.compile(r"[0-9]+|[a-zA-Z]+|[-+.,:/_ ]+")

RECORDED = (
    "CUBLAS_WORKSPACE_CONFIG", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "LC_ALL", "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED", "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS", "TZ",
)  # fmt: skip
"""Environment variables to record: they change what a program computes, and hold no secrets."""
TRUE, FALSE = frozenset({"true", "yes", "on", "1", ""}), frozenset({"false", "no", "off", "0"})
SWITCHES = TRUE | FALSE
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
LONGEST = 1e9
"""Upper limit of a duration in seconds, about thirty years: timers fail with much larger values."""
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of gitrun; sizes in bytes, durations in seconds."""

    python: str = ""
    max_untracked: int = 10 << 20
    max_produced: int = 10 << 20
    secrets: tuple[str, ...] = FILES
    bring: bool = False
    link: bool = True
    lend: bool = True
    link_paths: tuple[str, ...] = ()
    lend_paths: tuple[str, ...] = ()
    lend_max_file: int = 64 << 20
    lend_max_total: int = 256 << 20
    lend_max_entries: int = 2_000
    lend_keep: int = 1 << 30
    stop_grace: float = 10.0
    trash_expire: str = "30.days"
    gc_older_than: str = ""
    gc_keep: int | None = None
    gc_status: tuple[str, ...] = ()
    record_env: tuple[str, ...] = RECORDED
    pre_push: str = "push"
    allow_delete: bool = False
    max_download: int = 10 << 30
    download_timeout: float = 3600.0
    metrics: tuple[tuple[str, str], ...] = ()
    notes: bool = True
    max_ignored: int = 1 << 20
    submodules: str = "files"
    push_submodules: bool = False


def settings_from(config: Config) -> Settings:
    """Returns the settings in git's config (name in lower case -> all values; the last one counts).

    Ignores an invalid setting, so that it does not block reading runs. See `require_sound`.
    """
    found: dict[str, Any] = {}
    for field, (name, read) in READERS.items():
        if values := config.get(name.lower()):
            # a bad setting must not block `git run list`
            with suppress(UsageError):
                found[field] = read(name, values)
    return Settings(**found)


def require_sound(config: Config, fields: Iterable[str]) -> None:
    """Raises UsageError if one of these settings is invalid."""
    for name, read in map(READERS.__getitem__, fields):
        if values := config.get(name.lower()):
            read(name, values)


def wrong(config: Config) -> Iterator[tuple[str, UsageError]]:
    """Yields the invalid settings: the name as documented, and the error."""
    for name, read in (*READERS.values(), ("gitrun.sign", as_truth), ("gitrun.fsync", as_truth)):
        try:
            if values := config.get(name.lower()):
                read(name, values)
        except UsageError as error:
            yield name, error


def unknown(config: Config) -> list[str]:
    """Returns the names of `gitrun.*` settings that do not exist."""
    known = {name.lower() for name in NAMES}
    return [name for name in config if name.startswith("gitrun.") and name not in known]


def truth(config: Config, name: str, *, default: bool) -> bool:
    """Returns a boolean setting, or `default` if it is not set. Raises UsageError."""
    return as_truth(name, config[name]) if name in config else default


def as_truth(name: str, values: tuple[str, ...]) -> bool:
    """Reads a boolean by git's rules: a name without a value is true. Raises UsageError."""
    text = values[-1].lower()
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    return refuse(name, "true or false", text)


def as_switch(_: str, values: tuple[str, ...]) -> bool:
    """Reads the last boolean of a setting that also takes paths; true without one."""
    # `gitrun.link` takes a boolean and paths, as separate values
    switches = [value.lower() for value in values if value.lower() in SWITCHES]
    return not switches or switches[-1] in TRUE


def as_paths(name: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Reads the paths of a setting that also takes a boolean. Raises UsageError for a path that leaves the repository."""
    named = tuple(value for value in values if value.lower() not in SWITCHES)
    for path in named:
        if path.startswith("/") or ".." in path.split("/"):
            refuse(name, "paths inside the repository, relative to its top", path)
    return tuple(filter(None, (path.rstrip("/") for path in named)))


def as_text(_: str, values: tuple[str, ...]) -> str:
    """Reads a text."""
    return values[-1]


def as_all(_: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Reads all values."""
    return values


def as_patterns(name: str, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Reads patterns for metrics, each `NAME=PATTERN`; an empty value clears those before it. Raises UsageError."""
    return model.metric_patterns.read_patterns(
        values[len(values) - values[::-1].index("") :] if "" in values else values, f"setting {name}"
    )


def as_statuses(name: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Reads statuses separated by commas. Raises UsageError."""
    found = tuple(word.strip() for word in values[-1].split(",") if word.strip())
    return found if set(found) <= set(STATUSES) else refuse(name, f"some of {', '.join(STATUSES)}", values[-1])


def as_deed(name: str, values: tuple[str, ...]) -> str:
    """Reads the action of a hook. Raises UsageError."""
    text = values[-1].lower()
    return text if text in {"push", "check", "require", "off"} else refuse(name, "push, check, require or off", text)


def as_modules(name: str, values: tuple[str, ...]) -> str:
    """Reads how a snapshot records submodules. Raises UsageError."""
    text = values[-1].lower()
    return text if text in {"files", "commit"} else refuse(name, "files or commit", text)


def as_size(name: str, values: tuple[str, ...]) -> int:
    """Reads bytes by git's rules, with suffix k, m or g. Raises UsageError."""
    found = re.fullmatch(r"([0-9]{1,15})([kmg]?)", values[-1].lower())
    return int(found[1]) * UNITS[found[2]] if found else refuse(name, "a size such as 10m", values[-1])


def as_count(name: str, values: tuple[str, ...]) -> int:
    """Reads a whole number that is not negative. Raises UsageError."""
    return int(values[-1]) if re.fullmatch(r"[0-9]{1,15}", values[-1]) else refuse(name, "a number", values[-1])


def as_duration(name: str, values: tuple[str, ...]) -> float:
    """Reads a duration in seconds. Raises UsageError."""
    try:
        return seconds(values[-1])
    except UsageError:
        refuse(name, "a duration such as 30s", values[-1])


def as_date(name: str, values: tuple[str, ...]) -> str:
    """Reads a date in git's syntax, or `never`. Raises UsageError."""
    try:
        return values[-1] if values[-1] == "never" else require_date(values[-1])
    except UsageError:
        refuse(name, "a date such as 2.weeks", values[-1])


def as_date_or_none(name: str, values: tuple[str, ...]) -> str:
    """Reads a date as `as_date` does; an empty value cancels that of another config file."""
    return as_date(name, values) if values[-1] else ""


def refuse(name: str, takes: str, text: str) -> NoReturn:
    """Raises UsageError: the setting is invalid."""
    raise UsageError(f"setting {name} takes {takes}, not '{text}'", f"git config --show-origin {name} says where it comes from")


READERS: dict[str, tuple[str, Callable[[str, tuple[str, ...]], Any]]] = {
    "python": ("gitrun.python", as_text),
    "max_untracked": ("gitrun.maxUntracked", as_size),
    "max_produced": ("gitrun.maxProduced", as_size),
    "max_ignored": ("gitrun.maxIgnored", as_size),
    "max_download": ("gitrun.maxDownload", as_size),
    "download_timeout": ("gitrun.downloadTimeout", as_duration),
    "secrets": ("gitrun.secrets", as_all),
    "bring": ("gitrun.bring", as_truth),
    "link": ("gitrun.link", as_switch),
    "lend": ("gitrun.lend", as_switch),
    "link_paths": ("gitrun.link", as_paths),
    "lend_paths": ("gitrun.lend", as_paths),
    "lend_max_file": ("gitrun.lend.maxFile", as_size),
    "lend_max_total": ("gitrun.lend.maxTotal", as_size),
    "lend_max_entries": ("gitrun.lend.maxEntries", as_count),
    "lend_keep": ("gitrun.lend.keep", as_size),
    "stop_grace": ("gitrun.stopGrace", as_duration),
    "trash_expire": ("gitrun.trashExpire", as_date),
    "gc_older_than": ("gitrun.gc.olderThan", as_date_or_none),
    "gc_keep": ("gitrun.gc.keep", as_count),
    "gc_status": ("gitrun.gc.status", as_statuses),
    "record_env": ("gitrun.recordEnv", as_all),
    "pre_push": ("gitrun.prePush", as_deed),
    "allow_delete": ("gitrun.allowDelete", as_truth),
    "metrics": ("gitrun.metric", as_patterns),
    "notes": ("gitrun.notes", as_truth),
    "submodules": ("gitrun.submodules", as_modules),
    "push_submodules": ("gitrun.pushSubmodules", as_truth),
}
NAMES = (*(name for name, _ in READERS.values()), "gitrun.fsync", "gitrun.sign")
OF_RUNS = (
    "max_untracked", "max_produced", "bring", "stop_grace", "lend_max_file", "lend_max_total", "lend_max_entries", "lend_keep",
    "max_download", "download_timeout", "metrics", "notes", "max_ignored",
    "submodules", "link_paths", "lend_paths",
)  # fmt: skip
"""Settings that must be valid before anything runs."""
OF_CLEANING = ("trash_expire", "gc_older_than", "gc_keep", "gc_status")
"""Settings that must be valid before anything is deleted."""


def seconds(text: str) -> float:
    """Parses a duration: `90`, `30s`, `5m`, `2h`, `1h30m`, `1d`; in seconds, more than 0. Raises UsageError."""
    parts = re.findall(r"([0-9]*\.?[0-9]+)([smhd])", text.lower())
    total = sum(float(number) * SECONDS[unit] for number, unit in parts)
    if not parts and re.fullmatch(r"[0-9]*\.?[0-9]+", text):
        total = float(text)
    elif "".join(number + unit for number, unit in parts) != text.lower():
        total = 0.0
    if not 0 < total < LONGEST:
        raise UsageError(f"not a duration: '{text}'", "write 30s, 5m, 2h or 1h30m")
    return total


def require_date(text: str) -> str:
    """Returns the text if git knows every word of it: `2.weeks`, `yesterday`, `2026-11-01 12:00`.

    Raises UsageError otherwise.
    """
    parts = PART.findall(text)
    words = [part.lower() for part in parts if part[0].isalpha()]
    known = all(word in WORDS or word.removesuffix("s") in WORDS or word in {"st", "nd", "rd", "th"} for word in words)
    if "".join(parts) != text or not known or not any(part[0].isalnum() for part in parts):
        raise UsageError(f"not a date: '{text}'", "write 2.weeks, yesterday, or 2026-11-01")
    return text
