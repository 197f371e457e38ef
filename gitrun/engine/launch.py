"""The launcher: runs a script as `python script.py` would, but with other values in its constants."""

# `python launch.py SPEC ARG...`, where SPEC is the path of {"script": path, "flags": {name: value}} as marshal writes it;
# with "module" too, `script` is where that module lies, and it is run as `python -m module` would.
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


def shape(node: "_ast.AST | None") -> "_ast.AST | None":
    """Return the list or tuple of which an expression makes its value: that of `(1, 2) * 3`, or the first of two."""
    if isinstance(node, _ast.BinOp):
        return shape(node.left) or shape(node.right)
    if isinstance(node, _ast.IfExp):
        return shape(node.body) or shape(node.orelse)
    return node if isinstance(node, (_ast.List, _ast.Tuple)) else None


def literal(value: "Any", place: "dict[str, Any]", old: "_ast.AST | None" = None) -> "_ast.expr":
    """The node for a value, at a place in the source; a list becomes a tuple where the old node is one."""
    if not isinstance(value, list):
        return _ast.Constant(value=value, **place)
    old = shape(old)
    olds = old.elts if isinstance(old, (_ast.List, _ast.Tuple)) and old.elts else [None]
    items = [literal(item, place, olds[min(i, len(olds) - 1)]) for i, item in enumerate(value)]
    return (_ast.Tuple if isinstance(old, _ast.Tuple) else _ast.List)(elts=items, ctx=_ast.Load(), **place)


def is_header(index: int, statement: "_ast.stmt") -> bool:
    """Whether the statement must stay in front: the docstring, `from __future__ import`."""
    text = isinstance(statement, _ast.Expr) and isinstance(statement.value, _ast.Constant)
    return (index == 0 and text) or getattr(statement, "module", None) == "__future__"


def place_of(node: "_ast.AST") -> "dict[str, Any]":
    """Return where a node stands, for one that takes its place."""
    return {key: getattr(node, key) for key in TOP}


def put_flags(body: "list[_ast.stmt]", flags: "dict[str, Any]") -> None:
    """Give the module's constants the values of the flags; names that it does not know go before all else."""
    met = replace_in(body, flags)
    front = sum(map(is_header, range(len(body)), body))
    for name, value in flags.items():
        if name not in met:
            target = _ast.Name(id=name, ctx=_ast.Store(), **TOP)
            assign = _ast.Assign(targets=[target], value=literal(value, TOP), **TOP)  # type: ignore[arg-type]
            body.insert(front, assign)


def replace_in(body: "list[_ast.stmt]", flags: "dict[str, Any]") -> "set[str]":
    """Put the values into all assignments of the names, also below `if`, `try` and `with`; return the names that were met."""
    met: set[str] = set()
    for statement in list(body):
        if isinstance(statement, (_ast.Assign, _ast.AnnAssign)) and statement.value is not None:
            targets = statement.targets if isinstance(statement, _ast.Assign) else [statement.target]
            if len(targets) == 1:
                statement.value = with_values(targets[0], statement.value, flags, met)
            else:
                part_chain(body, statement, flags, met)
        elif isinstance(statement, (_ast.If, _ast.Try, _ast.With)):
            for part in (statement, *getattr(statement, "handlers", ())):
                for name in ("body", "orelse", "finalbody"):
                    met |= replace_in(getattr(part, name, []), flags)
    return met


def with_values(target: "_ast.expr", old: "_ast.expr", flags: "dict[str, Any]", met: "set[str]") -> "_ast.expr":
    """The expression to assign to a target: the value of a flag, or a tuple with those of some."""
    if isinstance(target, _ast.Name) and target.id in flags:
        met.add(target.id)
        return literal(flags[target.id], place_of(old), old)
    pair = (_ast.Tuple, _ast.List)
    if not (isinstance(target, pair) and isinstance(old, pair) and len(target.elts) == len(old.elts)):
        return old
    if not any(isinstance(item, _ast.Starred) for item in target.elts + old.elts):
        old.elts[:] = [with_values(inner, part, flags, met) for inner, part in zip(target.elts, old.elts)]  # noqa: B905 - 3.8
    return old


def part_chain(body: "list[_ast.stmt]", chain: "Any", flags: "dict[str, Any]", met: "set[str]") -> None:
    """Give each flag of `a = b = 1` an assignment of its own, behind that of the other names."""
    own = [target for target in chain.targets if isinstance(target, _ast.Name) and target.id in flags]
    at = body.index(chain)
    fresh = [
        _ast.Assign(targets=[target], value=literal(flags[target.id], place_of(chain.value), chain.value), **place_of(chain))
        for target in own
    ]
    met.update(target.id for target in own)
    chain.targets[:] = [target for target in chain.targets if target not in own]
    body[at : at + 1] = [chain] * bool(chain.targets) + fresh


def compile_script(source: bytes, filename: str, flags: "dict[str, Any]") -> "CodeType":
    """The script's code with the flags in it; lines and columns stay those of the source."""
    if not flags:
        return compile(source, filename, "exec", dont_inherit=True)
    tree = compile(source, filename, "exec", ONLY_AST, dont_inherit=True)
    put_flags(tree.body, flags)
    return compile(tree, filename, "exec", dont_inherit=True)


class MainPath(str):
    """The script's path, or its module's name; to unpickle it, or to evaluate its repr, is to call `enter_child`."""

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
        main = sys.modules["__main__"]
        is_module = getattr(getattr(main, "__spec__", None), "origin", None) == script
        key = "init_main_from_name" if is_module else "init_main_from_path"
        if key in data and (is_module or data[key] == script):
            words = spec, script, str(data[key])
            data[key] = MainPath(words[-1])
            data[key].entry = f"__import__('runpy').run_path({__file__!r})['enter_child']{words!r}"
        return data

    spawn.get_preparation_data = get_preparation_data


def enter_child(spec: str, script: str, name: str) -> str:
    """`name`, the path or module by which this process, a child, will run `script` with runpy; it has the flags from now on."""
    import pkgutil
    import runpy

    owner: Any = runpy if hasattr(runpy, "read_code") else pkgutil  # CPython 3.8 and 3.9: runpy's own name
    plain = owner.read_code
    flags = read_spec(spec)["flags"]

    def read_code(stream: "Any") -> "Any":
        if stream.name != script:  # as before: runpy asks whether a file is a .pyc
            return plain(stream)
        owner.read_code = plain
        return compile_script(stream.read(), script, flags)

    owner.read_code = read_code
    ImportedCode.put(script, flags)
    share_flags(sys.modules["multiprocessing.spawn"], spec, script)
    return name


class ImportedCode:
    """Stands for `get_code` of the loader of source files: of the script it gives the code with the flags in it.

    So whoever imports the script sees them, by whatever name, way or path; and no frame of ours is in a traceback.
    """

    def __init__(self, plain: "Any", script: str, flags: "dict[str, Any]") -> None:
        self.plain, self.flags = plain, flags
        self.script, self.name = os.path.realpath(script), os.path.basename(script)

    @classmethod
    def put(cls, script: str, flags: "dict[str, Any]") -> None:
        """Have this process load its modules so."""
        loader: Any = sys.modules["_frozen_importlib_external"].SourceFileLoader
        loader.get_code = cls(loader.get_code, script, flags)

    def __get__(self, loader: "Any", owner: object = None) -> "Any":
        path = getattr(loader, "path", "")
        if os.path.basename(path) != self.name or os.path.realpath(path) != self.script:
            return self.plain.__get__(loader, owner)

        def get_code(_name: str) -> "CodeType":
            with open(path, "rb") as file:
                return compile_script(file.read(), path, self.flags)

        return get_code


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
    if flags:
        ImportedCode.put(script, flags)
    sys.argv[:] = [script, *args]
    is_safe = getattr(sys.flags, "safe_path", sys.flags.isolated)  # before CPython 3.11 there is no -P, only -I
    names = {name: value for name, value in globals().items() if name.startswith("__")}
    if "module" in spec:
        if not is_safe:
            sys.path[0] = os.getcwd()
        found = find_module(spec["module"])
        script = filename = sys.argv[0] = found.origin
        names.update(__package__=found.parent, __spec__=found, __loader__=found.loader, __cached__=found.cached)
    else:
        if not is_safe:
            sys.path[0] = os.path.dirname(os.path.realpath(script))
        filename = os.path.join(os.getcwd(), script) if sys.version_info >= (3, 9) else script  # bpo-20443
        names.update(__loader__=type(names["__loader__"])("__main__", filename))
    names.update(__doc__=None, __file__=filename)
    main = sys.modules["__main__"] = type(sys)("__main__")
    vars(main).update(names)
    paths = os.path.abspath(spec_path), os.path.abspath(script)
    if flags and "multiprocessing.spawn" in sys.modules:  # by a .pth file or sitecustomize
        share_flags(sys.modules["multiprocessing.spawn"], *paths)
    elif flags:
        sys.meta_path.insert(0, SpawnFinder(*paths))
    with open(filename, "rb") as file:
        return compile_script(file.read(), filename, flags)


def find_module(name: str) -> "Any":
    """The spec of what `python -m name` runs: the module, or `__main__` of the package; what python says if there is none."""
    from importlib.util import find_spec

    found = find_spec(name)
    if found is not None and found.submodule_search_locations is not None:
        found = find_spec(name + ".__main__")
    if found is None or not found.has_location:
        raise SystemExit(f"{sys.executable}: No module named {name}")
    return found


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
