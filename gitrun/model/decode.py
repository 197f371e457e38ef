"""Decoder of a run's TOML files (format version 1): accepts any content and returns only checked values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from gitrun.errors import BadRun, UsageError
from gitrun.model.encode import FLAGS, LONGEST, NOTES, RESULT, RUN
from gitrun.model.flags import Flags, copy_value
from gitrun.model.metrics import COUNT, FIRST, LEAST, MOST, Metrics, Summary, as_float
from gitrun.model.run import (
    COMPLETED,
    ERROR,
    PENDING,
    STAGED,
    TERMINATED,
    Attempt,
    Comment,
    File,
    Notes,
    Params,
    Skipped,
    going_on,
    is_id,
    is_safe,
)
from gitrun.model.text import path_of
from gitrun.model.toml import read_toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitrun.model.run import Written

LIMIT = 1 << 20
"""Most bytes of TOML parsed at once, and of any file but a result.toml with a long list of files."""
NEXT = b"\n[[files]]\n"
FILE = File.__slots__
STATUSES = frozenset({COMPLETED, ERROR, TERMINATED})


def parse_toml(data: bytes, name: str) -> dict[str, Any]:
    """Parses a TOML file of a run. Raises BadRun if it is not TOML or too large.

    The limit is 1 MiB. A result may have up to 16 MiB because of its list of files.
    """
    if name == RESULT and LIMIT < len(data) <= LONGEST:
        return parse_long(data)
    if len(data) > LIMIT:
        raise BadRun(f"{name} is larger than {LONGEST >> 20 if name == RESULT else 1} MiB")
    try:
        return read_toml(data.decode())
    except (ValueError, RecursionError) as error:  # includes TOMLDecodeError and UnicodeDecodeError
        raise BadRun(f"{name} is not TOML: {error}") from error


def parse_long(data: bytes) -> dict[str, Any]:
    """Parses a long result piece by piece; keys after its files are dropped. Raises BadRun."""
    found: dict[str, Any] = {}
    files: list[dict[str, Any]] = []
    for piece in pieces(data):
        some = parse_toml(piece, RESULT)
        # keep known keys only: parsed TOML of unknown authors can take thirty times its bytes
        files += ({key: file[key] for key in FILE if isinstance(file.get(key), str | int)} for file in tables(some, "files"))
        found = found or some
    return {**found, "files": files}


def pieces(data: bytes) -> Iterator[bytes]:
    """Splits a result before `[[files]]` headers into pieces that parse on their own. Raises BadRun if it cannot."""
    start = 0
    while len(data) - start > LIMIT:
        end = data.rfind(NEXT, start, start + LIMIT) + 1
        if end <= start:
            raise BadRun(f"{RESULT} is larger than 1 MiB without its files")
        yield data[start:end]
        start = end
    yield data[start:]


@dataclass(frozen=True, slots=True)
class Origin:
    """Facts about an attempt that its commits prove: id, author (`Name <address>`), time, base, result commit.

    They are not read from run.toml: its content is only a claim.
    """

    id: str
    author: str
    time: datetime
    base: str | None
    result: str


def read_attempt(origin: Origin, parts: Mapping[str, bytes | None], *, live: bool, written: Written | None) -> Attempt:
    """Builds an attempt from its files (path -> content). Raises BadRun if run.toml is missing or invalid."""
    if (run_bytes := parts.get(RUN)) is None:
        raise BadRun(f"{RUN} is missing")
    run = parse_toml(run_bytes, RUN)
    operation = text(run, "operation")
    if not operation:
        raise BadRun(f"{RUN} names no operation")
    result = parse_toml(ended, RESULT) if (ended := parts.get(RESULT)) is not None else {}
    source = table(run, "source")
    attempt = Attempt(
        id=origin.id,
        author=origin.author,
        operation=operation,
        kind=text(run, "kind") or "command",
        command=texts(run, "command"),
        cwd=path_of(text(run, "cwd") or ""),
        flags=read_flags(parts.get(FLAGS)),
        params=read_params(table(run, "params")),
        status=status_of(result, staged=run.get("staged") is True),
        created=when(run, "created") or origin.time,
        source=tree if is_id(tree := text(source, "tree") or "") else "",
        started=when(result, "started"),
        stopped=when(result, "stopped"),
        duration=number(result, "duration"),
        exit_status=whole(result, "exit_status"),
        metrics=read_metrics(table(result, "metrics"), table(result, "series")),
        base=origin.base,
        branch=text(source, "branch"),
        dirty=source.get("dirty") is True,
        batch=text(run, "batch"), given=texts(run, "given"),
        carried=tuple(path for path in map(path_of, texts(source, "carried")) if is_safe(path)),
        skipped=tuple(map(read_skipped, tables(source, "skipped"))),
        conflicts=tuple(map(path_of, texts(source, "conflicts"))),
        submodules=tuple((path_of(path), head) for path, head in table(source, "submodules").items() if isinstance(head, str)),
        content=content if is_id(content := text(source, "content") or "") else "",
        files=tuple(map(read_file, tables(result, "files"))),
        written=written if result else None,
        result=origin.result,
    )  # fmt: skip
    return going_on(attempt) if live else attempt


def read_metrics(found: Mapping[str, Any], series: Mapping[str, Any] | None = None) -> Metrics:
    """Returns the metrics of a result, without numbers that no float can hold."""
    numbers = {name: as_float(value) for name, value in found.items()}
    last = {name: value for name, value in numbers.items() if value is not None}
    known = {name: read_summary(table(series or {}, name), value) for name, value in last.items()}
    return Metrics(last, {name: summary for name, summary in known.items() if summary})


def read_summary(found: Mapping[str, Any], last: float) -> Summary | None:
    """Returns the summary of a metric; None unless it is complete."""
    first, least, most = (as_float(found.get(name)) for name in (FIRST, LEAST, MOST))
    count = whole(found, COUNT)
    if first is None or least is None or most is None or count is None:
        return None
    return Summary(first, last, least, most, count)


def read_skipped(found: Mapping[str, Any]) -> Skipped:
    """Returns a file that the snapshot left out."""
    return Skipped(path_of(text(found, "path") or "?"), whole(found, "size") or 0, text(found, "reason") or "")


def read_file(found: Mapping[str, Any]) -> File:
    """Returns a produced file."""
    return File(
        path_of(text(found, "path") or "?"),
        whole(found, "size") or 0,
        text(found, "sha256") or "",
        text(found, "stored") or "git",
    )


def status_of(result: Mapping[str, Any], *, staged: bool) -> str:
    """Returns the status of an attempt that is not running: that of its result, else staged or pending."""
    if result:
        status = text(result, "status") or ERROR
        # a later version may write a status that this one does not know
        return status if status in STATUSES else ERROR
    return STAGED if staged else PENDING


def read_flags(data: bytes | None) -> Flags:
    """Returns the flags in flags.toml; none if the file is missing. Drops values that no flag can hold."""
    if data is None:
        return Flags({})
    found = parse_toml(data, FLAGS)
    try:
        return Flags(found)
    except UsageError:  # a date, a table or a list that is nested too deeply
        return Flags({name: value for name, value in found.items() if is_value(name, value)})


def is_value(name: str, value: object) -> bool:
    """Returns whether a flag can hold the value."""
    try:
        copy_value(name, value)
    except UsageError:
        return False
    return True


def read_params(params: Mapping[str, Any]) -> Params:
    """Returns the run parameters in run.toml."""
    return Params(
        force_flags=params.get("force_flags") is True,
        gpus=text(params, "gpus"),
        max_trials=whole(params, "max_trials"),
        maximize=text(params, "maximize"),
        minimize=text(params, "minimize"),
        no_gpus=params.get("no_gpus") is True,
        opt_flags=texts(params, "opt_flags"),
        optimizer=text(params, "optimizer"),
        random_seed=whole(params, "random_seed"),
        link=tuple(path for path in map(path_of, texts(params, "link")) if is_safe(path)),
        no_link=params.get("no_link") is True,
        in_place=params.get("in_place") is True,
        output=texts(params, "output"),
        metrics=texts(params, "metrics"),
    )


def read_notes(data: bytes | None) -> Notes:
    """Returns the annotations in notes.toml."""
    if data is None:
        return Notes()
    notes = parse_toml(data, NOTES)
    comments = (Comment(text(c, "text") or "", text(c, "author") or "", when(c, "time")) for c in tables(notes, "comments"))
    return Notes(text(notes, "label"), texts(notes, "tags"), tuple(comments), notes.get("marked") is True)


def text(found: Mapping[str, Any], key: str) -> str | None:
    """Returns a string; None for any other value."""
    value = found.get(key)
    return value if isinstance(value, str) else None


def texts(found: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Returns the strings of a list, without other items."""
    value = found.get(key)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def table(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Returns a table; an empty one for any other value."""
    value = found.get(key)
    return value if isinstance(value, dict) else {}


def tables(found: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Returns the tables of a list, without other items."""
    value = found.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def number(found: Mapping[str, Any], key: str) -> float | None:
    """Returns a finite number that is not a boolean; None for any other value."""
    value = as_float(found.get(key))
    return value if value is not None and math.isfinite(value) else None


def whole(found: Mapping[str, Any], key: str) -> int | None:
    """Returns an integer that fits in 64 bits; None for any other value."""
    value = found.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63 else None


def when(found: Mapping[str, Any], key: str) -> datetime | None:
    """Returns a time in UTC; None for any other value. A time without a zone is in UTC."""
    value = found.get(key)
    if not isinstance(value, datetime) or not 1 < value.year < 9999:  # years 1 and 9999: conversion to another zone overflows
        return None
    return value.astimezone(timezone.utc) if value.tzinfo else value.replace(tzinfo=timezone.utc)
