"""`git run hook NAME`: called by our hooks, not by people."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitrun import model
from gitrun.commands import declared
from gitrun.errors import GitrunError, UsageError
from gitrun.project import Project
from gitrun.sharing import hook_files

if TYPE_CHECKING:
    from collections.abc import Sequence


# the words are git's: a remote's name may look like an option
@declared.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@declared.argument("name", metavar="NAME")
@declared.argument("words", nargs=-1, type=click.UNPROCESSED)
def command(name: str, words: tuple[str, ...]) -> int:
    r"""Runs gitrun's part of a git hook; git run hooks install writes the hooks that call it.

    \b
      git run hook pre-receive < updates
    """
    # a check on a server that fails must refuse the push, unlike the hooks below
    if name == "pre-receive":
        return pre_receive()
    act = CLIENT_HOOKS.get(name)
    if act is None:
        raise UsageError(f"no hook '{name}'", f"Hooks: {', '.join(hook_files.NAMES)}")
    try:
        return act(words)
    except GitrunError as error:
        reason = error.message
    except Exception as error:  # noqa: BLE001 - nobody's commit or push fails because of us
        reason = f"{type(error).__name__}: {error}"
    print(f"gitrun: error: hook {name}: {one_line(reason)}", file=sys.stderr)
    return 0


def one_line(text: str) -> str:
    """Makes the text one line that is safe on a terminal."""
    return model.text.safe_text(text)


def prepare_commit_msg(words: Sequence[str]) -> int:
    """Adds a `Run:` trailer to a message. Arguments: its file, its source, and the commit it comes from."""
    # git starts this hook at the top of the working tree, with a path relative to that (.git/COMMIT_EDITMSG)
    message = Path(words[0]).absolute()
    # `git commit -a` and `git commit PATH` commit another index than the user's
    index = os.environ.get("GIT_INDEX_FILE")
    Project().hooks.prepare_commit_msg(Path(index).absolute() if index else None, message, is_edited=is_edited())
    return 0


def commit_msg(words: Sequence[str]) -> int:
    """Empties an edited message that holds only our trailer. Argument: its file."""
    message = Path(words[0]).absolute()
    # without an editor nothing was added to an empty message, so there is nothing to take back
    if is_edited():
        Project().hooks.commit_msg(message)
    return 0


def is_edited() -> bool:
    """Returns whether the user edits the message. Without an editor git sets GIT_EDITOR to `:` for hooks."""
    return os.environ.get("GIT_EDITOR") != ":"


def post_commit(_: Sequence[str]) -> int:
    """Updates the note of the new commit. No arguments."""
    Project().hooks.post_commit()
    return 0


def pre_push(words: Sequence[str]) -> int:
    """Pushes or checks the runs of pushed commits. Arguments: remote and URL; stdin has a line for each ref."""
    project = Project()
    # a misspelt `require` would otherwise let every push pass
    project.require_settings("pre_push")
    # pre-commit gives hooks no arguments
    remote, stdin = (words[0], sys.stdin.buffer.read()) if words else read_pre_commit(project)
    message = project.hooks.pre_push(remote, hook_files.parse_pre_push(stdin))
    for line in message.lines:
        project.say(line)
    return hook_files.BLOCKED if message.blocks else 0


def read_pre_commit(project: Project) -> tuple[str, bytes]:
    """Returns remote and input of a hook started by pre-commit, which passes both in variables. Raises UsageError."""
    names = ("REMOTE_NAME", "REMOTE_BRANCH", "LOCAL_BRANCH", "TO_REF", "FROM_REF")
    remote, ref, local, new, old = (os.environ.get(f"PRE_COMMIT_{name}", "") for name in names)
    if not (remote and ref and (local or new)):
        raise UsageError("no remote given", "git run hook pre-push REMOTE URL")
    # pre-commit 4 passes no ids when the whole history is pushed
    new = new or project.resolve_name(local)
    # what git itself writes: <local ref> <local id> <remote ref> <remote id>
    return remote, f"HEAD {new} {ref} {old or model.object_format.format_of(new).zero}\n".encode()


def pre_receive() -> int:
    """Checks pushed runs. Stdin has a line for each ref. Any failure refuses the push. Raises GitrunError."""
    project = Project()
    try:
        # <old id> <new id> refs/runs/<id>
        updates = hook_files.parse_pre_receive(sys.stdin.buffer.read())
    except ValueError as error:
        raise UsageError("cannot read the list of updated refs") from error
    # deletion takes both: the pusher's `-o gitrun.delete`, and the server's setting
    may_delete = hook_files.DELETE_OPTION in read_push_options()
    if may_delete:
        project.require_settings("allow_delete")
        may_delete = project.settings.allow_delete
    refused = project.hooks.pre_receive(updates, os.environ, may_delete=may_delete)
    for line in refused:
        project.say(line)
    return 1 if refused else 0


def read_push_options() -> list[str]:
    """Returns the values of `git push -o`."""
    # GIT_PUSH_OPTION_COUNT=1 GIT_PUSH_OPTION_0=gitrun.delete
    count = os.environ.get("GIT_PUSH_OPTION_COUNT", "0")
    return [os.environ.get(f"GIT_PUSH_OPTION_{number}", "") for number in range(int(count) if count.isdigit() else 0)]


CLIENT_HOOKS = {
    "prepare-commit-msg": prepare_commit_msg,
    "commit-msg": commit_msg,
    "post-commit": post_commit,
    "pre-push": pre_push,
}
"""Client hooks and their functions."""
