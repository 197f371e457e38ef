"""Flags that a script reports itself: gitrun runs it in a separate checkout until it reads its command line."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.dataclass import asdict
from gitrun.errors import CannotRun, FlagsUnknown
from gitrun.git.exe import environment_for_programs
from gitrun.git.objects import Objects
from gitrun.git.trees import GitTree
from gitrun.model.settings import read_settings
from gitrun.process.run import capture_output
from gitrun.scripts.argparse_model import join_options
from gitrun.source import interpreter
from gitrun.source.flag_cache import DIRECTORY, decode_flag, decode_script, load_script, store_script
from gitrun.workspace.slots import lease_slot

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gitrun.git.exe import Git
    from gitrun.scripts.discover import Script

ASKER = Path(__file__).with_name("introspect_child.py")
PATIENCE = 10.0
"""Seconds that a program may take to reach its command line."""
IDENTITY = ("-c", "user.name=gitrun", "-c", "user.email=gitrun@localhost")


def ask_here(git: Git, tree_id: str, path: str) -> Script:
    """Calls `ask_script` with the user's Python. Editable installs of the working tree are imported from the checkout."""
    settings = read_settings(git.config)
    return ask_script(git, tree_id, path, interpreter.find_python(settings.python, git.environ, git.worktree or git.git_dir))


def ask_script(git: Git, tree_id: str, path: str, python: str, *, patience: float = PATIENCE) -> Script:
    """Returns the flags that the script at `path` of a tree or commit defines under the interpreter `python`.

    The answer is cached for each tree, path and interpreter. Files that git ignores are missing from the checkout. Raises
    CannotRun if the program fails, takes longer than `patience` seconds, or does not parse its command line with argparse,
    click, typer or absl.
    """
    tree_id = git.run("rev-parse", "--verify", f"{tree_id}^{{tree}}").decode().strip()
    directory = git.state / DIRECTORY / f"{tree_id}-{zlib.crc32(f'{path} {python}'.encode(errors='surrogateescape')):08x}"
    with Objects(git) as objects:
        cached = load_script(directory, GitTree(objects, tree_id))
    if cached:
        return cached
    # no ref points to this commit, so git gc will remove it
    commit = git.run(*IDENTITY, "commit-tree", tree_id, stdin=b"asked for its flags\n").decode().strip()
    with lease_slot(git, commit, "") as slot:
        out = slot.directory / "asked.json"
        # slots are reused, so the answer of another script may be there
        out.unlink(missing_ok=True)
        described = interpreter.describe_python(python, git.environ, git.state)
        paths = interpreter.make_python_path(
            described.paths, git.environ.get("PYTHONPATH", ""), git.worktree or slot.tree, slot.tree
        )
        # no bytecode, so that the checkout stays as git wrote it
        variables = {
            **environment_for_programs(git.environ),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PWD": str(slot.tree),
            "PYTHONPATH": paths,
        }
        try:
            capture_output((python, str(ASKER), str(out), path), variables, slot.tree, patience)
        except CannotRun as error:
            raise FlagsUnknown(f"cannot read the flags of '{path}': {error.message}", HINT) from error
        script = read_answer(out, path)
    # without questions to check: the name of the entry has the id of the whole tree
    store_script(directory, script, {})
    return script


HINT = 'To run it: remove flags = "import" from its entry, or declare its flags there'


def read_answer(out: Path, path: str) -> Script:
    """Returns the script that the program described in the file `out`. Raises CannotRun if there is no valid answer."""
    try:
        answer = json.loads(out.read_bytes())
        answer = join_answer(answer) if answer["frontend"] == "argparse" else answer
        # the child writes only frontend, flags and commands
        return decode_script({"style": "args", "groups": [], "partial": "", **answer})
    except FileNotFoundError as error:
        raise FlagsUnknown(f"'{path}' ended without reading its command line", HINT) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FlagsUnknown(f"cannot read the flags that '{path}' reports", HINT) from error


def join_answer(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Joins the options of one `dest`, in the answer of an argparse program or one of its sub-commands."""
    pairs = [(flag.pop("dest"), decode_flag(flag)) for flag in answer["flags"]]
    flags = [asdict(flag) for flag in join_options(pairs)]
    return {**answer, "flags": flags, "commands": [join_answer(command) for command in answer["commands"]]}
