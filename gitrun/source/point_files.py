"""Files of points, a trial each: `@points.csv`, `.json`, `.toml` and `.yml`."""

from __future__ import annotations

import csv
import json
import os
import re
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitrun import source
from gitrun.dataclass import dataclass, replace
from gitrun.errors import BadValue, UnknownFlag, UsageError
from gitrun.model.encode import dump_toml
from gitrun.model.flags import Typed, find_declared, is_flag_name, resolve_flags
from gitrun.model.grid import lay_grid
from gitrun.model.sequences import MOST_VALUES
from gitrun.model.space import Choice
from gitrun.model.toml import load_toml
from gitrun.model.values import QUOTED, copy_value, format_value, parse_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from gitrun.model.flags import Flag, Value

LARGEST = 64 << 20
"""Most bytes of a file."""
TABLE = "trial"
"""Name of the tables of a TOML file that is written."""
BETWEEN = re.compile(r"[ \t\n\r,]*")
# YAML's own spellings; all other plain words mean what they mean on the command line
YAML_WORDS: dict[str, Value | None] = {
    "": None, "~": None, "null": None,
    ".inf": float("inf"), "+.inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PointRow:
    """A row of a file of points: the flags that it gives, and its place for messages, such as `points.csv, line 3`."""

    where: str
    flags: Mapping[str, Value | Typed]


def read_points(path: Path) -> tuple[PointRow, ...]:
    """Returns the rows of a file of points.

    The extension decides between CSV, JSON, TOML and YAML. Cells of a CSV file and plain words of a YAML file are read as
    words of the command line; an empty cell or null leaves the flag out. A table of lists, instead of a list of rows, stands
    for all combinations. Raises UsageError with file and line, MissingPackage for YAML without PyYAML.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise _wrong_extension(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path.name}: {error.strerror}", "To give a file of trials: @points.csv") from error
    if len(data) > LARGEST:
        raise UsageError(f"{path.name} is larger than {LARGEST >> 20} MiB")
    try:
        rows = tuple(reader(path.name, data.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path.name}, line {line}: the text is not UTF-8") from error
    except RecursionError as error:
        raise UsageError(f"{path.name} is nested too deeply") from error
    if not rows:
        raise UsageError(f"{path.name} has no trials", "To give one: a row with a value for each flag")
    if len(rows) > MOST_VALUES:
        raise UsageError(f"{path.name} has {len(rows):,} trials; the most is {MOST_VALUES:,}")
    return rows


def resolve_points(  # noqa: PLR0913 - those of resolve_flags, and how much of a cell stays text
    rows: Iterable[PointRow],
    declared: Sequence[Flag] | None,
    *,
    operation: str,
    as_typed: str = "",
    force: bool = False,
    partial: bool = False,
) -> tuple[dict[str, Value], ...]:
    """Returns the flags of each row, as `resolve_flags` does with the same words. `as_typed` is as for `Typed`.

    Raises BadValue and UnknownFlag with the position of the row.
    """
    points: list[dict[str, Value]] = []
    for row in rows:
        values = {name: _unquote(declared, name, value, as_typed) for name, value in row.flags.items()}
        try:
            flags = resolve_flags(declared, values, operation=operation, force=force, partial=partial)
        except (BadValue, UnknownFlag) as error:
            raise type(error)(f"{row.where}: {error.message}", error.hint) from error
        points.append({name: value for name, value in flags.items() if value is not None})
    return tuple(points)


def write_points(path: Path, rows: Sequence[Mapping[str, Value]]) -> None:
    """Writes rows to a file from which `read_points` and `resolve_points` give them back. Replaces the file.

    Raises UsageError, MissingPackage for YAML without PyYAML.
    """
    require_writer(path)
    content = WRITERS[path.suffix.lower()](rows).encode()
    target = Path(os.path.realpath(path))
    # renamed when it is complete: a kill leaves the old file
    fresh = target.with_name(f".{target.name}.{os.urandom(4).hex()}.new")
    try:
        try:
            fresh.write_bytes(content)
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {path.name}: {error.strerror}") from error


def require_writer(path: Path) -> None:
    """Raises UsageError if no file of points can have this name."""
    if path.suffix.lower() not in WRITERS:
        raise _wrong_extension(path)


def _wrong_extension(path: Path) -> UsageError:
    return UsageError(f"{path.name} is not a file of trials", f"Its name must end with one of {', '.join(READERS)}")


def _unquote(declared: Sequence[Flag] | None, name: str, value: Value | Typed, as_typed: str) -> Value | Typed | None:
    if not isinstance(value, Typed):
        return value
    flag = find_declared(declared or (), name)
    # in a cell, quotes never belong to the text
    if flag and flag.kind == "str" and QUOTED.fullmatch(value.text):
        return parse_value(value.text)
    return replace(value, as_typed=as_typed)


def _read_csv(name: str, text: str) -> Iterator[PointRow]:
    header = text.partition("\n")[0]
    # spreadsheets of many countries write semicolons
    delimiter = next((mark for mark in ",;\t" if mark in header), ",")
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    columns: list[str] | None = None
    line = 1
    try:
        for cells in reader:
            if columns is None:
                columns = _check_columns(name, [cell.strip() for cell in cells]) if cells else None
            elif cells:
                yield _read_cells(f"{name}, line {line}", columns, cells)
            line = reader.line_num + 1
    except csv.Error as error:
        raise UsageError(f"{name}, line {line}: {error}") from error


def _check_columns(name: str, columns: list[str]) -> list[str]:
    for number, column in enumerate(columns, start=1):
        if not column:
            hint = "To leave out the index of pandas: to_csv(PATH, index=False)"
            raise UsageError(f"{name}, line 1: column {number} has no name", hint)
        if not is_flag_name(column):
            raise UsageError(
                f"{name}, line 1: {column!r} cannot be the name of a flag", "The first line has the names of flags"
            )
        if columns.index(column) < number - 1:
            raise UsageError(f"{name}, line 1: two columns are named {column!r}")
    return columns


def _read_cells(where: str, columns: list[str], cells: list[str]) -> PointRow:
    if len(cells) > len(columns):
        hint = "To give a text or a list with commas: put it in double quotes"
        raise UsageError(f"{where}: {len(cells)} values for {len(columns)} columns", hint)
    pairs = zip(columns, (cell.strip() for cell in cells), strict=False)
    return PointRow(where, {column: Typed(cell) for column, cell in pairs if cell})


def _read_json(name: str, text: str) -> Iterator[PointRow]:
    decoder = json.JSONDecoder()
    try:
        whole = decoder.decode(text)
    except ValueError as error:
        # an int of thousands of digits has no place
        line, fault = getattr(error, "lineno", 1), getattr(error, "msg", error)
        raise UsageError(f"{name}, line {line}: this is not JSON: {fault}") from error
    if not isinstance(whole, list):
        yield from _combine(name, whole)
        return
    # the decoder tells no lines, so the items are decoded once more, each by itself
    at, line = text.index("[") + 1, text.count("\n", 0, text.index("[")) + 1
    for _ in whole:
        blank = BETWEEN.match(text, at)
        start = blank.end() if blank else at
        line += text.count("\n", at, start)
        item, at = decoder.raw_decode(text, start)
        yield _read_row(f"{name}, line {line}", item)
        line += text.count("\n", start, at)


def _read_toml(name: str, text: str) -> Iterator[PointRow]:
    try:
        whole = load_toml(text)
    except ValueError as error:
        raise UsageError(f"{name}: this is not TOML: {error}") from error
    tables = [value for value in whole.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    if len(tables) != 1 or len(whole) != 1:
        yield from _combine(name, whole)
        return
    # tomli tells no lines; tables with headers of their own have a line each
    lines = [number for number, line in enumerate(text.split("\n"), start=1) if re.match(r"\s*\[\[", line)]
    places_in_file = [f"line {line}" for line in lines] if len(lines) == len(tables[0]) else []
    for number, row in enumerate(tables[0], start=1):
        yield _read_row(f"{name}, {places_in_file[number - 1] if places_in_file else f'row {number}'}", row)


def _read_yaml(name: str, text: str) -> Iterator[PointRow]:
    yaml = source.config_files.import_yaml()
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        whole = None if node is None else _read_node(loader, node, {})
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        fault = " ".join(str(getattr(error, "problem", None) or error).split())
        raise UsageError(f"{name}{f', line {mark.line + 1}' if mark else ''}: this is not YAML: {fault}") from error
    counts: dict[int, int] = {}
    if not isinstance(whole, list):
        _require_small(name, whole, counts)
        yield from _combine(name, whole)
        return
    for row, inner in zip(whole, node.value, strict=True):
        where = f"{name}, line {inner.start_mark.line + 1}"
        _require_small(where, row, counts)
        yield _read_row(where, row)


def _require_small(where: str, value: object, counts: dict[int, int]) -> None:
    """Raises UsageError for a value that references make huge, or that contains itself."""
    most = source.config_files.MOST
    if source.config_files.count_values(value, counts) > most:
        raise UsageError(f"{where}: this has more than {most:,} values")


def _read_node(loader: Any, node: Any, anchors: dict[int, object]) -> object:  # noqa: ANN401 - PyYAML has no types
    """Returns the value of a YAML node. Plain words stay as typed: YAML 1.1 reads 1e-3 as text, and 12:30 as 750."""
    if id(node) not in anchors:
        # known before its items: a list may contain itself, which count_values refuses
        if node.id == "sequence":
            anchors[id(node)] = items = list[object]()
            items += [_read_node(loader, inner, anchors) for inner in node.value]
        elif node.id == "mapping":
            anchors[id(node)] = table = dict[str, object]()
            # puts in the values of `<<: *defaults`
            loader.flatten_mapping(node)
            table.update({str(key.value): _read_node(loader, inner, anchors) for key, inner in node.value})
        elif node.style is not None:
            anchors[id(node)] = str(node.value)
        else:
            anchors[id(node)] = YAML_WORDS[node.value.lower()] if node.value.lower() in YAML_WORDS else Typed(node.value)
    return anchors[id(node)]


def _read_row(where: str, row: object) -> PointRow:
    """Returns the row of a table of names and values. Raises UsageError with its place."""
    if not isinstance(row, dict):
        raise UsageError(f"{where}: this is not a table of flags", "A trial is a table such as {lr: 0.1, opt: adam}")
    return PointRow(where, {name: value for name, value in _read_items(where, row) if value is not None})


def _read_items(where: str, row: Mapping[Any, object]) -> Iterator[tuple[str, Value | Typed | None]]:
    for name, value in row.items():
        if not is_flag_name(name):
            raise UsageError(f"{where}: {name!r} cannot be the name of a flag", "To set a flag: its name and a value")
        try:
            yield name, value if value is None or isinstance(value, Typed) else copy_value(name, _plain(value))
        except BadValue as error:
            raise BadValue(f"{where}: {error.message}", error.hint) from error


def _plain(value: object) -> object:
    """Returns the value with the words of its lists read."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return parse_value(value.text) if isinstance(value, Typed) else value


def _combine(name: str, table: object) -> Iterator[PointRow]:
    """Yields all combinations of a table of lists; a single value is a list of one."""
    if not isinstance(table, dict):
        hint = "To give trials: [{lr: 0.1}, {lr: 0.2}], or all combinations of lists: {lr: [0.1, 0.2]}"
        raise UsageError(f"{name} has no list of trials", hint)
    lists: dict[str, Choice] = {}
    for flag, value in _read_items(name, table):
        if isinstance(value, list) and not value:
            raise BadValue(f"{name}: {flag} has no values")
        single = parse_value(value.text) if isinstance(value, Typed) else value
        if single is not None:
            lists[flag] = Choice(tuple(single) if isinstance(single, list) else (single,))
    grid = lay_grid(lists)
    if grid.count > MOST_VALUES:
        raise UsageError(f"{name} has {grid.count:,} trials; the most is {MOST_VALUES:,}")
    yield from (PointRow(name, grid.at(index)) for index in range(grid.count if lists else 0))


def _format_csv(rows: Sequence[Mapping[str, Value]]) -> str:
    columns = sorted({name for row in rows for name in row})
    if not columns and rows:
        raise UsageError("the trials have no flags to write", "To write them: give a flag, for example lr=[0.1,0.2]")
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([format_value(row[name]) if name in row else "" for name in columns] for row in rows)
    return text.getvalue()


def _format_json(rows: Sequence[Mapping[str, Value]]) -> str:
    # a line for each row, so that a message about a row can name it
    return "[\n" + ",\n".join(json.dumps(dict(row), ensure_ascii=False) for row in rows) + "\n]\n"


def _format_toml(rows: Sequence[Mapping[str, Value]]) -> str:
    return "\n".join(f"[[{TABLE}]]\n{dump_toml(row)}" for row in rows)


def _format_yaml(rows: Sequence[Mapping[str, Value]]) -> str:
    yaml = source.config_files.import_yaml()

    class Dumper(yaml.SafeDumper):  # type: ignore[misc,name-defined]
        """A SafeDumper that quotes each text, and repeats a list instead of referring to it."""

        def ignore_aliases(self, _: object) -> bool:
            return True

    Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))
    text: str = yaml.dump([dict(row) for row in rows], Dumper=Dumper, sort_keys=False, allow_unicode=True, width=float("inf"))
    return text


READERS: dict[str, Callable[[str, str], Iterator[PointRow]]] = {
    ".csv": _read_csv, ".json": _read_json, ".toml": _read_toml, ".yml": _read_yaml, ".yaml": _read_yaml,
}  # fmt: skip
WRITERS: dict[str, Callable[[Sequence[Mapping[str, Value]]], str]] = {
    ".csv": _format_csv, ".json": _format_json, ".toml": _format_toml, ".yml": _format_yaml, ".yaml": _format_yaml,
}  # fmt: skip
