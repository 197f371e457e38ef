"""The flags of an operation, read from files in memory: those of its script, of its entry, of its steps."""

from __future__ import annotations

import pytest

from gitrun.errors import CannotRun, UsageError
from gitrun.model.tree import MemoryTree
from gitrun.source.declared_flags import Declared, read_declaration
from gitrun.source.operations import step_operation
from gitrun.source.source_tree import SourceTree

ARGS = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', type=float, default=0.1)\n"
HYDRA = "import hydra\n@hydra.main(config_path='conf', config_name='c')\ndef main(cfg): ...\n"


def source(**files: str) -> SourceTree:
    """A source of files in memory: `conf__c_yaml` stands for `conf/c.yaml`."""
    named = {name.replace("__", "/")[::-1].replace("_", ".", 1)[::-1]: text.encode() for name, text in files.items()}
    return SourceTree(MemoryTree(named))


def declared(name: str, given: dict[str, object] | None = None, **files: str) -> Declared:
    tree = source(**files)
    return read_declaration(tree, step_operation(tree, name)).with_values(given)


def values(found: Declared) -> dict[str, object]:
    return {flag.name: flag.default for flag in found.flags or ()}


def entry(text: str) -> str:
    return f"[operations.a]\n{text}\n"


def test_constants_and_options_are_flags() -> None:
    assert values(declared("a.py", a_py="lr = 0.1\n")) == {"lr": 0.1}
    assert (values(found := declared("a.py", a_py=ARGS)), found.style) == ({"lr": 0.1}, "args")


def test_entry_overrides_the_flags_of_its_script() -> None:
    found = declared("a", gitrun_toml=entry('script = "a.py"\nflags.lr = 3'), a_py="lr = 0.1\nn = 1\n")
    assert values(found) == {"lr": 3, "n": 1}


def test_flags_by_another_way_are_those_of_the_entry_alone() -> None:
    found = declared("a", gitrun_toml=entry('script = "a.py"\nflags-to = "env"\nflags.lr = 3'), a_py="n = 1\n")
    assert (values(found), found.style, found.script) == ({"lr": 3}, "env", None)


def test_values_of_the_file_of_an_entry_are_flags() -> None:
    files = {"gitrun_toml": entry('command = ["x"]\nflags-to = "file:c.toml"'), "c_toml": "[m]\nlr = 1\n"}
    assert values(declared("a", **files)) == {"m.lr": 1}
    with pytest.raises(UsageError, match=r"no 'c\.toml'"):
        declared("a", gitrun_toml=files["gitrun_toml"])


LOADS = "import yaml\nPATH = 'params.yaml'\nparams = yaml.safe_load(open(PATH))\n"


def test_values_of_a_file_that_the_script_loads_are_flags_unless_another_is_given() -> None:
    files = {"a_py": LOADS, "params_yaml": "lr: 1\n"}
    assert values(declared("a.py", **files))["lr"] == 1
    assert "lr" not in values(declared("a.py", {"PATH": "other.yaml"}, **files))


def test_chosen_option_of_a_group_brings_its_flags() -> None:
    files = {
        "a_py": HYDRA,
        "conf__c_yaml": "defaults:\n  - db: x\n",
        "conf__db__x_yaml": "p: 1\n",
        "conf__db__y_yaml": "q: 2\n",
    }
    assert values(declared("a.py", **files)) == {"db": "x", "db.p": 1}
    assert values(declared("a.py", {"db": "y"}, **files)) == {"db": "x", "db.q": 2}


def test_steps_have_the_flags_of_their_operations_but_those_they_set() -> None:
    steps = '[operations.a]\nsteps = ["x.py", {run = "y.py", flags = {n = 3}}]\n'
    found = declared("a", gitrun_toml=steps, x_py="lr = 1\nseed = 1\n", y_py="lr = 2\nn = 1\nseed = 1\n")
    assert values(found) == {"lr": None, "seed": 1}


def test_steps_in_a_circle_are_refused() -> None:
    steps = '[operations.a]\nsteps = ["b"]\n[operations.b]\nsteps = ["a"]\n'
    with pytest.raises(UsageError, match=r"form a circle: a -> b -> a$"):
        declared("a", gitrun_toml=steps)


def test_no_program_is_asked_where_nothing_may_run() -> None:
    with pytest.raises(CannotRun, match="only when it runs"):
        declared("a", gitrun_toml=entry('script = "a.py"\nflags = "import"'), a_py=ARGS)


def test_any_flag_is_taken_by_a_command() -> None:
    assert declared("a", gitrun_toml=entry('command = ["echo"]')) == Declared()
