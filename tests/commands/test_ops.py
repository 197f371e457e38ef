"""gitrun lists what can be run here: `git run ops`, `git run` alone, completion, and a sheet of flags to fill in."""

from __future__ import annotations

import json
import subprocess
import sys

from jsonschema import Draft202012Validator
from notebook import notebook
from offers import PROJECT

from gitrun.commands.install_docs import SHARE

SCHEMA = json.loads((SHARE / "run.schema.json").read_text())


def test_entries_are_listed_with_what_is_known_of_their_flags(trained) -> None:
    trained.write("gitrun.toml", PROJECT)
    assert trained.run("ops", check=True).stdout == (
        "train       Train it\n  lr=0.1    learning rate (at least 0, at most 1)\n  opt=adam  one of adam, sgd\n"
        "  seed=7    of all\n"
        "all         steps: train.py, echo.py\n  lr=0.1    learning rate\n  opt=adam  one of adam, sgd\n"
        "  x=1.0\n  y=2\n  z=a\n"
    )


SUBS = """\
import argparse
parser = argparse.ArgumentParser()
sub = parser.add_subparsers(required=True)
train = sub.add_parser("train")
train.add_argument("--lr", type=float, default=0.1, help="learning rate")
inner = sub.add_parser("data").add_subparsers().add_parser("get")
inner.add_argument("--url", default="x")
parser.parse_args()
"""


def test_flags_of_sub_commands_are_listed_below_them(repo) -> None:
    repo.write("tool.py", SUBS)
    repo.write("gitrun.toml", '[operations.tool]\nscript = "tool.py"\n')
    listed = "  -- train\n    lr=0.1     learning rate\n  -- data\n  -- data get\n    url=x\n"
    assert repo.run("ops", check=True).stdout == f"tool\n{listed}"
    assert repo.run("ops", "tool.py", check=True).stdout == f"tool.py\n{listed}"
    (repo.path / "gitrun.toml").unlink()
    (repo.path / "echo.py").unlink()
    assert repo.run("ops", check=True).stdout == f"tool.py\n{listed}"
    (found,) = json.loads(repo.run("ops", "--json", check=True).stdout)
    train, data = found["commands"]
    assert (found["flags"], train["name"], train["flags"][0]["default"]) == ([], "train", 0.1)
    assert [flag["name"] for flag in data["commands"][0]["flags"]] == ["url"]
    Draft202012Validator({**SCHEMA, "$ref": "#/$defs/ops"}).validate([found])


def test_script_is_looked_at_as_it_lies_there_from_any_directory(trained) -> None:
    trained.write("sub/a.py", "k = 5\n")
    assert trained.run("ops", "a.py", "../echo.py", cwd=trained.path / "sub").stdout.startswith("sub/a.py\n  k=5\necho.py\n")
    refused = trained.run("ops", "nosuch")
    assert (refused.returncode, refused.stderr) == (
        129, "gitrun: error: no operation or script 'nosuch' here. To list operations: git run ops\n",
    )  # fmt: skip


def test_nothing_is_executed_or_recorded_to_list(trained) -> None:
    trained.write("train.py", "open('executed', 'w')\nx = 1\n")
    trained.write("gitrun.toml", '[operations.train]\nscript = "train.py"\nflags = "import"\n')
    assert trained.run("ops", check=True).stdout == "train  (its flags are read when it runs)\n"
    assert not (trained.path / "executed").exists()
    assert trained.git("for-each-ref", "refs/runs") == ""


def test_empty_repository_says_what_to_do(empty_repo) -> None:
    done = empty_repo.run("ops", check=True)
    assert (done.stdout, "To add one: write gitrun.toml" in done.stderr) == ("", True)


def test_schema_of_the_project_file_is_printed(repo) -> None:
    assert json.loads(repo.run("ops", "--schema", check=True).stdout)["title"] == "gitrun.toml"


def test_alone_it_names_operations_and_the_last_run(trained) -> None:
    trained.run("echo.py", check=True)
    done = trained.run()
    run = trained.run("select").stdout[:8]
    assert (done.returncode, done.stdout) == (129, "")
    assert "Operations here: echo.py, train.py. To see their flags: git run ops\n" in done.stderr
    assert f"Last run: {run}, echo.py, completed in " in done.stderr
    assert done.stderr.endswith(f". To run it again: git run --restart {run}\n")


def test_flags_are_offered_without_click_and_pygit2(trained) -> None:
    code = "import sys; from gitrun.commands import main; main.run_command(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    words = [sys.executable, "-c", code, "--git-completion-helper-flags", "train.py"]
    done = subprocess.run(words, cwd=trained.path, capture_output=True, text=True, check=True)
    assert done.stdout == "lr=\nopt=\nopt=adam\nopt=sgd\n"
    assert {"click", "pygit2", "sqlite3", "asyncio"}.isdisjoint(done.stderr.split())


def test_scripts_and_notebooks_of_a_fresh_project_are_listed(empty_repo) -> None:
    assert "no operations here. " in empty_repo.run("ops", check=True).stderr
    main = "if __name__ == '__main__':\n    pass\n"
    empty_repo.write("plain.py", "print(1)\n")
    empty_repo.write("library.py", "import os\ndef f(): return os\n")
    empty_repo.write("src/pkg/fit.py", f"lr = 0.1\n{main}")
    empty_repo.write("src/pkg/library.py", "lr = 0.1\n")
    empty_repo.write("tests/test_fit.py", main)
    empty_repo.write("tests/helper.py", main)
    empty_repo.write("books/a.ipynb", notebook("k = 3"))
    empty_repo.write("books/broken.ipynb", "nothing")
    done = empty_repo.run("ops")
    assert (done.returncode, done.stdout) == (
        1,
        "plain.py            (no flags)\nbooks/a.ipynb\n  k=3\nbooks/broken.ipynb  cannot be run\nsrc/pkg/fit.py\n  lr=0.1\n",
    )
    assert "books/broken.ipynb cannot be run: 'books/broken.ipynb' is not a notebook" in done.stderr
    assert empty_repo.run("ops", cwd=empty_repo.path / "src").stdout == done.stdout


def test_help_of_a_script_without_flags_says_so(empty_repo) -> None:
    empty_repo.write("plain.py", "import sys\nprint(sys.argv)\n")
    assert empty_repo.run("plain.py", "-h", check=True).stdout == "plain.py  (no flags)\n"
    (found,) = json.loads(empty_repo.run("ops", "plain.py", "--json", check=True).stdout)
    assert found["flags"] == []


def test_front_end_that_cannot_be_read_is_named_with_the_way_that_works(empty_repo, tmp_path) -> None:
    empty_repo.write("h.py", "import hydra\n@hydra.main(config_path='conf', config_name='c')\ndef main(cfg): ...\nmain()\n")
    empty_repo.write("conf/c.yaml", "lr: 1\n")
    empty_repo.write(
        "s.py", "from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    lr: float = 1\nprint(S())\n"
    )
    (tmp_path / "yaml.py").write_text("raise ImportError('no PyYAML here')\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from gitrun.commands.main import main; main()"
    for words in (["ops"], ["h.py", "-h"]):
        call = [sys.executable, "-c", code, *words]
        done = subprocess.run(call, cwd=empty_repo.path, capture_output=True, text=True, check=True)
        assert "h.py  Its configuration is YAML. To read it: pip install 'git-run-tracker[yaml]'\n" in done.stdout
    assert empty_repo.run("h.py", "-h").stdout == "h.py\n  lr=1\n"
    assert "s.py  pydantic-settings reads its values from the environment. To set one: NAME=VALUE git run s.py. " in (
        empty_repo.run("s.py", "-h").stdout
    )


def test_symbolic_link_to_a_script_does_not_break_the_listing(empty_repo) -> None:
    empty_repo.write("a.py", "lr = 1\n")
    (empty_repo.path / "link.py").symlink_to("a.py")
    listed = empty_repo.run("ops", check=True).stdout
    assert "a.py" in listed
    assert "link.py" not in listed
