"""Constants that other code in the namespace of the script sets again, as that of nanoGPT does."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from gitrun.model.tree import MemoryTree
from gitrun.scripts.discover import read_script, read_words

if TYPE_CHECKING:
    from repository import Repo

CONSTANTS = "lr = 0.1\nepochs = 3\n"
BY_WORDS = """
import sys
for word in sys.argv[1:]:
    if "=" in word:
        name, text = word.lstrip("-").split("=")
        globals()[name] = type(globals()[name])(text)
    else:
        exec(open(word).read())
"""
SHOW = "import json\nprint(json.dumps({'lr': lr, 'epochs': epochs}))\n"
CHANGES = [
    ("exec(open('other.py').read())", {"epochs": 3}),
    ("exec(compile(open('other.py').read(), 'other.py', 'exec'))", {"epochs": 3}),
    ("from pathlib import Path\nexec(Path('other.py').read_text(), globals())", {"epochs": 3}),
    ("exec('lr = 5')", {"epochs": 3}),
    ("exec(open('other.py').read(), {})", {"lr": 0.1, "epochs": 3}),
    ("place = input()\nexec(open(place + 'other.py').read())", {}),
    ("import os\nexec(open(os.listdir('.')[0]).read())", {}),
    ("globals().update(lr=5)", {}),
    ("globals()['l' + 'r'] = 5", {}),
    ("def change(name): globals()[name] = 5\nchange('lr')", {}),
    ("vars()['lr'] = 5", {}),
    ("names = list(globals())", {"lr": 0.1, "epochs": 3}),
    ("model.eval()\nexec_time = 3", {"lr": 0.1, "epochs": 3, "exec_time": 3}),
]


@pytest.mark.parametrize(("code", "known"), CHANGES)
def test_a_constant_that_other_code_may_set_again_has_no_known_default(code: str, known: dict[str, object]) -> None:
    files = MemoryTree({"other.py": b"lr = 5\n"})
    script = read_script(f"{CONSTANTS}{code}\n".encode(), "train.py", files)
    assert {flag.name: flag.default for flag in script.flags if flag.default is not None} == known


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("exec(open('other.py').read())", {"other.py": BY_WORDS}),
        (BY_WORDS, {}),
        ("import sys\nif sys.argv[1:]: exec(open(sys.argv[1]).read())", {}),
    ],
)
def test_where_words_set_constants_only_those_without_words_are_known(code: str, files: dict[str, str]) -> None:
    tree = MemoryTree({name: text.encode() for name, text in files.items()})
    script = read_script(f"{CONSTANTS}{code}\n".encode(), "train.py", tree)
    assert {flag.name: flag.default for flag in script.flags} == {"lr": 0.1, "epochs": 3}
    assert read_words(script, []).unsure == set()
    assert read_words(script, ["--lr=3"]).unsure == {"lr"}
    assert read_words(script, ["--lr=3", "fast.py"]).unsure == {"lr", "epochs"}
    assert read_words(script, ["--speed=3"]).unsure == {"lr", "epochs"}


def test_what_is_recorded_of_a_script_with_a_configurator_is_what_it_had(empty_repo: Repo) -> None:
    repo = empty_repo
    repo.git("config", "gitrun.python", sys.executable)
    repo.write("train.py", CONSTANTS + "exec(open('configurator.py').read())\n" + SHOW)
    repo.write("configurator.py", BY_WORDS)
    repo.write("fast.py", "epochs = 1\n")

    def recorded(*words: str) -> dict[str, object]:
        printed: dict[str, object] = json.loads(repo.run(*words, check=True).stdout)
        flags: dict[str, object] = json.loads(repo.run("show", "1", "--json", check=True).stdout)["flags"]
        assert flags == {name: printed[name] for name in flags}
        return flags

    assert recorded("train.py") == {"lr": 0.1, "epochs": 3}
    assert recorded("train.py", "lr=7") == {"lr": 7, "epochs": 3}
    assert recorded("train.py", "--", "fast.py") == {}
    assert recorded("train.py", "lr=7", "--", "--epochs=9") == {"lr": 7}
    # the words of the run stay
    assert recorded("--restart", "1", "lr=8") == {"lr": 8}
    for words in (("train.py", "lr=7", "--", "fast.py"), ("--restart", "1", "epochs=8")):
        refused = repo.run(*words)
        assert (refused.returncode, " may be set again by the words " in refused.stderr) == (129, True)
