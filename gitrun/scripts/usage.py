"""Finds out whether a Python source can see a value that is put under a global name before the source runs."""

from __future__ import annotations

import symtable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DYNAMIC = ("globals", "vars", "locals", "eval", "exec", "__main__")
"""Names whose use means that the source may read globals by computed names."""


def sees_global(source: bytes, name: str) -> bool:
    """Returns whether the source reads the global name without assigning it, or reads computed names."""
    try:
        # the compiler itself tells which names are global
        top = symtable.symtable(source.decode(errors="replace"), "script", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    tables = list(walk_tables(top))
    if any(reads_global(table, word, is_top=table is top) for table in tables for word in DYNAMIC):
        return True
    return not assigns_name(top, name) and any(reads_global(table, name, is_top=table is top) for table in tables)


def assigns_name(top: symtable.SymbolTable, name: str) -> bool:
    """Returns whether the module binds the name: by assignment, import, `def`, `class`, `for` or `with`."""
    if name not in top.get_identifiers():
        return False
    symbol = top.lookup(name)
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()


def reads_global(table: symtable.SymbolTable, name: str, *, is_top: bool) -> bool:
    """Returns whether the block reads the global of that name, or imports `__main__` under it."""
    if name not in table.get_identifiers():
        return False
    symbol = table.lookup(name)
    # `import __main__` makes the globals of the program attributes of a module
    if name == "__main__" and symbol.is_imported():
        return True
    return symbol.is_referenced() and (is_top or symbol.is_global())


def walk_tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    """Yields the block and all blocks inside it."""
    queue = [table]
    for one in queue:
        yield one
        queue += one.get_children()
