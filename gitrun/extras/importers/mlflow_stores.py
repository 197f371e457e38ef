"""The two stores of MLflow 2 and 3, read without MLflow: directories of small files, and a database of SQLite."""

from __future__ import annotations

import math
import os
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, unquote, urlsplit

from gitrun.dataclass import dataclass
from gitrun.errors import UsageError
from gitrun.extras.importers.foreign_files import clean_text, list_files, read_bytes, read_text, read_yaml, scan_directory
from gitrun.extras.importers.imported import MetricPoint
from gitrun.model.metrics import parse_float

if TYPE_CHECKING:
    from gitrun.extras.importers.imported import Context

Points: TypeAlias = Callable[[], Iterator[MetricPoint]]
RUN = re.compile(r"[0-9a-f]{32}")
# http://host:5000, databricks, postgresql://host/db
OF_A_SERVER = re.compile(r"(?!file:|sqlite:)[a-z][a-z0-9+-]*://|databricks\b")
TABLES = ("experiments", "runs", "params", "metrics", "tags")
PLAIN_TABLE = (
    "select count(*) = 1 and not exists (select 1 from pragma_table_xinfo(?) where hidden)"
    " from sqlite_master where type = 'table' and sql not like 'create virtual%' and name = ?"
)
"""Asks whether a name is a plain table: no view, no virtual table, and no column that is computed when it is read."""
STATUSES = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
"""The numbers that the directories have, and the words that the database has (mlflow/protos/service.proto)."""
LARGEST, LARGEST_VALUE, MOST_VALUES, MOST_POINTS, MOST_RUNS = 256 << 20, 64 << 20, 5_000, 1_000_000, 100_000
INFINITE = 1.7976931348623157e308
"""The number that a database has for infinity (mlflow/store/tracking/sqlalchemy_store.py)."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as MLflow stores it. `started` and `ended` are in milliseconds; `artifacts` is None if they are elsewhere."""

    run_id: str
    name: str
    experiment: str
    status: str
    is_deleted: bool
    started: object
    ended: object
    params: dict[str, str]
    tags: dict[str, str]
    points: Points
    artifacts: Path | None


def read_store(context: Context) -> Iterator[StoredRun]:
    """Returns the runs of the store that the user typed: a directory, or `sqlite:PATH`. Raises UsageError."""
    typed = context.source
    if OF_A_SERVER.match(typed):
        raise UsageError(
            f"{typed} is a server: gitrun reads only directories and databases of MLflow",
            f"To import its runs with their last metrics, and without artifacts: MLFLOW_TRACKING_URI={typed} "
            "mlflow experiments csv -x ID -o runs.csv && git run import csv runs.csv",
        )
    if typed.startswith("sqlite:"):
        # sqlite:///mlflow.db is relative, and sqlite:////home/ann/mlflow.db is not
        rest = typed.removeprefix("sqlite:")
        return read_database(context.locate(unquote(rest.removeprefix("///"))))
    path = context.locate(typed.removeprefix("file://") or ".")
    # of MLflow 3 the usual store is a database
    path = path / "mlflow.db" if (path / "mlflow.db").is_file() else path
    if path.is_file():
        return read_database(path)
    store = path / "mlruns" if (path / "mlruns").is_dir() else path
    if not any(entry.name == "meta.yaml" for folder in scan_directory(store) for entry in folders_entries(folder)):
        raise UsageError(
            f"{typed or '.'} is no store of MLflow", "For example: git run import mlflow mlruns, or sqlite:mlflow.db"
        )
    return read_directory(store)


def folders_entries(entry: os.DirEntry[str]) -> Iterator[os.DirEntry[str]]:
    """Yields the entries of a directory; none of anything else, and none behind a symbolic link."""
    if entry.is_dir(follow_symlinks=False):
        yield from scan_directory(Path(entry.path))


def read_directory(store: Path) -> Iterator[StoredRun]:
    """Yields the runs of a directory: `<experiment>/<run>/` with meta.yaml, params, metrics, tags and artifacts."""
    for folder in scan_directory(store):
        about = read_yaml(Path(folder.path) / "meta.yaml") if folder.is_dir(follow_symlinks=False) else None
        experiment = clean_text(about.get("name"), 250) if isinstance(about, dict) else ""
        for entry in folders_entries(folder):
            is_run = RUN.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
            meta = read_yaml(Path(entry.path) / "meta.yaml") if is_run else None
            if isinstance(meta, dict):
                yield read_run_directory(Path(entry.path), meta, experiment)


def read_run_directory(directory: Path, meta: dict[str, Any], experiment: str) -> StoredRun:
    """Returns the run of a directory."""
    status = meta.get("status")
    return StoredRun(
        directory.name, clean_text(meta.get("run_name"), 250), experiment,
        STATUSES.get(status, "") if isinstance(status, int) else clean_text(status, 20),
        meta.get("lifecycle_stage") == "deleted", meta.get("start_time"), meta.get("end_time"),
        read_texts(directory / "params"), read_texts(directory / "tags"), partial(read_metric_lines, directory / "metrics"),
        directory / "artifacts",
    )  # fmt: skip


def read_texts(directory: Path) -> dict[str, str]:
    """Returns names and texts of a directory with a file for each: `val/acc` is `acc` in `val`."""
    return {file.path: read_text(file.location, 100_000) for file in list_files(directory).files[:MOST_VALUES]}


def read_metric_lines(directory: Path) -> Iterator[MetricPoint]:
    """Yields the points of a directory of metrics, whose files have lines of time, value and step."""
    for file in list_files(directory).files[:MOST_VALUES]:
        for line in (read_bytes(file.location, LARGEST) or b"").decode(errors="replace").splitlines():
            words = line.split()
            value = parse_float(words[1]) if len(words) > 1 else None
            step = parse_float(words[2]) if len(words) > 2 else 0.0
            if value is not None and step is not None:
                yield MetricPoint(file.path, step, value)


def read_database(path: Path) -> Iterator[StoredRun]:
    """Yields the runs of a database. Raises UsageError if it is none of MLflow."""
    try:
        with closing(open_database(path)) as database:
            columns = "r.run_uuid, r.name, e.name, r.status, r.lifecycle_stage, r.start_time, r.end_time, r.artifact_uri"
            rows = database.execute(
                f"select {columns} from runs r left join experiments e on e.experiment_id = r.experiment_id"  # noqa: S608 - fixed
                " order by r.run_uuid limit ?",
                (MOST_RUNS,),
            ).fetchall()
            for run_id, name, experiment, status, stage, started, ended, artifacts in rows:
                key = clean_text(run_id, 250)
                yield StoredRun(
                    key, clean_text(name, 250), clean_text(experiment, 250), clean_text(status, 20), stage == "deleted",
                    started, ended, select_values(database, "params", key), select_values(database, "tags", key),
                    partial(select_points, path, key), find_artifacts(path.parent, clean_text(artifacts, 4_000), key),
                )  # fmt: skip
    except sqlite3.Error as error:
        raise UsageError(
            f"{path.name} is no database of MLflow: {error}", "For example: git run import mlflow sqlite:mlflow.db"
        ) from error


def open_database(path: Path) -> sqlite3.Connection:
    """Opens a database that is only read. Raises sqlite3.Error if it is missing, or has views in place of tables."""
    database = sqlite3.connect(f"file:{quote(os.fspath(path))}?mode=ro", uri=True)
    database.text_factory = lambda data: data.decode(errors="replace")
    # a forged schema may call functions, and a view may never end
    for pragma in ("query_only=on", "trusted_schema=off", "cell_size_check=on"):
        database.execute(f"pragma {pragma}")
    if sys.version_info >= (3, 11):
        # a value that a damaged page or an expression makes could be a gigabyte long
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_VALUE)
    if not all(database.execute(PLAIN_TABLE, (name, name)).fetchone()[0] for name in TABLES):
        database.close()
        raise sqlite3.DatabaseError("it lacks a plain table of runs, params, metrics, tags or experiments")
    return database


def select_values(database: sqlite3.Connection, table: str, key: str) -> dict[str, str]:
    """Returns names and texts of a run."""
    rows = database.execute(f"select key, value from {table} where run_uuid = ? order by key limit ?", (key, MOST_VALUES))  # noqa: S608
    return {clean_text(name, 250): clean_text(value, 100_000) for name, value in rows}


def select_points(path: Path, key: str) -> Iterator[MetricPoint]:
    """Yields the points of a run, in the order of their steps."""
    # a damaged page ends the metrics of this run, and not the import
    with suppress(sqlite3.Error), closing(open_database(path)) as database:
        query = "select key, value, step, is_nan from metrics where run_uuid = ? order by key, step, timestamp"
        for name, value, step, is_nan in islice(database.execute(query, (key,)), MOST_POINTS):
            if isinstance(value, int | float) and isinstance(step, int | float):
                number = math.nan if is_nan else math.copysign(math.inf, value) if abs(value) >= INFINITE else float(value)
                yield MetricPoint(clean_text(name, 250), float(step), number)


def find_artifacts(directory: Path, uri: str, key: str) -> Path | None:
    """Returns the directory of a run's artifacts if it is beside the database; None if it is anywhere else.

    A forged database could name any directory of this machine.
    """
    parts = urlsplit(uri)
    if parts.scheme not in {"", "file"} or not RUN.fullmatch(key):
        return None
    location, top = Path(os.path.normpath(directory / unquote(parts.path))), Path(os.path.normpath(directory.absolute()))
    # <directory>/mlruns/1/<run>/artifacts
    inside = location.is_relative_to(top) and location.parts[-2:] == (key, "artifacts")
    is_linked = any(one.is_symlink() for one in (location, *location.parents) if one.is_relative_to(top))
    return location if inside and not is_linked else None
