"""What programs of ConfigArgParse, Sacred, docopt and pydantic-settings receive, run by the real libraries."""

from __future__ import annotations

import ast
import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest
import users_python
from sampled import sampled

if TYPE_CHECKING:
    from pathlib import Path

    from repository import Repo

CONFIGARGPARSE = """
import configargparse
p = configargparse.ArgParser(default_config_files=["my.ini"])
p.add("-c", "--my-config", is_config_file=True)
p.add("--lr", type=float, default=0.1)
p.add("--n", type=int, required=True)
p.add_argument("--where", env_var="TOOL_WHERE", default="here")
p.add("-v", action="store_true")
print(vars(p.parse_args()))
"""
SACRED = """
from sacred import Experiment, SETTINGS
SETTINGS.CONFIG.READ_ONLY_CONFIG = False
ex = Experiment("tool", save_git_info=False)
@ex.config
def configuration():
    lr = 0.1
    n = 3
    name = "a"
    layers = [1, 2]
    steps = n * 10
    opt = {"momentum": 0.9, "nested": {"on": False}}
ex.add_config(extra=5)
@ex.main
def main(_config):
    print({key: value for key, value in _config.items() if key != "seed"})
if __name__ == "__main__":
    ex.run_commandline()
"""
DOCOPT = '''"""Trains.

Usage:
  tool.py [options] [--fast]
  tool.py (-h | --help)

Options:
  -h --help       Show this.
  -l X, --lr=<x>  Learning rate [default: 0.1].
  --name=NAME     Of the run.
  -o FILE         Out [default: 1.10]
  --loud          Be loud.
"""
from docopt import docopt
print({key: value for key, value in docopt(__doc__).items() if key != "--help"})
'''
PYDANTIC = """
from pydantic import BaseModel
from pydantic_settings import BaseSettings, SettingsConfigDict
class Opt(BaseModel):
    lr: float = 0.1
class Settings(BaseSettings):
    model_config = SettingsConfigDict(cli_parse_args=True)
    n: int = 1
    on: bool = False
    title: str = "a"
    layers: list[int] = [1, 2]
    tags: list[str] = ["a"]
    opt: Opt = Opt()
print(Settings().model_dump())
"""
PROGRAMS = {"configargparse": CONFIGARGPARSE, "sacred": SACRED, "docopt": DOCOPT, "pydantic_settings": PYDANTIC}


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return users_python.make(tmp_path_factory.mktemp("user") / "venv", (*users_python.LIBRARIES, "setuptools"))


@pytest.fixture(params=PROGRAMS)
def tool(request: pytest.FixtureRequest, empty_repo: Repo, users: Path) -> tuple[str, Repo]:
    """A repository with a program of each library in turn."""
    library = request.param
    for module in (library, *(("pkg_resources",) if library == "sacred" else ())):
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    empty_repo.write("tool.py", PROGRAMS[library])
    empty_repo.write("my.ini", "lr = 0.7\n")
    empty_repo.commit()
    empty_repo.git("config", "gitrun.python", str(users))
    return library, empty_repo


GIVEN: dict[str, list[str]] = {
    "configargparse": ["lr=1e-05", "n=3", "where=-x", "v=yes"],
    "sacred": ["lr=1e-05", "n=4", "name=b c", "layers=[3, 'x']", "opt.nested.on=yes", "extra=-6"],
    "docopt": ["lr=-1e-05", "name=b c", "o=2.50", "loud=yes", "fast=yes"],
    "pydantic_settings": ["n=-3", "on=yes", "title=-x y", "layers=[3, 4]", "tags=['a b', c]", "opt.lr=1e-05"],
}
RECEIVED: dict[str, dict[str, Any]] = {
    "configargparse": {"my_config": None, "lr": 1e-05, "n": 3, "where": "-x", "v": True},
    "sacred": {
        "lr": 1e-05, "n": 4, "name": "b c", "layers": [3, "x"], "steps": 40,
        "opt": {"momentum": 0.9, "nested": {"on": True}}, "extra": -6,
    },
    "docopt": {"--lr": "-1e-05", "--name": "b c", "-o": "2.50", "--loud": True, "--fast": True},
    "pydantic_settings": {
        "n": -3, "on": True, "title": "-x y", "layers": [3, 4], "tags": ["a b", "c"], "opt": {"lr": 1e-05},
    },
}  # fmt: skip


def last_line(text: str) -> dict[str, Any]:
    found = ast.literal_eval(text.splitlines()[-1])
    assert isinstance(found, dict)
    return found


def test_program_receives_its_flags_and_records_them(tool: tuple[str, Repo]) -> None:
    library, repo = tool
    ended = repo.run("tool.py", *GIVEN[library], check=True)
    assert last_line(ended.stdout) == RECEIVED[library]
    flags = json.loads(repo.run("show", "1", "--json", check=True).stdout)["flags"]
    assert flags | {word.partition("=")[0]: flags[word.partition("=")[0]] for word in GIVEN[library]} == flags
    assert "steps" not in flags


def test_flag_that_is_not_there_is_refused(tool: tuple[str, Repo]) -> None:
    _, repo = tool
    ended = repo.run("tool.py", "nosuch=1", "n=1")
    assert (ended.returncode, repo.git("for-each-ref", "refs/runs")) == (129, "")
    assert "tool.py has no flag 'nosuch'" in ended.stderr


def test_value_of_a_configuration_file_is_recorded(tool: tuple[str, Repo]) -> None:
    library, repo = tool
    if library != "configargparse":
        pytest.skip("only ConfigArgParse reads this file")
    assert last_line(repo.run("tool.py", "n=1", check=True).stdout)["lr"] == 0.7
    assert json.loads(repo.run("show", "1", "--json").stdout)["flags"] == {"lr": 0.7, "n": 1, "v": False}
    repo.write("other.ini", "lr = 0.9\n")
    assert last_line(repo.run("tool.py", "n=1", "my-config=other.ini", check=True).stdout)["lr"] == 0.9
    assert json.loads(repo.run("show", "1", "--json").stdout)["flags"] == {"my-config": "other.ini", "n": 1}


@pytest.mark.parametrize(
    ("library", "words"),
    sampled(
        4,
        [
            ("sacred", ["with", "lr=0.5", "opt.momentum=0.1"]),
            ("configargparse", ["--lr", "0.5", "--n=3"]),
            ("docopt", ["--lr=0.5", "--loud"]),
            ("pydantic_settings", ["--opt.lr=0.5", "-n", "3"]),
        ],
    ),
)
def test_words_behind_the_dashes_are_recorded_as_flags(tool: tuple[str, Repo], library: str, words: list[str]) -> None:
    if tool[0] != library:
        pytest.skip("words of another library")
    repo = tool[1]
    plain = last_line(repo.run("tool.py", "--", *words, check=True).stdout)
    shown = json.loads(repo.run("show", "1", "--json", check=True).stdout)
    assert (0.5 in shown["flags"].values(), repo.run("--restart", "1", check=True).stdout != "") == (True, True)
    assert repr(plain) in repo.run("cat", "1", check=True).stdout
