"""The flags of docopt: the options in the usage text of a program, parsed as docopt 0.6 does."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from gitrun.model.flags import Flag, is_flag_name
from gitrun.model.values import parse_spelled
from gitrun.scripts.constant_folding import fold_to_text
from gitrun.scripts.module import named_arguments
from gitrun.scripts.script import ARGS, Script

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.scripts.module import Module

# SECTION and DEFAULT are the patterns of docopt 0.6.2: parse_section and Option.parse
SECTION = r"^([^\n]*{}[^\n]*\n?(?:[ \t].*?(?:\n|$))*)"
DEFAULT = re.compile(r"\[default: (.*)\]", re.IGNORECASE)
# --lr=<rate>, --lr=RATE, -v
IN_USAGE = re.compile(r"(?<![\w-])(-{1,2}[A-Za-z][\w-]*)(?:=(<[^>]+>|[A-Z][A-Z0-9_-]*))?")
# <file>, but not the value in --lr=<rate> or -n <rate>
ARGUMENT = re.compile(r"(?<![=\w-])(?<!-\w )<[^<>\n]+>")
ADVICE = "To pass its arguments: git run {} -- {}"
NO_FLAG = ("help", "h", "version")


def read_docopt_flags(module: Module) -> Script | None:
    """Returns the options in the usage text; None if the module does not call docopt."""
    if not module.names(b"docopt"):
        return None
    calls = (node for node in module.near(b"docopt") if isinstance(node, ast.Call))
    call = next((node for node in calls if module.full_name(node.func) in {"docopt.docopt", "docopt"}), None)
    if call is None:
        return None
    node = call.args[0] if call.args else named_arguments(call).get("doc", named_arguments(call).get("docstring"))
    is_own = isinstance(node, ast.Name) and node.id == "__doc__"
    # docopt gets __doc__ with its indentation
    text = (ast.get_docstring(module.tree, clean=False) or "") if is_own else fold_to_text(node, module.scope)
    if not text:
        return Script((), ARGS, "docopt", partial="docopt is given a text that is not in its source")
    # a description also tells the default, so it replaces what the usage tells
    flags = {flag.name: flag for flag in read_usage_options(text)} | {flag.name: flag for flag in read_described_options(text)}
    arguments = dict.fromkeys(ARGUMENT.findall("".join(find_sections("usage:", text)[:1])))
    words = " ".join(name.strip("<>").upper().replace(" ", "_") for name in arguments)
    advice = ADVICE.format(module.path.rpartition("/")[2], words) if arguments else ""
    return Script(tuple(flags.values()), ARGS, "docopt", advice=advice)


def read_described_options(text: str) -> Iterator[Flag]:
    """Yields the options of the `Options:` sections, each with its description."""
    for section in find_sections("options:", text):
        parts = re.split(r"\n[ \t]*(-\S+?)", "\n" + section.partition(":")[2])[1:]
        for start, rest in zip(parts[::2], parts[1::2], strict=False):
            # two blanks end the options: `-l, --lr=<rate>  The rate [default: 0.1]`
            spelled, _, about = (start + rest).strip().partition("  ")
            words = spelled.replace(",", " ").replace("=", " ").split()
            options = [word for word in words if word.startswith("-")]
            defaults = DEFAULT.findall(about)
            default = defaults[0] if defaults else None
            takes_value = len(options) < len(words)
            yield from make_docopt_flag(
                options,
                takes_value=takes_value,
                default=default,
                about=re.sub(r" *\[default: .*\] *", " ", about, flags=re.IGNORECASE),
            )


def read_usage_options(text: str) -> Iterator[Flag]:
    """Yields the options of the `Usage:` section."""
    for section in find_sections("usage:", text)[:1]:
        for option, value in IN_USAGE.findall(section):
            yield from make_docopt_flag([option], takes_value=bool(value), default=None, about="")


def find_sections(name: str, text: str) -> list[str]:
    """Returns the sections of that name."""
    return [section.strip() for section in re.findall(SECTION.format(name), text, re.IGNORECASE | re.MULTILINE)]


def make_docopt_flag(options: list[str], *, takes_value: bool, default: str | None, about: str) -> Iterator[Flag]:
    """Yields the flag of an option; nothing if it is `--help` or `--version`, or if its name cannot be that of a flag."""
    option = next((word for word in options if word.startswith("--")), options[0] if options else "")
    name, help_text = option.lstrip("-"), " ".join(about.split())
    # docopt itself answers these options, and ends the program
    if not is_flag_name(name) or name in NO_FLAG:
        return
    if takes_value:
        value = None if default is None else parse_spelled(default)
        yield Flag(name, value, "any", help=help_text, option=option, as_typed="all")
    else:
        yield Flag(name, default=False, kind="bool", help=help_text, option=option, action="store_true")
