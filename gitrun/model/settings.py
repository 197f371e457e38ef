"""The settings `gitrun.*` of git config as one value."""

from __future__ import annotations

import re
from contextlib import suppress

from gitrun import model
from gitrun.dataclass import dataclass
from gitrun.errors import BadSetting, BadValue, UsageError
from gitrun.lazy import lazy_pattern
from gitrun.model.run import STATUSES
from gitrun.model.secrets import SECRET_FILES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any, NoReturn, TypeAlias

    Config: TypeAlias = Mapping[str, tuple[str, ...]]

KNOWN_WORDS = (
    "ago at now today yesterday noon midnight tea never last am pm t z utc gmt "
    "second minute hour day week month year "
    "monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun "
    "january february march april may june july august september october november december "
    "jan feb mar apr jun jul aug sep sept oct nov dec "
    "a one two three four five six seven eight nine ten"
)
DATE_WORDS = frozenset(KNOWN_WORDS.split())
DATE_PART = lazy_pattern(r"[0-9]+|[a-zA-Z]+|[-+.,:/_ ]+")

RECORDED = (
    "CUBLAS_WORKSPACE_CONFIG", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "LC_ALL", "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED", "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS", "TZ",
)  # fmt: skip
"""Environment variables to record: they change what a program computes, and hold no secrets."""
# an empty text counts as true: `git config --list -z` gives a name without a value so
TRUE, FALSE = frozenset({"true", "yes", "on", "1", ""}), frozenset({"false", "no", "off", "0"})
SWITCHES = TRUE | FALSE
# git's own suffixes, in powers of 1,024
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
MAX_DURATION = 1e9
"""Upper limit of a duration in seconds, about thirty years: timers fail with much larger values."""
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of gitrun; sizes in bytes, durations in seconds."""

    python: str = ""
    max_untracked: int = 10 << 20
    max_produced: int = 10 << 20
    secrets: tuple[str, ...] = SECRET_FILES
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
    gc_archive_after: str = "30.days"
    gc_archive_beyond: int = 10_000
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
    progress_interval: float = 30.0


def read_settings(config: Config) -> Settings:
    """Returns the settings in git's config (name in lower case -> all values; the last one counts).

    Ignores an invalid setting, so that it does not block reading runs. See `require_valid`.
    """
    settings_read: dict[str, Any] = {}
    for field, (name, parse) in READERS.items():
        if values := config.get(name.lower()):
            # a bad setting must not block `git run list`
            with suppress(UsageError):
                settings_read[field] = parse(name, values)
    return Settings(**settings_read)


def require_valid(config: Config, fields: Iterable[str]) -> None:
    """Raises UsageError if one of these settings is invalid."""
    for name, parse in map(READERS.__getitem__, fields):
        if values := config.get(name.lower()):
            parse(name, values)


def invalid_settings(config: Config) -> Iterator[tuple[str, UsageError]]:
    """Yields the invalid settings: the name as documented, and the error."""
    for name, parse in (*READERS.values(), ("gitrun.sign", parse_bool), ("gitrun.fsync", parse_bool)):
        try:
            if values := config.get(name.lower()):
                parse(name, values)
        except UsageError as error:
            yield name, error


def unknown_settings(config: Config) -> list[str]:
    """Returns the names of `gitrun.*` settings that do not exist."""
    # `git config --list` prints section and name in lower case
    names = {name.lower() for name in NAMES}
    return [name for name in config if name.startswith("gitrun.") and name not in names]


def get_bool(config: Config, name: str, *, default: bool) -> bool:
    """Returns a boolean setting, or `default` if it is not set. Raises UsageError."""
    return parse_bool(name, config[name]) if name in config else default


def parse_bool(name: str, values: tuple[str, ...]) -> bool:
    """Reads a boolean by git's rules: a name without a value is true. Raises UsageError."""
    # git ignores case in booleans: True and TRUE are true
    text = values[-1].lower()
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    return refuse_setting(name, "true or false", text)


def parse_switch(_: str, values: tuple[str, ...]) -> bool:
    """Reads the last boolean of a setting that also takes paths; true without one."""
    # `gitrun.link` takes a boolean and paths, as separate values
    switches = [value.lower() for value in values if value.lower() in SWITCHES]
    return not switches or switches[-1] in TRUE


def parse_paths(name: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Reads the paths of a setting that also takes a boolean. Raises UsageError for a path that leaves the repository."""
    paths = tuple(value for value in values if value.lower() not in SWITCHES)
    for path in paths:
        if path.startswith("/") or ".." in path.split("/"):
            refuse_setting(name, "paths inside the repository, relative to its top", path)
    return tuple(filter(None, (path.rstrip("/") for path in paths)))


def last_text(_: str, values: tuple[str, ...]) -> str:
    """Reads a text."""
    return values[-1]


def all_texts(_: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Reads all values."""
    return values


def parse_metric_patterns(name: str, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Reads patterns for metrics, each `NAME=PATTERN`; an empty value clears those before it. Raises UsageError."""
    # as in git's own lists, such as credential.helper
    return model.metric_patterns.parse_patterns(
        values[len(values) - values[::-1].index("") :] if "" in values else values, f"setting {name}"
    )


def parse_statuses(name: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Reads statuses separated by commas. Raises UsageError."""
    statuses = tuple(word.strip() for word in values[-1].split(",") if word.strip())
    return (
        statuses
        if set(statuses) <= set(STATUSES)
        else refuse_setting(name, f"one or more of {', '.join(STATUSES)}", values[-1])
    )


def parse_hook_action(name: str, values: tuple[str, ...]) -> str:
    """Reads the action of a hook. Raises UsageError."""
    text = values[-1].lower()
    return text if text in {"push", "check", "require", "off"} else refuse_setting(name, "push, check, require or off", text)


def parse_submodules(name: str, values: tuple[str, ...]) -> str:
    """Reads how a snapshot records submodules. Raises UsageError."""
    text = values[-1].lower()
    return text if text in {"files", "commit"} else refuse_setting(name, "files or commit", text)


def parse_size(name: str, values: tuple[str, ...]) -> int:
    """Reads bytes by git's rules, with suffix k, m or g. Raises UsageError."""
    match = re.fullmatch(r"([0-9]{1,15})([kmg]?)", values[-1].lower())
    return int(match[1]) * UNITS[match[2]] if match else refuse_setting(name, "a size such as 10m", values[-1])


def parse_count(name: str, values: tuple[str, ...]) -> int:
    """Reads a whole number that is not negative. Raises UsageError."""
    return int(values[-1]) if re.fullmatch(r"[0-9]{1,15}", values[-1]) else refuse_setting(name, "a number", values[-1])


def parse_seconds(name: str, values: tuple[str, ...]) -> float:
    """Reads a duration in seconds. Raises UsageError."""
    try:
        return parse_duration(values[-1])
    except UsageError:
        refuse_setting(name, "a duration such as 30s", values[-1])


def parse_date(name: str, values: tuple[str, ...]) -> str:
    """Reads a date in git's syntax, or `never`. Raises UsageError."""
    try:
        return values[-1] if values[-1] == "never" else require_date(values[-1])
    except UsageError:
        refuse_setting(name, "a date such as 2.weeks", values[-1])


def parse_optional_date(name: str, values: tuple[str, ...]) -> str:
    """Reads a date as `parse_date` does; an empty value cancels that of another config file."""
    return parse_date(name, values) if values[-1] else ""


def refuse_setting(name: str, takes: str, text: str) -> NoReturn:
    """Raises UsageError: the setting is invalid."""
    # git reads several files, and only --show-origin tells which one to edit
    raise BadSetting(
        f"setting {name} must be {takes}, not '{text}'", f"To find where it is set: git config --show-origin {name}"
    )


READERS: dict[str, tuple[str, Callable[[str, tuple[str, ...]], Any]]] = {
    "python": ("gitrun.python", last_text),
    "max_untracked": ("gitrun.maxUntracked", parse_size),
    "max_produced": ("gitrun.maxProduced", parse_size),
    "max_ignored": ("gitrun.maxIgnored", parse_size),
    "max_download": ("gitrun.maxDownload", parse_size),
    "download_timeout": ("gitrun.downloadTimeout", parse_seconds),
    "secrets": ("gitrun.secrets", all_texts),
    "bring": ("gitrun.bring", parse_bool),
    # two fields read one setting: its booleans and its paths
    "link": ("gitrun.link", parse_switch),
    "lend": ("gitrun.lend", parse_switch),
    "link_paths": ("gitrun.link", parse_paths),
    "lend_paths": ("gitrun.lend", parse_paths),
    "lend_max_file": ("gitrun.lend.maxFile", parse_size),
    "lend_max_total": ("gitrun.lend.maxTotal", parse_size),
    "lend_max_entries": ("gitrun.lend.maxEntries", parse_count),
    "lend_keep": ("gitrun.lend.keep", parse_size),
    "stop_grace": ("gitrun.stopGrace", parse_seconds),
    "progress_interval": ("gitrun.progressInterval", parse_seconds),
    "trash_expire": ("gitrun.trashExpire", parse_date),
    "gc_older_than": ("gitrun.gc.olderThan", parse_optional_date),
    "gc_keep": ("gitrun.gc.keep", parse_count),
    "gc_status": ("gitrun.gc.status", parse_statuses),
    "gc_archive_after": ("gitrun.gc.archiveAfter", parse_date),
    "gc_archive_beyond": ("gitrun.gc.archiveBeyond", parse_count),
    "record_env": ("gitrun.recordEnv", all_texts),
    "pre_push": ("gitrun.prePush", parse_hook_action),
    "allow_delete": ("gitrun.allowDelete", parse_bool),
    "metrics": ("gitrun.metric", parse_metric_patterns),
    "notes": ("gitrun.notes", parse_bool),
    "submodules": ("gitrun.submodules", parse_submodules),
    "push_submodules": ("gitrun.pushSubmodules", parse_bool),
}
NAMES = (*(name for name, _ in READERS.values()), "gitrun.fsync", "gitrun.sign")
RUN_SETTINGS = (
    "max_untracked", "max_produced", "bring", "stop_grace", "lend_max_file", "lend_max_total", "lend_max_entries", "lend_keep",
    "max_download", "download_timeout", "metrics", "notes", "max_ignored",
    "submodules", "link_paths", "lend_paths",
)  # fmt: skip
"""Settings that must be valid before anything runs."""
GC_SETTINGS = ("trash_expire", "gc_older_than", "gc_keep", "gc_status", "gc_archive_after", "gc_archive_beyond")
"""Settings that must be valid before anything is deleted."""


def parse_duration(text: str) -> float:
    """Parses a duration: `90`, `30s`, `5m`, `2h`, `1h30m`, `1d`; in seconds, more than 0. Raises UsageError."""
    # 1h30m gives ("1", "h") and ("30", "m")
    parts = re.findall(r"([0-9]*\.?[0-9]+)([smhd])", text.lower())
    total = sum(float(number) * SECONDS[unit] for number, unit in parts)
    if not parts and re.fullmatch(r"[0-9]*\.?[0-9]+", text):
        total = float(text)
    # text that no part covers, as in 1h 30x
    elif "".join(number + unit for number, unit in parts) != text.lower():
        total = 0.0
    if not 0 < total < MAX_DURATION:
        raise BadValue(f"'{text}' is not a duration", "Write 30s, 5m, 2h or 1h30m")
    return total


def require_date(text: str) -> str:
    """Returns the text if git knows every word of it: `2.weeks`, `yesterday`, `2026-11-01 12:00`.

    Raises UsageError otherwise.
    """
    # git takes every other word for now, with exit status 0: `git rev-parse --since=nonsense`
    parts = DATE_PART.findall(text)
    words = [part.lower() for part in parts if part[0].isalpha()]
    # 1st, 2nd, 3rd, 4th: the digits are a part of their own
    is_date = all(
        word in DATE_WORDS or word.removesuffix("s") in DATE_WORDS or word in {"st", "nd", "rd", "th"} for word in words
    )
    if "".join(parts) != text or not is_date or not any(part[0].isalnum() for part in parts):
        raise BadValue(f"'{text}' is not a date", "Write 2.weeks, yesterday or 2026-11-01")
    return text
