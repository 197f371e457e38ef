"""Files of a run, read for a person or a program."""

from __future__ import annotations

import json

from foreign_trees import foreign
from supervised import runs


def test_run_with_a_list_of_very_many_files_reads_through_both_doors(repo):
    files = "".join(f'\n[[files]]\npath = "{number:0100}"\nsize = 1\n' for number in range(20_000))
    made = foreign(repo, 'operation = "a"', result_toml='status = "completed"\n' + files)
    assert [run["status"] for run in runs(repo)] == ["completed"]
    assert len(json.loads(repo.run("show", made, "--json", check=True).stdout)["files"]) == 20_000
    assert "unreadable" not in repo.run("doctor", "--json").stdout
