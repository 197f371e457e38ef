"""What programs written with the real libraries receive when `git run` gives them flags, in a Python without gitrun."""

from __future__ import annotations

import ast
import json
import math
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import users_python
from repository import Repo
from sampled import sampled, sampled_values

from gitrun.errors import UsageError
from gitrun.git.trees import WorkTree
from gitrun.model.flags import Flag, Value, default_values
from gitrun.scripts.discover import argument_words, read_script

if TYPE_CHECKING:
    from pathlib import Path

ARGPARSE = """
import argparse
SIZES = (1, 2)
parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--loud", action="store_true")
commands = parser.add_subparsers(dest="command")
train = commands.add_parser("train")
common = train.add_argument_group("common")
for name in ("lr", "decay"):
    common.add_argument(f"--{name}", type=float, default=0.5)
train.add_argument("--name", default="a")
train.add_argument("--amp", action=argparse.BooleanOptionalAction, default=True)
train.add_argument("--size", type=int, choices=SIZES, default=1)
train.add_argument("--layers", type=int, nargs="*", default=[1])
print(vars(parser.parse_args()))
"""
CLICK = """
import click
@click.group()
@click.option("--seed", type=int, default=0)
@click.pass_context
def cli(ctx, seed):
    ctx.obj = {"seed": seed}
@cli.command()
@click.option("--lr", default=0.1, help="learning rate")
@click.option("-n", "--count", type=click.IntRange(1, 9), default=3)
@click.option("--shout/--quiet", default=False)
@click.option("--fast", is_flag=True)
@click.option("--opt", type=click.Choice(["adam", "sgd"]), default="adam")
@click.option("--tag", multiple=True, default=["x"])
@click.option("--pair", nargs=2, type=int, default=(1, 2))
@click.option("--name", default="a")
@click.option("-v", "--verbose", count=True)
@click.option("--upper", "how", flag_value="upper", default="lower")
@click.option("--lower", "how", flag_value="lower")
@click.option("-s", type=int)
@click.argument("path", default="p")
@click.pass_obj
def train(obj, **given):
    print({**obj, **given})
cli()
"""
TYPER = """
from enum import Enum
from typing import Annotated, List, Optional, Tuple
import typer
class Opt(str, Enum):
    ADAM = "adam"
    SGD = "sgd"
def main(
    path: Annotated[str, typer.Argument()] = "p",
    lr: float = 0.1,
    batch_size: Annotated[int, typer.Option(min=1, help="how many at once")] = 8,
    shout: bool = False,
    opt: Opt = Opt.ADAM,
    tag: List[str] = ["x"],
    name: Annotated[Optional[str], typer.Option("--name", "-n")] = None,
    old: str = typer.Option("o", "--old-name", help="old"),
    pair: Tuple[int, str] = (1, "a"),
):
    given = dict(locals())
    print({**given, "opt": given["opt"].value})
typer.run(main)
"""
ABSL = """
import enum
from absl import app, flags
class Mode(enum.Enum):
    RED = 1
    BLUE = 2
flags.DEFINE_float("lr", 0.1, "learning rate", lower_bound=0)
N = flags.DEFINE_integer("n", -1, "how many")
flags.DEFINE_bool("on", False, "switch")
flags.DEFINE_string("name", None, "name")
flags.DEFINE_enum("opt", "adam", ["adam", "sgd"], "optimizer")
flags.DEFINE_list("tags", "a,b", "tags")
flags.DEFINE_multi_integer("layer", [1], "layers")
flags.DEFINE_enum_class("mode", Mode.RED, Mode, "mode")
def main(argv):
    v = flags.FLAGS
    print({"lr": v.lr, "n": v.n, "on": v.on, "name": v.name, "opt": v.opt, "tags": v.tags, "layer": v.layer,
           "mode": v.mode.name})
app.run(main)
"""
ML_COLLECTIONS = """
from absl import app, flags
from ml_collections import config_flags
flags.DEFINE_integer("seed", 1, "seed")
CONFIG = config_flags.DEFINE_config_file("config", "conf/base.py", "its settings")
app.run(lambda _: print({"seed": flags.FLAGS.seed, **CONFIG.value}))
"""
FIRE = """
import fire
def main(n, lr=0.1, name="a", on=False, layers=(1, 2), none=None):
    print(dict(locals()))
if __name__ == "__main__":
    fire.Fire(main)
"""
JSONARGPARSE = """
from typing import List, Literal, Optional, Union
from jsonargparse import auto_cli
def main(path: str = "p", lr: float = 0.1, n: int = 1, on: bool = False, layers: List[int] = [1],
         opt: Literal["adam", "sgd"] = "adam", name: str = "a", limit: Optional[int] = 3,
         jobs: Union[int, str] = 1):
    print(dict(locals()))
auto_cli(main)
"""
TYRO = """
from dataclasses import asdict, dataclass, field
from typing import List, Literal, Optional, Union
import tyro
@dataclass
class Optim:
    lr: float = 0.1
    name: Literal["adam", "sgd"] = "adam"
    use_amp: bool = False
@dataclass
class Config:
    optim: Optim = field(default_factory=Optim)
    seed: int = 0
    text: str = "a"
    limit: Optional[int] = 3
    layers: List[int] = field(default_factory=lambda: [1, 2])
    fast: bool = True
    jobs: Union[int, None, str] = 1
    amp: Optional[bool] = None
print(asdict(tyro.cli(Config)))
"""
HYDRA = """
import hydra
from omegaconf import OmegaConf
@hydra.main(config_path="conf", config_name="config", version_base=None)
def main(cfg):
    print(OmegaConf.to_container(cfg))
main()
"""
OMEGACONF = """
from omegaconf import OmegaConf
print(OmegaConf.to_container(OmegaConf.merge(OmegaConf.load("config.yaml"), OmegaConf.from_cli())))
"""
SIMPLE = """
from dataclasses import asdict, dataclass
from enum import Enum
from simple_parsing import ArgumentParser
class Color(Enum):
    RED = "r"
    BLUE = "b"
@dataclass
class Config:
    lr: float = 0.1
    name: str = "a"
    on: bool = False
    color: Color = Color.RED
@dataclass
class Other:
    lr: float = 0.2
parser = ArgumentParser()
parser.add_argument("--seed", type=int, default=0)
parser.add_arguments(Config, dest="config")
parser.add_arguments(Other, dest="other")
args = parser.parse_args()
print({**asdict(args.config), "color": args.config.color.name, "other": args.other.lr, "seed": args.seed})
"""
YAML = "lr: 1e-3\nname: a\nlayers: [1, 2]\nlimit: 3\nfast: false\nmodel:\n  depth: 2\n"
PROGRAMS = {
    "argparse": ARGPARSE, "click": CLICK, "typer": TYPER, "absl": ABSL, "fire": FIRE, "jsonargparse": JSONARGPARSE,
    "tyro": TYRO, "hydra": HYDRA, "omegaconf": OMEGACONF, "simple": SIMPLE,
}  # fmt: skip
WORDS = {"argparse": ("--", "train"), "click": ("--", "train")}
TEXTS = (
    "",
    'it\'s "so" é\\',
    "-x",
    "日😀\x7f\x85\u2028",
    "a b",
    "--seed",
    "é…",
    "1",
    "true",
    "a=b, c: [d]",
    "\\",
    "a\\'",
    "~",
    "$HOME {x} #",
)


@pytest.fixture(scope="session")
def users(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's interpreter."""
    return users_python.make(tmp_path_factory.mktemp("user") / "venv")


@pytest.fixture
def project(empty_repo: Repo, users: Path) -> Repo:
    """A repository with all programs, whose Python is the user's."""
    write_programs(empty_repo)
    empty_repo.commit()
    empty_repo.git("config", "gitrun.python", str(users))
    return empty_repo


def write_programs(empty_repo: Repo) -> None:
    for name, source in PROGRAMS.items():
        empty_repo.write(f"run_{name}.py", source)
    empty_repo.write("config.yaml", YAML)
    empty_repo.write("conf/config.yaml", "defaults:\n  - db: mysql\n  - _self_\nmust: ???\n" + YAML)
    empty_repo.write("conf/db/mysql.yaml", "host: local\n")
    empty_repo.write("conf/db/pg.yaml", "port: 5\n")


def received(project: Repo, program: str, *flags: str) -> dict[str, Any]:
    """What the program printed that it was given."""
    users_python.need(program)
    ended = project.run("--yes", f"run_{program}.py", *flags, *WORDS.get(program, ()), check=True)
    found = ast.literal_eval(ended.stdout)
    assert isinstance(found, dict)
    return found


def test_the_users_python_has_no_gitrun(users: Path, tmp_path: Path) -> None:
    ended = subprocess.run([users, "-c", "import gitrun"], cwd=tmp_path, capture_output=True, check=False)
    assert b"ModuleNotFoundError" in ended.stderr


CASES = [
    ("argparse", ["seed=3", "loud=yes", "lr=-1", "decay=1e-05", "amp=no", "size=2", "layers=[3, -4]"],
     {"seed": 3, "loud": True, "lr": -1.0, "decay": 1e-05, "amp": False, "size": 2, "layers": [3, -4], "command": "train"}),
    ("click", ["seed=3", "lr=1e-05", "count=9", "shout=yes", "fast=yes", "opt=sgd", "tag=[a, -b]", "pair=[3, -4]",
               "verbose=2", "how=upper", "s=-7", "path=-q"],
     {"seed": 3, "lr": 1e-05, "count": 9, "shout": True, "fast": True, "opt": "sgd", "tag": ("a", "-b"), "pair": (3, -4),
      "verbose": 2, "how": "upper", "s": -7, "path": "-q"}),
    ("typer", ["lr=-1", "batch_size=2", "shout=yes", "opt=sgd", "tag=[a, -b]", "old-name=x", "path=-q", "pair=[2, z]"],
     {"lr": -1.0, "batch_size": 2, "shout": True, "opt": "sgd", "tag": ["a", "-b"], "old": "x", "path": "-q",
      "pair": (2, "z")}),
    ("absl", ["lr=1e-05", "n=-3", "on=yes", "opt=sgd", "tags=[x, 'y,z']", "layer=[2, -3]", "mode=BLUE"],
     {"lr": 1e-05, "n": -3, "on": True, "opt": "sgd", "tags": ["x", "y,z"], "layer": [2, -3], "mode": "BLUE"}),
    ("fire", ["n=1", "lr=-1e-05", "on=yes", "layers=[1, 'b c', -2]"],
     {"n": 1, "lr": -1e-05, "on": True, "layers": [1, "b c", -2]}),
    ("jsonargparse", ["lr=-1", "n=5", "on=yes", "layers=[3, -4]", "opt=sgd", "limit=null", "jobs=auto"],
     {"lr": -1.0, "n": 5, "on": True, "layers": [3, -4], "opt": "sgd", "limit": None, "jobs": "auto"}),
    ("tyro", ["optim.lr=-1", "optim.name=sgd", "optim.use_amp=yes", "seed=-3", "limit=null", "layers=[3, -4]", "fast=no",
              "jobs=auto", "amp=no"],
     {"optim": {"lr": -1.0, "name": "sgd", "use_amp": True}, "seed": -3, "limit": None, "layers": [3, -4], "fast": False,
      "jobs": "auto", "amp": False}),
    ("hydra", ["must=1", "lr=5e-06", "layers=[1, 'x y', -2]", "limit=null", "fast=yes", "model.depth=3", "db=pg", "db.port=6"],
     {"must": 1, "lr": 5e-06, "layers": [1, "x y", -2], "limit": None, "fast": True, "model": {"depth": 3}, "db": {"port": 6}}),
    ("omegaconf", ["lr=5e-06", "layers=[1, 'x y', -2]", "limit=null", "fast=yes", "model.depth=3"],
     {"lr": 5e-06, "layers": [1, "x y", -2], "limit": None, "fast": True, "model": {"depth": 3}}),
    ("simple", ["config.lr=1e-05", "other.lr=3", "on=yes", "seed=3", "color=BLUE"],
     {"lr": 1e-05, "other": 3.0, "on": True, "seed": 3, "color": "BLUE"}),
]  # fmt: skip


@pytest.mark.parametrize(("program", "flags", "expected"), sampled(5, CASES), ids=[case[0] for case in CASES])
def test_a_program_receives_what_its_flags_say(project: Repo, program: str, flags: list[str], expected: dict[str, Any]) -> None:
    before = received(project, program, *[flag for flag in flags if flag.startswith(("must=", "n=1"))])
    after = received(project, program, *flags)
    assert {name: after[name] for name in expected} == expected
    assert {name: value for name, value in after.items() if name not in expected} == {
        name: value for name, value in before.items() if name not in expected
    }


@pytest.mark.parametrize(
    ("program", "text"), sampled(len(PROGRAMS), [(program, text) for program in PROGRAMS for text in TEXTS])
)
def test_a_program_receives_text_as_it_is(tmp_path: Path, users: Path, program: str, text: str) -> None:
    users_python.need(program)
    project = Repo(tmp_path)
    write_programs(project)
    source = (project.path / f"run_{program}.py").read_bytes()
    words = WORDS.get(program, ())[1:]
    script = read_script(source, f"run_{program}.py", WorkTree(project.path)).chosen(words)
    name = "text" if program == "tyro" else "name"
    given: dict[str, Value] = {"hydra": {"must": 1}, "fire": {"n": 1}}.get(program, {})  # type: ignore[assignment]
    more = argument_words(script, {**default_values(script.flags), **given, name: text}, words)
    ended = subprocess.run([users, f"run_{program}.py", *more], cwd=project.path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ast.literal_eval(ended.stdout)[name] == text


ANOTHER: dict[str, Value] = {"int": 7, "float": -2.5, "number": 3, "str": "b c", "any": "auto", "list": [3, 4]}


def another(flag: Flag) -> Value:
    """A value that the flag takes, and that is not its default."""
    if flag.choices:
        return next(choice for choice in flag.choices if choice != flag.default)
    if flag.size:
        return [2, "z"]
    if isinstance(flag.default, list) and flag.default and isinstance(flag.default[0], str):
        return ["y", "z"]
    return not flag.default if flag.kind == "bool" else ANOTHER[flag.kind]


def flat(values: dict[str, Any], start: str = "") -> dict[str, Any]:
    """The values by dotted names, tuples as lists."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        inner = {start + name: list(value) if isinstance(value, tuple) else value}
        found |= flat(value, f"{start}{name}.") if isinstance(value, dict) else inner
    return found


EACH = """
import importlib, json, os, runpy, sys
path, library, *calls = sys.argv[1:]
importlib.import_module(library)
for call in map(json.loads, calls):
    if os.fork() == 0:
        sys.argv = [path, *call]
        try:
            runpy.run_path(path, run_name="__main__")
        except SystemExit as ended:
            assert not ended.code, ended.code
        sys.stdout.flush()
        os._exit(0)
    assert os.wait()[1] == 0, call
"""
"""Runs a program once for each list of words; its library, which takes a second to import, is imported once."""


@pytest.mark.parametrize("program", sampled_values(1, ["typer", "tyro", "jsonargparse"]))
def test_each_flag_given_alone_changes_what_it_names_and_nothing_else(tmp_path: Path, users: Path, program: str) -> None:
    script = read_script(PROGRAMS[program].encode(), f"run_{program}.py")
    path = tmp_path / "tool.py"
    path.write_text(PROGRAMS[program])
    own = default_values(script.flags)

    given = [{}, *({flag.name: another(flag)} for flag in script.flags)]
    calls = [json.dumps(argument_words(script, {**own, **one})) for one in given]
    ended = subprocess.run([users, "-c", EACH, path, program, *calls], capture_output=True, text=True, check=True)
    plain, *changed = [flat(ast.literal_eval(line)) for line in ended.stdout.splitlines()]
    for flag, seen in zip(script.flags, changed, strict=True):
        name = {"old-name": "old"}.get(flag.name, flag.name.replace("-", "_"))
        assert plain[name] == flag.default
        assert seen == {**plain, name: another(flag)}


INFINITE: list[tuple[str, dict[str, Value]]] = [
    ("hydra", {"must": 1, "lr": math.inf, "layers": [math.inf, -math.inf]}),
    ("omegaconf", {"lr": -math.inf, "layers": [math.inf, 1e-05]}),
    ("fire", {"n": 1, "lr": -math.inf, "layers": [math.inf, "inf", [-math.inf]]}),
    ("jsonargparse", {"lr": math.inf}),
    ("tyro", {"optim.lr": -math.inf}),
    ("absl", {"lr": math.inf}),
]


@pytest.mark.parametrize(("program", "given"), sampled(3, INFINITE), ids=[program for program, _ in INFINITE])
def test_a_program_receives_what_is_infinite_as_a_number(
    tmp_path: Path, users: Path, program: str, given: dict[str, Value]
) -> None:
    users_python.need(program)
    project = Repo(tmp_path)
    write_programs(project)
    script = read_script(PROGRAMS[program].encode(), f"run_{program}.py", WorkTree(project.path)).chosen()
    more = argument_words(script, {**default_values(script.flags), **given})
    ended = subprocess.run([users, f"run_{program}.py", *more], cwd=project.path, capture_output=True, text=True, check=True)
    found = eval(ended.stdout, {"inf": math.inf})
    assert {name: found["optim"]["lr"] if "." in name else found[name] for name in given} == given


@pytest.mark.parametrize(
    ("program", "given"), [("absl", {"layer": []}), ("absl", {"tags": [" a"]}), ("fire", {"n": 1, "lr": math.nan})]
)
def test_a_value_that_no_word_can_give_is_refused(program: str, given: dict[str, Value]) -> None:
    script = read_script(PROGRAMS[program].encode(), f"run_{program}.py")
    with pytest.raises(UsageError, match="cannot be"):
        argument_words(script, {**default_values(script.flags), **given})


def test_fields_of_a_configuration_of_ml_collections_reach_the_program(project: Repo) -> None:
    project.write("run_jax.py", ML_COLLECTIONS)
    config = "import ml_collections\ndef get_config():\n    return ml_collections.ConfigDict({'lr': 0.1, 'depth': %d})\n"
    project.write("conf/base.py", config % 2)
    project.write("conf/deep.py", config % 9)
    assert received(project, "jax", "config=conf/deep.py", "config.lr=5e-06") == {"seed": 1, "lr": 5e-06, "depth": 9}
    ended = project.run("run_jax.py", "--seed", "3", "--config.lr=0.2", check=True)
    assert ast.literal_eval(ended.stdout) == {"seed": 3, "lr": 0.2, "depth": 2}


def test_a_typed_text_reaches_the_program(project: Repo) -> None:
    text = 'it\'s "so" é, -x'
    for program in ("click", "hydra"):
        assert received(project, program, "must=1" if program == "hydra" else "seed=1", f"name={text}")["name"] == text


def test_what_is_not_declared_is_refused_and_leaves_no_run(project: Repo) -> None:
    ended = project.run("run_typer.py", "opt=rms")
    assert (ended.returncode, project.git("for-each-ref", "refs/runs")) == (129, "")
    assert "flag 'opt' of run_typer.py must be one of adam, sgd, not 'rms'" in ended.stderr


def test_a_flag_of_a_sub_command_asks_for_the_sub_command(project: Repo) -> None:
    ended = project.run("run_argparse.py", "lr=1")
    assert (ended.returncode, project.git("for-each-ref", "refs/runs")) == (129, "")
    assert "flag 'lr' of run_argparse.py belongs to a sub-command: train" in ended.stderr
    assert "git run run_argparse.py lr=VALUE -- train" in ended.stderr


def test_what_cannot_be_read_is_passed_with_one_warning(project: Repo) -> None:
    source = 'import argparse, os\np = argparse.ArgumentParser()\np.add_argument("--a", type=int)\n'
    project.write("computed.py", source + 'p.add_argument("--" + os.sep[:0] + "b", type=int)\nprint(vars(p.parse_args()))\n')
    ended = project.run("computed.py", "a=1", "b=2", check=True)
    assert ast.literal_eval(ended.stdout) == {"a": 1, "b": 2}
    assert ended.stderr.count("passed without a check: b; an option has a name that is computed") == 1
    assert "passed on" not in project.run("computed.py", "a=1", check=True).stderr


def test_a_restart_keeps_the_sub_command(project: Repo) -> None:
    received(project, "argparse", "lr=1", "seed=2")
    again = ast.literal_eval(project.run("--restart", "1", "lr=3", check=True).stdout)
    assert (again["command"], again["lr"], again["seed"]) == ("train", 3.0, 2)


def test_a_restart_with_another_option_of_a_group_takes_its_values_and_keeps_those_of_a_person(project: Repo) -> None:
    project.write("conf/db/mysql.yaml", "host: local\nport: 1\ntimeout: 9\n")
    project.write("conf/db/pg.yaml", "port: 5\nssl: true\ntimeout: 8\n")
    received(project, "hydra", "must=1", "db.timeout=7")
    again = ast.literal_eval(project.run("--restart", "1", "db=pg", check=True).stdout)
    assert again["db"] == {"port": 5, "ssl": True, "timeout": 7}
    flags = json.loads(project.run("show", "1", "--json", check=True).stdout)["flags"]
    assert {name: value for name, value in flags.items() if name.startswith("db")} == {
        "db": "pg", "db.port": 5, "db.ssl": True, "db.timeout": 7,
    }  # fmt: skip
    assert "have not changed" in project.run("--restart", "1", "--needed", "db=pg", check=True).stdout


def test_an_experiment_of_hydra_is_recorded_as_the_program_gets_it(project: Repo) -> None:
    project.write("conf/config.yaml", "defaults:\n  - _self_\n  - optional exp: null\nepochs: 10\n")
    project.write("conf/exp/a.yaml", "# @package _global_\nepochs: 99\n")
    for given, epochs in (([], 99), (["epochs=10"], 10)):
        assert received(project, "hydra", "exp=a", *given) == {"epochs": epochs}
        assert json.loads(project.run("show", "1", "--json", check=True).stdout)["flags"] == {"exp": "a", "epochs": epochs}
