"""The house stands: imports go down only, every outside thing has one door, and nothing grows too tall.

A rule is a function from one module to what is wrong in it. Each is held against all of `gitrun/`, against
small modules that break it (no rule may fall silent) and that keep it (none may cry wolf).
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import TypeAlias

import pytest

PACKAGE = Path(__file__).parents[1] / "gitrun"
FLOORS = {
    "lazy": 0,
    "dataclass": 0,
    "log": 0,
    "errors": 0,
    "model": 2,
    "process": 3,
    "git": 4,
    "scripts": 5,
    "store": 6,
    "sharing": 7,
    "workspace": 8,
    "views": 9,
    "source": 10,
    "lifecycle": 11,
    "upkeep": 12,
    "project": 13,
    "render": 14,
    "commands": 15,
    "extras": 16,
    "__main__": 17,
}
FRONT_DOOR = "__init__.py"
STARTERS = (
    "subprocess*", "multiprocessing*", "asyncio.create_subprocess*", "asyncio.subprocess*",
    "concurrent.futures.ProcessPoolExecutor", "concurrent.futures.process*", "pty.spawn", "pty.fork",
    "os.exec*", "os.spawn*", "os.posix_spawn*", "os.system", "os.popen", "os.fork*",
)  # fmt: skip
CHILD_STARTERS = tuple(f"gitrun.process.child.{name}" for name in ("Child", "spawn", "run_child", "start_talker", "subprocess"))
ENVIRONMENT = ("os.environ*", "os.getenv*", "os.putenv", "os.unsetenv")
IN_THE_USERS_WORLD = ("log.py", "source/introspect_child.py", "workspace/launcher.py", "workspace/launched_script.py")
KNOWN_CIRCLES: tuple[set[str], ...] = ()
"""Circles that are still there. The list only shrinks."""
NO_NAMES = {"utils.py", "helpers.py", "common.py", "base.py", "manager.py"}
LONGEST_FILE = 600
LONGEST_FUNCTION = 60
DEFS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Module:
    """A module of the package: its path there, such as `git/exe.py`, and its text."""

    path: str
    text: str

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(ast.parse(self.text)))

    @property
    def part(self) -> str:
        """What has a floor: `git` of `git/exe.py`, `log` of `log.py`."""
        return PurePosixPath(self.path).parts[0].removesuffix(".py")

    def is_one_of(self, *patterns: str) -> bool:
        return any(fnmatchcase(self.path, pattern) for pattern in patterns)

    def wrong(self, line: int, what: str) -> str:
        return f"gitrun/{self.path}:{line}: {what}"


Rule: TypeAlias = Callable[[Module], Iterable[str]]
Found: TypeAlias = Iterator[tuple[int, str]]


def test_imports_go_down_only() -> None:
    assert violations(imports_up) == []


def test_no_package_has_a_circle() -> None:
    assert [circle for circle in circles(graph(modules())) if not any(circle <= known for known in KNOWN_CIRCLES)] == []


def test_a_circle_is_found_however_it_is_imported() -> None:
    a = "from gitrun.store import b"
    for b in (
        "from gitrun.store import a",
        "from gitrun.store.a import f",
        "import gitrun.store.a",
        "def f():\n    from gitrun.store.a import g",
        "if TYPE_CHECKING:\n    from gitrun.store.a import g",
        "from gitrun import store\ndef f():\n    store.a.g()",
    ):
        pair = (Module("store/a.py", a), Module("store/b.py", b))
        assert circles(graph(pair)) == [{"gitrun.store.a", "gitrun.store.b"}], b
    assert circles(graph((Module("store/a.py", a), Module("store/b.py", "from gitrun import store\nstore.c.g()")))) == []


def test_front_door_is_lazy() -> None:
    assert violations(eager_front_door) == []


def test_pygit2_has_one_door() -> None:
    assert violations(pygit2_outside_its_door) == []


def test_programs_are_started_at_two_doors() -> None:
    assert violations(process_outside_its_doors) == []


def test_click_lives_in_commands() -> None:
    assert violations(click_below_commands) == []


def test_environment_is_read_in_commands() -> None:
    assert violations(environment_below_commands) == []


def test_print_lives_in_commands() -> None:
    assert violations(print_below_commands) == []


def test_commands_and_render_reach_git_through_project() -> None:
    assert violations(repository_above_project) == []


def test_modules_are_named_for_what_they_hold() -> None:
    assert violations(homeless_name) == []


def test_what_runs_in_the_users_world_needs_only_the_standard_library() -> None:
    assert violations(more_than_stdlib) == []


def test_no_file_is_over_600_lines() -> None:
    assert violations(long_file) == []


def test_no_function_is_over_60_lines() -> None:
    assert violations(long_function) == []


def test_rules_are_held_against_every_floor() -> None:
    assert set(FLOORS) - {"extras"} <= {module.part for module in modules()}


@cache
def modules() -> tuple[Module, ...]:
    files = sorted(PACKAGE.rglob("*.py"))
    return tuple(Module(file.relative_to(PACKAGE).as_posix(), file.read_text("utf-8")) for file in files)


def violations(rule: Rule) -> list[str]:
    return [wrong for module in modules() for wrong in rule(module)]


def imports_up(module: Module) -> Iterable[str]:
    """Imports from above, from a neighbour on the same floor, of the front door, and of what has no floor."""
    if module.path == FRONT_DOOR:
        return
    if module.part not in FLOORS:
        yield module.wrong(1, f"{module.part} has no floor")
        return
    own = FLOORS[module.part]
    for line, name in imports(module):
        package, _, inner = name.partition(".")
        part = inner.partition(".")[0]
        if package == "gitrun" and part != module.part and FLOORS.get(part, sys.maxsize) >= own:
            yield module.wrong(line, f"{module.part} (floor {own}) imports {name}")


def graph(all_modules: Iterable[Module]) -> dict[str, set[str]]:
    """What each module imports of the others: at the top, in functions, for types, and through the door of a package."""
    by_name = {"gitrun." + module.path.removesuffix(".py").replace("/", "."): module for module in all_modules}
    inner = {name: module for name, module in by_name.items() if not module.path.endswith(FRONT_DOOR)}
    found: dict[str, set[str]] = {}
    for name, module in inner.items():
        used = {full for _, full in (*imports(module), *uses(module))}
        parts = {".".join(full.split(".")[:length]) for full in used for length in (2, 3)}
        found[name] = {one for one in parts if one in inner and one != name}
    return found


def circles(edges: dict[str, set[str]]) -> list[set[str]]:
    """The groups of modules that reach each other (strongly connected components of more than one module)."""

    def reached(start: str) -> set[str]:
        seen, queue = set[str](), [start]
        while queue:
            for one in edges.get(queue.pop(), ()):
                if one not in seen:
                    seen.add(one)
                    queue.append(one)
        return seen

    reach = {name: reached(name) for name in edges}
    groups = {frozenset({name, *(one for one in reach[name] if name in reach[one])}) for name in edges}
    return sorted((set(group) for group in groups if len(group) > 1), key=sorted)


def eager_front_door(module: Module) -> Iterable[str]:
    if module.path != FRONT_DOOR:
        return
    bodies = [node.body for node in module.nodes if isinstance(node, (*DEFS, ast.If)) and is_lazy(node)]
    lazy = {id(node) for body in bodies for statement in body for node in ast.walk(statement)}
    for node in module.nodes:
        if id(node) not in lazy:
            found = ((line, name) for line, name in not_stdlib(module, node) if not name.startswith("gitrun.log"))
            yield from (module.wrong(line, f"{name} at once") for line, name in found)


def pygit2_outside_its_door(module: Module) -> Iterable[str]:
    return () if module.is_one_of("git/odb.py") else named(module, "pygit2*", "_pygit2*")


def process_outside_its_doors(module: Module) -> Iterable[str]:
    # standby.py forks gitrun itself, and prompt.py asks git: importing the doors would take what these save
    doors = ("git/exe.py", "process/run.py", "process/starter.py", "process/starting.py")
    exempt = module.is_one_of(*doors, "commands/standby.py", "commands/prompt.py")
    # child.py has what the doors need
    return () if exempt or module.is_one_of("process/child.py") else named(module, *STARTERS, *CHILD_STARTERS)


def click_below_commands(module: Module) -> Iterable[str]:
    return () if module.is_one_of("commands/*") else named(module, "click*")


def environment_below_commands(module: Module) -> Iterable[str]:
    exempt = module.is_one_of("commands/*", "process/environment.py", *IN_THE_USERS_WORLD)
    return () if exempt else named(module, *ENVIRONMENT)


def print_below_commands(module: Module) -> Iterable[str]:
    exempt = module.is_one_of("commands/*", *IN_THE_USERS_WORLD)
    return () if exempt else named(module, "print", "builtins.print")


def repository_above_project(module: Module) -> Iterable[str]:
    """Uses of the attribute `git` of a project or session: what is needed of it is a method of Project or of a part."""
    if module.is_one_of("commands/*", "render/*"):
        for node in module.nodes:
            if isinstance(node, ast.Attribute) and node.attr == "git" and dotted(node) != "gitrun.git":
                yield module.wrong(node.lineno, "uses the repository of a project, not a method of it")


def homeless_name(module: Module) -> Iterable[str]:
    if PurePosixPath(module.path).name in NO_NAMES:
        yield module.wrong(1, "a noun is missing")


def more_than_stdlib(module: Module) -> Iterable[str]:
    if module.is_one_of(*IN_THE_USERS_WORLD):
        for node in module.nodes:
            yield from (module.wrong(line, f"imports {name}") for line, name in not_stdlib(module, node))


def long_file(module: Module) -> Iterable[str]:
    lines = len(module.text.splitlines())
    if lines > LONGEST_FILE:
        yield module.wrong(lines, f"{lines} lines, {LONGEST_FILE} are the limit")


def long_function(module: Module) -> Iterable[str]:
    """Functions too long from their `def` to their last line; decorators are not counted, docstrings are."""
    for node in module.nodes:
        if isinstance(node, DEFS):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > LONGEST_FUNCTION:
                yield module.wrong(node.lineno, f"{node.name} has {lines} lines, {LONGEST_FUNCTION} are the limit")


@cache
def imports(module: Module) -> tuple[tuple[int, str], ...]:
    return tuple(found for node in module.nodes for found in imports_of(module, node))


def imports_of(module: Module, node: ast.AST) -> Found:
    """Line and full name of what a node imports: `gitrun.git.exe` of `from ..git import exe`."""
    if isinstance(node, ast.Import):
        yield from ((node.lineno, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        start = start_of(module, node)
        yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)
    elif isinstance(node, ast.Call) and last_name(node.func) in {"import_module", "__import__"}:
        texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
        yield from ((node.lineno, text) for text in texts if isinstance(text, str))


def start_of(module: Module, node: ast.ImportFrom) -> str:
    """What `node` imports from: absolute, also when it is written with dots."""
    if not node.level:
        return node.module or ""
    package = ("gitrun", *PurePosixPath(module.path).parts[:-1])
    kept = package[: len(package) - node.level + 1]
    return ".".join([*kept, *filter(None, [node.module])])


def not_stdlib(module: Module, node: ast.AST) -> Found:
    known = sys.stdlib_module_names
    return ((line, name) for line, name in imports_of(module, node) if name.partition(".")[0] not in known)


def named(module: Module, *patterns: str) -> Iterator[str]:
    """Every place that imports or uses a name of these patterns, also under another name."""
    found = dict.fromkeys([*imports(module), *uses(module)])
    for line, name in found:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            yield module.wrong(line, f"names {name}")


@cache
def uses(module: Module) -> tuple[tuple[int, str], ...]:
    """Line and full name of what is used: `os.environ` of `e` after `from os import environ as e`."""
    meaning = dict(meanings(module))
    exempt = print_runs_of(module)
    found = []
    for node in module.nodes:
        name = dotted(node)
        if isinstance(node, ast.expr) and name and id(node) not in exempt:
            first, dot, rest = name.partition(".")
            found.append((node.lineno, meaning.get(first, first) + dot + rest))
    return tuple(found)


def meanings(module: Module) -> Iterator[tuple[str, str]]:
    for node in module.nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.asname, alias.name) for alias in node.names if alias.asname)
        elif isinstance(node, ast.ImportFrom):
            start = start_of(module, node)
            yield from ((alias.asname or alias.name, f"{start}.{alias.name}") for alias in node.names)


def print_runs_of(module: Module) -> set[int]:
    """The nodes of the one method below `commands/` that may print."""
    if module.path != "project.py":
        return set()
    classes = [node for node in module.nodes if isinstance(node, ast.ClassDef) and node.name == "Project"]
    methods = [node for found in classes for node in found.body if isinstance(node, DEFS)]
    return {id(inner) for node in methods if node.name == "print_runs" for inner in ast.walk(node)}


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a chain of names, "" of anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and dotted(node.value):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def last_name(node: ast.AST) -> str:
    return dotted(node).rpartition(".")[2]


def is_lazy(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.If) -> bool:
    return not isinstance(node, ast.If) or last_name(node.test) == "TYPE_CHECKING"


BROKEN = [
    (imports_up, "model/run.py", "from gitrun.git import exe"),
    (imports_up, "model/run.py", "import gitrun.store.runs as runs"),
    (imports_up, "model/run.py", "from gitrun import store"),
    (imports_up, "model/run.py", "from ..git import exe"),
    (imports_up, "model/run.py", "from .. import git"),
    (imports_up, "git/exe.py", "def f():\n    from gitrun.commands.main import main"),
    (imports_up, "git/exe.py", "if TYPE_CHECKING:\n    from gitrun.project import Project"),
    (imports_up, "views/select.py", "from gitrun.lifecycle.attempt import perform"),
    (imports_up, "views/select.py", "from gitrun.source import planning"),
    (imports_up, "commands/main.py", "from gitrun.extras import optuna"),
    (imports_up, "project.py", "importlib.import_module('gitrun.commands.main')"),
    (imports_up, "errors.py", "from gitrun.log import log"),
    (imports_up, "store/runs.py", "import gitrun"),
    (imports_up, "store/runs.py", "from gitrun import Project"),
    (imports_up, "attic/old.py", ""),
    (eager_front_door, "__init__.py", "from gitrun.project import Project"),
    (eager_front_door, "__init__.py", "from .errors import GitrunError"),
    (eager_front_door, "__init__.py", "try:\n    import pygit2\nexcept ImportError:\n    pass"),
    (eager_front_door, "__init__.py", "if TYPE_CHECKING:\n    pass\nelse:\n    from gitrun import project"),
    (pygit2_outside_its_door, "store/runs.py", "import pygit2"),
    (pygit2_outside_its_door, "git/exe.py", "def f():\n    from pygit2.enums import SortMode"),
    (process_outside_its_doors, "store/notes.py", "import subprocess"),
    (process_outside_its_doors, "store/notes.py", "from subprocess import run"),
    (process_outside_its_doors, "store/notes.py", "from gitrun.process.child import run_child"),
    (process_outside_its_doors, "lifecycle/batch.py", "import multiprocessing.pool"),
    (process_outside_its_doors, "lifecycle/batch.py", "from concurrent.futures import ProcessPoolExecutor"),
    (process_outside_its_doors, "workspace/launcher.py", "import os\nos.execvp('python', [])"),
    (process_outside_its_doors, "commands/show.py", "import os as o\no.spawnl(0, 'less')"),
    (process_outside_its_doors, "commands/show.py", "from os import posix_spawn"),
    (process_outside_its_doors, "commands/show.py", "import os\nstart = os.system"),
    (process_outside_its_doors, "commands/show.py", "import pty\npty.spawn('less')"),
    (click_below_commands, "project.py", "import click"),
    (click_below_commands, "views/report.py", "from click.utils import echo"),
    (environment_below_commands, "git/exe.py", "import os\nos.environ['HOME']"),
    (environment_below_commands, "git/exe.py", "import os\nos.environ.get('HOME')"),
    (environment_below_commands, "project.py", "import os as o\no.getenv('HOME')"),
    (environment_below_commands, "model/run.py", "from os import environ"),
    (environment_below_commands, "process/run.py", "import os\nf(env=os.environb)"),
    (print_below_commands, "process/run.py", "print('started')"),
    (print_below_commands, "process/run.py", "tell = print"),
    (print_below_commands, "project.py", "class Project:\n    def run(self):\n        print('done')"),
    (print_below_commands, "project.py", "class Other:\n    def print_runs(self):\n        print('runs')"),
    (repository_above_project, "render/run_page.py", "read_family(project.git, run)"),
    (repository_above_project, "commands/show.py", "read_family(project.git, run)"),
    (repository_above_project, "commands/show.py", "git = Project().git"),
    (repository_above_project, "commands/show.py", "class View:\n    def show(self):\n        f(self.project.git.config)"),
    (homeless_name, "store/utils.py", ""),
    (homeless_name, "manager.py", ""),
    (more_than_stdlib, "log.py", "def log():\n    import tomli_w"),
    (more_than_stdlib, "workspace/launcher.py", "from gitrun.model import flags"),
    (more_than_stdlib, "workspace/launcher.py", "from . import process"),
    (long_file, "store/runs.py", "\n" * (LONGEST_FILE + 1)),
    (long_function, "store/runs.py", "def f():\n" + "    pass\n" * LONGEST_FUNCTION),
    (long_function, "store/runs.py", "class A:\n  async def f(self):\n" + "    pass\n" * LONGEST_FUNCTION),
]
KEPT = [
    (imports_up, "commands/show.py", "from gitrun.project import Project\nfrom .text import render"),
    (imports_up, "git/odb.py", "import pygit2\nimport gitrun.errors\nfrom gitrun.model.refs import short"),
    (imports_up, "commands/batch.py", "import_module(f'gitrun.extras.{name}')"),
    (eager_front_door, "__init__.py", "import sys\ndef __getattr__(name):\n    from gitrun import project"),
    (eager_front_door, "__init__.py", "if TYPE_CHECKING:\n    from gitrun.project import Project"),
    (pygit2_outside_its_door, "git/odb.py", "import pygit2"),
    (process_outside_its_doors, "git/exe.py", "import subprocess"),
    (process_outside_its_doors, "process/run.py", "import os\nos.execvpe('a', [], {})"),
    (process_outside_its_doors, "store/runs.py", "import os\nos.path.exists('a')\nplan.subprocess"),
    (click_below_commands, "commands/main.py", "import click"),
    (environment_below_commands, "commands/main.py", "import os\nos.environ"),
    (environment_below_commands, "log.py", "from os import environ"),
    (environment_below_commands, "process/environment.py", "import os\ndict(os.environ)"),
    (environment_below_commands, "git/exe.py", "def run(environ):\n    return environ['HOME']"),
    (print_below_commands, "workspace/launcher.py", "print('a')"),
    (print_below_commands, "project.py", "class Project:\n    def print_runs(self):\n        print('runs')"),
    (print_below_commands, "views/report.py", "page.print('a')"),
    (
        repository_above_project,
        "commands/show.py",
        "from gitrun import git\ngit.exe.run_git(('var',))\nproject.runs.read_family(run)",
    ),
    (repository_above_project, "commands/show.py", "import gitrun.git.exe\ngitrun.git.exe.run_git(('var',))"),
    (repository_above_project, "views/reader.py", "read_family(session.git, run)"),
    (more_than_stdlib, "log.py", "from __future__ import annotations\nimport json, os.path"),
    (long_file, "store/runs.py", "\n" * LONGEST_FILE),
    (long_function, "store/runs.py", "@a\ndef f():\n" + "    pass\n" * (LONGEST_FUNCTION - 1)),
]


@pytest.mark.parametrize(("rule", "path", "text"), BROKEN)
def test_rule_catches_what_breaks_it(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Module(path, text)))


@pytest.mark.parametrize(("rule", "path", "text"), KEPT)
def test_rule_lets_pass_what_keeps_it(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Module(path, text))) == []


def test_every_rule_has_been_seen_to_catch() -> None:
    shape = {"module": "Module", "return": "Iterable[str]"}
    rules = {name for name, value in globals().items() if getattr(value, "__annotations__", None) == shape}
    assert rules == {rule.__name__ for rule, _, _ in BROKEN}
