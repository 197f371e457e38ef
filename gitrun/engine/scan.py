"""Numbers in the lines that a program printed: by the default rule, or by its operation's own patterns.

The rule: a line is exactly `KEY: NUMBER`, perhaps with `(10)`, `(step 10)` or another text in parentheses behind it. KEY
begins with a letter or `_`, has no blanks, and is no flag's name; `step` gives the step of what follows. From Guild AI.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitrun.engine import patterns
from gitrun.engine.patterns import blocks, open_regular
from gitrun.errors import CannotRun
from gitrun.model.series import STEP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitrun.model.plan import Plan
    from gitrun.model.series import Gathering

RULES = "rules.json"
NUMBER = rb"[-+]?(?:[0-9]+\.?[0-9]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|(?i:nan|inf|infinity))"
# each part can end in one place only, so that no line takes long
LINE = rb"\n([A-Za-z_\x80-\xff]\S*):[ \t]+(" + NUMBER + rb")(?:[ \t]+\(([^\n]*)\))?[ \t]*(?=\n)"
BEHIND = rb"\s*(?:step\s+)?([0-9]{1,15})\s*"
MANY = 10_000
"""Keys that are remembered as they are written; others are looked at each time."""
PATIENCE = patterns.SECONDS + 10.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What is a metric in the output of an operation: its own patterns, else every key but the names of its flags."""

    flags: frozenset[str] = frozenset()
    patterns: tuple[tuple[str, str], ...] = ()


def write_rules(directory: Path, plan: Plan) -> None:
    """Keeps the rules of a plan in the live record of its run, for whoever finishes the run."""
    rules = {"flags": list(plan.flags), "patterns": [list(pattern) for pattern in plan.patterns]}
    (directory / RULES).write_text(json.dumps(rules))


def read_rules(directory: Path) -> Rules:
    """The rules in the live record of a run; those of no plan at all if there are none."""
    try:
        found = json.loads((directory / RULES).read_bytes())
        return Rules(frozenset(found["flags"]), tuple((str(name), str(pattern)) for name, pattern in found["patterns"]))
    except (OSError, ValueError, TypeError, KeyError):
        return Rules()


def scan(output: Path, rules: Rules, directory: Path, gathering: Gathering) -> str:
    """Gathers the metrics in a file of output; a word if that was not done to its end."""
    if rules.patterns:
        return by_patterns(output, directory, gathering)
    file = open_regular(str(output))
    if file:
        with file:
            by_rule(blocks(file), rules.flags, gathering)
    return ""


def by_rule(found: Iterable[bytes], flags: frozenset[str], gathering: Gathering) -> None:
    """Gathers what the default rule finds in blocks of lines."""
    steps, names, line = gathering.next_source(), dict[bytes, str](), None
    for block in found:
        if b": " not in block and b":\t" not in block:
            continue
        line = line or re.compile(LINE)
        for key, number, behind in line.findall(block):
            name = names.get(key)
            if name is None:
                name = name_of(key, flags)
                if len(names) < MANY:
                    names[key] = name
            if name == STEP:
                steps.give(float(number))
            elif name and gathering.takes(name):
                if behind and (given := re.fullmatch(BEHIND, behind)):
                    steps.give(float(given[1]))
                gathering.add(name, float(number), steps.of(name))


def name_of(key: bytes, flags: frozenset[str]) -> str:
    """The name of the metric that a key means; empty if it means none."""
    try:
        name = key.decode()
    except UnicodeDecodeError:
        return ""
    return name if (name[0].isalpha() or name[0] == "_") and name not in flags else ""


def by_patterns(output: Path, directory: Path, gathering: Gathering) -> str:
    """Gathers what the operation's own patterns find, in a process that is ended when they take too long."""
    from gitrun.engine.process import ask

    steps = gathering.next_source()
    words = (sys.executable, "-I", "-S", str(Path(patterns.__file__)), str(directory / RULES), str(output))
    try:
        lines = ask(words, {"PYTHONUTF8": "1"}, directory, PATIENCE).splitlines()
    except CannotRun as error:
        return f"the patterns for metrics could not be searched for: {error.message}"
    late = bool(lines) and lines[-1] == b'"late"'
    for line in lines[: len(lines) - late]:
        for found, step in json.loads(line):
            if step is not None and (given := number_in(step)) is not None:
                steps.give(given)
            gathering.add_all({name: value for name, text in found.items() if (value := number_in(text)) is not None}, steps)
    return "the patterns for metrics took too long, and were not searched for in all of the output" if late else ""


def number_in(text: str) -> float | None:
    """The number that a text is; None if it is none."""
    try:
        return float(text)
    except ValueError:
        return None
