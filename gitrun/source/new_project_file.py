"""Writes a new gitrun.toml from the files of other tools, or from the scripts that there are. Executes nothing."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from gitrun import source
from gitrun.errors import BadProjectFile, UnknownOperation, UsageError
from gitrun.git.trees import WorkTree
from gitrun.model.encode import dump_toml
from gitrun.model.plan import GITRUN
from gitrun.model.run import NOTEBOOK
from gitrun.model.tree import is_regular_file
from gitrun.source.draft import Draft

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from gitrun.git.exe import Git
    from gitrun.model.tree import Tree

MOST = 500
"""The most operations of a new file."""
SCRIPTS = "the scripts"
EXISTS = f"To write a new one, move it away first: mv {GITRUN} {GITRUN}.old"


def readers() -> dict[str, Callable[[Git, Tree, str], Draft]]:
    """Returns what reads the operations of other tools, by the names of their files, in the order of `draft.FILES`."""
    return {
        "dvc.yaml": source.dvc_stages.read_stages,
        "guild.yml": source.guild_file.read_operations,
        "guild.yaml": source.guild_file.read_operations,
        "MLproject": source.mlproject.read_entry_points,
        "GNUmakefile": source.makefile.read_targets,
        "makefile": source.makefile.read_targets,
        "Makefile": source.makefile.read_targets,
    }


def init_project_file(git: Git, files: Sequence[str] = ()) -> Draft:
    """Writes gitrun.toml at the top of the working tree with the operations of these files, and returns them.

    Without files: of the first file of `readers`, or else of the scripts and notebooks. Writes nothing if there are none.
    Raises UsageError if there is a gitrun.toml, or if a file is missing, of an unknown kind, or cannot be read.
    """
    top = git.require_top()
    if os.path.lexists(top / GITRUN):
        raise BadProjectFile(f"{GITRUN} exists", EXISTS)
    draft = draft_project_file(git, WorkTree(top), files)
    if draft.operations:
        create_file(top / GITRUN, render_draft(draft))
    return draft


def draft_project_file(git: Git, tree: Tree, files: Sequence[str]) -> Draft:
    """Returns what `init_project_file` writes."""
    known = readers()
    # names from a listing: file systems that ignore case find a Makefile by three names
    there = [name for name in known if name in tree.names("") and is_regular_file(tree, name)]
    for name in files:
        if name not in there:
            raise UnknownOperation(
                f"no file '{name}' at the top whose operations can be read", f"Such files: {', '.join(known)}", name
            )
    drafts = [known[name](git, tree, name) for name in files or there[:1]]
    return merge_drafts(drafts or [draft_scripts(git)], () if files else tuple(there[1:]))


def merge_drafts(drafts: Sequence[Draft], unused: tuple[str, ...]) -> Draft:
    """Returns one draft with the operations that are valid. Of two with one name, the first stays."""
    operations: dict[str, Mapping[str, Any]] = {}
    losses = [loss for draft in drafts for loss in draft.losses]
    for draft in drafts:
        for name, table in draft.operations.items():
            error = find_error(name, table)
            if error:
                losses.append(f"{draft.file}: {name} is left out: {error}")
            elif name in operations:
                losses.append(f"{draft.file}: {name} is left out: another file has an operation of that name")
            elif len(operations) < MOST:
                operations[name] = table
            else:
                losses.append(f"{draft.file}: {name} is left out: a new file has at most {MOST} operations")
    return Draft(" and ".join(draft.file for draft in drafts), operations, tuple(losses), unused)


def find_error(name: str, table: Mapping[str, Any]) -> str:
    """Returns why gitrun.toml cannot have this operation; empty if it can."""
    try:
        data = dump_toml({"operations": {name: dict(table)}}).encode()
        source.project_file.read_definitions(data, GITRUN)
    except UsageError as error:
        return error.message.partition(": ")[2] or error.message
    except (ValueError, TypeError) as error:
        return str(error)
    return ""


def render_draft(draft: Draft) -> str:
    """Returns the text of gitrun.toml."""
    comments = [f"operations of {draft.file}", *(f"not carried over: {loss}" for loss in draft.losses)]
    # a line break would end a comment, and TOML refuses other control characters there
    lines = ["# " + "".join(letter if letter.isprintable() else " " for letter in line) for line in comments]
    return "\n".join(lines) + "\n\n" + dump_toml({"operations": {name: dict(one) for name, one in draft.operations.items()}})


def create_file(path: Path, text: str) -> None:
    """Creates a file with this text. Raises BadProjectFile if something has that name, a symbolic link too."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError as error:
        raise BadProjectFile(f"{path.name} exists", EXISTS) from error
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def draft_scripts(git: Git) -> Draft:
    """Returns an operation for each script and notebook that looks like a program, named after its file."""
    operations: dict[str, Mapping[str, Any]] = {}
    losses = []
    for offer in source.catalog.list_offers(git):
        path = PurePosixPath(offer.name)
        # src/train.py is `train`, and a second one `lib/train`
        name = path.stem if path.stem not in operations else str(path.with_suffix(""))
        operations[name] = {"notebook" if offer.kind == NOTEBOOK else "script": offer.name}
        if offer.error:
            losses.append(f"{offer.name}: {offer.error.message}")
    return Draft(SCRIPTS, operations, tuple(losses))
