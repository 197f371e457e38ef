"""`git run ops`: what can be run here, with its flags."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from gitrun import commands
from gitrun.commands import declared
from gitrun.commands.screen import print_json, table
from gitrun.commands.selecting import open_project
from gitrun.model.flags import format_value
from gitrun.model.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gitrun.model.flags import Flag
    from gitrun.project import Project
    from gitrun.scripts.discover import Command
    from gitrun.source.catalog import Offer


NOTHING = "no operations here. To add one: write gitrun.toml. To run any script: git run <script>"


@declared.command(add_help_option=False)
@declared.argument("names", nargs=-1, metavar="[SCRIPT|OPERATION]...")
@declared.option("--json", "as_json", is_flag=True, help="Print JSON.")
@declared.option("--schema", is_flag=True, help="Print the JSON Schema of gitrun.toml, for editors.")
@declared.option(
    "--init", is_flag=True, help="Write gitrun.toml from dvc.yaml, guild.yml, MLproject, a Makefile or the scripts."
)
def command(names: tuple[str, ...], *, as_json: bool, schema: bool, init: bool) -> int:
    r"""Lists operations: flags, defaults, choices and help (default: those of gitrun.toml, else scripts and notebooks).

    \b
      git run ops
      git run ops train.py
      git run ops --init
      git run ops --init dvc.yaml Makefile
    """
    if schema:
        sys.stdout.write((commands.install_docs.SHARE / "gitrun.schema.json").read_text(encoding="utf-8"))
        return 0

    project = open_project()
    if init:
        report_init(project, names)
        names = ()
    operations = project.list_operations(names)
    if as_json:
        print_json([offer_json(offer) for offer in operations])
    elif operations:
        table([row for offer in operations for row in offer_rows(offer)])
    else:
        project.say(NOTHING)
    for word in project.note_other_tools() if not (names or as_json or init) else ():
        project.say(word)
    broken = [offer for offer in operations if offer.error]
    for offer in broken if not as_json else ():
        project.say(f"error: {offer.name} cannot be run: {offer.error}")
    return 1 if broken else 0


def report_init(project: Project, files: tuple[str, ...]) -> None:
    """Writes gitrun.toml and says what it has, and what it could not carry over."""
    draft = project.init_operations(files)
    if not draft.operations:
        return
    many = "operation" if len(draft.operations) == 1 else "operations"
    project.say(f"wrote gitrun.toml: {len(draft.operations)} {many} of {draft.file}")
    for loss in draft.losses:
        project.say(f"note: not carried over: {loss}")
    for name in draft.unused:
        project.say(f"note: {name} was not read. To read both: git run ops --init {draft.file} {name}")


def offer_rows(offer: Offer) -> list[list[str]]:
    """Returns an operation with its flags as rows of two cells."""
    definition = offer.definition
    described = definition.description if definition else ""
    if definition and definition.steps and not described:
        described = "steps: " + ", ".join(step.operation for step in definition.steps)
    # only the program itself can list them
    if offer.asks:
        described = f"{described} (its flags are read when it runs)".lstrip()
    if offer.flags == () and not offer.commands and not described:
        described = offer.note or "(no flags)"
    elif offer.note:
        described = f"{described} ({offer.note})" if described else offer.note
    described = "cannot be run" if offer.error else described
    return [[safe_text(offer.name), safe_text(described)], *flag_rows(offer.flags or (), 1), *command_rows(offer.commands)]


def flag_rows(flags: Iterable[Flag], depth: int) -> list[list[str]]:
    """Returns flags as rows."""
    return [[f"{'  ' * depth}{safe_text(flag_text(flag))}", safe_text(describe_flag(flag))] for flag in flags]


def command_rows(commands: Iterable[Command], above: str = "--") -> Iterator[list[str]]:
    """Yields sub-commands as typed, each followed by its own flags."""
    for command in commands:
        # `-- train`, and below it `-- train resume`
        typed = f"{above} {command.name}"
        yield [f"  {safe_text(typed)}", ""]
        yield from flag_rows(command.flags, 2)
        yield from command_rows(command.commands, typed)


def flag_text(flag: Flag) -> str:
    """Formats a flag with its default, as typed."""
    return f"{flag.name}=" + ("" if flag.default is None else format_value(flag.default))


def describe_flag(flag: Flag) -> str:
    """Describes a flag: help, choices, limits, and whether it is required."""
    limits = [
        "one of " + ", ".join(map(format_value, flag.choices)) if flag.choices else "",
        f"at least {flag.least:g}" if flag.least is not None else "",
        f"at most {flag.most:g}" if flag.most is not None else "",
        "required" if flag.required and flag.default is None else "",
    ]
    words = ", ".join(filter(None, limits))
    # help in source code often spans several indented lines
    help_text = " ".join(flag.help.split())
    return f"{help_text} ({words})" if help_text and words else help_text or words


def offer_json(offer: Offer) -> dict[str, Any]:
    """Returns an operation as a JSON value."""
    definition = offer.definition
    return {
        "name": offer.name,
        "kind": offer.kind or None,
        "command": list(offer.command),
        "description": definition.description if definition else "",
        # null: not known, or any flag; []: none
        "flags": None if offer.flags is None else [flag_json(flag) for flag in offer.flags],
        "commands": [command_json(command) for command in offer.commands],
        "steps": [step.operation for step in definition.steps] if definition else [],
        "needs": [need.operation for need in definition.needs] if definition else [],
        "inputs": [one.path for one in definition.inputs] if definition else [],
        "error": str(offer.error) if offer.error else None,
    }


def command_json(command: Command) -> dict[str, Any]:
    """Returns a sub-command as a JSON value."""
    return {
        "name": command.name,
        "flags": [flag_json(flag) for flag in command.flags],
        "commands": [command_json(inner) for inner in command.commands],
    }


def flag_json(flag: Flag) -> dict[str, Any]:
    """Returns a flag as a JSON value."""
    return {
        "name": flag.name, "default": flag.default, "type": flag.kind, "choices": list(flag.choices), "min": flag.least,
        "max": flag.most, "help": flag.help, "required": flag.required,
    }  # fmt: skip
