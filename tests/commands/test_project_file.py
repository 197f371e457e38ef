"""gitrun.toml end to end: an entry is found, given its flags as it says, and restarted by its own definition."""

from __future__ import annotations

import json

import pytest
from sampled import sampled
from supervised import last, runs

ARGS = """\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
print(parser.parse_args().lr)
"""


def project(repo, text: str) -> None:
    repo.write("gitrun.toml", text)


def files(repo) -> dict[str, str]:
    """The files that the newest run produced, and where each is stored."""
    shown = json.loads(repo.run("show", "--json", last(repo)["id"], check=True).stdout)
    return {file["path"]: file["stored"] for file in shown["files"]}


def test_restart_goes_by_the_entry_of_its_own_source(repo) -> None:
    repo.write("a.py", "x = 1\nprint('a', x)\n")
    repo.write("b.py", "x = 2\nprint('b', x)\n")
    project(repo, '[operations.go]\nscript = "a.py"\nflags.x = { default = 5, max = 9 }\n')
    assert repo.run("go", check=True).stdout == "a 5\n"
    project(repo, '[operations.go]\nscript = "b.py"\n')
    assert repo.run("--restart", "go", "x=7", check=True).stdout == "a 7\n"
    assert "must be a number of at most 9" in repo.run("--restart", "go", "x=10").stderr
    assert repo.run("--restart", "go", "x=10", "--force-sourcecode", check=True).stdout == "b 10\n"
    repo.write("gitrun.toml", "")
    assert repo.run("--restart", "go", check=True).stdout == "b 10\n"
    refused = repo.run("--restart", "go", "--force-sourcecode")
    assert (refused.returncode, refused.stderr.partition(". To ")[0]) == (
        129,
        "gitrun: error: the project file no longer has operation 'go'",
    )


def test_arguments_are_kept_where_a_new_entry_runs_something_else(repo) -> None:
    project(repo, '[operations.go]\ncommand = ["echo", "one"]\n')
    assert repo.run("go", "--", "u", "v", check=True).stdout == "one u v\n"
    project(repo, '[operations.go]\ncommand = ["echo", "the", "other"]\n')
    assert repo.run("--restart", "go", "--force-sourcecode", check=True).stdout == "the other u v\n"


def test_entry_file_and_verb_of_one_name_are_told_apart(repo) -> None:
    repo.write("list", "#!/bin/sh\necho file\n").chmod(0o755)
    repo.write("sub/x", "")
    project(repo, '[operations.list]\ncommand = ["echo", "entry"]\n')
    assert repo.run("run", "list", check=True).stdout == "entry\n"
    assert repo.run("./list", check=True).stdout == "file\n"
    assert repo.run("list").stdout.count("list") == 2
    assert repo.run("run", "list", cwd=repo.path / "sub", check=True).stdout == "entry\n"


def test_entry_runs_at_the_top_wherever_it_is_started(repo) -> None:
    repo.write("sub/where.py", "import os\nprint(os.getcwd().endswith('sub'), os.path.exists('echo.py'))\n")
    project(repo, '[operations.where]\nscript = "sub/where.py"\n')
    assert repo.run("where", cwd=repo.path / "sub", check=True).stdout == "False True\n"
    assert last(repo)["operation"] == "where"


def test_table_of_pyproject_is_a_project_file_and_gitrun_toml_wins(repo) -> None:
    repo.write("pyproject.toml", '[tool.gitrun.operations.a]\ncommand = ["echo", "py"]\n')
    assert repo.run("a", check=True).stdout == "py\n"
    project(repo, '[operations.a]\ncommand = ["echo", "own"]\n')
    assert repo.run("a", check=True).stdout == "own\n"


@pytest.mark.parametrize(
    ("body", "program", "said"),
    sampled(
        3,
        [
            ('script = "a.py"', "lr = 1\nprint(lr)\n", "0.5"),
            ('script = "a.py"\nflags-to = "globals"', "lr = 1\nprint(lr)\n", "0.5"),
            ('script = "a.py"\nflags-to = "args"', "import sys\nprint(sys.argv[1:])\n", "['--lr', '0.5']"),
            ('script = "a.py"\nflags-to = "args"', ARGS, "0.5"),
            ('script = "a.py"', ARGS, "0.5"),
            ('script = "a.py"\nflags-to = "env"', "import os, sys\nprint(os.environ['FLAG_LR'], sys.argv[1:])\n", "0.5 []"),
            ('script = "a.sh"', "echo $FLAG_LR $#\n", "0.5 0"),
            ('script = "a.sh"\nflags-to = "args"', "echo $1 $2\n", "--lr 0.5"),
            ('command = ["sh", "a.sh", "{lr}", "{other}"]', "echo $1 $2 $#\n", "0.5 {other} 2"),
            ('command = ["sh", "a.sh"]\nflags-to = "args"', "echo $1 $2\n", "--lr 0.5"),
            ('command = ["sh", "a.sh"]\nflags-to = "env"', "echo $FLAG_LR $#\n", "0.5 0"),
        ],
    ),
)
def test_program_is_given_its_flags_as_the_entry_says(repo, body, program, said) -> None:
    repo.write("a.py" if "a.py" in body else "a.sh", program)
    project(repo, f"[operations.a]\n{body}\nflags.lr = 0.5\n")
    assert repo.run("a", check=True).stdout == said + "\n"
    assert repo.run("a", "lr=0.25", check=True).stdout == said.replace("0.5", "0.25") + "\n"
    assert repo.run("--restart", "1", "lr=2.5", check=True).stdout == said.replace("0.5", "2.5") + "\n"


CONFIGS = {
    "c.toml": "# mine\nlr = 0.1\n[m]\nk = 2\n",
    "c.yaml": "lr: 0.1\nm: {k: 2}\n",
    "c.json": '{"lr": 0.1, "m": {"k": 2}}',
    "c.ini": "[lr]\nlr = 0.1\n[m]\nk = 2\n",
}


@pytest.mark.parametrize(
    ("name", "state"), sampled(2, [(name, state) for name in CONFIGS for state in ("committed", "changed", "untracked")])
)
def test_flags_are_values_of_a_file_that_the_program_finds_changed(repo, name, state) -> None:
    repo.write(name, CONFIGS[name] if state != "changed" else "")
    project(repo, f'[operations.a]\ncommand = ["cat", "{name}"]\nflags-to = "file:{name}"\n')
    if state != "untracked":
        repo.commit()
    repo.write(name, CONFIGS[name])
    assert repo.run("a", check=True).stdout == CONFIGS[name]
    assert last(repo)["flags"]["m.k"] == 2
    changed = repo.run("a", "m.k=3", check=True).stdout
    assert changed != CONFIGS[name]
    assert repo.run("a", "m.k=3", check=True).stdout == changed
    assert (files(repo), (repo.path / name).read_text()) == ({}, CONFIGS[name])
    assert "a has no flag 'q'. Its flags: " in repo.run("a", "q=1").stderr


def test_flag_that_is_taken_away_is_null_in_the_file_that_the_program_finds(repo) -> None:
    repo.write("c.yaml", "lr: 0.1\ndrop: 0.5\n")
    project(repo, '[operations.a]\ncommand = ["cat", "c.yaml"]\nflags-to = "file:c.yaml"\n')
    assert repo.run("a", "drop=null", check=True).stdout == "lr: 0.1\ndrop: null\n"
    assert last(repo)["flags"] == {"lr": 0.1}


def test_flags_file_is_that_of_the_source_of_the_run(repo) -> None:
    repo.write("c.toml", "lr = 1\nold = 2\n")
    project(repo, '[operations.a]\ncommand = ["cat", "c.toml"]\nflags-to = "file:c.toml"\n')
    repo.run("a", "lr=5", check=True)
    repo.write("c.toml", "lr = 1\nnew = 3\n")
    assert repo.run("--restart", "a", check=True).stdout == "lr = 5\nold = 2\n"
    assert repo.run("--restart", "a", "--force-sourcecode", check=True).stdout == "lr = 5\nnew = 3\n"


def test_program_that_writes_its_flags_file_has_it_as_produced(repo) -> None:
    repo.write("c.toml", "lr = 1\n")
    project(repo, '[operations.a]\ncommand = ["sh", "-c", "echo x=1 >> c.toml"]\nflags-to = "file:c.toml"\n')
    repo.run("a", "lr=5", check=True)
    assert files(repo) == {"c.toml": "git"}


REFUSED = {
    ("lr=5",): "flag 'lr' of a must be a number from 0 to 1, not '5'",
    ("opt=x",): "flag 'opt' of a must be one of adam, sgd, not 'x'",
    ("n=1.5",): "flag 'n' of a must be a whole number, not '1.5'",
    ("nosuch=1",): "a has no flag 'nosuch'. Its flags: lr, opt, n, name",
    (): "a needs the flag 'name'. To give it: name=VALUE",
}


@pytest.mark.parametrize(("words", "said"), REFUSED.items())
def test_refusal_names_operation_flag_and_values_and_leaves_no_run(repo, words, said) -> None:
    project(
        repo,
        '[operations.a]\ncommand = ["true"]\n[operations.a.flags]\nlr = { default = 0.5, min = 0, max = 1 }\n'
        'opt = { default = "adam", choices = ["adam", "sgd"] }\nn = { type = "int" }\nname = { required = true }\n',
    )
    done = repo.run("a", *words)
    assert done.stderr.startswith(f"gitrun: error: {said}"), done.stderr
    assert (done.returncode, runs(repo)) == (129, [])


def test_what_the_entry_says_of_a_flag_goes_over_what_is_found(repo) -> None:
    repo.write("a.py", ARGS)
    project(repo, '[operations.a]\nscript = "a.py"\nflags.lr = { default = 0.3, min = 0.2 }\n')
    assert repo.run("a", check=True).stdout == "0.3\n"
    assert repo.run("a", "lr=0.1").returncode == 129
    assert repo.run("a.py", "lr=0.1", check=True).stdout == "0.1\n"


def test_link_keeps_untracked_data_out_of_the_source_and_brings_it_on_restart(repo) -> None:
    repo.write("data/a.csv", "1\n")
    (repo.path / "sub").mkdir()
    project(repo, '[operations.a]\ncommand = ["cat", "data/a.csv"]\nlink = ["data"]\n[operations.all]\nsteps = ["a"]\n')
    assert repo.run("a", cwd=repo.path / "sub", check=True).stdout == "1\n"
    assert "data" not in repo.git("ls-tree", "--name-only", f"runs/{last(repo)['id']}").split()
    repo.write("data/a.csv", "2\n")
    assert repo.run("--restart", "a", check=True).stdout == "2\n"
    assert repo.run("all", check=True).stdout == "2\n"
    assert {run["source"] for run in runs(repo)} == {last(repo)["source"]}


def test_env_and_stop_after_of_an_entry_hold_and_the_option_wins(repo) -> None:
    project(
        repo,
        '[operations.a]\ncommand = ["sh", "-c", "echo $A; exec sleep 30"]\nstop-after = "1s"\nenv = { A = "from entry" }\n',
    )
    done = repo.run("a", env={"A": "mine"}, timeout=20)
    assert (done.returncode, done.stdout) == (143, "from entry\n")
    project(repo, '[operations.a]\ncommand = ["sleep", "1"]\nstop-after = "0.1s"\n')
    assert repo.run("a", "--stop-after", "20s").returncode == 0


def test_broken_file_refuses_what_it_could_name_and_no_other_entry(repo) -> None:
    project(repo, '[operations.a]\nscript = 1\n[operations.b]\ncommand = ["true"]\n')
    assert repo.run("a").stderr == "gitrun: error: gitrun.toml, line 2: operations.a.script must be text, not 1\n"
    repo.run("b", check=True)
    project(repo, "[operations\n")
    done = repo.run("echo.py")
    assert (done.returncode, done.stderr.startswith("gitrun: error: gitrun.toml is not TOML: ")) == (129, True)
    repo.run("--", "true", check=True)


def test_dry_run_says_what_would_be_needed_read_and_linked(repo) -> None:
    repo.write("raw.csv", "1\n")
    repo.write("data/x", "1\n")
    repo.write("make.sh", "echo 1 > made.txt\n")
    entry = 'needs = { make = "made.txt" }\ninputs = ["raw.csv"]\nlink = ["data"]\n'
    project(repo, f'[operations.make]\nscript = "make.sh"\n[operations.a]\ncommand = ["true"]\n{entry}')
    repo.run("make", check=True)
    made = last(repo)["id"]
    shown = repo.run("--dry-run", "a", check=True).stdout
    assert f"needs:     make {made[:8]}  made.txt\n" in shown
    assert "input:     raw.csv  2" in shown
    assert "link:      data\n" in shown
    plan = json.loads(repo.run("--dry-run", "--json", "a", check=True).stdout)
    assert (plan["needs"][0]["run"], plan["inputs"][0]["path"], plan["link"]) == (made, "raw.csv", ["data"])
