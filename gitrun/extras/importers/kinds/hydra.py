"""Jobs of Hydra 1: directories with `.hydra/config.yaml`, such as `outputs/2026-01-02/03-04-05` or those of a multirun.

Hydra records neither source nor outcome nor times of a job. `.hydra` may hold pickles of a callback, which are never read.
"""

from __future__ import annotations

import hashlib
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from gitrun.errors import UsageError
from gitrun.extras.importers.foreign_files import (
    clean_text,
    list_files,
    parse_yaml,
    read_bytes,
    scan_directory,
    table_in,
    texts_in,
)
from gitrun.extras.importers.imported import ImportedRun, LeftOut, MetricPoint, join_trials, read_time
from gitrun.extras.importers.metric_tables import read_metric_tables, read_printed_metrics
from gitrun.model.run import SCRIPT
from gitrun.scripts.yaml_text import read_yaml
from gitrun.source.config_files import iterate_leaves

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from gitrun.extras.importers.imported import Context

TOOL, RECORDS, SWEEP = "hydra", ".hydra", "multirun.yaml"
USUAL = ("outputs", "multirun")
NOT_RECORDED = ("the source: Hydra recorded none", "the outcome: Hydra recorded none, so it counts as completed")
DEEPEST, MOST_DIRECTORIES, LARGEST_LOG = 8, 100_000, 64 << 20
# [2026-01-02 03:04:05,678][__main__][INFO] - loss: 0.1
LOG_PREFIX = re.compile(rb"^\[[^]\n]*\]\[[^]\n]*\]\[[A-Z]+\] - ", re.MULTILINE)


def read_runs(context: Context) -> Iterator[ImportedRun | LeftOut]:
    """Yields the jobs below a directory (default: `outputs` and `multirun`). Raises UsageError if there are none."""
    tops = [context.locate(name) for name in ((context.source,) if context.source else USUAL)]
    jobs_found = [(top, directory) for top in tops for directory in find_jobs(top)]
    if not jobs_found:
        raise UsageError(
            f"no jobs of Hydra in {context.source or 'outputs or multirun'}", "For example: git run import hydra outputs"
        )
    sweeps: dict[Path, list[ImportedRun]] = {}
    for top, directory in jobs_found:
        job = read_job(directory)
        if isinstance(job, ImportedRun) and directory != top and is_sweep(directory.parent):
            sweeps.setdefault(directory.parent, []).append(job)
        else:
            yield job
    for directory, jobs in sweeps.items():
        # the sweep of a job is named by where it was: the names of its jobs
        name = hashlib.sha256("\n".join(job.key for job in jobs).encode()).hexdigest()[:8]
        yield from join_trials(f"{'-'.join(directory.parts[-2:])}-{name}", jobs)


def is_sweep(directory: Path) -> bool:
    """Returns whether a directory is that of a multirun."""
    return (directory / SWEEP).is_file() and not (directory / SWEEP).is_symlink()


def find_jobs(top: Path) -> Iterator[Path]:
    """Yields the directories of jobs at or below a directory, sorted. Follows no links."""
    waiting, count = [(top, 0)], 0
    while waiting and count < MOST_DIRECTORIES:
        directory, depth = waiting.pop()
        count += 1
        names = [entry.name for entry in scan_directory(directory) if entry.is_dir(follow_symlinks=False)]
        if RECORDS in names:
            yield directory
        elif depth < DEEPEST:
            waiting += [(directory / name, depth + 1) for name in reversed(names) if not name.startswith(".")]


def read_job(directory: Path) -> ImportedRun | LeftOut:
    """Returns the run of a job, or the reason why there is none."""
    config_file = directory / RECORDS / "config.yaml"
    config, hydra = read_config(config_file), read_config(directory / RECORDS / "hydra.yaml")
    # where the job wrote names it, wherever its directory is now; the path itself is nobody's business
    about = table_in(hydra, "hydra")
    location = clean_text(table_in(about, "runtime").get("output_dir"), 4_000) or directory.name
    key = f"{'-'.join(directory.parts[-2:])}-{hashlib.sha256(location.encode()).hexdigest()[:8]}"
    if config is None:
        return LeftOut(key, "its .hydra/config.yaml cannot be read")
    # Hydra writes it just before the job starts
    created = read_time(int(config_file.stat().st_mtime))
    if created is None:
        return LeftOut(key, "its time is no time")
    job, number = clean_text(table_in(about, "job").get("name"), 200) or "job", table_in(about, "job").get("num")
    words = texts_in(table_in(about, "overrides").get("task"))
    flags = dict(iterate_leaves(config))
    listing = list_files(directory, without=frozenset({RECORDS}))
    log = directory / f"{job}.log"
    files = {file.path: file.location for file in listing.files if file.path != log.name}
    ended = max([file.location.stat().st_mtime for file in listing.files], default=config_file.stat().st_mtime)
    return ImportedRun(
        key=key, tool=TOOL, operation=f"{job}.py", kind=SCRIPT, command=("{python}", f"{job}.py"), created=created,
        flags=flags, given=tuple(name for word in words if (name := word.lstrip("+~").partition("=")[0]) in flags),
        started=created, stopped=read_time(int(ended)), output=log if log.is_file() and not log.is_symlink() else b"",
        points=partial(read_job_metrics, files, log, flags), produced=listing.imported({log.name}),
        trial=number if isinstance(number, int) else None, left_out=(*NOT_RECORDED, *listing.reasons()),
    )  # fmt: skip


def read_job_metrics(files: Mapping[str, Path], log: Path, flags: Mapping[str, object]) -> Iterator[MetricPoint]:
    """Yields the metrics in the files of a job, then those in the lines of its log."""
    data = read_bytes(log, LARGEST_LOG) or b""
    yield from read_printed_metrics(LOG_PREFIX.sub(b"", data), flags, read_metric_tables(files))


def read_config(path: Path) -> Mapping[str, Any] | None:
    """Returns a configuration with OmegaConf's types, in which 1e-3 is a number; None without a valid one."""
    data = read_bytes(path)
    # the stricter reader decides whether it is valid and within budgets
    return read_yaml(data) if data is not None and (isinstance(parse_yaml(data), dict) or not data.strip()) else None
