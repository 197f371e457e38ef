"""Values of the run pipeline: Source, Plan, Skip, Outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gitrun.model.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gitrun.model.entry import Definition
    from gitrun.model.files import File, Skipped
    from gitrun.model.flags import Flags, Value
    from gitrun.model.params import Params
    from gitrun.model.provenance import Basis, StepRun
    from gitrun.model.run import Run

SCRIPT, PROGRAM, COMMAND, NOTEBOOK, STEPS = "script", "program", "command", "notebook", "steps"
"""Kinds of operation: a Python script, another program of the tree, words, a notebook, a pipeline of steps."""
GITRUN, PYPROJECT = "gitrun.toml", "pyproject.toml"
"""Files that define named operations."""
INTERPRETERS = {".sh": "sh", ".bash": "bash", ".zsh": "zsh", ".R": "Rscript", ".r": "Rscript", ".jl": "julia", ".pl": "perl",
                ".rb": "ruby", ".js": "node", ".lua": "lua", ".m": "octave"}  # fmt: skip
"""Interpreters for files that are not executable, by extension."""


@dataclass(frozen=True, slots=True)
class Source:
    """The source of an attempt: `tree` is the snapshot without `.gitrun`, `base` the commit that HEAD was.

    In `tree`, submodules are commits, as `git add` records them, so that it equals the trees of commits. `content` is the tree
    with their files; it is empty if no submodule has any. `submodules` are pairs of path and commit; nested ones are included
    if there are files.
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
        """Returns the tree with all files that the program sees, including those of submodules."""
        return self.content or self.tree


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is decided before anything is written; `--dry-run` prints it.

    `command` is the argv template: `{python}` stands for the interpreter, `{name}` for a flag. `constants` are module-level
    names that the launcher sets. `arguments` are added after the command, or each after as many of its words as `places` tells.
    `written` maps paths of config files to values that gitrun writes into them. `given` names the flags that the user typed.
    `place` is the index in the command of the script whose constants are set.
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
        """Returns the command with its arguments, before `{python}` and `{name}` are replaced."""
        # without places, all arguments follow the command
        added = list(zip(self.places or (len(self.command),) * len(self.arguments), self.arguments, strict=True))
        return [
            word
            for at in range(len(self.command) + 1)
            for word in (*(text for place, text in added if place == at), *self.command[at : at + 1])
        ]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Returns paths, directories and patterns of files that the result commit keeps even if git ignores them."""
        return (*(self.definition.outputs if self.definition else ()), *self.params.output)

    @property
    def patterns(self) -> tuple[tuple[str, str], ...]:
        """Returns the operation's own patterns for metrics in its output: name and regular expression."""
        return self.definition.metrics if self.definition else ()


FOREIGN = "warning: none of these runs was made or is trusted here. To run it here: leave out --needed"


@dataclass(frozen=True, slots=True)
class Skip:
    """A decision not to run: the run that covers the request, the lines to print, and differences from it."""

    run: Run
    lines: tuple[str, ...]
    source_differs: bool
    lent_changes: tuple[str, ...] = ()
    """Sentences about lent files that have changed since that run."""
    is_foreign: bool = False
    """True if none of the matching runs was made or is trusted here."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Returns warnings: foreign runs, a different source, changed lent files."""
        source = ("the source differs from what was run; --needed-source takes that into account",)
        return (*((FOREIGN,) if self.is_foreign else ()), *(source if self.source_differs else ()), *self.lent_changes)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an attempt: times in UTC, duration in seconds, `exit_status` 0, positive, or minus a signal's number."""

    status: str
    exit_status: int
    started: datetime
    stopped: datetime
    duration: float
    reason: str = ""
    metrics: Metrics = field(default_factory=Metrics)
    files: tuple[File, ...] = ()
    shared: tuple[str, ...] = ()
    """Files that the program changed although they are not the run's own: paths below the top."""
    steps: tuple[StepRun, ...] = ()
    ordered: int = 0
    """Signal that asked gitrun itself to end during the attempt (0: none). Not recorded."""
