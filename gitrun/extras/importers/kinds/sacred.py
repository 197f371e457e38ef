"""Runs of Sacred 0.8's FileStorageObserver: `<id>/` with config.json, run.json, metrics.json and cout.txt, and `_sources/`."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitrun.errors import UsageError
from gitrun.extras.importers.foreign_files import (
    clean_text,
    list_files,
    path_fault,
    read_bytes,
    read_json,
    scan_directory,
    table_in,
    texts_in,
)
from gitrun.extras.importers.imported import (
    ImportedFile,
    ImportedRun,
    LeftOut,
    MetricPoint,
    read_ending,
    read_environment,
)
from gitrun.extras.importers.metric_tables import read_printed_metrics
from gitrun.model.metrics import number_from_json
from gitrun.model.run import COMPLETED, SCRIPT
from gitrun.source.config_files import iterate_leaves

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitrun.extras.importers.imported import Context

TOOL = "sacred"
RECORDS = frozenset({"config.json", "run.json", "metrics.json", "cout.txt", "info.json"})
LARGEST = 64 << 20


def read_runs(context: Context) -> Iterator[ImportedRun | LeftOut]:
    """Yields the runs of an observer's directory (default: `runs`). Raises UsageError if it is none."""
    top = context.locate(context.source or "runs")
    entries = [entry for entry in scan_directory(top) if entry.is_dir(follow_symlinks=False)]
    directories = [Path(entry.path) for entry in entries if (Path(entry.path) / "run.json").is_file()]
    if not directories:
        raise UsageError(f"{context.source or 'runs'} has no runs of Sacred", "For example: git run import sacred runs")
    for directory in directories:
        record, config = read_json(directory / "run.json", LARGEST), read_json(directory / "config.json")
        about = table_in(record)
        created = parse_iso_time(about.get("start_time"))
        if read_ending(about.get("status")) is None:
            yield LeftOut(directory.name, "Sacred recorded no end of it")
        elif created is None:
            yield LeftOut(directory.name, "it has no time")
        else:
            yield read_observed_run(directory, about, table_in(config), created, with_authors=context.with_authors)


def read_observed_run(
    directory: Path, about: Mapping[str, Any], config: Mapping[str, Any], created: datetime, *, with_authors: bool
) -> ImportedRun:
    """Returns one run."""
    experiment, host = table_in(about, "experiment"), table_in(about, "host")
    script = clean_text(experiment.get("mainfile"), 1_000) or "experiment.py"
    command, left_out = clean_text(about.get("command"), 200), list[str]()
    if command not in {"", "main"}:
        left_out.append(f"its command {command}: a restart runs main")
    source = read_sources(directory, experiment, left_out)
    flags = dict(iterate_leaves(config))
    updates = dict(iterate_leaves(table_in(about, "meta", "config_updates")))
    status, exit_status = read_ending(about.get("status")) or (COMPLETED, 0)
    trace = about.get("fail_trace")
    listing = list_files(directory, without=RECORDS)
    name, machine = clean_text(experiment.get("name"), 200), clean_text(host.get("hostname"), 100)
    return ImportedRun(
        key=f"{name or script}-{directory.name}", tool=TOOL, operation=script, kind=SCRIPT, command=("{python}", script),
        created=created, flags=flags, given=tuple(one for one in updates if one in flags), source=source,
        environment=read_machine(experiment, host), status=status, exit_status=exit_status,
        reason=clean_text(trace[-1], 500).strip() if isinstance(trace, list) and trace else "",
        started=created, stopped=parse_iso_time(about.get("stop_time")),
        output=directory / "cout.txt" if (directory / "cout.txt").is_file() else b"",
        points=partial(read_observed_metrics, directory, flags), produced=listing.imported(),
        author=(machine, f"sacred@{machine}") if with_authors and machine else None,
        left_out=(*left_out, *listing.reasons()),
    )  # fmt: skip


def read_sources(directory: Path, experiment: Mapping[str, Any], left_out: list[str]) -> tuple[ImportedFile, ...]:
    """Returns the files of the source, which all runs of the observer share below `_sources`."""
    pairs = experiment.get("sources")
    files = []
    for pair in pairs if isinstance(pairs, list) else ():
        path, stored = (clean_text(one, 1_000) for one in (*pair, "", "")[:2]) if isinstance(pair, list) else ("", "")
        # _sources/exp_9e1ffa4d….py, and nothing deeper
        location = directory.parent / "_sources" / Path(stored).name
        if path_fault(path) or not location.is_file() or location.is_symlink() or location.parent.is_symlink():
            left_out.append("a source file that is not below _sources")
        else:
            files.append(ImportedFile(path, location))
    return tuple(files)


def read_machine(experiment: Mapping[str, Any], host: Mapping[str, Any]) -> dict[str, Any]:
    """Returns system, Python and packages. Variables of the environment, which may be secret, are left out."""
    pairs = (word.partition("==") for word in texts_in(experiment.get("dependencies"), 5_000, 200))
    packages = {name.lower(): version for name, _, version in pairs if name and version}
    (system,) = (*texts_in(host.get("os"), 1, 50), "")[:1]
    return read_environment(system, clean_text(host.get("python_version"), 50), packages)


def read_observed_metrics(directory: Path, flags: Mapping[str, object]) -> Iterator[MetricPoint]:
    """Yields the logged metrics, then those in lines that the run printed."""
    return read_printed_metrics(read_bytes(directory / "cout.txt", LARGEST) or b"", flags, read_series(directory))


def read_series(directory: Path) -> Iterator[MetricPoint]:
    """Yields the points of metrics.json: lists of steps and values by name. A number of numpy is a table with its value."""
    record = read_json(directory / "metrics.json", LARGEST)
    for name, series in record.items() if isinstance(record, dict) else ():
        steps, values = (series.get(key) if isinstance(series, dict) else None for key in ("steps", "values"))
        for step, value in zip(steps, values, strict=False) if isinstance(steps, list) and isinstance(values, list) else ():
            number = number_from_json(value.get("value") if isinstance(value, dict) else value)
            at = number_from_json(step)
            if number is not None and at is not None:
                yield MetricPoint(name, at, number)


def parse_iso_time(value: object) -> datetime | None:
    """Returns a time, which Sacred writes in UTC without saying so; None if it is none."""
    with suppress(ValueError, TypeError, OverflowError):
        time = datetime.fromisoformat(clean_text(value, 50)).replace(tzinfo=timezone.utc)
        return time if time.year >= 1970 else None
    return None
