"""`git run hooks`: our hooks in this repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitrun.commands import declared
from gitrun.commands.screen import print_json
from gitrun.commands.selecting import open_project
from gitrun.errors import UsageError
from gitrun.model.text import safe_text
from gitrun.sharing.hook_files import (
    BEFORE,
    CHAINED,
    FOREIGN,
    MISSING,
    READERS,
    guarded_call,
    hooks_as_json,
    snippet_for_manager,
)

if TYPE_CHECKING:
    from gitrun.project import Project
    from gitrun.sharing.hook_files import Hook

ACTIONS = ("status", "install", "uninstall")


@declared.command(add_help_option=False)
@declared.argument("action", metavar="[status|install|uninstall]", default="status")
@declared.argument("names", nargs=-1, metavar="[NAME]...")
@declared.option("--chain", is_flag=True, help="Keep an existing hook: it runs first, then gitrun's.")
@declared.option("--json", "as_data", is_flag=True, help="Print the resulting state of the hooks as JSON.")
def command(action: str, names: tuple[str, ...], *, chain: bool, as_data: bool) -> int:
    r"""Installs git hooks, lists them, or removes them without a trace.

    prepare-commit-msg and commit-msg name the run of a commit's tree, post-commit updates the notes, and pre-push pushes
    runs. In a bare repository, pre-receive checks pushed runs. gitrun never overwrites other hooks.

    \b
      git run hooks install
      git run hooks install --chain pre-push
      git run hooks status
      git run hooks uninstall
    """
    if action not in ACTIONS:
        raise UsageError(f"no action '{action}' for hooks", f"Use one of: {', '.join(ACTIONS)}")
    project = open_project()
    hooks = project.hooks.files
    hook_names = hooks.names(names)
    # a manager writes hook files itself, or points git to a directory of its own
    if action == "install" and not chain and (manager := hooks.manager()):
        project.say(
            f"{manager} manages the hooks here: add these lines to it. "
            "To write hook files anyway: git run hooks install --chain"
        )
        # on stdout, so that the lines can be redirected into a file
        click.echo(snippet_for_manager(manager, hook_names))
        return 0
    # the states before tell what is new and what was there already
    before = {name: hooks.status(name) for name in hook_names}
    states = {name: hooks.install(name, chain=chain) if action == "install" else before[name] for name in hook_names}
    if action == "uninstall":
        for name in hook_names:
            hooks.uninstall(name)
        states = {name: hooks.status(name) for name in hook_names}
    if as_data:
        print_json(hooks_as_json(states))
    else:
        print_states(project, action, before, states)
    return 1 if action == "install" and any(hook.status == FOREIGN for hook in states.values()) else 0


def print_states(project: Project, action: str, before: dict[str, Hook], states: dict[str, Hook]) -> None:
    """Prints the state of hooks, or reports a change on stderr."""
    for name, hook in states.items():
        path = display_path(hook.path) if hook.path else f"hook.gitrun-{name}, a setting of git"
        if action == "status":
            click.echo(f"{name:<18}  {hook.status:<11}{'' if hook.status == MISSING else '  ' + path}".rstrip())
        elif hook.status == FOREIGN and action == "install":
            # stdin can be read only once: a call added to such a hook could find nothing left
            line = "" if name in READERS else f". To edit it yourself, add: {guarded_call(name)}"
            project.say(f"{path} exists. To keep it and add gitrun's: git run hooks install --chain{line}")
        elif action == "install":
            project.say(f"{'already ' if before[name] == hook else ''}{describe_state(hook)}: {path}")
        elif before[name].status in {MISSING, FOREIGN}:
            project.say(f"{name} was {'not installed' if before[name].status == MISSING else 'not ours and stays'}")
        else:
            project.say(
                f"removed {name}" + ("; restored the hook that was there before" if before[name].status == CHAINED else "")
            )


def display_path(path: str) -> str:
    """Returns the path of a hook, relative if below the current directory; safe on a terminal."""
    directory = Path(path)
    return safe_text(str(directory.relative_to(Path.cwd())) if directory.is_relative_to(Path.cwd()) else path)


def describe_state(hook: Hook) -> str:
    """Describes the present state of a hook."""
    return f"chained behind {hook.name}{BEFORE}" if hook.status == CHAINED else hook.status
