"""`git run [options] <operation> [<flag>=<value>...] [-- <args>]`: starts a run, or another attempt of one."""

from __future__ import annotations

import sys
from datetime import datetime, timezone

from gitrun import commands, lifecycle, model, process, render, workspace
from gitrun.commands import declared
from gitrun.commands.verbs import EPILOG
from gitrun.dataclass import asdict
from gitrun.errors import UsageError
from gitrun.lazy import shlex
from gitrun.model.flags import Typed, split_assignment
from gitrun.model.plan import Request, Skip
from gitrun.model.run import PARENT, short_id
from gitrun.model.settings import parse_duration
from gitrun.model.text import count_text, ending_text, safe_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from gitrun.model.batch_events import BatchEvent
    from gitrun.model.plan import Outcome, StartedRun
    from gitrun.project import Project

ALWAYS = ("operation", "command", "directory", "flags", "source")
"""Rows of a dry run that are printed even if empty."""
FILE = "@"
"""Begins a word that names a file of points."""
HELP = """Runs an operation on exactly the code in your working tree, and records it as refs/runs/<id>.

\b
  git run train.py lr=0.1            a script; its constants and options are flags
  git run opt=adam -- make bench     any program; flags replace {opt} in its words, and set $FLAG_OPT
  git run --restart 3fa2 lr=0.2      another attempt of a run, on the run's own code
  git run --needed train.py lr=0.1   only if no such run exists yet
  git run train.py lr=[0.1,0.01]     a batch: a trial for each value
"""


@declared.command(help=HELP, epilog=EPILOG, context_settings={"max_content_width": 100}, add_help_option=False)
@declared.argument("words", nargs=-1, metavar="[OPERATION] [FLAG=VALUE]... [@FILE]... [-- ARGS...]")
@declared.option(
    "--restart",
    "--start",
    "restart",
    metavar="RUN",
    help="Make another attempt of RUN: an id, a number of the list, or a name.",
)
@declared.option("--module", "-m", metavar="NAME", help="Run a module, as python -m does. A number: --max-trials.")
@declared.option("--needed", is_flag=True, help="Skip if a run with these flags exists.")
@declared.option("--needed-source", is_flag=True, help="Like --needed, and the source must be the same too.")
@declared.option("--force-sourcecode", is_flag=True, help="Restart with the code of the working tree, not the run's own.")
@declared.option(
    "--at", metavar="COMMIT", help="Run the code of COMMIT, or of each in BASE..HEAD; your files stay as they are."
)
@declared.option("--stage", is_flag=True, help="Record the run without starting it.")
@declared.option("--clean", is_flag=True, help="Restart without files that the previous attempt produced.")
@declared.option("--label", "-l", metavar="TEXT", help="Name the run.")
@declared.option("--tag", "-t", "tags", multiple=True, metavar="TEXT", help="Tag the run (repeatable).")
@declared.option("--comment", "-c", metavar="TEXT", help="Add a comment.")
@declared.option("--dry-run", "-n", is_flag=True, help="Show what would run; run nothing.")
@declared.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON: a line for each event of a batch; with --dry-run or --print-trials, the plan.",
)
@declared.option("--edit-flags", is_flag=True, help="Edit the flags in git's editor first.")
@declared.option("--in-place", is_flag=True, help="Run in the working tree itself.")
# None: not given, so that gitrun.bring decides
@declared.option("--bring", is_flag=True, default=None, help="Copy produced files into the working tree.")
@declared.option(
    "--link",
    "links",
    multiple=True,
    metavar="PATH",
    help="Link PATH into the run, instead of recording or copying it (repeatable).",
)
@declared.option("--no-link", is_flag=True, help="Run without the files that git ignores.")
@declared.option(
    "--output",
    "outputs",
    multiple=True,
    metavar="PATTERN",
    help="Keep files that match in the result, even if git ignores them (repeatable).",
)
@declared.option("--stop-after", metavar="DURATION", help="Stop the program after 30s, 5m, 2h or 1h30m.")
@declared.option("--background", is_flag=True, help="Return at once; see git run watch and git run stop.")
@declared.option("--yes", "-y", is_flag=True, help="Answer yes to all questions.")
@declared.option("--gpus", metavar="LIST", help="Show the program only these GPUs, such as 0,1.")
@declared.option("--no-gpus", is_flag=True, default=None, help="Hide all GPUs from the program.")
@declared.option("--random-seed", type=int, metavar="N", help="Set GITRUN_SEED for the program.")
@declared.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME=PATTERN",
    help="Read a metric from the output: the number in the group of PATTERN (repeatable).",
)
@declared.option("--force-flags", is_flag=True, default=None, help="Pass flags that the operation does not declare.")
@declared.option("--version", is_flag=True, help="Print the version of gitrun.")
@declared.option("--optimizer", "-o", metavar="NAME", help="Choose values by grid, random, tpe, gp, cmaes, nsga2 or qmc.")
@declared.option(
    "--opt-flag", "-Fo", "opt_flags", multiple=True, metavar="NAME=VALUE", help="Set an option of the optimizer (repeatable)."
)
@declared.option(
    "--max-trials", type=int, metavar="N", help="Run no more than N trials in all. Default: a whole grid, 20 of a search."
)
@declared.option(
    "--minimize", "-N", multiple=True, metavar="METRIC", help="Search for the smallest METRIC (repeatable). Default: loss."
)
@declared.option("--maximize", "-X", multiple=True, metavar="METRIC", help="Search for the greatest METRIC (repeatable).")
@declared.option("--jobs", "-j", type=int, metavar="N", help="Run N trials at a time.")
@declared.option(
    "--fail-fast", "--fail-on-trial-error", is_flag=True, default=None, help="End a batch at the first trial that fails."
)
@declared.option("--retry-failed", is_flag=True, default=None, help="Restart a batch with its failed trials too.")
@declared.option("--all-trials", is_flag=True, default=None, help="Restart a batch with all its trials.")
@declared.option("--prune", metavar="NAME", help="Stop hopeless trials by median, percentile, halving, hyperband or threshold.")
@declared.option("--gpus-per-trial", type=int, metavar="N", help="Give each trial N of the GPUs of --gpus. Default: 1 a job.")
@declared.option("--quiet-trials", is_flag=True, default=None, help="Show one line for each trial, without its output.")
@declared.option("--learn", metavar="WHICH", help="Let an optimizer learn from these runs: batch, source, operation or none.")
@declared.option("--repeat", type=int, metavar="N", help="Run each point N times, with other seeds; its value is the median.")
@declared.option("--batch-label", metavar="TEXT", help="Name a batch; --label, --tag and --comment are for its trials.")
@declared.option("--stage-trials", is_flag=True, default=None, help="Record all trials of a batch without starting them.")
@declared.option("--on", metavar="ADDRESS", help="Run on a Dask cluster (tcp://HOST:8786, local:4) or by workers of a remote.")
@declared.option("--via", metavar="REMOTE", help="With --on: the git remote that the runs go through.")
@declared.option("--same-env", is_flag=True, help="With --on: refuse workers that have another Python or other packages.")
@declared.option(
    "--resource", "resources", multiple=True, metavar="NAME=AMOUNT", help="With --on: what a worker must have (repeatable)."
)
@declared.option("--print-trials", is_flag=True, help="Show the trials that a batch would start; start none.")
@declared.option("--save-trials", metavar="FILE", help="Write the trials as @FILE reads them; start none.")
@declared.pass_rest
def command(typed: declared.TypedWords, /, words: tuple[str, ...], **options: Any) -> int:  # noqa: ANN401 - click's
    """Starts or restarts a run. Returns the program's exit code, or ours."""
    if options["version"]:
        from importlib.metadata import version  # takes 20 ms, and only --version needs it

        commands.screen.print_line(f"gitrun {version('git-run-tracker')}")
        return 0

    # before the repository is opened: a wrong call is reported outside of one too
    request = build_request(words, typed, options)
    project = commands.selecting.open_project(process.streams.FileStream(1), process.streams.FileStream(2))
    if not (request.operation or request.command) and request.restart is None:
        raise commands.usage_errors.explain_empty_call(project)
    if options["edit_flags"]:
        request = commands.edit_flags.edit_flags(project, request)
    if options["print_trials"] or options["save_trials"] is not None:
        if options["dry_run"]:
            raise UsageError("--dry-run cannot be combined with --print-trials or --save-trials", "Leave out --dry-run")
        return commands.trials.show_trials(
            project, request, file=options["save_trials"], prints=options["print_trials"], as_json=options["as_json"]
        )
    if options["dry_run"]:
        return print_plan(project, request, as_json=options["as_json"])
    if options["as_json"]:
        # `git run --json list`: the option came before the verb
        commands.usage_errors.require_no_verb(request.operation)
        if request.background:
            raise UsageError("--json and --background cannot be combined", "To follow the batch: git run watch --json")
    return start_request(project, request, assumes_yes=options["yes"], as_json=options["as_json"])


def start_request(project: Project, request: Request, *, assumes_yes: bool, as_json: bool) -> int:
    """Starts a run, or a batch that tells its events as JSON. Returns the program's exit code, or ours."""
    asks = commands.screen.can_ask() and not assumes_yes
    prompts = lifecycle.decide.Prompts(
        confirm if asks else lambda question: assume_yes(project, question),
        detach if request.background else None,
        commands.screen.print_event if as_json else None,
    )
    try:
        started = project.start(request, prompts)
    except UsageError as error:
        error.detail = error.detail or commands.usage_errors.explain_options_behind(request)
        raise
    if as_json:
        commands.screen.print_event(closing_event(started))
    if isinstance(started, Skip):
        if not as_json:
            project.tell(started)
        return 0
    return report_outcome(project, request, started.run_id, started.outcome)


def closing_event(started: StartedRun | Skip) -> BatchEvent:
    """Returns the last event of a batch."""
    events, now = model.batch_events, datetime.now(timezone.utc)
    if isinstance(started, Skip):
        return events.BatchEvent(events.SKIPPED, started.run.id, now)
    name = events.BATCH_ENDED if started.outcome else events.BATCH_STAGED
    return events.BatchEvent(name, started.run_id, now, outcome=started.outcome)


def build_request(words: tuple[str, ...], typed: declared.TypedWords, options: dict[str, Any]) -> Request:
    """Builds a request from words and options. Raises UsageError."""
    rest = typed.rest
    if options["module"] and options["module"].isdigit():  # no module has such a name, and -m 20 is Guild's for this
        options = {**options, "module": None, "max_trials": options["max_trials"] or int(options["module"])}
    files = tuple(word.removeprefix(FILE) for word in words if word.startswith(FILE))
    words = tuple(word for word in words if not word.startswith(FILE))
    names = [word for word in words if "=" not in word]
    # Hydra's `+a=1` would count as a flag, and `~a` as an operation
    if any(word.startswith(("+", "~")) for word in words):
        operation = f"-m {options['module']}" if options["module"] else next(iter(names), "")
        own = commands.options.hydra_words(operation, words, options["at"])
        words, rest = tuple(word for word in words if word not in own), (*own, *rest)
        names = [word for word in names if word not in own]
    if options["module"]:
        if names:
            raise UsageError(f"-m {options['module']} and '{names[0]}' cannot be combined")
        names = [f"-m {options['module']}"]
    if len(names) > 1:
        raise commands.usage_errors.explain_stray_word(words, typed)
    flags = {name: Typed(text) for name, text in map(split_assignment, (word for word in words if "=" in word))}
    # the options are named like the fields of a request
    request_options = {name: value for name, value in options.items() if name in Request.__slots__}
    # None: not given, so that a restart keeps the run's own patterns
    request_options["metrics"] = options["metrics"] or None
    request_options["resources"] = options["resources"] or None
    request_options["opt_flags"] = options["opt_flags"] or None
    request_options |= {name: ",".join(options[name]) or None for name in ("minimize", "maximize")}
    request_options["stop_after"] = parse_duration(options["stop_after"]) if options["stop_after"] else None
    if "" in files:
        raise UsageError(f"{FILE} names no file", f"To make a trial of each row of a file: {FILE}points.csv")
    request_options["options_behind"] = list_options_behind(options["module"] or next(iter(names), ""), typed.words)
    return Request(operation=names[0] if names else None, command=rest, flags=flags, points=files, **request_options)


def list_options_behind(operation: str, words: Sequence[str]) -> tuple[str, ...]:
    """Returns the options of `git run` that were typed behind the operation: perhaps they were meant for it."""
    behind = words[words.index(operation) + 1 :] if operation in words else ()
    return tuple(word.partition("=")[0] if word.startswith("--") else word[:2] for word in behind if word.startswith("-"))


def confirm(question: str) -> bool:
    """Asks the user on the terminal. Returns the answer."""
    return commands.screen.ask(f"{question}. Continue?", default=True)


def assume_yes(project: Project, question: str) -> bool:
    """Prints what the question is about, and assumes yes, since nobody is there to answer."""
    project.say(f"note: {question}")
    return True


def detach(run_id: str) -> bool:
    """Prints the run's id and forks. Returns True in the background process."""
    commands.screen.print_line(run_id)
    # a fork copies what is buffered, and both processes would print it
    sys.stdout.flush()
    return process.run.detach()


def report_outcome(project: Project, request: Request, run_id: str, outcome: Outcome | None) -> int:
    """Prints the last line on stderr. Returns the program's exit code; 128 + n for signal n."""
    if outcome is None:
        name = short_id(run_id)
        words = f"run {name} runs in the background. To follow it: git run watch {name}"
        if request.on and not lifecycle.cluster.is_cluster(request.on):
            words = f"run {name} waits for workers. To get results: git run fetch"
        elif request.stage or request.stage_trials or request.on:
            words = f"run {name} is staged. To start it: git run --start {name}"
        project.say(words)
        return 0
    paths = [file.path for file in outcome.files]
    words = f"run {short_id(run_id)} {ending_text(outcome.status, outcome.exit_status, outcome.duration)}"
    if paths:
        words += f", {count_text(len(paths), 'file')}: {', '.join(paths[:3])}{', …' if len(paths) > 3 else ''}"
    project.say(words + (copy_produced(project, request, run_id, outcome) if paths or outcome.steps else ""))
    # subprocess gives -15 for a program that SIGTERM ended, a shell 143
    return outcome.exit_status if outcome.exit_status >= 0 else 128 - outcome.exit_status


def copy_produced(project: Project, request: Request, run_id: str, outcome: Outcome) -> str:
    """Copies produced files into the working tree if that is configured. Returns the text about it."""
    # the files are in the working tree already
    if request.in_place:
        return ""
    if request.bring or (request.bring is None and project.settings.bring):
        results = workspace.checkout.check_out_outputs(project.session(), request, run_id, outcome)
        skipped = [path for result in results for path in (*result.left, *result.gone)]
        count = sum(len(result.done) for result in results)
        return f". Copied: {count_text(count, 'file')}" + (f". Not overwritten: {', '.join(skipped[:3])}" if skipped else "")
    paths = [file.path for file in outcome.files if not file.path.startswith(PARENT)]
    if paths or not outcome.files:
        return f". To get {'it' if len(paths) == 1 else 'them'}: git run checkout {short_id(run_id)}" if paths else ""
    return f". To read it: git run cat {short_id(run_id)} {shlex.quote(outcome.files[0].path)}"


def print_plan(project: Project, request: Request, *, as_json: bool) -> int:
    """Prints the plan of a run without starting it. Returns the exit code."""
    plan = project.plan(request)
    if isinstance(plan, Skip):
        project.tell(plan)
        return 0
    for notice in plan.notices:
        project.say(notice)
    steps = [step.operation for step in plan.definition.steps] if plan.definition else []
    links = list(plan.definition.links) if plan.definition else []
    if as_json:
        source = asdict(plan.source)
        commands.screen.print_json({
            "operation": plan.operation, "command": list(plan.command), "arguments": list(plan.arguments), "cwd": plan.cwd,
            "flags": dict(plan.flags), "given": list(plan.given),
            "params": asdict(plan.params),
            "source": source,
            **render.text.basis_json(plan.basis), "steps": steps, "link": links,
        })  # fmt: skip
        return 0
    # a repository without commits can have runs too
    base = short_id(plan.source.base) if plan.source.base else "no commit"
    rows = [
        ("operation", plan.operation), ("command", " ".join(plan.words)), ("directory", plan.cwd or "."),
        *render.text.label_first("flags", render.text.fold_words(plan.flags.words(plan.given))),
        ("options", " ".join(plan.params.words())),
        ("source", f"{plan.source.tree[:8]} on {base}"),
        *render.text.basis_rows(plan.basis), ("steps", ", ".join(steps)), ("link", ", ".join(links)),
    ]  # fmt: skip
    rows = [row for row in rows if row[1] or row[0] in ALWAYS]
    for name, text in rows:
        commands.screen.print_line(f"{render.text.row_head(name)}{safe_text(text)}".rstrip())
    return 0
