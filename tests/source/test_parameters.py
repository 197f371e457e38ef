"""The values of files that a script loads are its flags, and a run has its own copy of the file with other values."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from templates import made_once

from gitrun.source.parameters import MOST

TRAIN = """
import json, tomllib, yaml
from pathlib import Path
SEED = 1
params = yaml.safe_load(open("params.yaml"))["train"]
with open("conf/c.json") as f:
    c = json.load(f)
t = tomllib.loads(Path("conf/t.toml").read_text())
print(json.dumps([SEED, params, c, t]))
"""
PARAMS = "# of all stages\ntrain:\n  lr: 0.1  # rate\n  opt: {name: adam, amp: false}\nprepare:\n  lr: 1\n"


@pytest.fixture
@made_once
def project(empty_repo):
    empty_repo.write("train.py", TRAIN)
    empty_repo.write("params.yaml", PARAMS)
    empty_repo.write("conf/c.json", '{"n": 3, "xs": [1, 2], "none": null, "rows": [{"a": 1}]}')
    empty_repo.write("conf/t.toml", 'title = "a"\n[deep]\nx = 1\n')
    empty_repo.commit()
    empty_repo.git("config", "gitrun.python", sys.executable)
    return empty_repo


pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="the program reads TOML with tomllib")
DEFAULTS = {
    "SEED": 1, "train.lr": 0.1, "train.opt.name": "adam", "train.opt.amp": False, "n": 3, "xs": [1, 2], "title": "a",
    "deep.x": 1,
}  # fmt: skip


def flags(repo) -> dict:
    return json.loads(repo.run("show", "1", "--json", check=True).stdout)["flags"]


def test_program_reads_the_given_values_and_the_files_stay_as_they_are(project) -> None:
    before = {path: (project.path / path).read_bytes() for path in ("params.yaml", "conf/c.json", "conf/t.toml")}
    given = ("train.lr=0.5", "train.opt.amp=yes", "xs=[4]", "title=b", "deep.x=2", "SEED=7", "none=1")
    seed, params, c, t = json.loads(project.run("train.py", *given, check=True).stdout)
    assert (seed, params) == (7, {"lr": 0.5, "opt": {"name": "adam", "amp": True}})
    assert c == {"n": 3, "xs": [4], "none": 1, "rows": [{"a": 1}]}
    assert t == {"title": "b", "deep": {"x": 2}}
    changes = {"train.lr": 0.5, "train.opt.amp": True, "xs": [4], "title": "b", "deep.x": 2, "SEED": 7, "none": 1}
    assert flags(project) == DEFAULTS | changes
    assert {path: (project.path / path).read_bytes() for path in before} == before
    assert (project.git("status", "--short"), project.run("show", "1", "--json").stdout.count('"files": []')) == ("", 1)


def test_files_whose_values_are_not_changed_are_not_written(project) -> None:
    project.write("train.py", TRAIN + "print(open('params.yaml').read())\n")
    assert PARAMS in project.run("train.py", "n=4", check=True).stdout
    assert flags(project) == DEFAULTS | {"n": 4}


def test_restart_keeps_and_changes_values_of_files(project) -> None:
    project.run("train.py", "train.lr=0.5", check=True)
    project.write("params.yaml", "train: {lr: 9}\n")
    assert json.loads(project.run("--restart", "1", "n=5", check=True).stdout)[1:3] == [
        {"lr": 0.5, "opt": {"name": "adam", "amp": False}}, {"n": 5, "xs": [1, 2], "none": None, "rows": [{"a": 1}]},
    ]  # fmt: skip
    assert flags(project) == DEFAULTS | {"train.lr": 0.5, "n": 5}
    assert "have not changed" in project.run("--restart", "1", "--needed", "n=5", check=True).stdout


def test_name_that_no_file_has_is_refused_and_an_order_in_place_too(project) -> None:
    refused = project.run("train.py", "prepare.lr=2")
    assert (refused.returncode, "has no flag 'prepare.lr'" in refused.stderr) == (129, True)
    assert project.run("train.py", "--in-place", "n=4").returncode == 129
    assert project.run("train.py", "--in-place", "SEED=4", check=True).stdout.startswith("[4, ")


def test_files_are_found_as_the_program_finds_them(project) -> None:
    beside = "import json, os\nHERE = os.path.dirname(os.path.abspath(__file__))\n"
    project.write("sub/beside.py", beside + "print(json.load(open(os.path.join(HERE, 'own.json'))))\n")
    project.write("sub/own.json", '{"k": 1}')
    project.write("sub/there.py", "import json\nprint(json.load(open('own.json')))\n")
    assert project.run("sub/beside.py", "k=2", check=True).stdout == "{'k': 2}\n"
    assert project.run("there.py", "k=3", check=True, cwd=project.path / "sub").stdout == "{'k': 3}\n"
    refused = project.run("sub/there.py", "k=2")
    assert (refused.returncode, "sub/there.py has no flag 'k'" in refused.stderr) == (129, True)


def test_another_file_that_a_constant_names_leaves_the_values_open(project) -> None:
    project.write("by.py", "import json\nCONF = 'conf/c.json'\nprint(json.load(open(CONF)))\n")
    project.write("conf/d.json", '{"n": 8}')
    assert project.run("by.py", "CONF=conf/d.json", check=True).stdout == "{'n': 8}\n"
    assert flags(project) == {"CONF": "conf/d.json"}
    assert project.run("by.py", "n=4", check=True).stdout.startswith("{'n': 4, ")


def test_options_stand_beside_the_values_of_files(project) -> None:
    source = "import argparse, json\np = argparse.ArgumentParser()\np.add_argument('--n', type=int, default=1)\n"
    project.write("args.py", source + "print(p.parse_args().n, json.load(open('conf/c.json'))['xs'])\n")
    assert project.run("args.py", "n=2", "xs=[5]", check=True).stdout == "2 [5]\n"
    assert flags(project) == {"n": 2, "xs": [5]}


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("[1, 2]", "no names"),
        ("{", "no JSON"),
        (json.dumps({f"k{number}": number for number in range(MOST + 1)}), "data"),
    ],
)
def test_a_file_that_holds_no_parameters_has_no_flags(empty_repo, content, what) -> None:
    empty_repo.write("t.py", "import json\nx = 1\nprint(open('a.json').read() and x)\nif x > 5: json.load(open('a.json'))\n")
    empty_repo.write("a.json", content)
    assert empty_repo.run("t.py", "x=2", check=True).stdout == "2\n", what
    assert flags(empty_repo) == {"x": 2}


def test_parameters_are_listed_and_what_reads_yaml_is_named_if_it_is_missing(project, tmp_path) -> None:
    assert "\n  train.lr=0.1\n" in project.run("ops", "train.py", check=True).stdout
    (tmp_path / "yaml.py").write_text("raise ImportError('no PyYAML here')\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from gitrun.commands.main import main; main()"
    call = [sys.executable, "-c", code, "ops", "train.py"]
    done = subprocess.run(call, cwd=project.path, capture_output=True, text=True, check=True)
    assert "flags in params.yaml are not read: YAML files need PyYAML" in done.stdout
    assert "train.lr" not in done.stdout


def test_values_of_an_ini_file_reach_a_configparser(empty_repo) -> None:
    repo = empty_repo
    repo.write("conf.ini", "[DEFAULT]\nseed = 1\n[train]\nlr = 0.1\nname = a b\n")
    read = "import configparser\nc = configparser.ConfigParser()\nc.read('conf.ini')\n"
    repo.write("fit.py", read + "print({one: dict(c[one]) for one in c.sections()})\n")
    assert repo.run("fit.py", check=True).stdout == "{'train': {'lr': '0.1', 'name': 'a b', 'seed': '1'}}\n"
    given = repo.run("fit.py", "train.lr=1e-3", "train.name=x", "train.seed=7", check=True)
    assert given.stdout == "{'train': {'lr': '0.001', 'name': 'x', 'seed': '7'}}\n"
    again = repo.run("--restart", "1", "train.lr=2", check=True).stdout
    assert again == "{'train': {'lr': '2', 'name': 'x', 'seed': '7'}}\n"
    assert repo.run("fit.py", "lr=2").returncode == 129
