"""Meanings of Guild's attributes: the command of a run without Guild, its flags, its label, and the space of a batch."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any

from gitrun.errors import UsageError
from gitrun.extras.importers.foreign_files import clean_text, table_in, texts_in
from gitrun.model.flags import Typed, is_flag_name
from gitrun.model.run import COMMAND, SCRIPT
from gitrun.model.space import Choice, read_space

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitrun.model.space import Domain
    from gitrun.model.values import Value

PYTHONS = ("${python_exe}", "${guild_python_exe}")
MAIN, FLAG_ARGS = "guild.op_main", "__flag_args__"
# ${lr} in a word of `exec`
REFERENCE = re.compile(r"\$\{([^{}$]+)\}")
FUNCTION = re.compile(r"(?:range|linspace|logspace|uniform|loguniform)?\[[^\[\]]*[:][^\[\]]*\]")


def number_of(value: object) -> float | None:
    """Returns an int or float that is finite; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1 << 63:
        return None
    return value


def flags_of(attrs: Mapping[str, Any], name: str = "flags") -> dict[str, Value]:
    """Returns the flags of a run without null, and without the dependencies that Guild records among them."""
    deps = table_in(attrs, "op").get("deps")
    names = {table_in(one).get("name") for one in deps} if isinstance(deps, list) else set()
    # `y: 1` has a key that is no text in YAML 1.1
    own = {str(key): value for key, value in table_in(attrs, name).items() if value is not None and key not in names}
    return {
        key: value.isoformat() if isinstance(value, date) else value
        for key, value in own.items()
        if not key.startswith(("operation:", "file:"))
    }


def command_of(attrs: Mapping[str, Any], paths: set[str], flags: Mapping[str, Value]) -> tuple[str, tuple[str, ...]]:
    """Returns kind and command template. A main module in the source becomes a script, which runs without Guild."""
    op_cmd = table_in(attrs, "op", "op-cmd")
    template, words = texts_in(op_cmd.get("cmd-args")), texts_in(attrs.get("cmd"))
    if MAIN in template[:4]:
        spec, *rest = template[template.index(MAIN) + 1 :] or ("",)
        path = script_of(spec, paths)
        own = rest[: rest.index("--")] if "--" in rest else [word for word in rest if word != FLAG_ARGS]
        if path and FLAG_ARGS not in own:
            return SCRIPT, ("{python}", path, *own)
        module = ("{python}", "-m", spec.rpartition("/")[2])
        return COMMAND, (*module, *own, *flag_words(op_cmd, flags))
    if not template:
        return COMMAND, words
    return COMMAND, tuple(replace_references(template, words, op_cmd, flags))


def script_of(spec: str, paths: set[str]) -> str:
    """Returns the file of a main module among the source; empty if it is not there. `src/pkg.train` is `src/pkg/train.py`."""
    directory, slash, module = spec.rpartition("/")
    candidates = (f"{directory}{slash}{module.replace('.', '/')}.py", spec if spec.endswith(".py") else f"{spec}.py")
    return next((path for path in candidates if path in paths), "")


def replace_references(
    template: tuple[str, ...], words: tuple[str, ...], op_cmd: Mapping[str, Any], flags: Mapping[str, Value]
) -> list[str]:
    """Returns the words of `exec` with `{lr}` for `${lr}`. Other references take the text that they had at the start."""
    replaced = list[str]()
    for number, word in enumerate(template):
        if word == FLAG_ARGS:
            replaced += flag_words(op_cmd, flags)
        elif word in PYTHONS:
            replaced.append("{python}")
        elif all(name in flags for name in REFERENCE.findall(word)):
            replaced.append(REFERENCE.sub(r"{\1}", word))
        else:
            # with arguments of flags before it, the place of a word is not known
            replaced.append(words[number] if len(words) == len(template) else word)
    return replaced


def flag_words(op_cmd: Mapping[str, Any], flags: Mapping[str, Value]) -> list[str]:
    """Returns `--name {name}` for each flag, with the names that the program has for them."""
    options = {name: clean_text(table_in(op_cmd, "cmd-flags", name).get("arg-name"), 200) or name for name in flags}
    return [word for name, option in options.items() for word in (f"--{option}", f"{{{name}}}")]


def label_of(attrs: Mapping[str, Any], flags: Mapping[str, Value]) -> str | None:
    """Returns the label of a run; None for the one that Guild made of the flags."""
    label = clean_text(attrs.get("label"), 4_000)
    given = table_in(attrs, "op").get("label-template"), table_in(attrs, "run_params").get("label")
    was_given = given != (None, None)
    names = {*flags, *table_in(attrs, "flags")}
    # epochs=3 lr=0.3 operation:prepare=5c2d565e25c243889307bad0c2323287
    is_automatic = not was_given and label.split(" ")[0].partition("=")[0] in names
    return None if is_automatic or not label else label


def space_of(flags: Mapping[str, Value]) -> dict[str, Domain]:
    """Returns the lists and ranges among the flags of a batch: `[0.1, 0.2]`, `uniform[0.1:0.9]`."""
    space: dict[str, Domain] = {}
    for name, value in flags.items():
        if not is_flag_name(name):
            continue
        if isinstance(value, list) and value and all(isinstance(one, str | int | float) for one in value):
            space[name] = Choice(tuple(value))
        elif isinstance(value, str) and len(value) < 200 and FUNCTION.fullmatch(value):
            try:
                space |= read_space({name: Typed(value)}, None, force=True).space
            except UsageError:
                continue
    return space
