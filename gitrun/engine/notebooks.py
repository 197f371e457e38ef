"""How a notebook is executed: a runner with gitrun's own Python, which starts a kernel of the user's."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from gitrun.engine.process import ask
from gitrun.errors import CannotRun

if TYPE_CHECKING:
    from pathlib import Path

    from gitrun.engine.interpreter import Interpreter
    from gitrun.engine.road import Road
    from gitrun.model.plan import Plan

# what lies where the notebook does must not hide a module from the runner, which ends without a word if it is interrupted
# before it listens
RUNNER = (
    "import sys; sys.path[:] = filter(None, sys.path); import signal; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "from gitrun.extras.notebook import main; main(sys.argv[1])"
)
QUESTION = "import importlib.util as u, sys; sys.exit(u.find_spec('ipykernel_launcher') is None)"


def require_runner() -> None:
    """Raises CannotRun if what executes notebooks is not installed beside gitrun."""
    if find_spec("nbclient") is None or find_spec("nbformat") is None:
        raise CannotRun("notebooks need the extra 'notebook' of gitrun", "pip install 'git-run-tracker[notebook]'")


def require_kernel(road: Road, python: Interpreter) -> None:
    """Raises CannotRun if the user's Python has no kernel to execute a notebook with."""
    try:
        ask((python.program, "-c", QUESTION), road.git.environ, road.git.state)
    except CannotRun as error:
        raise CannotRun(
            f"'{python.program}' has no ipykernel, with which it executes notebooks",
            f"{python.program} -m pip install ipykernel",
        ) from error


def notebook_call(road: Road, plan: Plan, python: Interpreter | None, path: str, live: Path) -> list[str]:
    """The words that start the runner; `path` is the kernel's PYTHONPATH, `live` where the run's state is kept."""
    kernel = [python.program, "-m", "ipykernel_launcher"] if python else []
    if kernel and path:
        kernel = ["env", f"PYTHONPATH={path}", *kernel]
    spec = live / "notebook.json"
    start = {
        "notebook": plan.command[1], "flags": dict(plan.constants), "grace": road.settings.stop_grace,
        "kernel": kernel, "name": "" if python else plan.command[0],
    }  # fmt: skip
    spec.write_text(json.dumps(start))
    # PYTHONPATH and PYTHONHOME are for the kernel, which inherits the runner's environment
    return [sys.executable, "-E", "-c", RUNNER, str(spec)]
