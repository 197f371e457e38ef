"""Notebooks: reads their flags from their text, and writes flags into the copy that is executed."""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING, Any

from gitrun.dataclass import dataclass
from gitrun.errors import BadValue
from gitrun.model.tree import MemoryTree
from gitrun.scripts.constants import pair_targets, read_constants
from gitrun.scripts.module import Module

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gitrun.model.flags import Flag, Value

    Change = tuple[list[str], ast.expr | ast.stmt, str]

PARAMETERS, INJECTED = "parameters", "injected-parameters"
"""Cell tags of papermill."""
# %matplotlib inline, !pip list, files = !ls, df.head?
MAGIC = re.compile(r"^([ \t]*)(?:[%!?].*|[\w.,\[\]'\" \t]+=[ \t]*[%!].*|[%\w.]+\?{1,2}[ \t]*)$")
"""A line in IPython's syntax."""
PYTHON_CELLS = ("%%time", "%%timeit", "%%capture", "%%prun")
"""Cell magics that are followed by Python code."""


@dataclass(frozen=True, slots=True)
class Notebook:
    """The kernel's language and name, and the flags, all read without executing the notebook."""

    language: str
    kernel: str
    flags: tuple[Flag, ...] = ()


def read_notebook(data: bytes, name: str) -> Notebook:
    """Parses a notebook; only one in Python has flags. Raises UsageError if it is not a notebook."""
    notebook = parse_notebook(data, name)
    metadata = notebook.get("metadata")
    spec = read_object(metadata, "kernelspec")
    # both entries are optional in notebooks of format 4
    language = spec.get("language") or read_object(metadata, "language_info").get("name") or "python"
    if str(language).lower() != "python":
        return Notebook(str(language), str(spec.get("name") or ""))
    cells = notebook["cells"]
    position = find_flag_cell(cells)
    tree = parse_cell(read_source(cells[position])) if position is not None else None
    flags = (
        read_constants(Module(tree, b"", name, MemoryTree()), statements_after(cells, position))
        if tree and position is not None
        else ()
    )
    return Notebook("python", str(spec.get("name") or ""), tuple(flags))


def statements_after(cells: Sequence[Mapping[str, Any]], position: int) -> list[ast.stmt]:
    """Returns the statements of the cells after `position`, which may assign its names again.

    Returns nothing for a cell tagged `parameters`: its author has declared its names as flags.
    """
    # papermill overrides the cell of this tag, and so does gitrun
    if PARAMETERS in read_tags(cells[position]):
        return []
    code = (cell for cell in cells[position + 1 :] if cell.get("cell_type") == "code" and INJECTED not in read_tags(cell))
    trees = (parse_cell(read_source(cell)) for cell in code)
    return [statement for tree in trees if tree for statement in tree.body]


def parse_notebook(data: bytes, name: str) -> dict[str, Any]:
    """Parses the JSON of a notebook and checks its list of cells. Raises UsageError."""
    try:
        notebook = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadValue(f"'{name}' is not a notebook: {error}", "To repair it: open it in Jupyter and save it") from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise BadValue(
            f"'{name}' is not a notebook of format 4: it has no cells", "To convert it: open it in Jupyter and save it"
        )
    return dict(notebook)


def read_code_after_flags(data: bytes, name: str, *, is_python: bool) -> bytes:
    """Returns the code that runs after the flags have their values. Raises UsageError if `data` is no notebook."""
    cells = [cell for cell in parse_notebook(data, name)["cells"] if INJECTED not in read_tags(cell)]
    position = find_flag_cell(cells)
    first = position + 1 if position is not None and PARAMETERS in read_tags(cells[position]) else 0
    sources = [read_source(cell) for cell in cells[first:] if cell.get("cell_type") == "code"]
    if not is_python:
        return "\n".join(sources).encode(errors="replace")
    # unparsed, because a cell with magics does not compile
    return "\n".join(ast.unparse(tree) for tree in map(parse_cell, sources) if tree).encode(errors="replace")


def set_notebook_flags(notebook: Mapping[str, Any], values: Mapping[str, Value | None]) -> dict[str, Any]:
    """Returns the notebook with these values for its flags.

    If a cell is tagged `parameters`, a new cell after it assigns the values, as papermill does. Otherwise the values replace
    those in the first code cell, so that what the cell computes from them is right. Names that are not in that cell are
    assigned in a new cell before it.
    """
    # a cell that an earlier execution injected would set its values again
    cells = [cell for cell in notebook["cells"] if INJECTED not in read_tags(cell)]
    position = find_flag_cell(cells)
    if position is not None and PARAMETERS in read_tags(cells[position]):
        return {**notebook, "cells": insert_cell(notebook, cells, position + 1, values)}
    rest = dict(values)
    if position is not None:
        source, rest = replace_constants(read_source(cells[position]), values)
        cells[position] = {**cells[position], "source": source}
    return {**notebook, "cells": insert_cell(notebook, cells, position or 0, rest)}


def insert_cell(
    notebook: Mapping[str, Any], cells: list[dict[str, Any]], position: int, values: Mapping[str, Value | None]
) -> list[dict[str, Any]]:
    """Returns the cells with a new one at `position` that assigns the values; without values, the same cells."""
    # a cell cannot assign a name such as optim.lr
    assignments = [f"{name} = {python_source(value)}" for name, value in values.items() if name.isidentifier()]
    if not assignments:
        return cells
    cell: dict[str, Any] = {
        "cell_type": "code", "execution_count": None, "metadata": {"tags": [INJECTED]}, "outputs": [],
        "source": "\n".join(["# flags of this run", *assignments]),
    }  # fmt: skip
    if (notebook.get("nbformat"), notebook.get("nbformat_minor")) >= (4, 5):
        # nbformat 4.5 and newer require an id in each cell
        cell["id"] = INJECTED
    return [*cells[:position], cell, *cells[position:]]


def find_flag_cell(cells: Iterable[Mapping[str, Any]]) -> int | None:
    """Returns the index of the cell whose constants are flags: the tagged one, else the first of code; or None."""
    code = [number for number, cell in enumerate(cells) if cell.get("cell_type") == "code"]
    cells = list(cells)
    return next((number for number in code if PARAMETERS in read_tags(cells[number])), code[0] if code else None)


def read_tags(cell: Mapping[str, Any]) -> list[object]:
    """Returns the tags of a cell."""
    tags = read_object(cell, "metadata").get("tags")
    return tags if isinstance(tags, list) else []


def read_object(value: object, key: str) -> Mapping[str, Any]:
    """Returns the JSON object under a key; an empty one if there is none."""
    child = value.get(key) if isinstance(value, dict) else None
    return child if isinstance(child, dict) else {}


def read_source(cell: Mapping[str, Any]) -> str:
    """Returns the text of a cell, which may be stored as a list of lines."""
    text = cell.get("source", "")
    return "".join(map(str, text)) if isinstance(text, list) else str(text)


def parse_cell(source: str) -> ast.Module | None:
    """Parses a cell with its lines and columns unchanged; None if it is not Python. Magics count as `pass`."""
    # the rest of a %%bash cell is in another language
    if source.startswith("%%") and not source.startswith(PYTHON_CELLS):
        return None
    lines = source.split("\n")
    # each round replaces one line at most
    for _ in range(len(lines) + 1):
        try:
            return ast.parse("\n".join(lines))
        except SyntaxError as error:
            # replace only the line of the error: lines inside a string may look like magics
            line = (error.lineno or 0) - 1
            if not (0 <= line < len(lines) and MAGIC.match(lines[line]) and lines[line].strip() != "pass"):
                return None
            lines[line] = MAGIC.sub(r"\1pass", lines[line])
        except (ValueError, RecursionError, MemoryError):
            return None
    return None


def replace_constants(source: str, values: Mapping[str, Value | None]) -> tuple[str, dict[str, Value | None]]:
    """Returns a cell's text with these values for its constants, and the values of names that it does not assign."""
    tree = parse_cell(source)
    # ast counts columns in bytes of UTF-8
    text, met = source.encode(), set[str]()
    lines = text.splitlines(keepends=True)
    starts = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]
    changes = [change for node in find_assignments(tree.body if tree else []) for change in list_changes(node, values)]
    # from the end, so that earlier offsets stay valid
    for name, node, fresh in sorted(changes, key=lambda change: (change[1].lineno, change[1].col_offset), reverse=True):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        text = text[:start] + fresh.encode() + text[end:]
        met |= set(name)
    return text.decode(), {name: value for name, value in values.items() if name not in met}


def find_assignments(body: Sequence[ast.stmt]) -> Iterator[ast.Assign | ast.AnnAssign]:
    """Yields the assignments of a cell, including those inside `if`, `try` and `with`."""
    for node in body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            yield node
        elif isinstance(node, ast.If | ast.Try | ast.With):
            for handler in getattr(node, "handlers", ()):
                yield from find_assignments(handler.body)
            yield from find_assignments([*node.body, *getattr(node, "orelse", ()), *getattr(node, "finalbody", ())])


def list_changes(node: ast.Assign | ast.AnnAssign, values: Mapping[str, Value | None]) -> Iterator[Change]:
    """Yields the edits that give the assigned names these values: names, node to replace, new text.

    `a = b = 1` is split, so that each name can have its own value.
    """
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    if node.value is None:
        return
    if len(targets) == 1:
        yield from list_target_changes(targets[0], node.value, values)
        return
    names = [target.id for target in targets if isinstance(target, ast.Name) and target.id in values]
    if names:
        rest = [target for target in targets if not (isinstance(target, ast.Name) and target.id in values)]
        names_bound = [" = ".join(map(ast.unparse, [*rest, node.value]))] if rest else []
        own = [f"{name} = {python_source(values[name], node.value)}" for name in names]
        yield names, node, "; ".join([*names_bound, *own])


def list_target_changes(target: ast.expr, old: ast.expr, values: Mapping[str, Value | None]) -> Iterator[Change]:
    """Yields the edits for a name, or for a tuple of names that is assigned a tuple of values."""
    if isinstance(target, ast.Name) and target.id in values:
        yield [target.id], old, python_source(values[target.id], old)
    for inner, part in pair_targets(target, old) or ():
        yield from list_target_changes(inner, part, values)


def python_source(value: Value | None, old: ast.expr | None = None) -> str:
    """Returns the value as Python source; a list becomes a tuple where the old value is one."""
    if isinstance(value, list):
        old = find_sequence(old)
        olds = old.elts if isinstance(old, ast.List | ast.Tuple) and old.elts else [None]
        # items beyond the old ones take the shape of the last old one
        items = [python_source(item, olds[min(number, len(olds) - 1)]) for number, item in enumerate(value)]
        if isinstance(old, ast.Tuple):
            # code may use the old tuple as a key, or compare it with a tuple
            return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
        return f"[{', '.join(items)}]"
    if isinstance(value, float) and (value != value or value in {float("inf"), float("-inf")}):  # noqa: PLR0124
        # repr gives `inf` and `nan`, which are undefined names in Python
        return f'float("{value}")'
    return repr(value)


def find_sequence(node: ast.expr | None) -> ast.expr | None:
    """Returns the list or tuple inside an expression: that of `(1, 2) * 3`, or the first of two; None without one."""
    while isinstance(node, ast.BinOp | ast.IfExp):
        parts = [node.left, node.right] if isinstance(node, ast.BinOp) else [node.body, node.orelse]
        shapes = [part for part in map(find_sequence, parts) if isinstance(part, ast.List | ast.Tuple)]
        node = shapes[0] if shapes else None
    return node
