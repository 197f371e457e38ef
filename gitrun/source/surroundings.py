"""Finds the environments, launchers and paths around a run's program that were made for the working tree."""

from __future__ import annotations

import os
import re
import sys

from gitrun.dataclass import dataclass
from gitrun.git.objects import Objects
from gitrun.git.trees import GitTree
from gitrun.model.run import NOTEBOOK, SCRIPT
from gitrun.source.editable_installs import Installs, find_installs
from gitrun.source.interpreter import get_mtime, make_python_path, map_to_slot
from gitrun.source.launchers import LauncherHelp, Project, choose_variables, help_launchers
from gitrun.source.prefixes import find_prefixes, is_environment, list_names, site_directories
from gitrun.workspace.erase import erase
from gitrun.workspace.slots import slot_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from gitrun.model.plan import Plan
    from gitrun.source.interpreter import Interpreter
    from gitrun.workspace.session import Session


TOOLS = frozenset({"cmake", "cpack", "ctest", "gmake", "make", "meson", "muon", "ninja", "samu"})
"""Build programs, for which every sign of a configured directory is checked. Others get the quickest check only."""
CACHE = "CMakeCache.txt"
SIGNS = (CACHE, "build.ninja", "compile_commands.json", "config.status", "meson-info/meson-info.json")
MOST = 200
"""Directories, and entries of each, that are checked at most."""
LARGEST = 4 << 20
"""Bytes of a file that are searched for the path."""

ENVIRONMENTS, IMPORTS = "environments", "imports"
"""Directories of a slot, beside its worktree: environments of its runs, and modules under the names they are imported by."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The variables for launchers, and the parts of the project that are installed from the working tree."""

    launcher_help: LauncherHelp
    installs: Installs
    sites: tuple[str, ...] = ()
    """The package directories in which these installs were found."""
    paths: tuple[str, ...] = ()
    """The directories of the working tree, or of a slot, from which the Python of a script imports."""


def find_surroundings(session: Session, plan: Plan, python: Interpreter | None) -> Surroundings:
    """Returns the surroundings of a plan's program."""
    top = session.git.worktree
    if top is None:
        return Surroundings(LauncherHelp({}), Installs())
    words = [python.program] if python else list(plan.command)
    environ = {**session.git.environ, **(dict(plan.definition.env) if plan.definition else {})}
    directories = directory_and_parents(str(top / plan.cwd), str(top))
    project = Project(directories, session.git.state)
    launcher_help = help_launchers(words, environ, project, is_script=plan.kind in {SCRIPT, NOTEBOOK})
    prefixes = dict.fromkeys((*find_prefixes(words, environ, directories), *filter(None, (launcher_help.prefix,))))
    sites = dict.fromkeys(site for prefix in prefixes for site in site_directories(prefix))
    roots = (*worktree_spellings(session), str(session.git.state / "slots"))
    installs = find_installs(sites, tuple(dict.fromkeys(roots)))
    paths = tuple(path for path in python.paths if map_to_slot(path, top, top)) if python else ()
    return Surroundings(launcher_help, installs, tuple(sites), paths)


def was_installed_since(around: Surroundings, since: float) -> bool:
    """Returns whether something was installed after `since` (seconds since 1970)."""
    # installing a package adds a directory, which changes the mtime of site-packages
    return any(get_mtime(site) >= since * 10**9 for site in around.sites)


def directory_and_parents(directory: str, top: str) -> tuple[str, ...]:
    """Returns the directory and its parents, up to the top."""
    directories = [directory := os.path.normpath(directory)]
    while directory != top and directory.startswith(top + "/"):
        directories.append(directory := os.path.dirname(directory))
    return tuple(directories)


def worktree_spellings(session: Session) -> tuple[str, ...]:
    """Returns the paths of the working tree: git's, the one without links, and the one the user's shell came by."""
    top = str(session.git.worktree)
    spellings = [top, os.path.realpath(top)]
    # PWD may be stale, so it counts only if it leads into the working tree
    typed = session.git.environ.get("PWD", "")
    inner = os.path.relpath(os.path.realpath(typed), spellings[1]) if os.path.isabs(typed) else ".."
    if inner == ".":
        spellings.append(typed.rstrip("/"))
    elif typed.endswith(f"/{inner}"):
        spellings.append(typed.removesuffix(f"/{inner}"))
    return tuple(path for path in dict.fromkeys(spellings) if path)


def make_variables(around: Surroundings, environ: dict[str, str], top: Path, tree: Path) -> str:
    """Sets variables so that programs import the run's own code and launchers use the user's environment.

    Returns PYTHONPATH. Raises CannotRun.
    """
    for name in around.launcher_help.dropped:
        environ.pop(name, None)
    environ |= choose_variables(around.launcher_help, environ, slot_directory(tree) / ENVIRONMENTS)
    python_path, imports = environ.get("PYTHONPATH", ""), slot_directory(tree) / IMPORTS
    # links of an earlier run in this slot
    erase(os.fsencode(imports))
    roots = [
        without_shadowing(root, imports)
        for root in make_python_path((*around.installs.roots, *around.paths), "", top, tree).split(os.pathsep)
    ]
    paths = [make_python_path((), python_path, top, tree), *roots, *link_renamed(around.installs.modules, imports, top, tree)]
    path = os.pathsep.join(filter(None, dict.fromkeys(paths)))
    if path:
        environ["PYTHONPATH"] = path
    return path


def without_shadowing(root: str, directory: Path) -> str:
    """Returns the directory, or a directory of links if some of its modules have names of standard modules.

    The links leave these modules out. Editable installs come after the standard library on `sys.path`, but PYTHONPATH
    comes before it.
    """
    names = list_names(root) if root else []
    own = {name for name in names if name.partition(".")[0] in sys.stdlib_module_names and is_module(os.path.join(root, name))}
    if not own:
        return root
    # no module has a name that begins with a dot
    links = directory / f".{len(list_names(str(directory)))}"
    links.mkdir(parents=True)
    for name in names:
        if name not in own and name.partition(".")[0].isidentifier():
            (links / name).symlink_to(os.path.join(root, name))
    return str(links)


def is_module(path: str) -> bool:
    """Returns whether the path is a module or a package, not just a directory."""
    return path.endswith((".py", ".so")) or os.path.isfile(os.path.join(path, "__init__.py"))


def link_renamed(modules: tuple[tuple[str, str], ...], links: Path, top: Path, tree: Path) -> tuple[str, ...]:
    """Links modules whose import names differ from their paths in the source.

    Returns the directory of links, if there are any.
    """
    for name, path in modules:
        target = map_to_slot(path, top, tree)
        if target is None or not is_linkable(name, modules):
            continue
        link = links.joinpath(*name.split("."))
        if os.path.isfile(target + ".py"):
            target += ".py"
        if target.endswith(".py") and os.path.basename(target) != "__init__.py":
            link = link.with_name(link.name + ".py")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target.removesuffix("/__init__.py"))
    return (str(links),) if modules and links.is_dir() else ()


def is_linkable(name: str, modules: tuple[tuple[str, str], ...]) -> bool:
    """Returns whether a link can provide the module: no package above it is mapped itself."""
    parts = name.split(".")
    names = {module for module, _ in modules}
    return not any(".".join(parts[:count]) in names for count in range(1, len(parts)))


def find_not_isolated(
    session: Session, plan: Plan, around: Surroundings, ignored: tuple[bytes, ...], *, again: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the names of builds and modules that the program may take from the working tree, and warnings about them.

    `again`: the source is that of an earlier attempt or of a commit, and may lack what is installed.
    """
    builds = configured_for(worktree_spellings(session), list(plan.command), ignored, plan.cwd)
    imported = find_not_imported(around.installs) + (find_missing(session, plan, around.installs) if again else ())
    words = []
    is_python = plan.kind in {SCRIPT, NOTEBOOK} or os.path.basename(plan.command[0]).startswith("python")
    if builds and not is_python:
        words.append(
            f"warning: {', '.join(builds)} was configured for your working tree: building there uses its source, "
            "not the run's. To build the run's own: configure another directory in the run"
        )
    if imported:
        words.append(f"warning: {', '.join(imported)} imports code of your working tree, not the run's own")
    return (*builds, *imported), tuple(words)


def find_missing(session: Session, plan: Plan, installs: Installs) -> tuple[str, ...]:
    """Returns the directories installed from the working tree that the plan's source does not have."""
    top = session.git.worktree
    candidates = dict.fromkeys(path for root in installs.roots if top and (path := map_to_slot(root, top, top)))
    paths = [path for path in (os.path.relpath(path, top) for path in candidates if top) if path != "."]
    if not paths:
        return ()
    with Objects(session.git) as objects:
        tree = GitTree(objects, plan.source.whole)
        return tuple(path for path in paths if tree.mode(path) is None)


def find_not_imported(installs: Installs) -> tuple[str, ...]:
    """Returns the modules and loader files through which programs still import from the working tree."""
    modules = (name for name, _ in installs.modules if not is_linkable(name, installs.modules))
    return (*modules, *map(os.path.basename, installs.unread))


def move_words(words: list[str], session: Session, workspace: Path) -> list[str]:
    """Replaces the working tree's path in the words by the workspace's path. Says which word changed."""
    top = session.git.worktree
    if top is None or top == workspace:
        return words
    tops = worktree_spellings(session)
    words_there = [move_word(word, tops, str(workspace)) for word in words]
    if changed := [old for old, new in zip(words, words_there, strict=True) if old != new]:
        session.say(f"note: '{changed[0]}' names your working tree; the program is given the same path in the run's workspace")
    return words_there


def move_word(word: str, tops: tuple[str, ...], workspace: str) -> str:
    """Replaces the path of each top in the word by `workspace`, except inside an environment or git's own directory."""
    for top in tops:
        if top not in word:
            continue

        def new(match: re.Match[str], top: str = top) -> str:
            parts = match["inner"].strip("/").split("/")
            inside = (os.path.join(top, *parts[:count]) for count in range(1, len(parts) + 1))
            return match[0] if parts[0] == ".git" or any(map(is_environment, inside)) else workspace + match["inner"]

        # matches at the start of a word, an option's value (-I/top, --x=/top) or a list entry (/top:/app), but not /other/top
        begin = r"(?:(?<![\w./~-])|(?<=://)|(?<=^-[A-Za-z]))"
        word = re.sub(begin + re.escape(top) + r"(?P<inner>(?:/[^\s:,;\"'|&<>()]*)?)(?=$|[\s:,;\"'|&<>()])", new, word)
    return word


def configured_for(tops: tuple[str, ...], words: list[str], ignored: Iterable[bytes], cwd: str) -> tuple[str, ...]:
    """Returns the directories, relative to `tops[0]`, that are configured for one of `tops`.

    `tops` are spellings of one directory. `ignored` are paths that git ignores, directories with a trailing `/`. `words` is the
    command and `cwd` its directory.
    """
    is_build = bool(words) and os.path.basename(words[0]) in TOOLS
    directories = [os.fsdecode(path).rstrip("/") for path in ignored if path.endswith(b"/")][:MOST]
    # reading all signs for every command would cost time before each start
    if not is_build:
        return tuple(path for path in directories if names_a_top(os.path.join(tops[0], path, CACHE), tops))
    # `cmake --build out` and `ninja -C out` name the directory themselves
    typed = (os.path.normpath(os.path.join(cwd, word)) for word in words[1:] if not os.path.isabs(word))
    # `.` is the source itself, and `../` leads out of the working tree
    configured = [path for path in (*directories, *typed) if path != "." and not path.startswith("../")]
    return tuple(dict.fromkeys(path for one in configured for path in configured_in(tops, one)))


def configured_in(tops: tuple[str, ...], path: str) -> Iterator[str]:
    """Yields `path`, and directories in it, that are configured for one of `tops`."""
    candidate = os.path.join(tops[0], path)
    try:
        inner = [f"{path}/{name}" for name in os.listdir(candidate)[:MOST]]
    except OSError:
        return
    # build trees are often one level down: build/debug, build/release
    for one in (path, *inner):
        if any(names_a_top(os.path.join(tops[0], one, sign), tops) for sign in SIGNS):
            yield one


def names_a_top(file: str, tops: tuple[str, ...]) -> bool:
    """Returns whether the file exists and contains one of the paths."""
    try:
        with open(file, "rb") as stream:
            # CMakeCache.txt: CMAKE_HOME_DIRECTORY:INTERNAL=/home/ann/project
            content = stream.read(LARGEST)
    except OSError:
        return False
    return any(os.fsencode(top) in content for top in tops)
