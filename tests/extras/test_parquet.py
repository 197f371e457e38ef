"""git run list --parquet."""

from __future__ import annotations

import sys

import pytest
from supervised import ended

parquet = pytest.importorskip("pyarrow.parquet")


def test_parquet_has_the_columns_of_the_list_with_their_types(repo) -> None:
    repo.write("mixed.py", "a = 1\nprint('loss:', 0.5)\n")
    for word in ("a=1", "a=2.5"):
        repo.run("mixed.py", word, check=True)
    repo.run("echo.py", "z=b", check=True)
    repo.run("list", "--parquet", "runs.parquet", check=True)
    table = parquet.read_table(repo.path / "runs.parquet")
    types = {field.name: str(field.type) for field in table.schema}
    assert (types["flag.a"], types["flag.z"], types["metric.loss"], types["started"]) == (
        "double", "string", "double", "timestamp[us, tz=UTC]",
    )  # fmt: skip
    assert table["flag.a"].to_pylist() == [None, 2.5, 1.0]
    assert sorted(path.name for path in repo.path.iterdir()) == [".git", "echo.py", "mixed.py", "runs.parquet"]


def test_file_that_cannot_be_written_is_named(repo) -> None:
    done = repo.run("list", "--parquet", "no/where.parquet")
    assert done.returncode == 128
    assert "no/" in done.stderr


def test_missing_pyarrow_is_named(repo) -> None:
    program = (
        "import sys, importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'pyarrow' else find(name, *a)\n"
        "from gitrun.commands.main import run_command\nsys.exit(run_command(['list', '--parquet', 'x']))"
    )
    done = ended(repo, sys.executable, "-c", program)
    assert done.stderr.startswith(
        "gitrun: error: --parquet needs pyarrow. To install it: pip install 'git-run-tracker[parquet]'"
    )
