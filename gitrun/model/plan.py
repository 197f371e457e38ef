"""Values of the run pipeline: Source, Plan, Skip, StartedRun, Outcome."""

from __future__ import annotations

from gitrun import model
from gitrun.dataclass import dataclass, field
from gitrun.errors import BadValue, UsageError
from gitrun.model.metrics import Metrics
from gitrun.model.run import COMMAND, ENDED, Run, restart_needed, short_id, words_start
from gitrun.model.text import is_text, safe_text, time_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from gitrun.model.batch import BatchDefinition, Trial
    from gitrun.model.entry import Definition
    from gitrun.model.flags import Flags, Value
    from gitrun.model.provenance import Basis, StepRun
    from gitrun.model.run import File, Params, Skipped
    from gitrun.model.settings import Settings
    from gitrun.model.trial_counts import TrialCounts


UNCHANGED = "Skipping run because flags have not changed (--needed specified)"
MATCHES = "Skipping because the following runs match this operation (--needed specified):"
MAX_LISTED = 10
"""Most matching runs that are listed; the rest is only counted."""


PARAMS = ("force_flags", "gpus", "no_gpus", "random_seed", "metrics", "resources")
BATCH_PARAMS = (
    "optimizer", "opt_flags", "max_trials", "minimize", "maximize", "jobs", "fail_fast", "retry_failed", "all_trials",
    "points", "stage_trials", "batch_label", "repeat", "learn",
    "prune", "gpus_per_trial", "quiet_trials",
)  # fmt: skip
"""Options of a request that only a batch takes."""

GITRUN, PYPROJECT = "gitrun.toml", "pyproject.toml"
"""Files that define named operations."""


@dataclass(frozen=True, slots=True)
class Source:
    """The source of an attempt: `tree` is the snapshot without `.gitrun`, `base` the commit that HEAD was.

    In `tree`, submodules are commits, as `git add` records them, so that it equals the trees of commits. `content` is the tree
    with their files; it is empty if no submodule has any. `submodules` are pairs of path and commit; nested ones are included
    if there are files. `is_full` says that a sparse checkout leaves out nothing: the source is a commit that was named.
    """

    tree: str
    base: str | None
    branch: str | None
    dirty: bool = False
    skipped: tuple[Skipped, ...] = ()
    conflicts: tuple[str, ...] = ()
    submodules: tuple[tuple[str, str], ...] = ()
    content: str = ""
    is_full: bool = False

    @property
    def whole(self) -> str:
        """Returns the tree with all files that the program sees, including those of submodules."""
        return self.content or self.tree


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is decided before anything is written; `--dry-run` prints it.

    `command` is the argv template: `{python}` stands for the interpreter, `{name}` for a flag. `constants` are module-level
    names that the launcher sets. `arguments` are added after the command, or each after as many of its words as `positions`
    tells. `config_values` maps paths of config files to values that gitrun writes into them. `given` names the flags that the
    user typed.
    `position` is the index in the command of the script whose constants are set. `worker` names the machine that claimed the
    run, empty for a run that nobody handed out. A trial has the id of its `batch`, its number
    `trial` from 1, and in `sampler` what the sampler keeps with it. The plan of a batch itself has a `batch_definition`.
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
    config_values: Mapping[str, Mapping[str, Value | None]] = field(default_factory=dict)
    positions: tuple[int, ...] = ()
    notices: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    position: int = 0
    batch: str | None = None
    trial: int | None = None
    sampler: Mapping[str, Value] = field(default_factory=dict)
    batch_definition: BatchDefinition | None = None
    worker: str = ""

    @property
    def words(self) -> list[str]:
        """Returns the command with its arguments, before `{python}` and `{name}` are replaced."""
        # without positions, all arguments follow the command
        inserted = list(zip(self.positions or (len(self.command),) * len(self.arguments), self.arguments, strict=True))
        return [
            word
            for at in range(len(self.command) + 1)
            for word in (*(text for position, text in inserted if position == at), *self.command[at : at + 1])
        ]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Returns paths, directories and patterns of files that the result commit keeps even if git ignores them."""
        return (*(self.definition.outputs if self.definition else ()), *self.params.output)

    @property
    def patterns(self) -> tuple[tuple[str, str], ...]:
        """Returns the operation's own patterns for metrics in its output: name and regular expression."""
        return self.definition.metrics if self.definition else ()


FOREIGN_WARNING = "warning: none of these runs was made or is trusted here. To run it here: leave out --needed"


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
        source = ("note: the source has changed since that run. To compare the source too: --needed-source",)
        changes = (f"note: {words}" for words in self.lent_changes)
        return (*((FOREIGN_WARNING,) if self.is_foreign else ()), *(source if self.source_differs else ()), *changes)


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run whose attempt was begun, with its outcome; None if the attempt has not ended: it is staged or in the background."""

    run_id: str
    outcome: Outcome | None


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
    pruned: int | None = None
    """Step after which the batch ended this trial early."""
    counts: TrialCounts | None = None
    trials: tuple[Trial, ...] = ()
    """The trials of a batch, by number; only their numbers, runs, statuses and values are recorded."""
    is_value: bool = False
    """True for a trial whose value the caller computed: there was no program, so there is no exit status."""
    ordered: int = 0
    """Signal that asked gitrun itself to end during the attempt (0: none). Not recorded."""


@dataclass(frozen=True, slots=True)
class Request:
    """A start or restart as asked for. None means not given: a restart keeps the run's value.

    `operation` is a script as typed. `command` holds the words after `--`, which are arguments if there is an operation.
    `flags` maps names to values or to words as typed. `restart` names a run. `stop_after` is in seconds. `links` and `outputs`
    are relative to the current directory. `at` names the commit whose tree is the source, or a range of commits. `minimize`
    and `maximize` are metrics joined by commas. `jobs` is the number of trials at a time. `prune` names a pruner, or is
    `none`. `needs_batch` refuses whatever is no batch. `points` are files with a trial in each row, relative to the current
    directory. `worker` names the machine that executes a run which was handed out. `on` is the address of a cluster, or a
    remote whose workers execute the run; the runs go to a cluster through the remote `via`, and `same_env` refuses workers
    with other packages. `resources` are what a worker must have, each as `NAME=AMOUNT`.
    `options_behind` are the options of git run that were typed behind the operation.
    """

    operation: str | None = None
    command: tuple[str, ...] = ()
    flags: Mapping[str, Any] = field(default_factory=dict)
    restart: str | None = None
    needed: bool = False
    needed_source: bool = False
    force_sourcecode: bool = False
    stage: bool = False
    clean: bool = False
    label: str | None = None
    tags: tuple[str, ...] = ()
    comment: str | None = None
    in_place: bool = False
    bring: bool | None = None
    links: tuple[str, ...] = ()
    no_link: bool = False
    outputs: tuple[str, ...] = ()
    stop_after: float | None = None
    background: bool = False
    force_flags: bool | None = None
    gpus: str | None = None
    no_gpus: bool | None = None
    random_seed: int | None = None
    metrics: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None
    on: str | None = None
    via: str | None = None
    same_env: bool = False
    at: str | None = None
    optimizer: str | None = None
    opt_flags: tuple[str, ...] | None = None
    max_trials: int | None = None
    minimize: str | None = None
    maximize: str | None = None
    jobs: int | None = None
    worker: str = ""
    fail_fast: bool | None = None
    retry_failed: bool | None = None
    all_trials: bool | None = None
    needs_batch: bool = False
    points: tuple[str, ...] = ()
    stage_trials: bool | None = None
    batch_label: str | None = None
    repeat: int | None = None
    learn: str | None = None
    prune: str | None = None
    gpus_per_trial: int | None = None
    quiet_trials: bool | None = None
    options_behind: tuple[str, ...] = ()

    def given_params(self) -> dict[str, Any]:
        """Returns the run parameters that were given."""
        params = {name: getattr(self, name) for name in PARAMS}
        return {name: value for name, value in params.items() if value is not None}

    def lends_files(self, settings: Settings) -> bool:
        """Returns whether the program gets files that are not in the snapshot."""
        return not self.no_link and bool((settings.link and settings.lend) or self.links)

    @property
    def has_annotations(self) -> bool:
        """Returns whether the run gets a label, tags or a comment at its start."""
        return self.label is not None or bool(self.tags or self.comment)

    @property
    def compares(self) -> bool:
        """Returns whether an existing run may make this one unnecessary."""
        return self.needed or self.needed_source

    @property
    def compares_source(self) -> bool:
        """Returns whether only a run with the same source makes this one unnecessary."""
        # who names a commit asks for a run of that commit
        return self.needed_source or self.at is not None


def check_request(request: Request) -> None:
    """Raises UsageError if the request contradicts itself or cannot be recorded."""
    check_words(request)
    check_patterns(request)
    if request.restart is None and not request.operation and not request.command:
        raise UsageError(
            "no operation given",
            "To run a script: git run <script>. To run any program: git run -- <command>. To list the options: git run -h",
        )
    if request.restart is not None and (request.operation or request.command):
        what = request.operation or " ".join(request.command)
        raise UsageError(f"--restart and '{what}' cannot be combined", "To set a flag: NAME=VALUE")
    if request.gpus is not None and request.no_gpus:
        raise UsageError("--gpus and --no-gpus cannot be combined")
    # TOML promises integers of 64 bits
    if request.random_seed is not None and abs(request.random_seed) >= 1 << 63:
        raise BadValue("--random-seed must be a whole number of at most 64 bits")
    if request.in_place and request.restart is not None and not request.force_sourcecode:
        raise UsageError(
            "--restart --in-place would overwrite your working tree",
            "To run the code that is there: --force-sourcecode",
        )
    if (request.stage or request.stage_trials) and (request.background or request.in_place):
        option = "--stage-trials" if request.stage_trials else "--stage"
        raise UsageError(f"{option} cannot be combined with --background or --in-place", "To use these: give them with --start")
    if request.clean and request.restart is None:
        raise UsageError("--clean needs --restart", "A new run never has files of an earlier one")
    if request.links and request.no_link:
        raise UsageError("--link and --no-link cannot be combined")
    if request.at is not None:
        check_commit_request(request)
    check_counts(request)
    check_machines(request)


def check_commit_request(request: Request) -> None:
    """Raises UsageError if the request asks for another source than that of its commit, too."""
    if request.in_place:
        raise UsageError(
            "--at and --in-place cannot be combined: your working tree has other files",
            "To run the commit: leave out --in-place",
        )
    if request.force_sourcecode:
        raise UsageError(
            "--at and --force-sourcecode cannot be combined: each names the code to run",
            "To run your working tree: leave out --at",
        )


def check_counts(request: Request) -> None:
    """Raises BadValue if a number of the request counts nothing."""
    counts = (
        ("max-trials", request.max_trials), ("jobs", request.jobs), ("gpus-per-trial", request.gpus_per_trial),
        ("repeat", request.repeat),
    )  # fmt: skip
    for name, value in counts:
        if value is not None and not 1 <= value < 1 << 31:
            raise BadValue(f"--{name} must be a whole number of at least 1")


def check_machines(request: Request) -> None:
    """Raises UsageError if options about other machines contradict each other."""
    for option, is_given in (("--via", request.via is not None), ("--same-env", request.same_env)):
        if is_given and request.on is None:
            raise UsageError(f"{option} needs --on", "For example: --on tcp://HOST:8786")
    for word in request.resources or ():
        name, _, amount = word.partition("=")
        if not name or not amount:
            raise BadValue(f"--resource takes NAME=AMOUNT, not '{safe_text(word)}'", "For example: --resource GPU=1")


def check_patterns(request: Request) -> None:
    """Raises UsageError if a pattern for a metric cannot find a number."""
    if request.metrics:
        model.metric_patterns.parse_patterns(request.metrics, "--metric")


def check_words(request: Request) -> None:
    """Raises UsageError if a word of the request is not UTF-8."""
    # words that are not UTF-8 have surrogates in Python, which TOML cannot hold
    texts = (request.label, request.batch_label, *request.tags, request.comment, request.gpus, *request.outputs, request.at)
    texts += (request.on, request.via, *(request.resources or ()))
    words = (request.operation, *request.command, *texts)
    # a typed value is not read yet, and holds its words in `text`
    values = (getattr(value, "text", value) for value in request.flags.values())
    for word in (*words, *request.flags, *values):
        if isinstance(word, str):
            require_utf8(word)


def require_utf8(word: str) -> None:
    """Raises UsageError if the word is not UTF-8."""
    if not is_text(word):
        raise BadValue(f"'{safe_text(word)}' is not UTF-8, so it cannot be recorded", "Rename it")


def skip_restart(run: Run, plan: Plan, runs: Sequence[Run], *, same_source: bool, total: int = 0) -> Skip | None:
    """Returns the reason to skip a restart of `run`; None if it is needed.

    `runs` and `total` are as for `skip_start`.
    """
    # a run with an error is always run again
    if run.status not in ENDED:
        return None
    is_same = not restart_needed(run, plan.flags) and not has_other_words(run, plan)
    if is_same and (not same_source or has_same_source(run, plan)):
        return Skip(run, (UNCHANGED,), not has_same_source(run, plan))
    others = [other for other in runs if other.id != run.id]
    return skip_start(plan, others, same_source=same_source, total=total - (len(runs) - len(others)))


def skip_start(plan: Plan, runs: Sequence[Run], *, same_source: bool, total: int = 0) -> Skip | None:
    """Returns the reason to skip a start: runs of the operation ended with the same flags and words. None without one.

    `runs` are newest first. `total` is the number of all runs, if `runs` holds only some of them.
    """
    alike = [
        run
        for run in runs
        # comparing flags costs more than comparing status and operation
        if run.status in ENDED and run.operation == plan.operation and run.flags == plan.flags
        and not has_other_words(run, plan) and (not same_source or has_same_source(run, plan))
    ]  # fmt: skip
    if not alike:
        return None
    # one run with this source is enough to skip without a warning
    differs = not any(has_same_source(run, plan) for run in alike)
    more = max(total - len(runs), 0) + len(alike) - len(alike[:MAX_LISTED])
    lines = (MATCHES, *map(describe_match, alike[:MAX_LISTED]), *((f"  and {more:,} more",) if more else ()))
    return Skip(alike[0], lines, differs)


def has_same_source(run: Run, plan: Plan) -> bool:
    """Returns whether the run has the plan's source, including the files of submodules."""
    return run.attempt.source == plan.source.tree and run.attempt.content == plan.source.content


def has_other_words(run: Run, plan: Plan) -> bool:
    """Returns whether the words after `--` differ; how the script itself is started does not matter."""
    if plan.kind == COMMAND:
        # the words of the entry itself are no words after `--`
        own = len(plan.definition.command) if plan.definition else 0
    else:
        own = words_start(plan.kind, plan.command)
    return run.attempt.command[own:] != plan.command[own:]


def describe_match(run: Run) -> str:
    """Returns the line that lists a matching run."""
    fields = (
        f"[{short_id(run.id)}]",
        safe_text(run.operation),
        time_text(run.attempt.started),
        run.status,
        safe_text(run.attempt.brief_text),
    )
    return "  " + "  ".join(fields).rstrip()
