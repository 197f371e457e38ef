"""The operations of a working tree."""

from __future__ import annotations

import json

import pytest
from offers import PROJECT


def test_scripts_at_the_top_are_listed_where_no_entries_are(trained) -> None:
    trained.write("ignored.py", "x = 1\n")
    trained.write(".gitignore", "ignored.py\n")
    trained.write("new.py", "y = 2\n")
    assert trained.run("ops", check=True).stdout == (
        "echo.py\n  x=1.0\n  y=2\n  z=a\nnew.py\n  y=2\ntrain.py\n  lr=0.1    learning rate\n  opt=adam  one of adam, sgd\n"
    )


def test_broken_entry_is_named_and_the_others_are_listed(trained) -> None:
    trained.write("gitrun.toml", PROJECT + '[operations.bad]\nscript = 1\n[operations.gone]\nscript = "gone.py"\n')
    done = trained.run("ops")
    assert (done.returncode, done.stdout.count("cannot be run"), "Train it" in done.stdout) == (1, 2, True)
    assert "gitrun: error: bad cannot be run: gitrun.toml, line 11: operations.bad.script must be text, not 1\n" in done.stderr
    found = {one["name"]: one for one in json.loads(trained.run("ops", "--json").stdout)}
    assert (found["gone"]["error"][:20], found["train"]["error"]) == ("no 'gone.py', which ", None)
    trained.write("gitrun.toml", "[operations\n")
    assert trained.run("ops").stderr.startswith("gitrun: error: gitrun.toml is not TOML: ")


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("dvc.yaml", "note: dvc.yaml has stages. To run the command of one: git run -- COMMAND"),
        ("guild.yml", "note: guild.yml can become gitrun.toml. To write it: git run ops --init"),
        ("Makefile", "note: Makefile has targets. To run one: git run -- make TARGET"),
        ("GNUmakefile", "note: GNUmakefile has targets. To run one: git run -- make TARGET"),
        ("Snakefile", "note: Snakefile has rules. To run one: git run -- snakemake --cores 1 RULE"),
    ],
)
def test_files_of_other_tools_are_pointed_to(repo, file, words) -> None:
    assert "note:" not in repo.run("ops", check=True).stderr
    repo.write(file, "")
    done = repo.run("ops", check=True)
    assert (done.stdout[:7], done.stderr.count(words)) == ("echo.py", 1)
    assert repo.run("ops", "echo.py", check=True).stderr == ""
