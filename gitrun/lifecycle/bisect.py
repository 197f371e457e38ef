"""Finds the first commit for which a condition on a metric fails, in as few runs as `git bisect` needs."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from gitrun import lifecycle, model, source, store
from gitrun.dataclass import dataclass, replace
from gitrun.errors import CannotBisect, CannotRun, UnknownRun, UsageError
from gitrun.git.objects import Objects
from gitrun.lifecycle.decide import LaunchRequest, Prompts, plan_commit, stamp_now
from gitrun.model.run import COMPLETED, short_id
from gitrun.model.text import count_text, numbers_text
from gitrun.views.gates import Sides, judge_gate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitrun.git.exe import Git
    from gitrun.model.plan import Plan, Request
    from gitrun.model.run import Run
    from gitrun.store.index import Index
    from gitrun.views.gates import Gate, GateResult
    from gitrun.workspace.session import Session


@dataclass(frozen=True, slots=True)
class BisectRequest:
    """A request to bisect: the condition, the run to make at each commit, and the names of the two ends."""

    condition: Gate
    request: Request
    good: str
    bad: str


@dataclass(frozen=True, slots=True)
class JudgedCommit:
    """A commit with the run of its tree and the result of the condition; None, with a reason, if it cannot be judged."""

    commit: str
    run: Run | None
    result: GateResult | None
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Returns whether the condition holds."""
        return self.result is not None and self.result.passed

    @property
    def failed(self) -> bool:
        """Returns whether the condition does not hold; False too if the commit cannot be judged."""
        return self.result is not None and not self.result.passed


@dataclass(frozen=True, slots=True)
class Bisection:
    """The result of a bisection. `failing` is the earliest commit known to fail, `passing` the one that passed before it.

    `candidates` are the commits that may be the first failing one, oldest first: `failing` alone if the search ended, else also
    those that cannot be judged. `started` counts the runs that were made.
    """

    failing: JudgedCommit
    passing: JudgedCommit
    candidates: tuple[str, ...]
    skipped: tuple[JudgedCommit, ...]
    started: int

    @property
    def is_found(self) -> bool:
        """Returns whether one commit is left."""
        return len(self.candidates) == 1


def bisect(session: Session, request: BisectRequest) -> Bisection:
    """Finds the first commit for which the condition fails. Verifies both ends first.

    Reuses completed runs of the same tree, flags and words. Leaves HEAD, index, working tree and `refs/bisect` unchanged.
    Raises CannotBisect if the condition fails at the good end, or holds at the bad one.
    """
    git = session.git
    good, bad = (source.commits.find_commit(git, name) for name in (request.good, request.bad))
    refuse_batch(session, request.request, good)
    bases = find_merge_bases(git, good, bad)
    if bad in bases:
        raise CannotBisect(
            f"--bad {short_id(bad)} is not newer than --good {short_id(good)}", "To search the other way: exchange them"
        )
    judge = Judge(session, request)
    passing = judge.judge_end(good, "good")
    failing = judge.judge_end(bad, "bad")
    # in a straight history the good end is the only one, and judged
    judge.recall(bases)
    for base in bases:
        if judge.judge(base).failed:
            raise CannotBisect(
                f"'{request.condition.text}' fails at commit {short_id(base)}, from which both ends come",
                "To search before it: name an older commit with --good",
            )
    return search(judge, passing, failing)


def refuse_batch(session: Session, request: Request, commit: str) -> None:
    """Raises UsageError if the request gives several values for a flag: no commit would have one result."""
    if not source.planning.may_be_batch(request):
        return
    with Objects(session.git) as objects:
        launch = LaunchRequest(session, replace(request, at=commit), Prompts(), session.git.state, stamp_now())
        if lifecycle.decide.plan_batch_at(launch, objects, commit):
            raise UsageError("bisect takes one value for each flag", "To try several at each commit: git run --at GOOD..BAD")


def search(judge: Judge, passing: JudgedCommit, failing: JudgedCommit) -> Bisection:
    """Judges commits between the two, the best one first, until no other is left."""
    session, git = judge.session, judge.session.git
    judge.recall(rank_commits(git, failing.commit, [passing.commit]))
    passes, skipped = {passing.commit: passing}, dict[str, JudgedCommit]()
    while True:
        ranked = rank_commits(git, failing.commit, passes)
        remaining = [commit for commit in ranked if commit not in skipped]
        if not remaining:
            break
        recalled = next((commit for commit in remaining if judge.is_known(commit)), None)
        if recalled is None:
            most = count_text(most_runs(len(remaining)), "run")
            session.say(f"bisecting: {count_text(len(remaining), 'commit')} left, at most {most}")
        judged = judge.judge(recalled or remaining[0])
        if judged.passed:
            passes[judged.commit] = judged
        elif judged.failed:
            failing = judged
        else:
            skipped[judged.commit] = judged
    # rev-list has the newest first
    order = git.run("rev-list", "--topo-order", failing.commit, *(f"^{one}" for one in passes), "--").decode().split()
    parents = git.run("rev-parse", f"{failing.commit}^@").decode().split()
    before = next((passes[one] for one in (*parents, *reversed(passes)) if one in passes), passing)
    # those on the other side of a later result no longer matter
    relevant = tuple(skipped[one] for one in reversed(order) if one in skipped)
    return Bisection(failing, before, tuple(reversed(order)), relevant, judge.started)


def most_runs(commits: int) -> int:
    """Returns how many runs decide between so many commits and the failing one, if all of them can be judged."""
    return commits.bit_length()


def rank_commits(git: Git, bad: str, goods: Iterable[str]) -> list[str]:
    """Returns the commits that may be the first failing one, without `bad`, those that halve the rest best first."""
    # --bisect itself would also read refs/bisect, which belong to the user's own bisection
    output = git.run("rev-list", "--bisect-all", bad, *(f"^{good}" for good in goods), "--")
    # <commit> (dist=3)
    commits = (line.split()[0] for line in output.decode().splitlines())
    return [commit for commit in commits if commit != bad]


def find_merge_bases(git: Git, one: str, other: str) -> list[str]:
    """Returns the best common ancestors of two commits."""
    return git.attempt("merge-base", "--all", one, other).stdout.decode().split()


class Judge:
    """Judges commits by the runs of their trees, each tree once. `started` counts the runs that it made."""

    def __init__(self, session: Session, request: BisectRequest) -> None:
        self.session = session
        self.started = 0
        self._asked = request
        self._known: dict[str, JudgedCommit] = {}
        self._trees: dict[str, str] = {}
        self._base: Run | None = None

    def judge_end(self, commit: str, end: str) -> JudgedCommit:
        """Judges an end of the search; the first one is what `base` means in the condition.

        Raises CannotBisect if the condition fails at the good end, or holds at the bad one, and GitrunError if it cannot run.
        """
        self.read_trees([commit])
        with store.index.Index(self.session.git) as index:
            run = self.find_run(index, self.plan(commit))
        judged = self.record(commit, run or self.run_commit(commit))
        if judged.result is None:
            raise CannotBisect(f"--{end} {short_id(commit)} cannot be judged: {judged.reason}", advise_on(judged, end))
        if judged.failed == (end == "good"):
            fact, advice = ("fails", "an older commit") if judged.failed else ("holds", "a commit for which it fails")
            raise CannotBisect(
                f"'{self._asked.condition.text}' {fact} at --{end} {short_id(commit)}: {describe_result(judged.result)}",
                f"To name {advice}: --{end}",
            )
        self._base = self._base or judged.run
        return judged

    def judge(self, commit: str) -> JudgedCommit:
        """Judges a commit by the run of its tree, which is made if there is none."""
        tree = self._trees[commit]
        if tree in self._known:
            # another commit may have this tree
            return replace(self._known[tree], commit=commit)
        try:
            return self.record(commit, self.run_commit(commit))
        except (UsageError, CannotRun) as error:
            return self.skip(commit, error.message)

    def is_known(self, commit: str) -> bool:
        """Returns whether the commit can be judged without another run."""
        return self._trees[commit] in self._known

    def recall(self, commits: Sequence[str]) -> None:
        """Judges those of the commits whose trees have suitable runs."""
        self.read_trees(commits)
        with store.index.Index(self.session.git) as index:
            for commit in commits:
                # planning reads the commit's files, so first the cheap question
                if not self.is_known(commit) and index.made_of(self._trees[commit], limit=1):
                    self.recall_commit(index, commit)

    def recall_commit(self, index: Index, commit: str) -> None:
        """Judges a commit by an existing run, if there is a suitable one."""
        try:
            run = self.find_run(index, self.plan(commit))
            if run:
                self.record(commit, run)
        except (UsageError, CannotRun) as error:
            self.skip(commit, error.message)

    def read_trees(self, commits: Sequence[str]) -> None:
        """Reads the ids of the commits' trees."""
        words = ("rev-list", "--no-walk=unsorted", "--no-commit-header", "--format=%H %T", "--stdin")
        lines = self.session.git.run(*words, stdin="".join(f"{one}\n" for one in commits).encode()).decode().splitlines()
        # <commit> <tree>
        self._trees |= dict(line.split() for line in lines) if commits else {}

    def plan(self, commit: str) -> Plan:
        """Plans the run of a commit. Raises UsageError, CannotRun."""
        with Objects(self.session.git) as objects:
            return plan_commit(self.session, objects, replace(self._asked.request, at=commit), stamp_now())

    def find_run(self, index: Index, plan: Plan) -> Run | None:
        """Returns the newest completed run that equals the plan. Prefers those with the metric, and of these a trusted one."""
        candidates = [
            run
            for run in index.made_of(plan.source.tree)
            if run.status == COMPLETED and model.plan.skip_start(plan, (run,), same_source=True)
        ]
        metric = self._asked.condition.metric.removeprefix("metric:")
        candidates = [run for run in candidates if run.metrics.ask(metric) is not None] or candidates
        trusted = next(store.trust.trusted_runs(self.session.git, candidates), None)
        if candidates and trusted is None:
            self.session.say(
                f"warning: run {short_id(candidates[0].id)} was not made here and is not trusted. Its metrics are used"
            )
        return trusted or (candidates[0] if candidates else None)

    def run_commit(self, commit: str) -> Run:
        """Runs the commit to its end. Returns the run. Raises UsageError, CannotRun; KeyboardInterrupt after Ctrl-C."""
        started = lifecycle.launch.start(self.session, replace(self._asked.request, at=commit), Prompts())
        if isinstance(started, model.plan.Skip):
            return started.run
        self.started += 1
        outcome = started.outcome
        if outcome and outcome.reason and outcome.exit_status == -signal.SIGINT:
            raise KeyboardInterrupt
        if outcome and outcome.ordered:
            # it was sent to this process: give it its usual effect
            signal.raise_signal(outcome.ordered)
        with store.index.Index(self.session.git) as index:
            return store.resolve.find_run(index, started.run_id)

    def record(self, commit: str, run: Run) -> JudgedCommit:
        """Judges a commit by a run, and says how."""
        if run.status != COMPLETED:
            return self.skip(commit, f"run {short_id(run.id)} ended with {run.status}", run)
        try:
            result = judge_gate(self._asked.condition, Sides(run.metrics, (self._base or run).metrics))
        except UnknownRun as error:
            return self.skip(commit, f"{error.message} ({short_id(run.id)})", run)
        judged = self._known[self._trees[commit]] = JudgedCommit(commit, run, result)
        verdict = "passed" if judged.passed else "failed"
        self.session.say(f"{verdict}: commit {short_id(commit)}, run {short_id(run.id)}: {describe_result(result)}")
        return judged

    def skip(self, commit: str, reason: str, run: Run | None = None) -> JudgedCommit:
        """Records, and says, that a commit cannot be judged."""
        judged = self._known[self._trees[commit]] = JudgedCommit(commit, run, None, reason)
        self.session.say(f"skipped: commit {short_id(commit)}: {reason}")
        return judged


def advise_on(judged: JudgedCommit, end: str) -> str:
    """Returns what to do about an end that cannot be judged."""
    if judged.run is None:
        return f"To name another commit: --{end}"
    names = ", ".join(judged.run.metrics)
    if judged.run.status == COMPLETED and names:
        return f"Its metrics: {names[:200]}"
    return f"To see its output: git run cat {short_id(judged.run.id)}"


def describe_result(result: GateResult) -> str:
    """Returns the value and the limit of a condition."""
    value, limit = numbers_text([result.value, result.limit])
    return f"{result.metric} is {value}, limit {limit}"
