"""The launcher: runs a script as `python script.py` would, but with other values in its constants."""

# `python launch.py SPEC ARG...`, where SPEC is the path of {"script": path, "flags": {name: value}} as marshal writes it.
# The user's own interpreter runs it, any CPython from 3.8, without gitrun: newer annotations stand in quotes.
# It imports only what python has loaded itself: json, say, would hide a `json.py` that lies beside a script.
# ruff: noqa: ANN401 - what lies in the user's interpreter has the types of its version

import _ast
import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, TracebackType
    from typing import Any

ONLY_AST = 0x400  # ast.PyCF_ONLY_AST; importing ast would cost more than all the rest
TOP = {"lineno": 1, "col_offset": 0, "end_lineno": 1, "end_col_offset": 0}


def read_spec(path: str) -> "dict[str, Any]":
    """What gitrun wrote for this start: {"script": path, "flags": {name: value}}."""
    with open(path, "rb") as file:
        return dict(marshal.load(file))  # noqa: S302 - gitrun's own file, of plain values


def is_literal(node: "_ast.AST | None") -> bool:
    """Whether the node is a constant, a signed number, or a list or tuple of these."""
    if isinstance(node, (_ast.List, _ast.Tuple)):
        return all(is_literal(element) for element in node.elts)
    if isinstance(node, _ast.UnaryOp):
        return isinstance(node.op, (_ast.USub, _ast.UAdd)) and isinstance(node.operand, _ast.Constant)
    return isinstance(node, _ast.Constant)


def constant(statement: "_ast.stmt") -> "tuple[str, Any] | None":
    """The name and the statement, if it is like `x = 1.0` or `x: float = 1.0`."""
    if not isinstance(statement, (_ast.Assign, _ast.AnnAssign)) or not is_literal(statement.value):
        return None
    first, *more = statement.targets if isinstance(statement, _ast.Assign) else [statement.target]
    return (first.id, statement) if isinstance(first, _ast.Name) and not more else None


def literal(value: "Any", place: "dict[str, Any]", old: "_ast.AST | None" = None) -> "_ast.expr":
    """The node for a value, at a place in the source; a list becomes a tuple where the old node is one."""
    if not isinstance(value, list):
        return _ast.Constant(value=value, **place)
    olds = old.elts if isinstance(old, (_ast.List, _ast.Tuple)) and old.elts else [None]
    items = [literal(item, place, olds[min(i, len(olds) - 1)]) for i, item in enumerate(value)]
    return (_ast.Tuple if isinstance(old, _ast.Tuple) else _ast.List)(elts=items, ctx=_ast.Load(), **place)


def is_header(index: int, statement: "_ast.stmt") -> bool:
    """Whether the statement must stay in front: the docstring, `from __future__ import`."""
    text = isinstance(statement, _ast.Expr) and isinstance(statement.value, _ast.Constant)
    return (index == 0 and text) or getattr(statement, "module", None) == "__future__"


def put_flags(body: "list[_ast.stmt]", flags: "dict[str, Any]") -> None:
    """Give the module's constants the values of the flags; names that it does not know go before all else."""
    unknown = dict(flags)
    for name, statement in filter(None, map(constant, body)):
        if name in flags:
            old = statement.value
            statement.value = literal(flags[name], {key: getattr(old, key) for key in TOP}, old)
            unknown.pop(name, None)
    front = sum(map(is_header, range(len(body)), body))
    for name, value in unknown.items():
        target = _ast.Name(id=name, ctx=_ast.Store(), **TOP)
        body.insert(front, _ast.Assign(targets=[target], value=literal(value, TOP), **TOP))  # type: ignore[arg-type]


def compile_script(source: bytes, filename: str, flags: "dict[str, Any]") -> "CodeType":
    """The script's code with the flags in it; lines and columns stay those of the source."""
    if not flags:
        return compile(source, filename, "exec", dont_inherit=True)
    tree = compile(source, filename, "exec", ONLY_AST, dont_inherit=True)
    put_flags(tree.body, flags)
    return compile(tree, filename, "exec", dont_inherit=True)


class MainPath(str):
    """The script's path; to unpickle it, or to evaluate its repr, is to call `enter_child`."""

    __slots__ = ("entry",)
    entry: str

    def __reduce__(self) -> "tuple[Any, ...]":  # the way to a child
        return eval, (self.entry,)

    def __repr__(self) -> str:  # the way to the fork server, since CPython 3.12.8 and 3.13.1: `python -c`
        return self.entry


def share_flags(spawn: "Any", spec: str, script: str) -> None:
    """Have multiprocessing's children, which run the script anew from its file, run it with the flags."""
    plain = spawn.get_preparation_data

    def get_preparation_data(name: str) -> "Any":
        try:
            data = plain(name)
        except BaseException as error:
            hide_launcher(error)
            raise
        if data.get("init_main_from_path") == script:
            path = data["init_main_from_path"] = MainPath(script)
            path.entry = f"__import__('runpy').run_path({__file__!r})['enter_child']({spec!r}, {script!r})"
        return data

    spawn.get_preparation_data = get_preparation_data


def enter_child(spec: str, script: str) -> str:
    """`script`, which this process, a child, will run with runpy, and which has the flags from now on."""
    import pkgutil
    import runpy

    owner: Any = runpy if hasattr(runpy, "read_code") else pkgutil  # CPython 3.8 and 3.9: runpy's own name
    plain = owner.read_code

    def read_code(stream: "Any") -> "Any":
        if stream.name != script:  # as before: runpy asks whether a file is a .pyc
            return plain(stream)
        owner.read_code = plain
        return compile_script(stream.read(), script, read_spec(spec)["flags"])

    owner.read_code = read_code
    share_flags(sys.modules["multiprocessing.spawn"], spec, script)
    return script


class SpawnFinder:
    """Waits on sys.meta_path for multiprocessing.spawn, so that a program without it does not pay for it."""

    def __init__(self, spec: str, script: str) -> None:
        self.paths = spec, script

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> "Any":
        """None, but for multiprocessing.spawn what python finds, with share_flags after its execution."""
        if name != "multiprocessing.spawn":
            return None
        from importlib.util import find_spec

        sys.meta_path.remove(self)
        found: Any = find_spec(name)
        execute = found.loader.exec_module

        def exec_module(module: object) -> None:
            execute(module)
            share_flags(module, *self.paths)

        found.loader.exec_module = exec_module
        return found


def load(spec_path: str, *args: str) -> "CodeType":
    """The code of the script that the file at `spec_path` names; sys and __main__ are ready to run it."""
    spec = read_spec(spec_path)
    script, flags = spec["script"], spec["flags"]
    sys.argv[:] = [script, *args]
    if not getattr(sys.flags, "safe_path", sys.flags.isolated):  # before CPython 3.11 there is no -P, only -I
        sys.path[0] = os.path.dirname(os.path.realpath(script))
    filename = os.path.join(os.getcwd(), script) if sys.version_info >= (3, 9) else script  # bpo-20443
    names = {name: value for name, value in globals().items() if name.startswith("__")}
    names.update(__doc__=None, __file__=filename, __loader__=type(names["__loader__"])("__main__", filename))
    main = sys.modules["__main__"] = type(sys)("__main__")
    vars(main).update(names)
    paths = os.path.abspath(spec_path), os.path.abspath(script)
    if flags and "multiprocessing.spawn" in sys.modules:  # by a .pth file or sitecustomize
        share_flags(sys.modules["multiprocessing.spawn"], *paths)
    elif flags:
        sys.meta_path.insert(0, SpawnFinder(*paths))
    with open(filename, "rb") as file:
        return compile_script(file.read(), filename, flags)


def hide_launcher(error: BaseException) -> "TracebackType | None":
    """The error's traceback, from whose outer end this file's frames are taken off."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals is globals():
        trace = trace.tb_next
    return BaseException.with_traceback(error, trace).__traceback__


if __name__ == "__main__":
    __file__ = os.path.abspath(__file__)  # CPython 3.8: as it was typed; children may start elsewhere
    try:
        exec(load(*sys.argv[1:]), vars(sys.modules["__main__"]))  # noqa: S102 - what this file is for
    except BaseException as error:
        hide_launcher(error)
        if sys.version_info < (3, 11):  # where `raise` forgets this: do it again at the last moment
            hook = sys.excepthook
            sys.excepthook = lambda kind, error, _: hook(kind, error, hide_launcher(error))
        raise  # a bare raise adds no frame, and python itself ends the program as it ends any other
