"""Reads and compares the runs of a repository: the class of `project.runs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitrun import store, views

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from gitrun.git.exe import Git
    from gitrun.model.batch import BatchDefinition, Trial
    from gitrun.model.plan import Source
    from gitrun.model.provenance import Basis, StepRun
    from gitrun.model.run import Attempt, Run
    from gitrun.store.commits import Signature
    from gitrun.store.index import Index
    from gitrun.views.batches import RankedBatch
    from gitrun.views.contents import Change, Content
    from gitrun.views.curves import Curve
    from gitrun.views.diff import Differences, DiffStyle, Pair
    from gitrun.views.family import Family
    from gitrun.views.gates import Checked, Gate
    from gitrun.views.history import Commit, Range
    from gitrun.views.plot_subjects import PlotRequest, PlotSubject
    from gitrun.views.plots import Plot, PlotLook
    from gitrun.views.report import Report
    from gitrun.views.select import Query
    from gitrun.views.watched import RunWatch


class RunReader:
    """Reads what runs contain, compares them, and relates them to commits; writes nothing.

    The one list of what may be asked about runs. The modules of `views` are functions of a repository and an index. Callers
    have neither: this object holds the repository, opens the index (`index`) for a method that needs it, and loads a module
    when one of its functions is first called.
    """

    def __init__(self, repository: Git, index: Callable[[], Index]) -> None:
        self._git, self._index = repository, index

    def list_files(self, run: Run, parts: Iterable[str]) -> Iterator[Content]:
        """Yields the files of the run's last attempt in these parts, as git lists them."""
        return views.contents.list_files(self._git, run, parts)

    def read_family(self, run: Run) -> tuple[Basis | None, tuple[StepRun, ...]]:
        """Returns the basis of the run's last attempt (None: only its source) and the steps that it made. Raises BadRun."""
        return views.lineage.read_family(self._git, run)

    def read_definition(self, batch: Run) -> BatchDefinition:
        """Returns what a batch searches for, and how. Raises BadRun."""
        return views.batches.read_definition(self._git, batch)

    def read_trials(self, batch: Run) -> tuple[Trial, ...]:
        """Returns the trials that the result of a batch names. Raises BadRun."""
        return views.batches.read_trials(self._git, batch)

    def read_bases(self, runs: Sequence[Run]) -> list[Basis]:
        """Returns the basis of each run's last attempt; an empty one if it cannot be read."""
        return views.lineage.read_bases(self._git, runs)

    def read_needs(self, runs: Sequence[Run]) -> list[dict[str, str]]:
        """Returns, for each run, the ids of the runs that its last attempt needed, by operation; none if it cannot be read."""
        return views.lineage.read_needs(self._git, runs)

    def uncommitted_changes(self, attempt: Attempt) -> list[Change]:
        """Returns the differences between the commit that the attempt was made from and its source."""
        return views.contents.uncommitted_changes(self._git, attempt)

    def read_subject(self, commit: str) -> str:
        """Returns the subject of a commit; "" if the repository does not have the commit."""
        return views.history.commit_subject(self._git, commit)

    def read_commit(self, commit: str) -> Commit | None:
        """Returns a commit without its runs; None if the repository does not have it."""
        return views.history.read_commit(self._git, commit)

    def read_author(self, attempt: Attempt) -> str:
        """Returns the author of the attempt as `.mailmap` has it; "" if none is recorded."""
        return views.select.Mailmap(self._git).proper(attempt.author) if attempt.author else ""

    def read_signature(self, attempt: Attempt) -> Signature | None:
        """Returns git's verdict on the signature of the attempt; None if it is unsigned."""
        return store.commits.read_signature(self._git, attempt.id)

    def is_trusted(self, run: Run) -> bool:
        """Returns whether the run's last attempt may be executed here."""
        return store.trust.is_trusted(self._git, run)

    def existing_ids(self) -> Collection[str]:
        """Returns the ids of all runs in this repository, without reading them."""
        return store.refs.tips(self._git).keys()

    def read_curves(self, runs: Iterable[Run], metrics: Collection[str], points: int | None = None) -> list[Curve]:
        """Returns how these metrics went in each run, in at most `points` points that keep each peak (default: 1,000)."""
        return views.curves.read_curves(self._git, runs, metrics, points or views.curves.MOST_POINTS)

    def find_plotted(self, request: PlotRequest) -> PlotSubject:
        """Returns the metrics and runs that the words of a plot mean. Raises UsageError, UnknownRun."""
        with self._index() as index:
            return views.plot_subjects.find_subject(self._git, index, request)

    def plot(self, subject: PlotSubject, look: PlotLook) -> Plot:
        """Returns what a plot of the subject shows. Raises UsageError if nothing of it can be drawn."""
        return views.plots.build_plot(self._git, subject, look)

    def watch(self, runs: Iterable[Run], *, everything: bool = False) -> RunWatch:
        """Returns a watch on these runs and the trials of batches among them, or on everything that runs here."""
        return views.watched.RunWatch(self._git, self._index, runs, everything=everything)

    def replace_paths(self, run: Run, output: bytes) -> bytes:
        """Returns the output with the user's file paths in place of those in the run's workspace."""
        return views.paths.with_user_paths(self._git, run, output)

    def private_directories(self) -> dict[str, str]:
        """Returns the directories that others are not to see, longest first, with what is shown in their place."""
        return views.paths.private_directories(self._git)

    def choose(self, runs: Iterable[tuple[int, Run]], query: Query) -> list[tuple[int, Run]]:
        """Returns the numbered runs that match the query, in its order. Raises UsageError, UnknownRun."""
        return views.select.choose_runs(self._git, runs, query)

    def pair_runs(self, old: Run, new: Run) -> Pair:
        """Returns the pair for two runs."""
        return views.diff.pair_of_runs(self._git, old, new)

    def pair_with_base(self, run: Run) -> Pair:
        """Returns the pair for a run and the commit that it was made from."""
        return views.diff.pair_with_base(self._git, run)

    def pair_with_worktree(self, run: Run, working: Source) -> Pair:
        """Returns the pair for a run and a snapshot of the working tree."""
        return views.diff.pair_with_worktree(self._git, run, working)

    def compare(self, pair: Pair) -> Differences:
        """Returns the differences between the two sides."""
        return views.diff.differences(self._git, pair)

    def diff_source(self, pair: Pair, look: DiffStyle) -> Iterator[bytes]:
        """Yields the lines of `git diff` for the two sources, with the user's diff drivers and settings."""
        return views.diff.diff_source(self._git, pair, look)

    def diff_output(self, pair: Pair, look: DiffStyle) -> Iterator[bytes]:
        """Yields the lines of `git diff` for the outputs of the two runs."""
        return views.diff.diff_output(self._git, pair, look)

    def check(self, gates: Sequence[Gate], name: str | None, base: str | None) -> Checked:
        """Checks the run `name`, or HEAD's latest run if there is no name. Raises UnknownRun if there is nothing to compare."""
        with self._index() as index:
            return views.gates.check_run(self._git, index, gates, name, base)

    def judge(self, run: Run, gates: Sequence[Gate], base: str | None) -> Checked:
        """Checks the run against the gates. Raises UnknownRun if there is nothing to compare, or a metric is missing."""
        with self._index() as index:
            return views.gates.judge_run(self._git, index, run, gates, base)

    def usual_operation(self, gates: Sequence[Gate]) -> str:
        """Returns the operation for which a commit is judged by default. Raises UnknownRun if there is none."""
        with self._index() as index:
            return views.gates.usual_operation(self._git, index, gates)

    def read_history(self, revisions: str, limit: int | None = None, *, most_runs: int = -1) -> Iterator[Commit]:
        """Yields the commits of a commit or a range, newest first, at most `limit`, with `most_runs` runs each (-1: all)."""
        with self._index() as index:
            yield from views.history.read_history(self._git, index, revisions, limit, most_runs=most_runs)

    def read_range(self, words: str | None) -> Range:
        """Returns the range for `BASE..HEAD`, for a commit, or for nothing (HEAD). Raises UsageError."""
        return views.history.read_range(self._git, words)

    def membership_test(self, revisions: str) -> Callable[[Run], bool]:
        """Returns a test that tells whether a run was made of, or from, one of these commits. Raises UsageError."""
        return views.history.membership_test(self._git, revisions)

    def run_before(self, run: Run) -> Run | None:
        """Returns the run of the same operation that was started last before this one; None if it is the first."""
        with self._index() as index:
            return index.run_before(run)

    def build_family(self, run: Run) -> Family:
        """Returns what the run rests on, what rests on it, and its earlier attempts. Raises BadRun."""
        with self._index() as index:
            return views.family.build_family(self._git, index, run)

    def shown_trials(self, batch: Run) -> list[Run]:
        """Returns the trials of a batch that are here, by number, with earlier runs that count as trials. Raises BadRun."""
        with self._index() as index:
            return views.batches.shown_trials(self._git, index, batch)

    def rank_batch(self, batch: Run) -> RankedBatch | None:
        """Returns a batch with its trials that are here; None if it cannot be read, or has none."""
        with self._index() as index:
            return views.batches.rank_batch(self._git, index, batch)

    def build_report(self, subject: Range | Sequence[Run], most_runs: int = -1) -> Report:
        """Returns the report on the commits of a range, with at most `most_runs` runs of each (-1: all), or on some runs."""
        with self._index() as index:
            return views.report.build_report(self._git, index, subject, most_runs)
