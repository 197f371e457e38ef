"""What is going to run, and what came of it: the values between the words of a call and the commits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gitrun.model.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gitrun.model.basis import Basis, StepRun
    from gitrun.model.definitions import Definition
    from gitrun.model.files import File, Skipped
    from gitrun.model.flags import Flags, Value
    from gitrun.model.params import Params
    from gitrun.model.run import Run

SCRIPT, PROGRAM, COMMAND, NOTEBOOK, STEPS = "script", "program", "command", "notebook", "steps"
"""Kinds of operation: a Python script, another program of the tree, words, a notebook, other operations in order."""
GITRUN, PYPROJECT = "gitrun.toml", "pyproject.toml"
"""Where operations with a name are defined."""
INTERPRETERS = {".sh": "sh", ".bash": "bash", ".zsh": "zsh", ".R": "Rscript", ".r": "Rscript", ".jl": "julia", ".pl": "perl",
                ".rb": "ruby", ".js": "node", ".lua": "lua", ".m": "octave"}  # fmt: skip
"""What runs a script of that ending if it is not executable itself."""


@dataclass(frozen=True, slots=True)
class Source:
    """The source of an attempt: `tree` is the snapshot without `.gitrun`, `base` the commit it was made from.

    `tree` has submodules as the commits that `git add` would record, so that it equals the trees of commits. `content` has
    their files too (empty: no submodule has any). `submodules` are paths with commits, nested ones too if there are files.
    """

    tree: str
    base: str | None
    branch: str | None
    dirty: bool = False
    skipped: tuple[Skipped, ...] = ()
    conflicts: tuple[str, ...] = ()
    submodules: tuple[tuple[str, str], ...] = ()
    content: str = ""

    @property
    def whole(self) -> str:
        """The tree with all files that the program sees, those of submodules too."""
        return self.content or self.tree


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is decided before anything is written; `--dry-run` prints it.

    `command` is the argv template: `{python}` stands for the interpreter, `{name}` for a flag. `constants` are the
    module-level names that the launcher sets; `arguments` what is added to the words of the command:
    behind them, or each behind as many of them as `places` says. `written` are
    values to be put into the files whose values are flags, by their paths. `given` names the flags that the user typed.
    `place` is where in the words of a command the script stands whose constants are set.
    """

    operation: str
    kind: str
    command: tuple[str, ...]
    cwd: str
    flags: Flags
    params: Params
    source: Source
    created: datetime
    nonce: str
    arguments: tuple[str, ...] = ()
    constants: Mapping[str, object] = field(default_factory=dict)
    staged: bool = False
    clean: bool = False
    carried: tuple[str, ...] = ()
    definition: Definition | None = None
    basis: Basis | None = None
    written: Mapping[str, Mapping[str, Value | None]] = field(default_factory=dict)
    places: tuple[int, ...] = ()
    notices: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    place: int = 0

    @property
    def words(self) -> list[str]:
        """The command with its arguments; `{python}` and the names of flags are not filled in."""
        added = list(zip(self.places or (len(self.command),) * len(self.arguments), self.arguments, strict=True))
        return [
            word
            for at in range(len(self.command) + 1)
            for word in (*(text for place, text in added if place == at), *self.command[at : at + 1])
        ]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Paths, directories and patterns of what goes into the result commit even if git ignores it."""
        return (*(self.definition.outputs if self.definition else ()), *self.params.output)

    @property
    def patterns(self) -> tuple[tuple[str, str], ...]:
        """The operation's own rules for metrics in its output: name and regular expression."""
        return self.definition.metrics if self.definition else ()


FOREIGN = "warning: none of these runs was made or is trusted here. To run it here: leave out --needed"


@dataclass(frozen=True, slots=True)
class Skip:
    """Why nothing is run: the run that makes it unnecessary, the lines that say so, and what of it was another."""

    run: Run
    lines: tuple[str, ...]
    source_differs: bool
    lent_changes: tuple[str, ...] = ()
    """What of the files that were lent to the run is not as it was."""
    is_foreign: bool = False
    """Whether none of the runs that make it unnecessary was made or is trusted here."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What differs although flags and words do not, and whose word it is that nothing needs to be run."""
        source = ("the source differs from what was run; --needed-source takes that into account",)
        return (*((FOREIGN,) if self.is_foreign else ()), *(source if self.source_differs else ()), *self.lent_changes)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended; times in UTC, duration in seconds, exit_status 0, more, or minus a signal's number."""

    status: str
    exit_status: int
    started: datetime
    stopped: datetime
    duration: float
    reason: str = ""
    metrics: Metrics = field(default_factory=Metrics)
    files: tuple[File, ...] = ()
    shared: tuple[str, ...] = ()
    """What the program wrote into files that are not its own: paths below the top."""
    steps: tuple[StepRun, ...] = ()
    ordered: int = 0
    """The signal with which somebody has ordered our own process to end meanwhile (0: nobody has). Not recorded."""
