"""The public object `Project`: a repository with its runs, built on the packages below it."""

from __future__ import annotations

import _thread
import io
import os
import posixpath
import signal
import sys
from contextlib import ExitStack, contextmanager, suppress
from itertools import compress
from pathlib import Path

from gitrun import git, lifecycle, model, sharing, source, store, upkeep, views, workspace
from gitrun.dataclass import replace
from gitrun.errors import CannotRun
from gitrun.git.exe import open_repository, without_repository_variables
from gitrun.model.settings import read_settings, require_valid
from gitrun.model.text import align_columns, hide_passwords, safe_text
from gitrun.process.environment import copy_environment
from gitrun.process.streams import TextStream, as_stream, close_open_line, protect_terminal
from gitrun.store.live import recorded_runs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any, BinaryIO, TextIO

    from gitrun.lifecycle.attach import LiveOutput
    from gitrun.lifecycle.batch_verify import BatchVerdict
    from gitrun.lifecycle.bisect import Bisection, BisectRequest
    from gitrun.lifecycle.decide import LaunchRequest, Prompts
    from gitrun.lifecycle.search import Search
    from gitrun.lifecycle.trial_preview import TrialPreview
    from gitrun.lifecycle.verify import Verdict, VerifyRules
    from gitrun.model.batch import Batch
    from gitrun.model.lent import Lent
    from gitrun.model.plan import Plan, Request, Skip, Source, StartedRun
    from gitrun.model.run import Attempt, BrokenRun, Run
    from gitrun.model.run_list import Runs
    from gitrun.process.streams import Stream
    from gitrun.sharing.hooks import HookCalls
    from gitrun.sharing.transfer import Sharing
    from gitrun.source.catalog import Offer
    from gitrun.source.draft import Draft
    from gitrun.store.annotations import Change
    from gitrun.store.index import Index
    from gitrun.upkeep.deleted_runs import DeletedRuns
    from gitrun.upkeep.maintenance import Maintenance
    from gitrun.upkeep.run_notes import RunNotes
    from gitrun.views.reader import RunReader
    from gitrun.views.select import Query, Selection
    from gitrun.workspace.checkout import CheckoutRequest, CheckoutResult
    from gitrun.workspace.session import Session


class Project:
    """A git repository and its runs, from any directory of it.

    `environ` is the environment of programs (default: that of this process when they start). Programs and messages write to
    `stdout` and `stderr`, which may be text streams (default: those of this process). `on_progress` is called with the number
    of runs read and the number of all runs while the index is built. Raises NotARepository.

    Decides nothing itself. A method gives its work to one function of a package, with what this object holds: repository,
    settings, streams, index. So a package is loaded on first use, and its functions can be called and tested without a Project.
    """

    def __init__(
        self,
        directory: str | Path = ".",
        *,
        environ: Mapping[str, str] | None = None,
        stdout: Stream | TextIO | None = None,
        stderr: Stream | TextIO | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.git = open_repository(Path(directory).absolute(), copy_environment() if environ is None else environ)
        self._is_given = environ is not None
        self.settings = read_settings(self.git.config)
        # sys.stdout is looked up at each write: notebooks and test runners replace it
        self.stdout: Stream = TextStream(lambda: sys.stdout) if stdout is None else as_stream(stdout)
        self.stderr: Stream = TextStream(lambda: sys.stderr) if stderr is None else as_stream(stderr)
        self._on_progress = on_progress
        self._entered = list[ExitStack]()

    def run(self, operation: str | Path | None = None, **options: Any) -> Run:  # noqa: ANN401 - each has a type of its own
        """Runs an operation, or another attempt of a run (`restart=`), to its end. Returns the run.

        The program's output appears on stdout and stderr of this process. If `needed` finds that a run covers the request,
        gitrun says so and returns that run. A failing program raises nothing: see `status`. Raises GitrunError if nothing could
        run or be recorded, UsageError if an option is invalid (nothing was written). Raises KeyboardInterrupt, once the run is
        recorded, if Ctrl-C ended it. SIGTERM and SIGHUP have their usual effect after that.

        flags: names with values. command: the words of a program, or arguments of the operation.
        restart: a run, its number in the list, or a name.
        at: a commit whose code to run instead of that of the working tree; with `needed` only runs of that code count.
        force_sourcecode: restart with the code of the working tree. clean: restart without the files of earlier attempts.
        needed, needed_source: skip if a run has these flags, or these flags and this source. stage: do not start it.
        label, tags, comment: texts; one tag or several. stop_after: seconds, or a text such as "1h30m".
        in_place: in the working tree itself. links: paths to link into the workspace. no_link: link no ignored files.
        outputs: patterns of files that the result keeps even if git ignores them.
        gpus: the GPUs that the program sees, such as "0,1". no_gpus: it sees none. random_seed: a whole number.
        on: the address of a Dask cluster, or a git remote whose workers run it. via: the remote that its runs go through.
        same_env: refuse workers with other packages. resources: what a worker must have, such as {"GPU": 1}.
        force_flags: accept undeclared flags. bring: copy produced files into the working tree.

        A flag whose value is a list, or made by `gitrun.choice`, `range_`, `uniform` or `loguniform`, makes a batch. Its
        options are those of `batch`, and `run` returns the run of the batch. A flag that holds a list by itself takes a list as
        one value, and a list of lists as a batch.
        """
        return self._run_to_end(model.api_request.request_from(operation, options))

    def batch(self, operation: str | Path | None = None, **options: Any) -> Batch:  # noqa: ANN401 - each has a type of its own
        """Runs a batch, or goes on with one (`restart=`), until all its trials have ended. Returns it with its trials.

        Takes the options of `run` and those below. Prints and raises as `run` does; a failed trial raises nothing. Raises
        UsageError if no flag has several values, or if `restart` names a run that is no batch.

        optimizer: how values are chosen: "grid" for lists, or "random", "tpe", "gp", "cmaes", "nsga2", "qmc".
        opt_flags: settings of the optimizer, such as {"n_startup_trials": 5}. max_trials: the total number of trials.
        minimize, maximize: the metric that a search is after, such as "loss"; several in a list. jobs: trials at a time.
        fail_fast: end at the first trial that fails. needed: a trial with the flags of an earlier run is not run again.
        retry_failed, all_trials: restart with failed trials too, or with all of them.
        prune: what stops hopeless trials: "median", "percentile", "halving", "hyperband" or "threshold"; "none" in a restart.
        gpus_per_trial: how many of `gpus` each trial gets. quiet_trials: show no output of trials.
        """
        request = replace(model.api_request.request_from(operation, options), needs_batch=True)
        return self.read_batch(self._run_to_end(request))

    def search(
        self,
        operation: str | Path | None = None,
        space: Mapping[str, object] | None = None,
        **options: Any,  # noqa: ANN401 - each has a type of its own
    ) -> Search:
        """Returns a batch whose trials this program asks for one at a time, and runs or computes itself.

            for trial in project.search("train.py", {"lr": gitrun.loguniform(1e-4, 1)}, minimize="loss", max_trials=20):
                trial.run()                         # or: trial.tell(compute(trial.flags["lr"]))

        `space` gives flags and their values, as `flags` does for `batch`. The options are those of `batch`, without `jobs`;
        `restart` goes on with a batch. Nothing is recorded before the first trial is asked for. Leaving the loop by `break` or
        an error records the batch. After that, or after this process was killed, a restart goes on with it. Raises UsageError.
        """
        if space is not None:
            options["flags"] = {**(options.get("flags") or {}), **space}
        request = replace(model.api_request.request_from(operation, options), needs_batch=True)
        return lifecycle.search.Search(self, request)

    def read_batch(self, run: Run) -> Batch:
        """Returns a batch, given by its own run, with its trials as they are now. Raises BadRun if the run is no batch."""
        with self.index() as index:
            return views.batches.read_batch(self.git, index, run)

    def _run_to_end(self, request: Request) -> Run:
        """Runs a request as `run` does."""
        started = self.start(request)
        if isinstance(started, model.plan.Skip):
            self.tell(started)
            return started.run
        run_id, outcome = started.run_id, started.outcome
        for path in (
            path
            for copied in workspace.checkout.check_out_outputs(self.session(), request, run_id, outcome)
            for path in (*copied.left, *copied.gone)
        ):
            self.say(f"note: not overwritten: {path}")
        if outcome and outcome.reason and outcome.exit_status == -signal.SIGINT:
            raise KeyboardInterrupt  # so that Ctrl-C also ends a loop over runs
        if outcome and outcome.ordered:
            signal.raise_signal(outcome.ordered)  # it was sent to this process: give it its usual effect
        return self.find(run_id)

    def tell(self, skip: Skip) -> None:
        """Prints why nothing was run on stdout, and what differs from the earlier run on stderr."""
        self.stdout.write("".join(f"{line}\n" for line in skip.lines).encode(errors="replace"))
        for words in skip.warnings:
            self.say(words)

    def start(self, request: Request, prompts: Prompts | None = None) -> StartedRun | Skip:
        """Starts a request. Returns the run with its outcome, or the reason to skip.

        The outcome is None if the attempt has not ended: it is staged or in the background. Raises GitrunError.
        """
        self.recover()
        if request.on is not None:
            return lifecycle.cluster_launch.start(self.session(), request, prompts or lifecycle.decide.Prompts())
        return lifecycle.launch.start(self.session(), request, prompts or lifecycle.decide.Prompts())

    def plan(self, request: Request) -> Plan | Skip:
        """Returns the plan that `start` would carry out, or the reason to skip; moves no ref. Raises GitrunError."""
        with self._looking(request) as launch:
            decision = lifecycle.decide.decide(launch)
        return decision if isinstance(decision, model.plan.Skip) else decision.plan

    def list_trials(self, request: Request) -> TrialPreview | None:
        """Returns the trials that `start` would run if the request asks for a batch, else None; moves no ref.

        Raises GitrunError.
        """
        with self._looking(request) as launch:
            return lifecycle.trial_preview.preview_trials(launch)

    @contextmanager
    def _looking(self, request: Request) -> Iterator[LaunchRequest]:
        """Returns a context with what a decision about the request needs, if nothing is to be written."""
        model.plan.check_request(request)
        session, prompts = self.session(), lifecycle.decide.Prompts()
        lifecycle.decide.require_worktree(session, request)
        # process and thread in the name keep two plans from sharing an index
        with source.snapshot.private_index(self.git, f"plan.{os.getpid()}.{_thread.get_ident()}") as index:
            yield lifecycle.decide.LaunchRequest(session, request, prompts, index, lifecycle.decide.stamp_now(), looks=True)

    def bisect(self, request: BisectRequest) -> Bisection:
        """Finds the first commit for which a condition fails, and runs the commits that decide it. Raises GitrunError."""
        model.plan.check_request(request.request)
        self.recover()
        return lifecycle.bisect.bisect(self.session(), request)

    def list_runs(self) -> Runs:
        """Returns all valid runs, newest attempt first: a list, which a notebook shows as a table."""
        with self.index() as index:
            return model.run_list.Runs(index.readable_runs())

    def runs_frame(self, *names: str, where: str | None = None) -> Any:  # noqa: ANN401 - pandas has types only where it is
        """Returns runs as a data frame of pandas, newest first: those of these names, or all that match `where`.

        Without both, all runs. A batch has a row for each trial, and one for itself only if it is named. Columns are `id`,
        `operation`, `status`, `started` and the like; `flag.NAME` and `metric.NAME` hold the flags and the last values of
        metrics. Raises MissingPackage, UnknownRun.
        """
        selected = self.select(names, views.select.Query(expression=where, flat=True)).runs
        # the flags of a batch are texts such as [0.1,0.01], beside numbers of its trials
        return views.frames.make_frame([run for _, run in selected if names or run.attempt.kind != model.run.BATCH])

    def list_all(self) -> list[Run | BrokenRun]:
        """Returns all runs, newest attempt first, followed by broken ones."""
        with self.index() as index:
            return list(index.newest().runs)

    def find(self, name: str) -> Run:
        """Returns the run of that name: id, `runs/<id>`, number in the list, operation or label.

        Raises UnknownRun, BadRun.
        """
        with self.index() as index:
            return store.resolve.find_run(index, name, self.git.prefix)

    def select(self, names: Sequence[str] = (), query: Query | None = None, limit: int = -1) -> Selection:
        """Returns the numbered runs that match the names and the query, at most `limit` (negative: all).

        Names are ids, numbers and ranges such as `2:5`; none means all runs. Without names and query, trials of batches are
        left out. Raises UnknownRun, UsageError.
        """
        with self.index() as index:
            selection = views.select.select_runs(index, self.git, names, query or views.select.Query(), limit)
        for note in selection.notes:
            self.say(note)
        return selection

    def trials(self, batch: Run) -> list[Run]:
        """Returns the trials of a batch that are here, by number."""
        with self.index() as index:
            return index.trials_of(batch.id)

    def trials_of(self, runs: Sequence[Run | BrokenRun]) -> list[Run]:
        """Returns the trials of the batches among these runs, without those that are among them already."""
        batches = [run for run in runs if isinstance(run, model.run.Run) and run.attempt.kind == model.run.BATCH]
        run_ids = {run.id for run in runs}
        return [trial for batch in batches for trial in self.trials(batch) if trial.id not in run_ids]

    def count_running(self) -> int:
        """Returns the number of runs that are running on this machine. Reads no run."""
        return len(store.live.live_runs(self.git.state))

    def broken(self) -> list[BrokenRun]:
        """Returns the refs under refs/runs that are not valid runs."""
        with self.index() as index:
            return index.broken()

    def author(self) -> str:
        """Returns git's author identity here: `Name <address>`."""
        # Ann <ann@example.org> 1700000000 +0100
        return os.fsdecode(self.git.run("var", "GIT_AUTHOR_IDENT")).rpartition(">")[0] + ">"

    @property
    def config(self) -> Mapping[str, tuple[str, ...]]:
        """Returns git's configuration here: each setting with all its values."""
        return self.git.config

    def require_settings(self, *names: str) -> None:
        """Raises UsageError if one of these settings of gitrun is invalid."""
        require_valid(self.git.config, names)

    def find_colour(self, setting: str, default: str = "") -> str | None:
        """Returns the escape sequence of a colour setting, or of `default` if it is unset; None if git knows no such colour."""
        result = self.git.attempt("config", "--get-color", setting, default)
        return None if result.returncode or default.startswith("-") else result.stdout.decode()

    def path_from_top(self, path: str) -> str:
        """Returns a path relative to the directory of this object as a path from the top of the repository."""
        return posixpath.normpath(self.git.prefix + path)

    def edit_text(self, name: str, text: str) -> str:
        """Opens `text`, as a file of this name, in git's editor. Returns the edited text. Raises GitFailed."""
        return git.exe.edit_text(self.git, name, text)

    def is_commit(self, name: str) -> bool:
        """Returns whether git knows the name as a commit or a range of commits."""
        return views.history.is_commit(self.git, name)

    def resolve_name(self, name: str) -> str:
        """Returns the id of the object to which git resolves the name. Raises GitFailed."""
        return self.git.run("rev-parse", "--verify", "--end-of-options", name).decode().strip()

    def list_operations(self, names: Sequence[str] = (), *, from_top: bool = False, at: str | None = None) -> list[Offer]:
        """Returns the operations of these names in the working tree; without names, those that `git run ops` lists.

        Names of scripts are relative to the directory of this object, or to the top of the repository. With `at`, returns
        those of the names in this commit. Raises GitrunError.
        """
        here = replace(self.git, prefix="") if from_top else self.git
        return source.catalog.list_offers(here, names) if at is None else source.catalog.list_offers_at(here, names, at)

    def note_other_tools(self) -> list[str]:
        """Returns a note for each file at the top with which another tool runs things."""
        return source.catalog.note_other_tools(self.git)

    def init_operations(self, files: Sequence[str] = ()) -> Draft:
        """Writes gitrun.toml from these files of other tools (default: from the first one there is, or from the scripts).

        Executes nothing. Returns the operations, and what has no equal there. Raises UsageError if there is a gitrun.toml.
        """
        return source.new_project_file.init_project_file(self.git, files)

    def index(self) -> Index:
        """Opens an index of all runs at this moment; use it in a `with`."""
        self.recover()
        return store.index.Index(self.git, self._on_progress)

    def __enter__(self) -> Project:
        """Keeps git processes waiting for the next run, and uses an unchanged workspace as it is, until the `with` ends."""
        stack, git_before = ExitStack(), self.git
        kept = stack.enter_context(git.exe.keep_processes(self.git))
        if kept.processes:
            stack.enter_context(kept.processes.remembering(together=False))
        stack.callback(setattr, self, "git", git_before)
        self.git = kept
        self._entered.append(stack)
        return self

    def __exit__(self, *_: object) -> None:
        self._entered.pop().close()

    def recover(self) -> None:
        """Finishes the runs of this repository whose supervisor died on this machine."""
        # usually there are none, and the modules that recover are not imported
        if recorded_runs(self.git.state):
            lifecycle.recover.recover(self.session())

    def attempts(self, run: Run) -> tuple[Attempt, ...]:
        """Returns all attempts of the run, oldest first."""
        with git.objects.Objects(self.git) as objects:
            return store.runs.read_attempts(self.git, objects, run)

    def environment(self, run: Run) -> dict[str, Any]:
        """Returns the recorded environment of the run's last attempt."""
        record = workspace.run_files.read_object(self.git, f"{run.attempt.id}:{model.record_files.ENV}")
        return model.decode.parse_toml(record, model.record_files.ENV) if record is not None else {}

    def lent(self, run: Run) -> tuple[tuple[Lent, ...], tuple[str, ...]]:
        """Returns the ignored files lent to the run's last attempt, and sentences about those changed since."""
        with git.objects.Objects(self.git) as objects:
            entries = store.outputs.lent_record(objects, run.attempt.id) or ()
        top = self.git.worktree
        return entries, workspace.lending.lent_changes(top, entries, self.settings, self.git.state) if top and entries else ()

    def working_snapshot(self) -> Source:
        """Takes the snapshot of the working tree that a run started now would have. Raises CannotRun."""
        self.git.require_top()
        with (
            git.objects.Objects(self.git) as objects,
            source.snapshot.private_index(self.git, f"look.{os.getpid()}.{_thread.get_ident()}") as index,
        ):
            choice = source.snapshot.SnapshotOptions(self.settings)
            snapshot = source.snapshot.take_snapshot(self.git, objects, index, choice)
            if snapshot and snapshot.source.submodules and self.settings.submodules == "files":
                # a run has files in place of the commits of submodules, which gives another tree
                snapshot = source.submodules.add_submodule_files(self.git, objects, snapshot, choice)
        if snapshot is None:  # only the command line asks the user to go on
            raise CannotRun("the working tree cannot be recorded")
        return snapshot.source

    def read_file(self, run: Run, what: str, path: str | None = None) -> bytes:
        """Returns the bytes of a file of the run: its `output`, its `flags`, or the file at `path`.

        With `what` = "source", reads from the last attempt's source, otherwise from its result. Raises UnknownRun.
        """
        sink = io.BytesIO()
        self.copy_file(run, what, path, sink)
        return sink.getvalue()

    def copy_file(self, run: Run, what: str, path: str | None, sink: BinaryIO) -> None:
        """Writes to `sink` what `read_file` returns; copies large files kept outside git in pieces."""
        workspace.run_files.copy_run_file(self.git, run, what, path, sink)

    def bring(self, run: str, request: CheckoutRequest | None = None) -> CheckoutResult:
        """Copies files of the run into the working tree: all that it produced, or those of `request`."""
        return workspace.checkout.check_out_files(self.git, self.find(run), request or workspace.checkout.ALL_FILES)

    def mark(self, run: Run, *, marked: bool = True) -> bool:
        """Marks the run as the one that its operation's name means, or unmarks it. Returns whether that changed it."""
        return bool(self.mark_runs([run])[0] if marked else self.unmark_runs([run]))

    def mark_runs(self, runs: Sequence[Run]) -> tuple[list[str], list[Run]]:
        """Marks the runs. Returns the ids of those that were unmarked before, and the runs that lost their mark to them."""
        with self.index() as index:
            return store.annotations.mark_runs(self.git, index, runs)

    def unmark_runs(self, runs: Sequence[Run]) -> list[str]:
        """Unmarks the runs. Returns the ids of those that were marked. Raises UnknownRun, StaleRun."""
        return store.annotations.unmark_runs(self.git, runs)

    def annotate(self, runs: Iterable[Run], change: Change, subject: str) -> list[str]:
        """Applies `change` to the annotations of the runs, with `subject` for the commits. Returns changed ids."""
        return store.annotations.annotate_many(self.git, [run.id for run in runs], change, subject)

    def runs_to_delete(self, names: Sequence[str], query: Query) -> list[Run | BrokenRun]:
        """Returns the runs that `select` finds, and broken runs named by their ids. Raises UnknownRun, UsageError."""
        with self.index() as index:
            broken = store.trash.find_unreadable(index, names)
        # a broken run has nothing that a query could match
        rest = [name for name in names if name not in broken]
        sound = [run for _, run in self.select(rest, query).runs] if rest or not broken else []
        return [*sound, *broken.values()]

    @property
    def runs(self) -> RunReader:
        """Returns the part that reads and compares runs."""
        return views.reader.RunReader(self.git, self.index)

    @property
    def trash(self) -> DeletedRuns:
        """Returns the part for deleted runs."""
        return upkeep.deleted_runs.DeletedRuns(self.git)

    @property
    def notes(self) -> RunNotes:
        """Returns the part for `refs/notes/runs`."""
        return upkeep.run_notes.RunNotes(self.git, self.index)

    @property
    def upkeep(self) -> Maintenance:
        """Returns the part that cleans up and repairs."""
        return upkeep.maintenance.Maintenance(self.session, self.recover, self.list_runs)

    @property
    def sharing(self) -> Sharing:
        """Returns the object that exchanges runs with other repositories."""
        return sharing.transfer.Sharing(self.git, self.settings)

    @property
    def hooks(self) -> HookCalls:
        """Returns the part for git hooks."""
        return sharing.hooks.HookCalls(self.git, self.settings)

    def verify(self, run: Run, rules: VerifyRules, *, keep: bool = False) -> Verdict:
        """Executes the run's last attempt again and compares the outcome; `keep` records it as one more attempt.

        Raises CannotRun.
        """
        return (lifecycle.verify.verify_and_keep if keep else lifecycle.verify.verify)(self.session(), run, rules)

    def verify_batch(self, batch: Run, rules: VerifyRules, *, sample: int | None = None) -> BatchVerdict:
        """Executes the best trial of a batch again, or some completed ones, and makes the proposals of all trials again.

        Raises UsageError, CannotRun.
        """
        seed = lifecycle.decide.stamp_now().seed
        return lifecycle.batch_verify.verify_batch(self.session(), batch, rules, sample=sample, seed=seed)

    def stop(self, run: Run, *, wait: bool = True, soft: bool = False) -> None:
        """Ends a run that is running on this machine; `wait` blocks until it has ended. Raises CannotRun.

        If `soft`, a batch or pipeline starts nothing more, and ends with what runs now. Raises UsageError for other runs.
        """
        if soft:
            lifecycle.attach.stop_softly(self.git, run)
        else:
            lifecycle.attach.stop_run(self.git, run.id)
        if wait:
            lifecycle.attach.wait_for_end(self.git, run.id)

    def watch(self, run: Run, stream: Stream) -> Run:
        """Shows a run's output until it ends, or the recorded output. Returns the run afterwards."""
        # the run may end before this process can follow it; its output is then in a result that `run` does not know
        if not lifecycle.attach.follow_output(self.git, run.id, stream):
            with protect_terminal(stream) as protected:
                protected.write(self.read_file(self.find(run.id), "output"))
        return self.find(run.id)

    def live_output(self, run: Run) -> LiveOutput:
        """Returns the output of a running run, to be read while it is written."""
        return lifecycle.attach.LiveOutput(self.git.state, run.id)

    def watch_remote(self, run: Run, remote: str, stream: Stream) -> Run:
        """Shows the output of a run that a worker of a remote executes, until it ends. Returns the run afterwards.

        The worker reports it there at most every `gitrun.progressInterval` seconds. Raises GitFailed.
        """
        # anybody who can push to the remote can write a report
        with protect_terminal(stream) as protected:
            lifecycle.remote_runs.follow_output(self.session(), remote, run.id, protected)
        return self.find(run.id)

    def stop_remote(self, run: Run, remote: str) -> None:
        """Asks the worker that executes a run to stop it. Raises NotRunning, GitFailed."""
        lifecycle.remote_runs.stop_run(self.session(), remote, run)

    def print_runs(self, *, flags: bool = False, status: bool = False, among: Iterable[Run] | None = None) -> None:
        """Prints a line for each run, newest attempt first: operation, flags, status, in aligned columns."""
        runs = self.list_runs() if among is None else among
        rows = [compress((safe_text(run.operation), run.flags.text(), run.status), (True, flags, status)) for run in runs]
        for line in align_columns([list(row) for row in rows]):
            print(line)

    def session(self) -> Session:
        """Returns the session of one command: repository, settings, output streams."""
        # os.environ may have changed since this object was made
        git = self.git if self._is_given else replace(self.git, environ=without_repository_variables(copy_environment()))
        return workspace.session.Session(git, self.settings, self.stdout, self.stderr, self.say)

    def say(self, words: str) -> None:
        """Prints a message of gitrun on stderr, escaped and without passwords."""
        line = f"gitrun: {safe_text(hide_passwords(words))}\n".encode()
        with suppress(BrokenPipeError):  # a closed stderr must not end the run
            # a progress bar of the program leaves its line open
            self.stderr.write(close_open_line(self.stderr, self.stdout) + line)
