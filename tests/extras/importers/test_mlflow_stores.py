"""Where MLflow keeps runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from gitrun.extras.importers.mlflow_stores import TABLES, find_artifacts, open_database

RUN = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    "tables",
    [
        "create table params (key, run_uuid, value generated always as (hex(zeroblob(400000000))))",
        "create table params (key, run_uuid, value generated always as (hex(key)) stored)",
        "create view params as select 1 as key, 2 as value, 3 as run_uuid",
        "create virtual table params using fts5(key, value, run_uuid)",
    ],
)
def test_table_that_computes_its_values_is_refused(tmp_path, tables) -> None:
    for name in ("plain", "lies"):
        with closing(sqlite3.connect(tmp_path / name)) as database:
            database.executescript("; ".join(f"create table {one} (key, value, run_uuid)" for one in TABLES if one != "params"))
            database.executescript("create table params (key, value, run_uuid)" if name == "plain" else tables)
    open_database(tmp_path / "plain").close()
    with pytest.raises(sqlite3.DatabaseError, match="lacks a plain table"):
        open_database(tmp_path / "lies")


@pytest.mark.parametrize(
    ("uri", "is_taken"),
    [
        ("mlruns/1/{run}/artifacts", True), ("{top}/mlruns/1/{run}/artifacts", True),
        ("file://{top}/mlruns/1/{run}/artifacts", True),
        ("{top}/../x/{run}/artifacts", False), ("/etc/{run}/artifacts", False), ("mlruns/1/{run}", False), ("", False),
        ("s3://bucket/{run}/artifacts", False), ("link/{run}/artifacts", False),
    ],
)  # fmt: skip
def test_artifacts_are_taken_from_beside_the_database_alone(tmp_path, uri, is_taken) -> None:
    (tmp_path / "link").symlink_to("/tmp")
    assert (find_artifacts(tmp_path, uri.format(top=tmp_path, run=RUN), RUN) is not None) == is_taken
    assert find_artifacts(tmp_path, uri.format(top=tmp_path, run=RUN), "../x") is None
