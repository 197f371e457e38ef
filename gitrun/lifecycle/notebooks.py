"""Starts notebooks: a runner in gitrun's own Python drives a kernel in the user's Python."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from gitrun.errors import CannotRun
from gitrun.process.run import ask

if TYPE_CHECKING:
    from pathlib import Path

    from gitrun.model.plan import Plan
    from gitrun.source.interpreter import Interpreter
    from gitrun.workspace.session import Road

# a file beside the notebook must not shadow a module that the runner imports; and until the runner handles SIGINT
# itself, an interrupt must end it without a traceback
RUNNER = (
    "import sys; sys.path[:] = filter(None, sys.path); import signal; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "from gitrun.extras.notebook import main; main(sys.argv[1])"
)
QUESTION = "import importlib.util as u, sys; sys.exit(u.find_spec('ipykernel_launcher') is None)"


def require_runner() -> None:
    """Raises CannotRun if nbclient or nbformat is not installed beside gitrun."""
    if find_spec("nbclient") is None or find_spec("nbformat") is None:
        raise CannotRun("notebooks need the extra 'notebook' of gitrun", "pip install 'git-run-tracker[notebook]'")


def require_kernel(road: Road, python: Interpreter) -> None:
    """Raises CannotRun if the user's Python has no ipykernel."""
    try:
        ask((python.program, "-c", QUESTION), road.git.environ, road.git.state)
    except CannotRun as error:
        raise CannotRun(
            f"'{python.program}' has no ipykernel, with which it executes notebooks",
            f"{python.program} -m pip install ipykernel",
        ) from error


def notebook_call(road: Road, plan: Plan, python: Interpreter | None, path: str, live: Path) -> list[str]:
    """Returns the argv of the runner, and writes its `notebook.json` into `live`, the directory of the run's live state.

    `path` becomes the kernel's PYTHONPATH.
    """
    kernel = [python.program, "-m", "ipykernel_launcher"] if python else []
    if kernel and path:
        kernel = ["env", f"PYTHONPATH={path}", *kernel]
    spec = live / "notebook.json"
    start = {
        "notebook": plan.command[1], "flags": dict(plan.constants), "grace": road.settings.stop_grace,
        "kernel": kernel, "name": "" if python else plan.command[0],
    }  # fmt: skip
    spec.write_text(json.dumps(start))
    # -E: PYTHONPATH and PYTHONHOME are meant for the kernel, which inherits the runner's environment
    return [sys.executable, "-E", "-c", RUNNER, str(spec)]
