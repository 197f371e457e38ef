"""The call of a program: argument list, directory and environment."""

from __future__ import annotations

import json
import marshal
import sys
from pathlib import Path

from gitrun import source
from gitrun.dataclass import dataclass, replace
from gitrun.errors import CannotRun, CannotStart, MissingPackage
from gitrun.git.exe import environment_for_programs
from gitrun.lazy import importlib_util
from gitrun.model.run import COMMAND, NOTEBOOK
from gitrun.process.run import Command, capture_output
from gitrun.source.planning import fill_placeholders, flag_variables
from gitrun.source.surroundings import find_surroundings, make_variables, move_words
from gitrun.store.live import LAUNCH_SPEC, NOTEBOOK_SPEC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitrun.model.plan import Plan, Request
    from gitrun.source.interpreter import Interpreter
    from gitrun.source.surroundings import Surroundings
    from gitrun.store.attempts import AttemptHandle
    from gitrun.store.live import Live
    from gitrun.workspace.session import Session
    from gitrun.workspace.workspace import Workspace


# a file beside the notebook must not shadow a module that the runner imports; and until the runner handles SIGINT
# itself, an interrupt must end it without a traceback
RUNNER = (
    "import sys; sys.path[:] = filter(None, sys.path); import signal; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "from gitrun.extras.notebook import run_notebook; run_notebook(sys.argv[1])"
)
# find_spec does not import the module, which would take longer
QUESTION = "import importlib.util as u, sys; sys.exit(u.find_spec('ipykernel_launcher') is None)"

LAUNCHER = Path(__file__).parents[1] / "workspace" / "launcher.py"


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run: its plan, and what is known of it on this machine.

    `python` is the interpreter of a script or notebook, or None for other programs. `around` holds the surroundings of the
    program, if they were inspected already. `stop_after` is in seconds.
    """

    plan: Plan
    python: Interpreter | None = None
    around: Surroundings | None = None
    stop_after: float | None = None
    reads_stdin: bool = True


def program_for(request: Request, plan: Plan, python: Interpreter | None, around: Surroundings | None = None) -> Program:
    """Returns the program of a request. Its time limit is that of the request, or else of the entry."""
    limit = request.stop_after or (plan.definition.stop_after if plan.definition else None)
    return Program(plan, python, around, limit, reads_stdin=not request.background)


def command_for(session: Session, program: Program, attempt: AttemptHandle, workspace: Workspace) -> Command:
    """Returns the process to start. Raises CannotRun if its directory cannot be created."""
    tree, top = workspace.tree, session.git.worktree
    plan = plan_in_workspace(session, program.plan, tree)
    program = replace(program, plan=plan)
    directory = tree / plan.cwd
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStart(f"cannot run in '{plan.cwd}': {error.strerror}") from error
    environ = program_environment(session, plan, attempt)
    # shells and os.path tools trust PWD, which would name the user's directory
    environ["PWD"] = str(directory)
    path = environ.get("PYTHONPATH", "")
    # in the working tree itself all paths are right already
    if top and top != tree:
        around = program.around or find_surroundings(session, plan, program.python)
        path = make_variables(around, environ, top, tree)
        if around.launcher_help.notice:
            session.say(around.launcher_help.notice)
    argv = command_words(plan, attempt.live, tree) if plan.kind == COMMAND else [*plan.command, *plan.arguments]
    if plan.kind == NOTEBOOK:
        argv = notebook_words(session, program, path, environ, attempt.live)
    elif program.python:
        argv = python_words(plan, program.python, attempt.live, tree)
    grace = session.settings.stop_grace
    return Command(argv, directory, environ, attempt.id, program.stop_after, grace, stdin=program.reads_stdin)


def plan_in_workspace(session: Session, plan: Plan, tree: Path) -> Plan:
    """Returns the plan with absolute paths into the working tree replaced by paths into the workspace. Reports each."""
    words_there = move_words([*plan.command, *plan.arguments], session, tree)
    return replace(plan, command=tuple(words_there[: len(plan.command)]), arguments=tuple(words_there[len(plan.command) :]))


def command_words(plan: Plan, live: Live, tree: Path) -> list[str]:
    """Returns the words of a command with its flags. A script with constants to set is started by the launcher."""
    words = replace(plan, command=tuple(fill_placeholders(plan.command, plan.flags))).words
    if not plan.constants:
        return words
    # `python -m pkg.t`: the launcher takes the place of `-m`
    is_module = words[plan.position - 1 : plan.position] == ["-m"]
    start = plan.position - 1 if is_module else plan.position
    return [*words[:start], *launcher_words(plan, live, words[start:], tree)]


def launcher_words(plan: Plan, live: Live, words: list[str], tree: Path) -> list[str]:
    """Returns the words after `python` that start a script (`t.py …`) or module (`-m pkg.t …`) with new constants.

    Writes the constants to `launch.spec`, in marshal format 2, which every CPython reads.
    """
    named = source.hosted_script.module_paths(words[1], plan.cwd) if words[0] == "-m" else []
    paths = (tree / path for path in named)
    script = next((path for path in paths if path.is_file()), tree / plan.cwd / words[0])
    spec = live.directory / LAUNCH_SPEC
    spec.write_bytes(marshal.dumps({"script": str(script), "flags": dict(plan.constants)}, 2))
    return [str(LAUNCHER), str(spec), *words]


def python_words(plan: Plan, python: Interpreter, live: Live, tree: Path) -> list[str]:
    """Returns the words that run a Python script or module, through the launcher only if it has constants to set."""
    words = plan.words[1:]
    return [python.program, *(launcher_words(plan, live, words, tree) if plan.constants else words)]


def notebook_words(session: Session, program: Program, path: str, environ: dict[str, str], live: Live) -> list[str]:
    """Returns the words that execute a notebook. Passes `path` to its kernel only; gitrun's runner gets the user's."""
    environ.pop("PYTHONPATH", None)
    environ |= {name: value for name, value in session.git.environ.items() if name == "PYTHONPATH"}
    return notebook_runner_words(session, program.plan, program.python, path if program.python else "", live.directory)


def program_environment(session: Session, plan: Plan, attempt: AttemptHandle) -> dict[str, str]:
    """Returns the user's environment without git's repository variables, with those that gitrun sets for a program."""
    environ = environment_for_programs(session.git.environ)
    environ |= flag_variables(plan.flags)
    # the entry's variables win over flags, and those of gitrun below over both
    environ |= dict(plan.definition.env) if plan.definition else {}
    environ |= {
        "GITRUN_ID": attempt.run_id,
        "GITRUN_ATTEMPT": attempt.id,
        "GITRUN_METRICS": str(attempt.live.metrics),
        "GITRUN_SEED": str(plan.params.random_seed),
    }
    if plan.params.no_gpus or plan.params.gpus is not None:
        # an empty list hides all devices from CUDA
        environ["CUDA_VISIBLE_DEVICES"] = "" if plan.params.no_gpus else plan.params.gpus or ""
    return environ


def require_runner() -> None:
    """Raises CannotRun if nbclient or nbformat is not installed beside gitrun."""
    if importlib_util.find_spec("nbclient") is None or importlib_util.find_spec("nbformat") is None:
        raise MissingPackage(
            "notebooks need the extra 'notebook' of gitrun", "To install it: pip install 'git-run-tracker[notebook]'"
        )


def require_kernel(session: Session, python: Interpreter) -> None:
    """Raises CannotRun if the user's Python has no ipykernel."""
    try:
        capture_output((python.program, "-c", QUESTION), session.git.environ, session.git.state)
    except CannotRun as error:
        raise MissingPackage(
            f"'{python.program}' has no ipykernel, which notebooks need",
            f"To install it: {python.program} -m pip install ipykernel",
        ) from error


def notebook_runner_words(session: Session, plan: Plan, python: Interpreter | None, path: str, live: Path) -> list[str]:
    """Returns the argv of the runner, and writes its `notebook.json` into `live`, the directory of the run's live state.

    `path` becomes the kernel's PYTHONPATH.
    """
    kernel = [python.program, "-m", "ipykernel_launcher"] if python else []
    if kernel and path:
        # env(1) sets it for the kernel alone: the runner keeps the user's
        kernel = ["env", f"PYTHONPATH={path}", *kernel]
    spec = live / NOTEBOOK_SPEC
    start = {
        "notebook": plan.command[1], "flags": dict(plan.constants), "grace": session.settings.stop_grace,
        "kernel": kernel, "name": "" if python else plan.command[0],
    }  # fmt: skip
    spec.write_text(json.dumps(start))
    # -E: PYTHONPATH and PYTHONHOME are meant for the kernel, which inherits the runner's environment
    return [sys.executable, "-E", "-c", RUNNER, str(spec)]
