"""What `gitrun.*` in git config says, as one value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitrun.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRETS = (
    ".env*", "*.pem", "*.key", "*.p12", "*.pfx", "*.keystore", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*",
    ".netrc", ".pgpass", ".htpasswd", "credentials", "credentials.json", "secrets.*", "*.kdbx",
)  # fmt: skip
RECORDED = (
    "CUBLAS_WORKSPACE_CONFIG", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "LC_ALL", "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED", "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS", "TZ",
)  # fmt: skip
"""Variables of the environment whose values are recorded: they change what a program computes, and hold no secrets."""
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
LONGEST = 1e9
"""Seconds: thirty years, more than a clock that waits takes."""
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of gitrun; sizes in bytes, durations in seconds."""

    python: str = ""
    max_untracked: int = 10 << 20
    max_produced: int = 10 << 20
    secrets: tuple[str, ...] = SECRETS
    bring: bool = False
    link: bool = True
    stop_grace: float = 10.0
    trash_expire: str = "30.days"
    gc_older_than: str = ""
    gc_keep: int | None = None
    gc_status: tuple[str, ...] = ()
    record_env: tuple[str, ...] = RECORDED
    pre_push: str = "push"
    allow_delete: bool = False


def settings_from(config: Mapping[str, tuple[str, ...]]) -> Settings:
    """The settings in git's config (names in lower case, all values of a name, the last one counts)."""
    default = Settings()
    return Settings(
        python=config.get("gitrun.python", ("",))[-1],
        max_untracked=size(config, "gitrun.maxuntracked", default.max_untracked),
        max_produced=size(config, "gitrun.maxproduced", default.max_produced),
        secrets=config.get("gitrun.secrets", default.secrets),
        bring=truth(config, "gitrun.bring", default=default.bring),
        link=truth(config, "gitrun.link", default=default.link),
        stop_grace=duration(config, "gitrun.stopgrace", default.stop_grace),
        trash_expire=config.get("gitrun.trashexpire", (default.trash_expire,))[-1],
        gc_older_than=config.get("gitrun.gc.olderthan", ("",))[-1],
        gc_keep=count(config, "gitrun.gc.keep"),
        record_env=config.get("gitrun.recordenv", default.record_env),
        pre_push=one_of(config, "gitrun.prepush", ("push", "check", "require", "off")),
        allow_delete=truth(config, "gitrun.allowdelete", default=default.allow_delete),
        gc_status=tuple(word.strip() for word in config.get("gitrun.gc.status", ("",))[-1].split(",") if word.strip()),
    )


def truth(config: Mapping[str, tuple[str, ...]], name: str, *, default: bool) -> bool:
    """A boolean as git reads it (a name without a value is true)."""
    if name not in config:
        return default
    text = config[name][-1].lower()
    if text in {"true", "yes", "on", "1", ""}:
        return True
    if text in {"false", "no", "off", "0"}:
        return False
    raise UsageError(f"setting {name} takes true or false, not '{text}'")


def one_of(config: Mapping[str, tuple[str, ...]], name: str, words: tuple[str, ...]) -> str:
    """One of these words; the first of them if it is not set."""
    text = config.get(name, words)[-1 if name in config else 0].lower()
    if text not in words:
        raise UsageError(f"setting {name} takes {', '.join(words[:-1])} or {words[-1]}, not '{text}'")
    return text


def size(config: Mapping[str, tuple[str, ...]], name: str, default: int) -> int:
    """A number of bytes as git reads it: with k, m or g behind it."""
    if name not in config:
        return default
    found = re.fullmatch(r"([0-9]{1,15})([kmg]?)", config[name][-1].lower())
    if not found:
        raise UsageError(f"setting {name} takes a size such as 10m, not '{config[name][-1]}'")
    return int(found[1]) * UNITS[found[2]]


def count(config: Mapping[str, tuple[str, ...]], name: str) -> int | None:
    """A number; None if it is not set."""
    if name not in config:
        return None
    if not re.fullmatch(r"[0-9]{1,15}", config[name][-1]):
        raise UsageError(f"setting {name} takes a number, not '{config[name][-1]}'")
    return int(config[name][-1])


def duration(config: Mapping[str, tuple[str, ...]], name: str, default: float) -> float:
    """A duration in seconds."""
    try:
        return seconds(config[name][-1]) if name in config else default
    except UsageError as error:
        raise UsageError(f"setting {name} takes a duration such as 30s, not '{config[name][-1]}'") from error


def seconds(text: str) -> float:
    """The duration that a person wrote: `90`, `30s`, `5m`, `2h`, `1h30m`, `1d`; in seconds, more than 0."""
    parts = re.findall(r"([0-9]*\.?[0-9]+)([smhd])", text.lower())
    total = sum(float(number) * SECONDS[unit] for number, unit in parts)
    if not parts and re.fullmatch(r"[0-9]*\.?[0-9]+", text):
        total = float(text)
    elif "".join(number + unit for number, unit in parts) != text.lower():
        total = 0.0
    if not 0 < total < LONGEST:
        raise UsageError(f"not a duration: '{text}'", "write 30s, 5m, 2h or 1h30m")
    return total
