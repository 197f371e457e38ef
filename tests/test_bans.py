"""What is never written in `gitrun/`, whatever it would be good for.

A ban is a function from one module to what is wrong in it, as the rules of `test_floors.py` are: each is held against all of
`gitrun/`, against small modules that break it, and against some that only look so.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import TypeAlias

import pytest
from test_floors import Module, dotted, imports, meanings, violations

Ban: TypeAlias = Callable[[Module], Iterable[str]]
LAUNCHERS = ("workspace/launcher.py", "workspace/launched_script.py", "source/introspect_child.py")
"""What executes the user's own script, in the user's Python: that is its purpose."""
COMPILERS = (*LAUNCHERS, "dataclass.py")
"""What executes text: those, and the constructors of values, which hold nothing but the names of fields in our own code."""
SPEAKERS = (
    "commands/*", "log.py", "project.py", "workspace/launcher.py", "source/introspect_child.py",
    "process/output_lines.py", "process/streams.py", "extras/notebook.py",
)  # fmt: skip
"""What speaks: verbs, what runs in a process of the user's or of its own, and the streams that are given to the others."""
DOORS = ("git/exe.py", "process/run.py", "process/starter.py", "process/starting.py")
PARSERS = ("xml.etree*", "xml.dom*", "xml.sax.make_parser", "xml.sax.parse*", "xml.parsers*", "lxml*")
READERS = ("pickle*", "_pickle*", "cPickle*", "dill*", "cloudpickle*", "joblib*", "shelve*", "jsonpickle*", "copyreg*")
CALLERS = ("requests.*", "httpx.*", "urllib.request.urlopen", "http.client.HTTP*Connection", "socket.create_connection")
FORCED = {"--force", "-f", "--mirror", "--prune", "--force-with-lease"}
WORDED = {"attempt", "run", "talk", "lines", "piped"}
"""Methods of Git that take the words of a git command."""


@cache
def calls(module: Module) -> tuple[tuple[ast.Call, str], ...]:
    """Every call with the full name of what is called: `os.system` of `s()` after `from os import system as s`."""
    known = dict(meanings(module))
    found = []
    for node in module.nodes:
        if isinstance(node, ast.Call):
            first, dot, rest = dotted(node.func).partition(".")
            found.append((node, known.get(first, first) + dot + rest))
    return tuple(found)


def fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((given.value for given in call.keywords if given.arg == name), None)


def texts(node: ast.AST) -> list[str]:
    """All constant texts in an expression, also the pieces of f-strings."""
    return [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def shell(module: Module) -> Iterable[str]:
    """A shell that reads words of ours."""
    for call, name in calls(module):
        given = keyword(call, "shell")
        if given is not None and not (isinstance(given, ast.Constant) and given.value is False):
            yield module.wrong(call.lineno, "shell=")
        if name in {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "commands.getoutput"}:
            yield module.wrong(call.lineno, name)


def evaluation(module: Module) -> Iterable[str]:
    """Text that becomes code."""
    if module.is_one_of(*COMPILERS):
        return
    banned = {
        "eval",
        "exec",
        "compile",
        "builtins.eval",
        "builtins.exec",
        "builtins.compile",
        "code.interact",
        "runpy.run_path",
    }
    for call, name in calls(module):
        if name in banned or name.startswith(("runpy.", "code.Interactive")):
            yield module.wrong(call.lineno, name)


def unpickling(module: Module) -> Iterable[str]:
    """Bytes that become any object; marshal, which ends Python on bad bytes, is read in the launcher alone."""
    for line, name in imports(module):
        if fits(name, READERS):
            yield module.wrong(line, name)
    for call, name in calls(module):
        if name in {"marshal.load", "marshal.loads"} and not module.is_one_of(*LAUNCHERS):
            yield module.wrong(call.lineno, name)


def speech(module: Module) -> Iterable[str]:
    """Words for the terminal from below the verbs."""
    if module.is_one_of(*SPEAKERS):
        return
    known = dict(meanings(module))
    for node in module.nodes:
        first, dot, rest = dotted(node).partition(".")
        name = known.get(first, first) + dot + rest
        if isinstance(node, ast.expr) and name in {"print", "sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__"}:
            yield module.wrong(node.lineno, name)


def git_elsewhere(module: Module) -> Iterable[str]:
    """The words of a git command, git first, outside its door."""
    if module.is_one_of("git/exe.py"):
        return
    for node in module.nodes:
        if isinstance(node, ast.Tuple | ast.List) and node.elts and isinstance(node.elts[0], ast.Constant):
            followed = len(node.elts) > 1 and not isinstance(node.elts[1], ast.Constant | ast.Name | ast.Starred)
            if node.elts[0].value == "git" and not followed:
                yield module.wrong(node.lineno, "git is started")


def blind_moves(module: Module) -> Iterable[str]:
    """A ref that is moved, made or deleted without a word on where it must be; a forced push or fetch."""
    for call, name in calls(module):
        words = [arg for arg in call.args if not isinstance(arg, ast.Starred)]
        named = [texts(word) == ["update-ref"] for word in words]
        if any(named) and name.rpartition(".")[2] in WORDED:
            rest = words[named.index(True) + 1 :]
            flags = [word.value for word in rest if isinstance(word, ast.Constant) and str(word.value).startswith("-")]
            needed = 2 if "-d" in flags else 3
            if "--stdin" not in flags and len(rest) - len(flags) < needed:
                yield module.wrong(call.lineno, "update-ref without an expected value")
        said = {text for word in words for text in texts(word)}
        if said & {"push", "fetch"} and said & FORCED:
            yield module.wrong(call.lineno, "forced")
    for node in module.nodes:
        if isinstance(node, ast.JoinedStr | ast.Constant):
            yield from (module.wrong(node.lineno, one) for one in blind_text(node))


def refs_elsewhere(module: Module) -> Iterable[str]:
    """A ref that is moved, packed or looked for in git's files outside the ref store: archives and reftables have none."""
    if module.is_one_of("store/refs.py", "store/packed_refs.py"):
        return
    for call, _ in calls(module):
        words = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
        yield from (module.wrong(call.lineno, str(word)) for word in words if word in {"update-ref", "pack-refs"})
    for node in module.nodes:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and names_a_ref(node.right):
            yield module.wrong(node.lineno, "a path of a ref")
        if isinstance(node, ast.Call) and last(node.func) in {"join", "joinpath", "Path"} and any(map(names_a_ref, node.args)):
            yield module.wrong(node.lineno, "a path of a ref")


def names_a_ref(node: ast.AST) -> bool:
    """Whether an expression is made of a namespace of refs, of `run_ref`, or of a text that begins with `refs`."""
    spaces = {"RUNS", "TRASH", "INCOMING", "OUTBOX", "NOTES", "run_ref"}
    inner = list(ast.walk(node))
    said = any(re.match(r"(?:logs/)?refs(?:/|$)|packed-refs", text) for text in texts(node))
    return said or any(last(one) in spaces for one in inner if isinstance(one, ast.Name | ast.Attribute))


def blind_text(node: ast.JoinedStr | ast.Constant) -> Iterator[str]:
    """Lists what tells `git update-ref --stdin`, push or fetch to move a ref from anywhere."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
    if text.startswith("+refs/"):
        yield text
    words = text.replace("\0", " ").split()
    formatted = words[0].rpartition("=")[2] if words else ""
    needed = {"update": 4, "delete": 3}.get(formatted, 0)
    is_told = len(words) > 1 and (isinstance(node, ast.JoinedStr) or "%(refname)" in text) and words[1].startswith(("{}", "%"))
    ends = text.endswith(("\0", "\n")) or "%(refname)" in text
    if needed > len(words) and is_told and ends:
        yield text


def unsafe_yaml(module: Module) -> Iterable[str]:
    """YAML that makes any object: every load says which loader, and that loader is a safe one."""
    safe = {node.name for node in module.nodes if isinstance(node, ast.ClassDef) and "SafeLoader" in map(last, node.bases)}
    for call, name in calls(module):
        if fits(name, ("yaml.load", "yaml.load_all")):
            given = call.args[1] if len(call.args) > 1 else keyword(call, "Loader")
            if given is None or last(given) not in {"SafeLoader", "CSafeLoader", "BaseLoader", *safe}:
                yield module.wrong(call.lineno, name)
        elif fits(name, ("yaml.unsafe_*", "yaml.full_*")):
            yield module.wrong(call.lineno, name)


def last(node: ast.AST) -> str:
    return dotted(node).rpartition(".")[2]


def unsafe_xml(module: Module) -> Iterable[str]:
    """XML that is read: entities of its own grow without bounds. XML is only written here."""
    yield from (module.wrong(line, name) for line, name in imports(module) if fits(name, PARSERS))


def endless_requests(module: Module) -> Iterable[str]:
    """A request over the network that may take for ever."""
    known = {name.partition(".")[0] for _, name in imports(module)}
    for call, name in calls(module):
        if name.partition(".")[0] in known and fits(name, CALLERS) and keyword(call, "timeout") is None:
            yield module.wrong(call.lineno, f"{name} without a timeout")


def asserted(module: Module) -> Iterable[str]:
    """A check that `python -O` leaves out: only that a pipe which was asked for is there, which is for mypy."""
    for node in module.nodes:
        if isinstance(node, ast.Assert):
            parts = node.test.values if isinstance(node.test, ast.BoolOp) else [node.test]
            is_pipe = all(isinstance(part, ast.Compare) and isinstance(part.ops[0], ast.IsNot) for part in parts)
            if not (is_pipe and module.is_one_of(*DOORS)):
                yield module.wrong(node.lineno, "assert")


def swallowed(module: Module) -> Iterable[str]:
    """Whatever goes wrong, caught: bare, or all that there is, and not raised again."""
    for node in module.nodes:
        if isinstance(node, ast.ExceptHandler):
            names = {last(one) for one in ([node.type, *getattr(node.type, "elts", [])] if node.type else [])}
            raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
            if node.type is None or ("BaseException" in names and not raises):
                yield module.wrong(node.lineno, "except for all that there is")
    for call, name in calls(module):
        if name == "contextlib.suppress" and any(last(arg) in {"BaseException", "Exception"} for arg in call.args):
            yield module.wrong(call.lineno, "suppress for all that there is")


BREAKING = [
    (shell, "subprocess.run(words, shell=True)"),
    (shell, "run(words, shell=wanted)"),
    (shell, "import os\nos.system('ls')"),
    (shell, "from os import popen as p\np('ls')"),
    (shell, "import subprocess\nsubprocess.getoutput('ls')"),
    (evaluation, "eval(text)"),
    (evaluation, "exec(compile(text, 'f', 'exec'))"),
    (evaluation, "import builtins as b\nb.exec(text)"),
    (evaluation, "import runpy\nrunpy.run_path(path)"),
    (unpickling, "import pickle"),
    (unpickling, "def f():\n    from pickle import loads"),
    (unpickling, "import shelve"),
    (unpickling, "import marshal\nmarshal.loads(data)"),
    (speech, "print('done')"),
    (speech, "import sys\nsys.stderr.write('done')"),
    (speech, "from sys import stdout\nstdout.write('done')"),
    (git_elsewhere, "run(('git', 'status'))"),
    (git_elsewhere, "run(['git', *words])"),
    (git_elsewhere, "words = ('git', name)"),
    (blind_moves, "git.run('update-ref', '--no-deref', ref, new)"),
    (blind_moves, "git.run('update-ref', f'{prefix}all', made)"),
    (blind_moves, "git.attempt('update-ref', '-d', ref)"),
    (blind_moves, "git.attempt(*QUIET, 'update-ref', '--no-deref', '-d', ref)"),
    (blind_moves, "line = f'update {ref}\\0{new}\\0'"),
    (blind_moves, "line = f'delete {ref}\\n'"),
    (blind_moves, "git.run('for-each-ref', '--format=delete %(refname)', prefix)"),
    (blind_moves, "spec = f'+refs/runs/{run}:refs/runs/{run}'"),
    (blind_moves, "git.run('push', '--force', remote)"),
    (blind_moves, "git.run('fetch', '--prune', remote)"),
    (refs_elsewhere, "git.run('update-ref', '--no-deref', ref, new, expected)"),
    (refs_elsewhere, "git.attempt(*QUIET, 'update-ref', '--stdin', stdin=lines)"),
    (refs_elsewhere, "git.run('pack-refs', '--all')"),
    (refs_elsewhere, "path = git.common_dir / RUNS / run"),
    (refs_elsewhere, "path = git.common_dir / f'{run_ref(run)}.lock'"),
    (refs_elsewhere, "path = git.common_dir / 'packed-refs'"),
    (refs_elsewhere, "path = git.common_dir / 'refs' / 'runs'"),
    (refs_elsewhere, "path = os.path.join(git.common_dir, 'refs/notes/runs')"),
    (refs_elsewhere, "shutil.rmtree(git.common_dir.joinpath(INCOMING))"),
    (unsafe_yaml, "import yaml\nyaml.load(text)"),
    (unsafe_yaml, "import yaml\nyaml.load(text, yaml.Loader)"),
    (unsafe_yaml, "import yaml\nyaml.load(text, Loader=yaml.UnsafeLoader)"),
    (unsafe_yaml, "import yaml as y\ny.full_load(text)"),
    (unsafe_xml, "import xml.etree.ElementTree as ET"),
    (unsafe_xml, "from xml.dom import minidom"),
    (unsafe_xml, "from lxml import etree"),
    (endless_requests, "import requests\nrequests.get(url)"),
    (endless_requests, "from urllib.request import urlopen\nurlopen(url)"),
    (endless_requests, "import urllib.request\nurllib.request.urlopen(url, data)"),
    (asserted, "assert size > 0"),
    (asserted, "assert process.stdout is not None"),
    (swallowed, "try:\n    f()\nexcept:\n    pass"),
    (swallowed, "try:\n    f()\nexcept BaseException:\n    return"),
    (swallowed, "from contextlib import suppress\nwith suppress(Exception):\n    f()"),
]  # fmt: skip
KEEPING = [
    (shell, "store/runs.py", "subprocess.run(words, shell=False)"),
    (evaluation, "store/runs.py", "import re\nre.compile('a')"),
    (evaluation, "workspace/launcher.py", "exec(compile(text, 'f', 'exec'))"),
    (unpickling, "workspace/launcher.py", "import marshal\nmarshal.load(file)"),
    (unpickling, "lifecycle/attempt.py", "import marshal\nmarshal.dumps(value)"),
    (speech, "commands/show.py", "print('done')"),
    (git_elsewhere, "git/exe.py", "run(('git', *words))"),
    (git_elsewhere, "store/runs.py", "stored = ('lfs', 'git')"),
    (blind_moves, "store/refs.py", "git.run('update-ref', '--no-deref', ref, new, expected or NO_ID)"),
    (blind_moves, "store/refs.py", "git.run('update-ref', '--no-deref', '-d', ref, expected)"),
    (blind_moves, "store/refs.py", "line = f'update {ref}\\0{new}\\0{expected}\\0'"),
    (blind_moves, "store/refs.py", "line = f'create {ref} {new}\\n'"),
    (blind_moves, "store/refs.py", "format = '--format=delete %(refname) %(objectname)'"),
    (blind_moves, "store/remotes.py", "lease = f'--force-with-lease={ref}:{tip}'"),
    (refs_elsewhere, "store/refs.py", "git.run('update-ref', ref, new, expected)\npath = git.common_dir / RUNS"),
    (refs_elsewhere, "store/trash.py", "edit = RefEdit(TRASH + run, tip, None, 'delete run')"),
    (refs_elsewhere, "store/runs.py", "names = ', '.join(REFS)\nplace = git.state / 'live' / run"),
    (unsafe_yaml, "model/a.py", "import yaml\nyaml.safe_load(text)"),
    (unsafe_yaml, "model/a.py", "import yaml\nclass L(yaml.SafeLoader): pass\nyaml.load(text, L)"),
    (unsafe_xml, "commands/junit.py", "from xml.sax.saxutils import escape"),
    (endless_requests, "source/a.py", "import urllib.request\nurllib.request.urlopen(url, timeout=5)"),
    (asserted, "git/exe.py", "assert process.stdout is not None"),
    (swallowed, "store/runs.py", "try:\n    f()\nexcept BaseException:\n    g()\n    raise"),
]
BANS = tuple(dict.fromkeys(ban for ban, _ in BREAKING))


@pytest.mark.parametrize("ban", BANS, ids=lambda ban: ban.__name__)
def test_nothing_banned_is_in_the_package(ban) -> None:
    assert violations(ban) == []


@pytest.mark.parametrize(("ban", "text"), BREAKING)
def test_a_ban_catches(ban, text) -> None:
    assert list(ban(Module("store/runs.py", text)))


@pytest.mark.parametrize(("ban", "path", "text"), KEEPING)
def test_a_ban_leaves_alone_what_only_looks_so(ban, path, text) -> None:
    assert list(ban(Module(path, text))) == []


def test_every_ban_has_been_seen_to_catch() -> None:
    shape = {"module": "Module", "return": "Iterable[str]"}
    bans = {name for name, value in globals().items() if getattr(value, "__annotations__", None) == shape}
    assert bans == {ban.__name__ for ban in BANS}
