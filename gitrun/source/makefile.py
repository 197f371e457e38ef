"""The targets of a Makefile as operations, with the variables that their recipes use as flags. Make is not started."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

from gitrun.dataclass import dataclass, field
from gitrun.model.flags import parse_value
from gitrun.source import draft
from gitrun.source.draft import Draft

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitrun.git.exe import Git
    from gitrun.model.tree import Tree

# LR ?= 0.1; not += and !=, whose values make itself must find out
VARIABLE = re.compile(r"(?:export +)?([A-Za-z_]\w*) *(?:\?|::?|:::)?= *([^$#]*)")
# train eval: data.csv | out  ## Fit a model; not `a := b` or `%.o: %.c`
RULE = re.compile(r"([\w./-]+(?: +[\w./-]+)*) *::?(?![=:])([^=;#]*)(?:;([^#]*))?(?:#+ *(.*))?")
REFERENCE = re.compile(r"\$[({](\w+)[)}]")
DIRECTIVE = re.compile(r"(-?include|define|ifeq|ifneq|ifdef|ifndef)\b")
MAX_LINES = 20_000


@dataclass(slots=True)
class Target:
    """A target while its Makefile is read: what it depends on, its description, and the text of its recipe."""

    needs: list[str] = field(default_factory=list)
    description: str = ""
    recipe: str = ""


def read_targets(git: Git, tree: Tree, path: str) -> Draft:  # noqa: ARG001 - readers have one signature
    """Returns the targets of a Makefile that have a recipe or needs as operations `make TARGET`."""
    text = (tree.read(posixpath.normpath(path), draft.LARGEST) or b"").decode(errors="replace")
    variables: dict[str, str] = {}
    targets: dict[str, Target] = {}
    losses: list[str] = []
    names: list[str] = []
    for line in text.replace("\\\n", " ").split("\n")[:MAX_LINES]:
        if line.startswith("\t"):
            for name in names:
                targets[name].recipe += f"{line}\n"
        elif match := VARIABLE.fullmatch(line.rstrip()):
            variables.setdefault(match[1], match[2].strip())
        elif match := RULE.fullmatch(line.rstrip()):
            names = [name for name in match[1].split() if not name.startswith(".")]
            for name in names:
                add_rule(targets.setdefault(name, Target()), match)
        elif match := DIRECTIVE.match(line):
            losses.append(f"{path}: {line.strip()[:60]}: targets and variables that make finds there are not read")
        elif "%" in line.partition(":")[0] and ":" in line:
            losses.append(f"{path}: {line.strip()[:60]}: a pattern names no target")
    operations = {
        name: draft_target(path, name, targets, variables) for name, target in targets.items() if target.recipe or target.needs
    }
    return Draft(path, operations, tuple(dict.fromkeys(losses)))


def add_rule(target: Target, match: re.Match[str]) -> None:
    """Adds a line `target: needs ; recipe ## description` to a target."""
    target.needs += [word for word in match[2].split() if word != "|"]
    target.recipe += match[3] or ""
    target.description = target.description or (match[4] or "").strip()


def draft_target(path: str, name: str, targets: Mapping[str, Target], variables: Mapping[str, str]) -> dict[str, Any]:
    """Returns the table of a target: its flags are the variables that its recipe and those of its needs name."""
    used = [variable for variable in dict.fromkeys(list_references(name, targets)) if variables.get(variable)]
    file = () if path in {"Makefile", "makefile", "GNUmakefile"} else ("-f", path)
    flags = {variable: parse_value(variables[variable]) for variable in used}
    operation: dict[str, Any] = {"description": targets[name].description} if targets[name].description else {}
    operation["command"] = ["make", *file, name, *(f"{variable}={{{variable}}}" for variable in used)]
    return operation | ({"flags": flags} if flags else {})


def list_references(name: str, targets: Mapping[str, Target]) -> Iterator[str]:
    """Yields the variables that a target uses: in its recipe, in its needs, and in those of the targets that it needs."""
    waiting, seen = [name], set[str]()
    while waiting:
        one = waiting.pop(0)
        if one in seen or one not in targets:
            continue
        seen.add(one)
        yield from REFERENCE.findall(" ".join(targets[one].needs) + targets[one].recipe)
        waiting += targets[one].needs
