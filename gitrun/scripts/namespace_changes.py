"""Constants that a script may set again without naming them: by `exec` of other code, or through `globals()`."""

from __future__ import annotations

import ast
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING

from gitrun.dataclass import replace
from gitrun.scripts.constant_folding import fold_to_text
from gitrun.scripts.constants import read_constants
from gitrun.scripts.module import last_name, parse_module
from gitrun.scripts.rebinding import walk_namespace
from gitrun.scripts.script import GLOBALS, LONGEST_FILE, Script

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitrun.scripts.module import Module

NAMESPACES = ("globals", "vars", "locals")
"""The functions that return the names of the module."""
WORDS = (b"sys.argv", b"import argv", b"ArgumentParser")
"""Texts in code that looks at the words of its command line."""
CHANGING = ("update", "setdefault", "pop", "clear", "__setitem__")


def read_constant_script(module: Module) -> Script:
    """Returns the constants of a module as the flags of a script.

    Code that it executes in its own namespace may set them again. If that looks at the words of the command line, it does so
    only where words are given. If it cannot be read, all defaults are None.
    """
    if not module.names(b"exec(", *(b"%s()" % name.encode() for name in NAMESPACES)):
        return Script(tuple(read_constants(module)), GLOBALS)
    executed = [code for code in find_executed(module) if code is not module]
    by_words = any(code.names(*WORDS) for code in (module, *(code for code in executed if code)))
    is_changed = changes_namespace(module) or any(code is None or changes_namespace(code) for code in executed)
    flags = tuple(read_constants(module, [node for code in executed if code for node in code.tree.body]))
    if is_changed and not by_words:
        flags = tuple(replace(flag, default=None) for flag in flags)
    return Script(flags, GLOBALS, by_words=by_words and (is_changed or bool(executed)))


def find_executed(module: Module) -> Iterator[Module | None]:
    """Yields the code that the module executes in its own namespace; None for code that cannot be read."""
    for node in walk_namespace(module.tree.body):
        if not isinstance(node, ast.Call) or last_name(node.func) != "exec" or not node.args:
            continue
        # with a namespace of its own, the code changes no constant
        if len(node.args) > 1 and last_name(getattr(node.args[1], "func", None)) not in NAMESPACES:
            continue
        yield read_code(module, node.args[0])


def read_code(module: Module, node: ast.expr) -> Module | None:
    """Returns the code of a literal text, or of a file that is opened by a literal path; None if it cannot be read."""
    if text := fold_to_text(node, module.scope):
        return parse_module(text.encode(errors="replace"), module.path, module.files)
    calls = (part for part in ast.walk(node) if isinstance(part, ast.Call))
    paths = [fold_to_text(argument, module.scope) for call in calls for argument in call.args]
    for path in (path for path in paths if path.endswith(".py")):
        # relative to the current directory, which is the top or that of the script
        for below in (normpath(path), normpath(join(dirname(module.path), path))):
            source = module.files.read(below, LONGEST_FILE)
            if source is not None:
                return parse_module(source, below, module.files)
    return None


def changes_namespace(module: Module) -> bool:
    """Tells whether the module sets names that it computes: `globals()[name] = value`, `exec` of unknown code."""
    nodes = list(module.near(b"exec(", *(b"%s()" % name.encode() for name in NAMESPACES)))
    for node in nodes:
        match node:
            case ast.Subscript(value=ast.Call(func=ast.Name(id=name)), ctx=ast.Store() | ast.Del()) if name in NAMESPACES:
                return True
            case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id=name)), attr=attr)) if name in NAMESPACES:
                if attr in CHANGING:
                    return True
    return any(code is None for code in find_executed(module))
