"""Options of a script are taken as they are typed, and modules are run by their names."""

from __future__ import annotations

import json
import sys

import pytest
from sampled import sampled
from templates import made_once
from users_python import need

TRAIN = """\
import argparse
p = argparse.ArgumentParser()
p.add_argument("--lr", "-l", type=float, default=0.1)
p.add_argument("--fast", action="store_true")
p.add_argument("--cache", "--caching", action=argparse.BooleanOptionalAction, default=True)
p.add_argument("--xs", nargs="+", type=int)
p.add_argument("--resume", nargs="?", const=True)
print(vars(p.parse_args()))
"""
SUBS = """\
import argparse
p = argparse.ArgumentParser()
p.add_argument("--seed", type=int, default=0)
fit = p.add_subparsers().add_parser("fit")
fit.add_argument("--lr", type=float, default=0.1)
print(vars(p.parse_args()))
"""
HYDRA = """\
import hydra
from omegaconf import OmegaConf
@hydra.main(config_path="conf", config_name="c", version_base=None)
def main(cfg): print(OmegaConf.to_container(cfg))
main()
"""


@pytest.fixture
@made_once
def project(empty_repo):
    empty_repo.write("train.py", TRAIN)
    empty_repo.write("subs.py", SUBS)
    empty_repo.write("plain.py", "lr = 0.1\nprint(lr)\n")
    empty_repo.write("h.py", HYDRA)
    empty_repo.write("conf/c.yaml", "defaults:\n  - db: my\n  - _self_\nlr: 1\nm: {a: 1, b: 2}\n")
    empty_repo.write("conf/db/my.yaml", "host: a\n")
    empty_repo.write("conf/experiment/e.yaml", "# @package _global_\nlr: 5\nextra: 1\n")
    empty_repo.write("pkg/__init__.py", "")
    empty_repo.write("pkg/fit.py", "lr = 0.1\nif __name__ == '__main__':\n    from . import other\n    print(lr, other.lr)\n")
    empty_repo.write("pkg/other.py", "from .fit import lr\n")
    empty_repo.write("pkg/__main__.py", TRAIN)
    empty_repo.commit()
    empty_repo.git("config", "gitrun.python", sys.executable)
    return empty_repo


def shown(repo) -> dict:
    return json.loads(repo.run("show", "1", "--json", check=True).stdout)


@pytest.mark.parametrize(
    ("words", "changes"),
    sampled(
        8,
        [
            (["train.py", "--lr", "0.3"], {"lr": 0.3}),
            (["train.py", "l=0.3", "--fa"], {"lr": 0.3, "fast": True}),
            (["--lr", "0.3", "train.py"], {"lr": 0.3}),
            (["--lr=0.3", "train.py"], {"lr": 0.3}),
            (["train.py", "--lr", "-1"], {"lr": -1.0}),
            (["train.py", "--lr", "0.3", "--fast", "--label", "x", "--no-caching"], {"lr": 0.3, "fast": True, "cache": False}),
            (["train.py", "--xs", "1", "2", "--lr", "4", "fast=yes"], {"xs": [1, 2], "lr": 4.0, "fast": True}),
            (["train.py", "--fast", "--", "--lr", "0.3"], {"fast": True, "lr": 0.3}),
            (["--resume", "train.py", "--fast"], {"resume": True, "fast": True}),
            (["train.py", "--fast", "--resume"], {"resume": True, "fast": True}),
            (["train.py", "--resume", "x.pt"], {"resume": "x.pt"}),
            (["-m", "pkg", "--lr", "0.3"], {"lr": 0.3}),
        ],
    ),
)
def test_option_of_the_script_is_accepted_and_recorded(project, words, changes) -> None:
    received = {"lr": 0.1, "fast": False, "cache": True, "xs": None, "resume": None} | changes
    assert project.run(*words, check=True).stdout == f"{received}\n"
    recorded = shown(project)
    assert recorded["flags"] == {name: value for name, value in received.items() if value is not None}
    assert sorted(recorded["given"]) == sorted(changes)


HUGGING = """\
from dataclasses import dataclass
from transformers import HfArgumentParser
@dataclass
class C:
    lr: float = 0.1
    do_train: bool = False
    fast: bool = True
HfArgumentParser(C).parse_args_into_dataclasses()
"""


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        (["hf.py", "--do_train", "--lr", "3"], {"do_train": True, "lr": 3, "fast": True}),
        (["--do-train", "hf.py"], {"do_train": True, "lr": 0.1, "fast": True}),
        (["hf.py", "--do_train", "false", "--no-fast"], {"do_train": False, "lr": 0.1, "fast": False}),
        (["hf.py", "--do_train", "lr=3"], {"do_train": True, "lr": 3, "fast": True}),
    ],
)
def test_a_switch_of_an_hf_argument_parser_needs_no_value(project, words, flags) -> None:
    project.write("hf.py", HUGGING)
    assert json.loads(project.run("-n", "--json", *words, check=True).stdout)["flags"] == flags


NOTE = "gitrun: note: {}: taken by git run; own.py has this option too. To pass it: git run own.py -- {}"
OWN = """\
import argparse
p = argparse.ArgumentParser()
p.add_argument("--dry-run", "-n", action="store_true")
p.add_argument("--label", default="a")
p.add_argument("--lr", type=float, default=0.1)
print(vars(p.parse_args()))
"""


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["own.py", "--label", "x"], "--label"),
        (["own.py", "--label=x", "--lr", "1"], "--label"),
        (["own.py", "-n"], "-n"),
        (["own.py", "--dry-run"], "--dry-run"),
        (["own.py", "-l", "x"], ""),
        (["own.py", "--tag", "x"], ""),
        (["--label", "x", "own.py"], ""),
        (["own.py", "--label", "x", "--", "--label", "y"], ""),
        (["own.py", "label=y"], ""),
        (["plain.py", "--label", "x"], ""),
    ],
)
def test_an_option_that_git_run_takes_from_the_script_is_named(project, words, option) -> None:
    project.write("own.py", OWN)
    notes = [line for line in project.run(*words, check=True).stderr.splitlines() if "note" in line]
    assert notes == ([NOTE.format(option, option)] if option else [])


def test_a_required_option_that_git_run_takes_is_explained(project) -> None:
    project.write("own.py", OWN.replace('"--lr", type=float, default=0.1', '"--gpus", type=int, required=True'))
    refused = project.run("own.py", "--gpus=8").stderr.splitlines()
    assert refused[0].startswith("gitrun: error: own.py needs the flag 'gpus'. To give it: gpus=VALUE")
    assert refused[1:] == [NOTE.format("--gpus", "--gpus")]
    assert json.loads(project.run("own.py", "gpus=8", "--json", "-n", check=True).stdout)["flags"]["gpus"] == 8


def test_an_option_whose_value_git_run_refuses_is_named(project) -> None:
    project.write("own.py", OWN.replace('"--lr"', '"-o", "--lr"'))
    refused = project.run("own.py", "-o", "0.3")
    assert refused.stderr.startswith("gitrun: error: there is no optimizer '0.3'")
    assert refused.stderr.splitlines()[1:] == [NOTE.format("-o", "-o")]
    assert "taken by git run" not in project.run("-o", "0.3", "own.py").stderr


def test_option_of_a_sub_command_is_accepted(project) -> None:
    assert project.run("subs.py", "--lr", "0.3", "--seed", "2", "--", "fit", check=True).stdout == "{'seed': 2, 'lr': 0.3}\n"
    assert shown(project)["flags"] == {"seed": 2, "lr": 0.3}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train.py", "--rate", "0.3"], "gitrun knows no option --rate of train.py"),
        (["plain.py", "--lr", "0.3"], "flags are written lr=0.3, not --lr 0.3"),
        (["train.py", "--lr", "0.3", "--rate=3"], "train.py has no option --rate. To pass it to the program: put it after --"),
        (["train.py", "--lr", "fast"], "flag 'lr' of train.py must be a number, not 'fast'"),
        (["train.py", "fas=yes"], "train.py has no flag 'fas'. To set fast: fast=VALUE"),
        (["train.py", "--lr"], "option --lr of train.py needs a value. To give it: lr=VALUE"),
        (["plain.py", "+lr=1"], "'+lr=1' is not a flag"),
    ],
)
def test_what_is_no_option_of_the_script_is_refused(project, words, said) -> None:
    ended = project.run(*words)
    assert (ended.returncode, project.git("for-each-ref", "refs/runs"), said in ended.stderr) == (129, "", True)


@pytest.mark.parametrize(
    ("words", "received", "flags"),
    sampled(
        1,
        [
            (["++lr=4"], {"db": {"host": "a"}, "lr": 4, "m": {"a": 1, "b": 2}}, {"lr": 4}),
            (["+new=3"], {"db": {"host": "a"}, "lr": 1, "m": {"a": 1, "b": 2}, "new": 3}, {"lr": 1}),
            (["~m.a", "lr=2"], {"db": {"host": "a"}, "lr": 2, "m": {"b": 2}}, {"lr": 2, "m.a": None}),
            (
                ["+experiment=e"],
                {"db": {"host": "a"}, "lr": 5, "m": {"a": 1, "b": 2}, "extra": 1},
                {"experiment": "e", "lr": 5},
            ),
            (
                ["experiment=e", "lr=9"],
                {"db": {"host": "a"}, "lr": 9, "m": {"a": 1, "b": 2}, "extra": 1},
                {"lr": 9, "extra": 1},
            ),
            (["~db"], {"lr": 1, "m": {"a": 1, "b": 2}}, {"db": None, "db.host": None}),
        ],
    ),
)
def test_words_of_hydra_reach_it_and_what_is_recorded_is_true(project, words, received, flags) -> None:
    need("hydra")
    assert project.run("h.py", *words, check=True).stdout == f"{received}\n"
    recorded = shown(project)["flags"]
    assert {name: recorded.get(name) for name in flags} == flags
    assert project.run("--restart", "1", check=True).stdout == f"{received}\n"


def test_module_is_run_by_its_name_with_its_constants(project) -> None:
    assert project.run("-m", "pkg.fit", "lr=0.5", check=True).stdout == "0.5 0.5\n"
    recorded = shown(project)
    assert (recorded["operation"], recorded["flags"]) == ("-m pkg.fit", {"lr": 0.5})
    assert "Skipping" in project.run("--needed", "-m", "pkg.fit", "lr=0.5", check=True).stdout
    assert project.run("--restart", "1", "lr=0.7", check=True).stdout == "0.7 0.7\n"
    assert project.run("-m", "pkg.fit", check=True).stdout == "0.1 0.1\n"
    project.write("gitrun.toml", '[operations.all]\nsteps = ["-m pkg.fit"]\n')
    assert project.run("all", "lr=0.9", check=True).stdout == "0.9 0.9\n"


def test_help_of_a_module_shows_its_flags_and_one_that_is_not_there_is_refused(project) -> None:
    assert project.run("-m", "pkg.fit", "-h", check=True).stdout == "-m pkg.fit\n  lr=0.1\n"
    ended = project.run("-m", "nosuch")
    assert (ended.returncode, ended.stderr) == (
        129, "gitrun: error: no module 'nosuch' here. To run any module: git run -- python3 -m nosuch\n",
    )  # fmt: skip
    assert "-m pkg.fit and 'train.py' cannot be combined" in project.run("-m", "pkg.fit", "train.py").stderr


def test_refused_flag_names_the_way_that_works(empty_repo) -> None:
    source = "from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    lr: float = 0.1\nprint(S())\n"
    empty_repo.write("s.py", source)
    ended = empty_repo.run("s.py", "lr=0.5")
    assert ended.returncode == 129
    assert (
        "s.py has no flag 'lr'. pydantic-settings reads its values from the environment. To set one: NAME=VALUE git run s.py"
        in ended.stderr
    )
