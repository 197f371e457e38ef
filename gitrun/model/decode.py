"""Decoder of a run's TOML files (format version 1): accepts any content and returns only checked values."""

from __future__ import annotations

import math
from datetime import datetime, timezone

from gitrun import model
from gitrun.dataclass import dataclass
from gitrun.errors import BadRun, UsageError
from gitrun.model.flags import Flags, copy_value
from gitrun.model.metrics import COUNT, FIRST, LEAST, MOST, Metrics, Summary, as_float
from gitrun.model.record_files import FLAGS, MAX_RESULT, NOTES, RESULT, RUN, TRIALS_HEADER
from gitrun.model.run import (
    COMPLETED,
    ENDINGS,
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
    as_running,
    is_id,
    is_safe,
)
from gitrun.model.text import decode_path
from gitrun.model.toml import parse_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gitrun.model.run import Written
    from gitrun.model.trial_counts import TrialCounts

MAX_TOML = 1 << 20
"""Most bytes of TOML parsed at once, and of any file but a result.toml with a long list of files."""
FILES_HEADER = b"\n[[files]]\n"
FILE_KEYS = File.__slots__
END_STATUSES = frozenset({COMPLETED, ERROR, TERMINATED})


def parse_toml(data: bytes, name: str) -> dict[str, Any]:
    """Parses a TOML file of a run. Raises BadRun if it is not TOML or too large.

    The limit is 1 MiB. A result may have up to 16 MiB because of its list of files.
    """
    if name == RESULT and MAX_TOML < len(data) <= MAX_RESULT:
        return parse_long_result(data)
    # before the parser: its time and memory grow with the size, and the bytes may come from anybody
    if len(data) > MAX_TOML:
        raise BadRun(f"{name} is larger than {MAX_RESULT >> 20 if name == RESULT else 1} MiB")
    try:
        return parse_text(data.decode())
    except (ValueError, RecursionError) as error:  # includes TOMLDecodeError and UnicodeDecodeError
        raise BadRun(f"{name} is not TOML: {error}") from error


def parse_long_result(data: bytes) -> dict[str, Any]:
    """Parses a long result piece by piece; keys after its files are dropped, trials too. Raises BadRun."""
    table: dict[str, Any] = {}
    files: list[dict[str, Any]] = []
    for piece in split_long_result(data):
        some = parse_toml(piece, RESULT)
        # keep known keys only: parsed TOML of unknown authors can take thirty times its bytes
        files += (
            {key: file[key] for key in FILE_KEYS if isinstance(file.get(key), str | int)} for file in get_tables(some, "files")
        )
        # the first piece has everything that stands before the files
        table = table or some
    return {**table, "files": files}


def split_long_result(data: bytes) -> Iterator[bytes]:
    """Splits a result before `[[files]]` headers into pieces that parse on their own. Raises BadRun if it cannot."""
    start = 0
    while len(data) - start > MAX_TOML:
        # the line end before the header belongs to the piece; without a header this is 0
        end = max(data.rfind(header, start, start + MAX_TOML) for header in (FILES_HEADER, TRIALS_HEADER)) + 1
        if end <= start:
            raise BadRun(f"{RESULT} is larger than 1 MiB without its files and trials")
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


def read_attempt(origin: Origin, parts: Mapping[str, bytes | None], *, live: bool, times: Written | None) -> Attempt:
    """Builds an attempt from its files (path -> content). Raises BadRun if run.toml is missing or invalid."""
    if (run_bytes := parts.get(RUN)) is None:
        raise BadRun(f"{RUN} is missing")
    run = parse_toml(run_bytes, RUN)
    operation = get_text(run, "operation")
    if not operation:
        raise BadRun(f"{RUN} names no operation")
    ended = parts.get(RESULT)
    # a batch may have many thousand trials, which few readers need: gitrun writes them last
    result = parse_toml(ended.partition(TRIALS_HEADER)[0], RESULT) if ended is not None else {}
    status = get_status(result, staged=run.get("staged") is True)
    trial, pruned = get_int(run, "trial") or 0, get_int(result, "pruned")
    source = get_table(run, "source")
    attempt = Attempt(
        id=origin.id,
        author=origin.author,
        operation=operation,
        kind=get_text(run, "kind") or "command",
        command=get_texts(run, "command"),
        cwd=decode_path(get_text(run, "cwd") or ""),
        flags=read_flags(parts.get(FLAGS)),
        params=read_params(get_table(run, "params")),
        status=status,
        # a run.toml without a valid time gets that of its commit
        created=get_time(run, "created") or origin.time,
        source=tree if is_id(tree := get_text(source, "tree") or "") else "",
        started=get_time(result, "started"),
        stopped=get_time(result, "stopped"),
        duration=get_number(result, "duration"),
        exit_status=get_int(result, "exit_status"),
        metrics=read_metrics(get_table(result, "metrics"), get_table(result, "series")),
        base=origin.base,
        branch=get_text(source, "branch"),
        dirty=source.get("dirty") is True,
        batch=get_text(run, "batch"), given=get_texts(run, "given"),
        # a run from elsewhere may name any path
        carried=tuple(path for path in map(decode_path, get_texts(source, "carried")) if is_safe(path)),
        skipped=tuple(map(read_skipped, get_tables(source, "skipped"))),
        conflicts=tuple(map(decode_path, get_texts(source, "conflicts"))),
        submodules=read_submodules(get_table(source, "submodules")),
        content=content if is_id(content := get_text(source, "content") or "") else "",
        files=tuple(map(read_file, get_tables(result, "files"))),
        # the output is recorded together with the result
        written=times if result else None,
        result=origin.result,
        trial=trial if trial > 0 else None,
        pruned=pruned if status == TERMINATED else None,
        counts=read_counts(get_table(result, "batch"), get_table(result, "best")),
        worker=get_text(run, "worker") or "",
        reason=get_text(result, "reason") or "",
    )  # fmt: skip
    return as_running(attempt) if live else attempt


def read_counts(table: Mapping[str, Any], best: Mapping[str, Any]) -> TrialCounts | None:
    """Returns the counts of a batch in its result; None if it has none."""
    if (total := get_int(table, "total")) is None:
        return None
    number, value = get_int(best, "trial"), get_number(best, "value")
    best_trial = None
    if number is not None and value is not None:
        best_trial = model.trial_counts.BestTrial(number, get_text(best, "run") or "", value)
    counts = {name: max(get_int(table, name) or 0, 0) for name in (*ENDINGS, PENDING)}
    return model.trial_counts.TrialCounts(max(total, 0), **counts, best=best_trial)


def read_metrics(table: Mapping[str, Any], series: Mapping[str, Any] | None = None) -> Metrics:
    """Returns the metrics of a result, without numbers that no float can hold."""
    numbers = {name: as_float(value) for name, value in table.items()}
    last = {name: value for name, value in numbers.items() if value is not None}
    summaries = {name: read_summary(get_table(series or {}, name), value) for name, value in last.items()}
    return Metrics(last, {name: summary for name, summary in summaries.items() if summary})


def read_summary(table: Mapping[str, Any], last: float) -> Summary | None:
    """Returns the summary of a metric; None unless it is complete."""
    first, least, most = (as_float(table.get(name)) for name in (FIRST, LEAST, MOST))
    count = get_int(table, COUNT)
    if first is None or least is None or most is None or count is None:
        return None
    return Summary(first, last, least, most, count)


def read_skipped(table: Mapping[str, Any]) -> Skipped:
    """Returns a file that the snapshot left out."""
    # an entry without a path is still counted and shown
    return Skipped(decode_path(get_text(table, "path") or "?"), get_int(table, "size") or 0, get_text(table, "reason") or "")


def read_submodules(table: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Returns the submodules of a source: path and commit of each."""
    return tuple((decode_path(path), commit) for path, commit in table.items() if isinstance(commit, str))


def read_file(table: Mapping[str, Any]) -> File:
    """Returns a produced file."""
    return File(
        decode_path(get_text(table, "path") or "?"),
        get_int(table, "size") or 0,
        get_text(table, "sha256") or "",
        get_text(table, "stored") or "git",
    )


def get_status(result: Mapping[str, Any], *, staged: bool) -> str:
    """Returns the status of an attempt that is not running: that of its result, else staged or pending."""
    # without a result.toml, the table is empty
    if result:
        status = get_text(result, "status") or ERROR
        # a later version may write a status that this one does not know
        return status if status in END_STATUSES else ERROR
    return STAGED if staged else PENDING


def read_flags(data: bytes | None) -> Flags:
    """Returns the flags in flags.toml; none if the file is missing. Drops values that no flag can hold."""
    if data is None:
        return Flags({})
    table = parse_toml(data, FLAGS)
    try:
        # the usual case: testing each value by itself copies all of them twice
        return Flags(table)
    except UsageError:  # a date, a table or a list that is nested too deeply
        return Flags({name: value for name, value in table.items() if can_be_flag(name, value)})


def can_be_flag(name: str, value: object) -> bool:
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
        gpus=get_text(params, "gpus"),
        max_trials=get_int(params, "max_trials"),
        maximize=get_text(params, "maximize"),
        minimize=get_text(params, "minimize"),
        no_gpus=params.get("no_gpus") is True,
        opt_flags=get_texts(params, "opt_flags"),
        optimizer=get_text(params, "optimizer"),
        random_seed=get_int(params, "random_seed"),
        # a restart makes these links, so a path from elsewhere must not lead out of the tree
        link=tuple(path for path in map(decode_path, get_texts(params, "link")) if is_safe(path)),
        no_link=params.get("no_link") is True,
        in_place=params.get("in_place") is True,
        output=get_texts(params, "output"),
        metrics=get_texts(params, "metrics"),
        resources=get_texts(params, "resources"),
    )


def read_notes(data: bytes | None) -> Notes:
    """Returns the annotations in notes.toml."""
    if data is None:
        return Notes()
    notes = parse_toml(data, NOTES)
    comments = (
        Comment(get_text(c, "text") or "", get_text(c, "author") or "", get_time(c, "time"))
        for c in get_tables(notes, "comments")
    )
    return Notes(get_text(notes, "label"), get_texts(notes, "tags"), tuple(comments), notes.get("marked") is True)


def get_text(table: Mapping[str, Any], key: str) -> str | None:
    """Returns a string; None for any other value."""
    value = table.get(key)
    return value if isinstance(value, str) else None


def get_texts(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Returns the strings of a list, without other items."""
    value = table.get(key)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def get_table(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Returns a table; an empty one for any other value."""
    value = table.get(key)
    return value if isinstance(value, dict) else {}


def get_tables(table: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Returns the tables of a list, without other items."""
    value = table.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def get_number(table: Mapping[str, Any], key: str) -> float | None:
    """Returns a finite number that is not a boolean; None for any other value."""
    value = as_float(table.get(key))
    return value if value is not None and math.isfinite(value) else None


def get_int(table: Mapping[str, Any], key: str) -> int | None:
    """Returns an integer that fits in 64 bits; None for any other value."""
    value = table.get(key)
    # TOML promises integers of 64 bits, and a bool is an int in Python
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63 else None


def get_time(table: Mapping[str, Any], key: str) -> datetime | None:
    """Returns a time in UTC; None for any other value. A time without a zone is in UTC."""
    value = table.get(key)
    if not isinstance(value, datetime) or not 1 < value.year < 9999:  # years 1 and 9999: conversion to another zone overflows
        return None
    # gitrun writes its times in UTC
    return value.astimezone(timezone.utc) if value.tzinfo else value.replace(tzinfo=timezone.utc)
