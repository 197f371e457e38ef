"""Parser of `gitrun.toml`, or `[tool.gitrun]` of pyproject.toml, into definitions; errors name line and key."""

from __future__ import annotations

import posixpath
import re
import shlex
from typing import TYPE_CHECKING, Any, NoReturn

from gitrun.dataclass import replace
from gitrun.errors import BadProjectFile, UsageError
from gitrun.model.encode import format_inline
from gitrun.model.entry import ARGS, ENV, FILE_PREFIX, GLOBALS, Definition, Input, Need, Step
from gitrun.model.flags import Flag, Typed, copy_value, is_flag_name, resolve_flags, same_value
from gitrun.model.plan import GITRUN, PYPROJECT
from gitrun.model.run import COMMAND, NOTEBOOK, PROGRAM, SCRIPT, STEPS, is_safe
from gitrun.model.settings import parse_duration
from gitrun.model.toml import load_toml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gitrun.model.flags import Value

LARGEST = 1 << 20
"""Most bytes of a project file."""
STEP_OPTIONS = {
    "optimizer": "optimizer", "max-trials": "max_trials", "minimize": "minimize", "maximize": "maximize", "jobs": "jobs",
}  # fmt: skip
"""Keys of a step that is a batch, and the options of a request that they stand for."""
OF_A_SHELL = frozenset("|&;<>()$`*?~#\n")
"""Characters by which a command line is likely to mean something that only a shell understands."""
KINDS = ("any", "number", "int", "float", "str", "bool", "list")
OPERATION = (
    "description", "script", "command", "notebook", "steps", "flags-to", "flags", "metrics", "needs", "resolve", "inputs",
    "outputs", "link", "stop-after", "env", "resources",
)  # fmt: skip
BODIES = ("script", "command", "notebook", "steps")
OF_STEPS = ("description", "steps", "flags", "stop-after")
"""Keys of an entry with steps; all others belong to the entries of its steps."""


def read_definitions(data: bytes, name: str, only: str | None = None) -> dict[str, Definition]:
    """Returns the operations of a project file by name, in file order.

    `name` is `gitrun.toml` or `pyproject.toml`; of the latter, only the table `tool.gitrun` is read. `only` limits checks and
    result to the operation of that name. Raises UsageError with line, key and what was expected.
    """
    items = parse_entries(data, name)
    return {name: parse_definition(name, item) for name, item in items.items() if only in {None, name}}


def read_entries(data: bytes, name: str) -> dict[str, Definition | UsageError]:
    """Returns the operations by name; an invalid entry is returned as its error.

    Raises UsageError if no entry can be read.
    """
    entries: dict[str, Definition | UsageError] = {}
    for operation, item in parse_entries(data, name).items():
        try:
            entries[operation] = parse_definition(operation, item)
        except UsageError as error:
            entries[operation] = error
    return entries


def read_entries_at(top: Path) -> dict[str, Definition | UsageError]:
    """Reads the entries of the project files in a directory, each as its definition or its error. Raises UsageError."""
    entries: dict[str, Definition | UsageError] = {}
    for name in (PYPROJECT, GITRUN):  # gitrun.toml wins
        try:
            data = (top / name).read_bytes()
        except OSError:
            continue
        # a broken entry must not hide the others
        entries |= read_entries(data, name)
    return entries


def parse_entries(data: bytes, name: str) -> dict[str, Item]:
    """Returns the entries of a project file, unchecked. Raises UsageError."""
    # most pyproject files have no table of ours: do not parse them
    if name == PYPROJECT and b"gitrun" not in data:
        return {}
    try:
        if len(data) > LARGEST:
            raise BadProjectFile(f"{name} is larger than 1 MiB")
        # some editors begin files with a byte order mark
        text = data.decode("utf-8-sig")
        table: Any = load_toml(text)
    except (ValueError, RecursionError) as error:  # includes TOMLDecodeError and UnicodeDecodeError
        raise BadProjectFile(f"{name} is not TOML: {error}") from error
    path: tuple[str, ...] = ()
    if name == PYPROJECT:
        path, tool = ("tool", "gitrun"), table.get("tool")
        table = tool.get("gitrun", {}) if isinstance(tool, dict) else {}
    top = Item(name, text, path, table).table(("operations",))
    return top["operations"].table() if "operations" in top else {}


class Item:
    """A value of the file with its key path and its checks; each check raises UsageError with the line."""

    def __init__(self, file: str, text: str, path: tuple[str, ...], value: object) -> None:
        self.file, self.text, self.path, self.value = file, text, path, value

    def fail(self, expected: str, hint: str = "") -> NoReturn:
        """Raises UsageError with file, line, key and what was expected."""
        line = find_line(self.text, self.path)
        raise BadProjectFile(f"{self.file}{f', line {line}' if line else ''}: {'.'.join(self.path)} {expected}", hint)

    def table(self, keys: tuple[str, ...] | None = None) -> dict[str, Item]:
        """Returns the items of a table. Refuses keys other than `keys` (None: accepts any)."""
        if not isinstance(self.value, dict):
            self.fail(f"must be a table, not {format_for_message(self.value)}")
        items = {key: Item(self.file, self.text, (*self.path, key), value) for key, value in self.value.items()}
        for key in items if keys else ():
            if key not in (keys or ()):
                items[key].fail("is unknown", f"Known keys: {', '.join(keys or ())}")
        return items

    def list(self) -> list[Item]:
        """Returns the items of a list."""
        if not isinstance(self.value, list):
            self.fail(f"must be a list, not {format_for_message(self.value)}")
        return [Item(self.file, self.text, self.path, value) for value in self.value]

    def words(self) -> str:
        """Returns a text that is not empty and has no NUL."""
        if not isinstance(self.value, str) or not self.value or "\0" in self.value:
            self.fail(f"must be text, not {format_for_message(self.value)}")
        return self.value

    def several(self) -> tuple[str, ...]:
        """Returns one text, or a list of texts, as a tuple."""
        items = self.list() if isinstance(self.value, list) else [self]
        return tuple(item.words() for item in items) or self.fail("needs at least one text")

    def number(self) -> float:
        """Returns a number as a float."""
        # Python's bool is an int
        if not isinstance(self.value, int | float) or isinstance(self.value, bool):
            self.fail(f"must be a number, not {format_for_message(self.value)}")
        try:
            return float(self.value)
        # tomli reads integers of any size
        except OverflowError:
            self.fail("is too large")

    def truth(self) -> bool:
        """Returns true or false."""
        if not isinstance(self.value, bool):
            self.fail(f"must be true or false, not {format_for_message(self.value)}")
        return self.value

    def one_of(self, choices: tuple[str, ...]) -> str:
        """Returns one of these texts."""
        if self.value not in choices:
            self.fail(f"must be one of {', '.join(choices)}, not {format_for_message(self.value)}")
        return str(self.value)

    def flag_value(self) -> Value:
        """Returns a value that a flag can hold."""
        try:
            return copy_value(self.path[-1], self.value)
        except UsageError as error:
            self.fail(
                f"must be a number, text, true, false or a list of these, not {format_for_message(self.value)}", error.hint
            )

    def inside(self) -> str:
        """Returns a path below the top of the repository, normalized."""
        path = self.words()
        plain = posixpath.normpath(path)
        if path.startswith(("/", "~")) or ".." in path.split("/") or plain == ".":
            self.fail(f"must be a path inside the repository, not {format_for_message(path)}")
        if not is_safe(plain):
            self.fail(f"must be a path outside .git and .gitrun, not {format_for_message(path)}")
        return plain

    def anywhere(self) -> str:
        """Returns a path below the top of the repository, or one that begins with `/` or `~/`."""
        path = self.words()
        if path.startswith(("/", "~/")):
            return path
        return self.inside()


def parse_definition(name: str, item: Item) -> Definition:
    """Parses an operation."""
    if "=" in name or not name or not name.isprintable() or name.startswith("-"):
        item.fail("cannot be the name of an operation", "A name has no '=', and does not begin with '-'")
    table = item.table(OPERATION)
    bodies = [table[body] for body in BODIES if body in table]
    if len(bodies) != 1:
        item.fail(f"needs one of {', '.join(BODIES)}" + (" (only one)" if bodies else ""))
    if "steps" in table:
        item.table(OF_STEPS)
    kind, command, steps = parse_body(bodies[0])

    def read(key: str, how: Callable[[Item], Any], otherwise: object = ()) -> Any:  # noqa: ANN401 - whatever `how` reads
        return how(table[key]) if key in table else otherwise

    always = read("resolve", lambda item: item.one_of(("once", "always")), "once") == "always"
    asks = "flags" in table and "steps" not in table and table["flags"].value == "import"
    return Definition(
        name=name, kind=kind, command=command, steps=steps,
        description=read("description", Item.words, ""),
        flags_to=read("flags-to", parse_flags_to, ""),
        flags=() if asks else read("flags", parse_flags),
        asks=asks,
        needs=read("needs", lambda item: parse_needs(item, always=always)),
        inputs=read("inputs", lambda item: tuple(map(parse_input, item.list()))),
        outputs=read("outputs", lambda item: tuple(one.inside() for one in item.list())),
        links=read("link", lambda item: tuple(one.inside() for one in item.list())),
        stop_after=read("stop-after", duration, None),
        env=read("env", lambda item: tuple(parse_variable(key, one) for key, one in item.table().items())),
        metrics=read("metrics", parse_metrics),
        resources=read("resources", lambda item: tuple((key, parse_amount(one)) for key, one in item.table().items())),
    )  # fmt: skip


def parse_amount(item: Item) -> str:
    """Returns the amount of a resource as text: a number, or bytes such as `8 GB`."""
    value = item.value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value) if value > 0 else item.fail("must be greater than 0")
    return item.words()


def parse_body(item: Item) -> tuple[str, tuple[str, ...], tuple[Step, ...]]:
    """Returns kind, words and steps of an operation from the key that tells what it runs."""
    key = item.path[-1]
    if key == "steps":
        steps = tuple(map(parse_step, item.list()))
        return STEPS, (), steps or item.fail("needs at least one step")
    if key == "command":
        words = item.several()
        if isinstance(item.value, str) and len(item.value.split()) > 1:
            item.fail("must be a list of words, not one text", f"For example: command = {split_command(item.value)}")
        return COMMAND, words, ()
    path = item.inside()
    if key == "notebook":
        return NOTEBOOK, (path,), ()
    return (SCRIPT if path.endswith(".py") else PROGRAM), (path,), ()


def split_command(text: str) -> str:
    """Returns the list of gitrun.toml that runs a command line: its words, or `sh` where only a shell understands it."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = []
    if not words or set(text) & OF_A_SHELL:
        words = ["sh", "-c", text]
    return f"[{', '.join(map(format_inline, words))}]"


def parse_step(item: Item) -> Step:
    """Parses a step of a pipeline: a name, or a table with `run` and `parse_flags`."""
    if isinstance(item.value, str):
        return split_step(item, item.words())
    table = item.table(("run", "flags", *STEP_OPTIONS))
    if "run" not in table:
        item.fail("must be a step with the key run")
    step = split_step(table["run"], table["run"].words())
    values = table["flags"].table() if "flags" in table else {}
    flags = tuple((name, one.flag_value()) for name, one in values.items())
    options = tuple((STEP_OPTIONS[key], parse_step_option(key, table[key])) for key in STEP_OPTIONS if key in table)
    return replace(step, flags=(*step.flags, *flags), options=options)


def split_step(item: Item, text: str) -> Step:
    """Parses `train lr=[1,2]`: an operation, and flags as on the command line. A name may have blanks, but no `=` after one."""
    name, *words = text.split(" ")
    if not any("=" in word for word in words):
        return Step(text)
    try:
        name, *words = shlex.split(text, posix=False)
    except ValueError as error:
        item.fail(f"is no list of words: {error}")
    if odd := next((word for word in words if not is_flag_name(word.partition("=")[0]) or "=" not in word), ""):
        item.fail(f"has the word {odd!r}, which is no flag", 'Options of a step: { run = "train lr=[1,2]", jobs = 2 }')
    return Step(name, tuple((word.partition("=")[0], Typed(word.partition("=")[2])) for word in words))


def parse_step_option(key: str, item: Item) -> object:
    """Parses an option of a step that is a batch: a number of trials, or names of an optimizer or of metrics."""
    if key in {"minimize", "maximize"}:
        return ",".join(item.several())
    if key == "optimizer":
        return item.words()
    if not isinstance(item.value, int) or isinstance(item.value, bool) or item.value < 1:
        item.fail(f"must be a whole number of at least 1, not {format_for_message(item.value)}")
    return item.value


def parse_flags_to(item: Item) -> str:
    """Parses the way to pass flags to the program."""
    text = item.words()
    if text.startswith(FILE_PREFIX) and text != FILE_PREFIX:
        path = Item(item.file, item.text, item.path, text.removeprefix(FILE_PREFIX)).inside()
        if not path.endswith((".toml", ".yaml", ".yml", ".json", ".ini", ".cfg")):
            item.fail(f"must be a toml, yaml, json or ini file, not {format_for_message(path)}")
        return FILE_PREFIX + path
    if text not in {GLOBALS, ARGS, ENV}:
        item.fail(f"must be globals, args, env or file:PATH, not {format_for_message(text)}")
    return text


def parse_flags(item: Item) -> tuple[Flag, ...]:
    """Parses the flags that an operation declares."""
    return tuple(parse_flag(name, one) for name, one in item.table().items())


def parse_flag(name: str, item: Item) -> Flag:
    """Parses a flag: a default, or a table with more."""
    if not is_flag_name(name):
        item.fail("cannot be the name of a flag", "A name is a letter, then letters, digits and any of _ - . /")
    if not isinstance(item.value, dict):
        return Flag(name, item.flag_value())
    table = item.table(("default", "type", "choices", "min", "max", "help", "required", "when"))
    default = table["default"].flag_value() if "default" in table else None
    choices = tuple(one.flag_value() for one in table["choices"].list()) if "choices" in table else ()
    if "choices" in table and not choices:
        table["choices"].fail("needs at least one choice")
    if choices and default is not None and not any(same_value(default, choice) for choice in choices):
        table["default"].fail("is not one of the choices")
    flag = Flag(
        name,
        default,
        table["type"].one_of(KINDS) if "type" in table else "number" if {"min", "max"} & set(table) else "any",
        choices,
        table["help"].words() if "help" in table else "",
        required="required" in table and table["required"].truth(),
        least=table["min"].number() if "min" in table else None,
        most=table["max"].number() if "max" in table else None,
        when=tuple(parse_condition(name, key, one) for key, one in table["when"].table().items()) if "when" in table else (),
    )
    require_consistent(flag, table)
    return flag


def parse_condition(name: str, other: str, item: Item) -> tuple[str, tuple[Value, ...]]:
    """Parses another flag and those of its values for which a flag exists: a value, or a list of them."""
    if not is_flag_name(other) or other == name:
        item.fail("must be the name of another flag")
    items = item.list() if isinstance(item.value, list) else [item]
    return other, tuple(one.flag_value() for one in items) or item.fail("needs at least one value")


def require_consistent(flag: Flag, keys: dict[str, Item]) -> None:
    """Raises UsageError if the keys of a flag contradict each other."""
    for limit in ("min", "max"):
        if limit in keys and flag.kind in {"str", "bool"}:
            keys[limit].fail(f"is for numbers, and the type is {flag.kind}")
    if flag.least is not None and flag.most is not None and flag.least > flag.most:
        keys["min"].fail(f"is more than max, {flag.most:g}")
    if flag.default is None:
        return
    try:
        resolve_flags([replace(flag, default=None)], {flag.name: flag.default}, operation="")
    except UsageError as error:
        # the message has an empty operation name here: two blanks
        keys["default"].fail(error.message.partition(" of  ")[2])


def parse_needs(item: Item, *, always: bool) -> tuple[Need, ...]:
    """Parses the operations whose files are needed."""
    return tuple(parse_need(name, one, always=always) for name, one in item.table().items())


def parse_need(name: str, item: Item, *, always: bool) -> Need:
    """Parses a need: patterns, or a table with more."""
    if not isinstance(item.value, dict):
        return Need(name, item.several(), always)
    table = item.table(("files", "file", "resolve", "best", "direction", "each"))
    if ("files" in table) == ("file" in table):
        item.fail("needs the key files, or file (only one)")
    if "resolve" in table:
        always = table["resolve"].one_of(("once", "always")) == "always"
    best, each = table["best"].words() if "best" in table else "", "each" in table and table["each"].truth()
    if best and each:
        table["each"].fail("cannot be combined with best")
    if "direction" in table and not best:
        table["direction"].fail("needs the key best")
    direction = table["direction"].one_of(("minimize", "maximize")) if "direction" in table else ""
    files = (table.get("files") or table["file"]).several()
    return Need(name, files, always, best, direction, each)


def parse_input(item: Item) -> Input:
    """Parses an input: a path, or a table with its URL and sha256."""
    if isinstance(item.value, str):
        return Input(item.anywhere())
    table = item.table(("path", "url", "sha256"))
    url = table["url"].words() if "url" in table else ""
    sha256 = table["sha256"].words().lower() if "sha256" in table else ""
    if sha256 and not re.fullmatch("[0-9a-f]{64}", sha256):
        table["sha256"].fail("must be 64 hexadecimal digits")
    if url and not url.startswith(("https://", "http://", "file://")):
        table["url"].fail("must be an address that begins with https://, http:// or file://")
    if url and (wrong := find_url_fault(url)):
        table["url"].fail(f"is not a valid address: {wrong}")
    if url and not sha256:
        item.fail("needs sha256 beside url", "gitrun checks each download against it")
    if "path" not in table and not url:
        item.fail("needs the key path")
    if url:
        # https://example.org/data.csv?v=2 is put at data.csv
        path = table["path"] if "path" in table else Item(item.file, item.text, item.path, last_url_name(url))
        return Input(path.inside(), url, sha256)
    return Input(table["path"].anywhere(), "", sha256)


def find_url_fault(url: str) -> str:
    """Returns the fault of a URL whose scheme is valid; empty if there is none."""
    from urllib.parse import urlsplit  # takes 5 ms: only entries with an address pay

    if any(char.isspace() or not char.isprintable() for char in url):
        return "it has a blank or a control character"
    try:
        parts = urlsplit(url)
        has_port, host = parts.port, parts.hostname
    except ValueError as error:  # a port that is not a number, unbalanced brackets
        return str(error)
    if has_port == 0:
        return "the port is 0"
    return "it has no host" if parts.scheme != "file" and not host else ""


def last_url_name(url: str) -> str:
    """Returns the name of the file at the end of a URL."""
    return url.partition("?")[0].partition("#")[0].rstrip("/").rpartition("/")[2]


def duration(item: Item) -> float:
    """Returns a duration in seconds."""
    try:
        return parse_duration(item.words() if isinstance(item.value, str) else repr(item.number()))
    except UsageError:
        item.fail(f"must be a duration such as 30s, 5m or 2h, not {format_for_message(item.value)}")


def parse_variable(name: str, item: Item) -> tuple[str, str]:
    """Parses an environment variable: its name and value."""
    if not name or "=" in name or "\0" in name:
        item.fail("cannot be the name of an environment variable")
    if not isinstance(item.value, str) or "\0" in item.value:
        item.fail(f"must be text, not {format_for_message(item.value)}", 'To give a number: "1"')
    return name, item.value


def parse_metrics(item: Item) -> tuple[tuple[str, str], ...]:
    """Parses names of metrics and the regular expressions that find them."""
    return tuple((name, parse_pattern(one)) for name, one in item.table().items())


def parse_pattern(item: Item) -> str:
    """Returns a regular expression with a group for the number."""
    text = item.words()
    try:
        groups = re.compile(text).groups
    except (re.error, RecursionError, OverflowError) as error:
        item.fail(f"is not a regular expression: {error}")
    return text if groups else item.fail("must have a group (...) for the number")


def format_for_message(value: object) -> str:
    """Returns a value of the file in the words of a message."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    return repr(value).lower() if isinstance(value, bool) else repr(value)


def find_line(text: str, path: tuple[str, ...]) -> int:
    """Returns the line (from 1) that matches most of the key path; 0 if none matches any of it."""
    # tomli reports no line of a value, so search for the header or key
    best, best_line = 0, 0
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        header = re.fullmatch(r"\s*\[\[?([^\[\]]+)\]\]?\s*(#.*)?", line)
        here: tuple[str, ...] = ()
        if header:
            # a header: [operations.train.flags]
            table = here = split_key(header[1])
        elif "=" in line:
            # a dotted key: optimizer.lr = 0.1
            here = (*table, *split_key(line.partition("=")[0]))
        # an inline table has several keys in one line: train = { script = "t.py", resolve = "always" }
        here += tuple(
            key for key in path[len(here) :] if here == path[: len(here)] and re.search(rf"\b{re.escape(key)}\b", line)
        )
        if here == path[: len(here)] and len(here) > best:
            best, best_line = len(here), number
    return best_line


def split_key(key: str) -> tuple[str, ...]:
    """Splits a dotted key into its parts, without quotes."""
    return tuple(bare or double or single for double, single, bare in re.findall(r'"([^"]*)"|\'([^\']*)\'|([\w-]+)', key))
