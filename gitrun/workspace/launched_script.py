"""The code of a script that the launcher runs: as it is in its file, but with other values in its constants."""

# `launcher.py` runs this file in its own namespace: `__file__` is this file, and `__name__` is `__main__`.
# The user's interpreter runs it: CPython 3.8 or newer, without gitrun. Annotations that 3.8 cannot read are quoted.
# It imports only modules that python has loaded already. Importing json, for example, would hide a `json.py` of the user.
# ruff: noqa: ANN401 - objects of the user's interpreter have the types of its version

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
    """Returns what gitrun wrote for this run: {"script": path, "flags": {name: value}}."""
    with open(path, "rb") as file:
        return dict(marshal.load(file))  # noqa: S302 - gitrun's own file, of plain values


def find_sequence(node: "_ast.AST | None") -> "_ast.AST | None":
    """Returns the list or tuple that gives an expression its type: that of `(1, 2) * 3`, or of `a if x else b`; else None."""
    if isinstance(node, _ast.BinOp):
        return find_sequence(node.left) or find_sequence(node.right)
    if isinstance(node, _ast.IfExp):
        return find_sequence(node.body) or find_sequence(node.orelse)
    return node if isinstance(node, (_ast.List, _ast.Tuple)) else None


def make_constant(value: "Any", module: "dict[str, Any]", old: "_ast.AST | None" = None) -> "_ast.expr":
    """Returns the node for a value at a place in the source. A list becomes a tuple where the old node is one."""
    if not isinstance(value, list):
        return _ast.Constant(value=value, **module)
    old = find_sequence(old)
    olds = old.elts if isinstance(old, (_ast.List, _ast.Tuple)) and old.elts else [None]
    items = [make_constant(item, module, olds[min(i, len(olds) - 1)]) for i, item in enumerate(value)]
    return (_ast.Tuple if isinstance(old, _ast.Tuple) else _ast.List)(elts=items, ctx=_ast.Load(), **module)


def is_header(index: int, statement: "_ast.stmt") -> bool:
    """Returns whether the statement must stay first: a docstring or `from __future__ import`."""
    text = isinstance(statement, _ast.Expr) and isinstance(statement.value, _ast.Constant)
    return (index == 0 and text) or getattr(statement, "module", None) == "__future__"


def position_of(node: "_ast.AST") -> "dict[str, Any]":
    """Returns the position of a node, for the node that replaces it."""
    return {key: getattr(node, key) for key in TOP}


def assign_flags(body: "list[_ast.stmt]", flags: "dict[str, Any]") -> None:
    """Assigns the values of the flags to the module's constants. Names without an assignment are inserted at the top."""
    met = replace_values(body, flags)
    front = sum(map(is_header, range(len(body)), body))
    for name, value in flags.items():
        if name not in met:
            target = _ast.Name(id=name, ctx=_ast.Store(), **TOP)
            assign = _ast.Assign(targets=[target], value=make_constant(value, TOP), **TOP)  # type: ignore[arg-type]
            # in front of all statements that may read the name
            body.insert(front, assign)


def replace_values(body: "list[_ast.stmt]", flags: "dict[str, Any]") -> "set[str]":
    """Replaces the values in all assignments of the names, also below `if`, `try` and `with`. Returns the names found."""
    met: set[str] = set()
    for statement in list(body):
        if isinstance(statement, (_ast.Assign, _ast.AnnAssign)) and statement.value is not None:
            targets = statement.targets if isinstance(statement, _ast.Assign) else [statement.target]
            if len(targets) == 1:
                statement.value = replace_value(targets[0], statement.value, flags, met)
            else:
                split_chain(body, statement, flags, met)
        elif isinstance(statement, (_ast.If, _ast.Try, _ast.With)):
            for part in (statement, *getattr(statement, "handlers", ())):
                for name in ("body", "orelse", "finalbody"):
                    met |= replace_values(getattr(part, name, []), flags)
    return met


def replace_value(target: "_ast.expr", old: "_ast.expr", flags: "dict[str, Any]", met: "set[str]") -> "_ast.expr":
    """Returns the expression to assign to a target: the value of a flag, a tuple with such values in it, or `old`."""
    if isinstance(target, _ast.Name) and target.id in flags:
        met.add(target.id)
        return make_constant(flags[target.id], position_of(old), old)
    pair = (_ast.Tuple, _ast.List)
    if not (isinstance(target, pair) and isinstance(old, pair) and len(target.elts) == len(old.elts)):
        return old
    if not any(isinstance(item, _ast.Starred) for item in target.elts + old.elts):
        old.elts[:] = [replace_value(inner, part, flags, met) for inner, part in zip(target.elts, old.elts)]  # noqa: B905 - 3.8
    return old


def split_chain(body: "list[_ast.stmt]", chain: "Any", flags: "dict[str, Any]", met: "set[str]") -> None:
    """Gives each flag of `a = b = 1` an assignment of its own, after that of the other names."""
    own = [target for target in chain.targets if isinstance(target, _ast.Name) and target.id in flags]
    at = body.index(chain)
    fresh = [
        _ast.Assign(
            targets=[target], value=make_constant(flags[target.id], position_of(chain.value), chain.value), **position_of(chain)
        )
        for target in own
    ]
    met.update(target.id for target in own)
    chain.targets[:] = [target for target in chain.targets if target not in own]
    body[at : at + 1] = [chain] * bool(chain.targets) + fresh


def compile_script(source: bytes, filename: str, flags: "dict[str, Any]") -> "CodeType":
    """Compiles the script with the flags in it. Line and column numbers stay those of the source."""
    if not flags:
        return compile(source, filename, "exec", dont_inherit=True)
    tree = compile(source, filename, "exec", ONLY_AST, dont_inherit=True)
    assign_flags(tree.body, flags)
    return compile(tree, filename, "exec", dont_inherit=True)


class MainPath(str):
    """The script's path, or its module's name. Unpickling it, or evaluating its repr, calls `enter_child`."""

    __slots__ = ("entry",)
    entry: str

    def __reduce__(self) -> "tuple[Any, ...]":  # how multiprocessing sends it to a child
        return eval, (self.entry,)

    def __repr__(self) -> str:  # how `python -c` of a fork server gets it, since CPython 3.12.8 and 3.13.1
        return self.entry


def share_flags(spawn: "Any", spec: str, script: str, module: str) -> None:
    """Makes children of multiprocessing, which run the script from its file again, run it with the flags."""
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
        if key in data and (is_module or data[key] == script) and os.path.exists(spec):
            words = spec, script, module, str(data[key])
            data[key] = MainPath(words[-1])
            data[key].entry = f"__import__('runpy').run_path({__file__!r})['enter_child']{words!r}"
        return data

    spawn.get_preparation_data = get_preparation_data


def enter_child(spec: str, script: str, module: str, name: str) -> str:
    """Makes this process, a child, use the flags when runpy runs `script`. Returns `name`, its path or module."""
    # a child of multiprocessing has loaded both; the script's own process must not load them before the script does
    import pkgutil
    import runpy

    owner: Any = runpy if hasattr(runpy, "read_code") else pkgutil  # CPython 3.8 and 3.9 import it into runpy
    plain = owner.read_code
    flags = read_spec(spec)["flags"]

    def read_code(stream: "Any") -> "Any":
        if stream.name != script:  # another file, perhaps a .pyc
            return plain(stream)
        owner.read_code = plain
        return compile_script(stream.read(), script, flags)

    owner.read_code = read_code
    ImportedCode.install(script, flags)
    install_hooks(spec, script, module)
    return name


class ImportedCode:
    """A replacement for `get_code` of the source loader: returns the script's code with the flags in it.

    So every import of the script sees the flags, under any name. No frame of this file appears in tracebacks.
    """

    def __init__(self, plain: "Any", script: str, flags: "dict[str, Any]") -> None:
        self.plain, self.flags = plain, flags
        self.script, self.name = os.path.realpath(script), os.path.basename(script)

    @classmethod
    def install(cls, script: str, flags: "dict[str, Any]") -> None:
        """Installs the replacement in this process."""
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


class LateHook:
    """A finder on sys.meta_path that waits for a module, so that programs without it pay nothing for it."""

    def __init__(self, name: str, install: "Any") -> None:
        self.name, self.install = name, install

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> "Any":
        """Returns the spec of the module, with `install` to run after it; None for other modules."""
        if name != self.name:
            return None
        # else the search below would end in this finder again
        sys.meta_path.remove(self)
        spec = find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module: object) -> None:
            execute(module)
            self.install(module)

        spec.loader.exec_module = exec_module
        return spec


def install_after(name: str, install: "Any") -> None:
    """Calls `install` with the module, now or once the program has imported it."""
    if name in sys.modules:  # imported by a .pth file or sitecustomize
        install(sys.modules[name])
    else:
        sys.meta_path.insert(0, LateHook(name, install))


def position_in_words(words: "list[str]", cwd: str, script: str, module: str) -> "int | None":
    """Returns where the words of a command name the script or `-m module` to Python; None if they run something else."""
    name = os.path.basename(words[0]) if words else ""
    if name not in {"python", "python3", os.path.basename(sys.executable)}:
        return None
    at = 1
    while at < len(words) and words[at].startswith("-") and words[at] not in {"-c", "-m", "-"}:
        at += 2 if words[at] in {"-W", "-X", "--check-hash-based-pycs"} else 1
    if at < len(words) and words[at] == "-m":
        return at if words[at + 1 : at + 2] == [module] else None
    return at if at < len(words) and os.path.realpath(os.path.join(cwd, words[at])) == script else None


class StartedAgain:
    """Gives the flags to Python processes that the program starts with its own script, as launchers of several workers do."""

    def __init__(self, spec: str, script: str, module: str) -> None:
        launcher = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launcher.py")
        self.inserted = [launcher, spec]
        self.script, self.module = os.path.realpath(script), module

    def install(self) -> None:
        """Wraps what starts a process, in this process. A process that a shell starts has no flags."""
        for name in ("execv", "execve", "posix_spawn", "posix_spawnp"):
            if hasattr(os, name):
                setattr(os, name, self.wrap(getattr(os, name), 1))
        install_after("subprocess", self.install_in_subprocess)

    def install_in_subprocess(self, module: "Any") -> None:
        """Wraps the start of a process by the module subprocess, which asyncio uses too."""
        # its first arguments are the same from CPython 3.8 to 3.15: self, words, executable, …, directory
        module.Popen._execute_child = self.wrap(module.Popen._execute_child, 1, 6)  # noqa: SLF001

    def wrap(self, start: "Any", words_at: int, cwd_at: int = 0) -> "Any":
        """Returns a function that starts a process as `start` does, given words and directory at these positions."""

        def wrapped(*args: "Any", **names: "Any") -> "Any":
            try:
                if len(args) > max(words_at, cwd_at):
                    words = self.insert(args[words_at], (args[cwd_at] if cwd_at else None) or ".")
                    args = (*args[:words_at], words, *args[words_at + 1 :])
                return start(*args, **names)
            except BaseException as error:
                hide_launcher(error)
                raise

        return wrapped

    def insert(self, words: "Any", cwd: "Any") -> "Any":
        """Returns the words, with the launcher in front of the script if they run it."""
        if not isinstance(words, (list, tuple)):
            return words  # a line for a shell, or the name of a program
        try:
            at = position_in_words([os.fsdecode(word) for word in words], os.fsdecode(cwd), self.script, self.module)
        except TypeError:
            return words  # which the system call refuses
        # a process that outlives its run finds no spec, and runs the script with its own values
        is_known = at is not None and os.path.exists(self.inserted[1])
        return [*words[:at], *self.inserted, *words[at:]] if is_known else words


def load_script(spec_path: str, *words: str) -> "CodeType":
    """Returns the code of the script or `-m module` that the words name. Prepares sys and __main__ to run it."""
    spec = read_spec(spec_path)
    flags, is_module = spec["flags"], words[0] == "-m"
    module, filename = (words[1], "") if is_module else ("", words[0])
    if flags:
        ImportedCode.install(spec["script"], flags)
    sys.argv[:] = words[is_module:]
    is_safe = getattr(sys.flags, "safe_path", sys.flags.isolated)  # CPython 3.11 added -P; before there is only -I
    names = {name: value for name, value in globals().items() if name.startswith("__")}
    if is_module:
        if not is_safe:
            # as `python -m` does
            sys.path[0] = os.getcwd()
        module_spec = find_module(module)
        filename = sys.argv[0] = module_spec.origin
        names.update(__package__=module_spec.parent, __spec__=module_spec, __loader__=module_spec.loader)
        if sys.version_info < (3, 15):  # which sets it no more
            names.update(__cached__=module_spec.cached)
    else:
        if not is_safe:
            # python follows links to the script, too
            sys.path[0] = os.path.dirname(os.path.realpath(filename))
        filename = os.path.join(os.getcwd(), filename) if sys.version_info >= (3, 9) else filename  # bpo-20443
        names.update(__loader__=type(names["__loader__"])("__main__", filename))
    names.update(__doc__=None, __file__=filename)
    # a module of its own, so that the script sees none of the launcher's names
    main = sys.modules["__main__"] = type(sys)("__main__")
    vars(main).update(names)
    if flags:
        install_hooks(os.path.abspath(spec_path), os.path.abspath(filename), module)
    with open(filename, "rb") as file:
        return compile_script(file.read(), filename, flags)


def install_hooks(spec: str, script: str, module: str) -> None:
    """Gives the flags to the processes that this one starts of its script."""
    StartedAgain(spec, script, module).install()
    install_after("multiprocessing.spawn", lambda spawn: share_flags(spawn, spec, script, module))


def find_spec(name: str) -> "Any":
    """Returns the spec of a module as importlib finds it; None if there is none."""
    # only a module, or a program that starts multiprocessing, needs importlib.util
    import importlib.util

    return importlib.util.find_spec(name)


def find_module(name: str) -> "Any":
    """Returns the spec of what `python -m name` runs: the module, or the package's `__main__`.

    Exits with python's own message if there is none.
    """
    spec = find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = find_spec(name + ".__main__")
    if spec is None or not spec.has_location:
        raise SystemExit(f"{sys.executable}: No module named {name}")
    return spec


def hide_launcher(error: BaseException) -> "TracebackType | None":
    """Removes the launcher's frames from the outer end of the error's traceback. Returns the traceback."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals is globals():
        trace = trace.tb_next
    return BaseException.with_traceback(error, trace).__traceback__
