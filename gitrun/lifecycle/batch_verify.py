"""Verifies a batch: executes its best trial, or some of them, again, and makes all proposals once more."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from gitrun import lifecycle, store, views
from gitrun.dataclass import dataclass, replace
from gitrun.errors import CannotVerify, GitrunError, UsageError
from gitrun.git.objects import Objects
from gitrun.lifecycle.batch_trials import read_knowledge, reused_runs, reused_trial, trial_of
from gitrun.lifecycle.trial_queue import lay_points
from gitrun.lifecycle.verify import DIFFERS, REPRODUCED, verify
from gitrun.model.batch import GRID, RANDOM
from gitrun.model.run import COMPLETED, RUNNING, Run, short_id
from gitrun.model.sampling import SearchPoints
from gitrun.model.text import count_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gitrun.lifecycle.verify import Verdict, VerifyRules
    from gitrun.model.batch import BatchDefinition, Proposal, Trial
    from gitrun.workspace.session import Session

LEARNED_FROM = "running"
"""The attribute, of samplers that learn, with the numbers of the trials that ran when a trial was proposed."""


@dataclass(frozen=True, slots=True)
class TrialVerdict:
    """The verdict on a trial of a batch, with its number."""

    number: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class ProposalCheck:
    """The number of proposals that were made again, and the trials whose flags differ. `reason` says why there are none."""

    compared: int = 0
    differing: tuple[int, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BatchVerdict:
    """The verdict on a batch: those on some of its trials, and whether its proposals come out again."""

    run: str
    attempt: str
    trials: tuple[TrialVerdict, ...]
    proposals: ProposalCheck

    @property
    def word(self) -> str:
        """Returns `reproduced` or `differs`."""
        return REPRODUCED if self.is_good else DIFFERS

    @property
    def is_good(self) -> bool:
        """Returns whether no trial and no proposal differs."""
        return not self.proposals.differing and all(trial.verdict.is_good for trial in self.trials)


def verify_batch(session: Session, batch: Run, rules: VerifyRules, *, sample: int | None, seed: int) -> BatchVerdict:
    """Returns the verdict on a batch. Executes its best trial again, or `sample` completed ones, drawn by the seed.

    Shows the output of the programs on stderr. Raises NotTrusted, and CannotRun if a trial cannot be executed again.
    """
    store.trust.require_trusted(session.git, batch)
    definition = views.batches.read_definition(session.git, batch)
    runs = read_runs(session, batch)
    trials = choose_trials(batch, definition, runs, sample, seed)
    check = check_proposals(session, batch, definition, runs)
    verdicts = []
    for number in trials:
        session.say(f"trial #{number}, run {short_id(runs[number].id)}")
        verdicts.append(TrialVerdict(number, verify(session, runs[number], rules)))
    return BatchVerdict(batch.id, batch.attempt.id, tuple(verdicts), check)


def read_runs(session: Session, batch: Run) -> dict[int, Run]:
    """Returns the runs of the trials that are here, by number, with those from before the batch."""
    with store.index.Index(session.git) as index:
        own = {run.attempt.trial: run for run in index.trials_of(batch.id) if run.attempt.trial}
    return own | reused_runs(session, views.batches.read_trials(session.git, batch))


def choose_trials(batch: Run, definition: BatchDefinition, runs: Mapping[int, Run], sample: int | None, seed: int) -> list[int]:
    """Returns the numbers of the trials to execute again. Raises UsageError, CannotVerify if there are none."""
    completed = sorted(number for number, run in runs.items() if run.status == COMPLETED)
    if not completed:
        raise CannotVerify(f"no trial of {short_id(batch.id)} that is here has completed", "To fetch them: git run fetch RUN")
    if sample is not None:
        drawn = random.Random(seed).sample(completed, min(sample, len(completed)))  # noqa: S311 - repeatable, not secret
        return sorted(drawn)
    if len(definition.objectives) != 1:
        count = count_text(len(definition.objectives), "objective") if definition.objectives else "no objective"
        raise UsageError(
            f"batch {short_id(batch.id)} has {count}, so no trial is the best",
            "To verify some trials: --sample 3",
        )
    numbers = {run.id: number for number, run in runs.items()}
    best = views.batches.best_first(runs.values(), definition.objectives[0])
    if not best:
        raise CannotVerify(f"no trial has the metric '{definition.objectives[0].metric}'", "To verify some trials: --sample 3")
    return [numbers[best[0].id]]


def check_proposals(session: Session, batch: Run, definition: BatchDefinition, runs: Mapping[int, Run]) -> ProposalCheck:
    """Makes the proposal of each trial again, from the trials that were known then, and compares the flags."""
    try:
        if reason := find_obstacle(session, batch, definition, runs):
            return ProposalCheck(reason=reason)
        proposals = list(propose_again(session, definition, runs))
    except GitrunError as error:
        return ProposalCheck(reason=error.message)
    points = SearchPoints(definition)
    differing = tuple(
        number
        for number, proposal in proposals
        if proposal is None
        or points.point_key(proposal.flags) != points.point_key(runs[number].flags)
        or (proposal.commit is not None and proposal.commit.tree != runs[number].attempt.source)
    )
    return ProposalCheck(len(proposals), differing)


def find_obstacle(session: Session, batch: Run, definition: BatchDefinition, runs: Mapping[int, Run]) -> str:
    """Returns why proposals cannot be made again as they were; empty if they can. Raises GitrunError."""
    with Objects(session.git) as objects:
        attempts = store.runs.read_attempts(session.git, objects, batch)
        before = [lifecycle.decide.read_definition(objects, replace(batch, attempt=attempt)) for attempt in attempts]
    # more trials of a search change no proposal, and of a grid they do
    same = definition if definition.sampler == GRID else replace(definition, max_trials=None)
    for one in before:
        if replace(one, max_trials=same.max_trials, engine=definition.engine) != same:
            return "a restart has changed what the batch searches for"
    if (engine := lifecycle.samplers.engine_of(definition)) != definition.engine:
        return f"the batch used {definition.engine}, and here is {engine or 'another version'}"
    if definition.sampler in {GRID, RANDOM}:
        return ""
    if definition.learn != "batch":
        return f"the batch has --learn {definition.learn}"
    if missing := [number for number in range(1, max(runs, default=0)) if number not in runs]:
        return f"trial #{missing[0]}, from which the batch learned, is not here"
    return ""


def propose_again(
    session: Session, definition: BatchDefinition, runs: Mapping[int, Run]
) -> Iterator[tuple[int, Proposal | None]]:
    """Yields the number of each trial with its proposal. Raises GitrunError."""
    if definition.sampler == GRID:
        for number, proposal in enumerate(lay_points(definition), 1):
            if number in runs:
                yield number, proposal
        return
    sampler = lifecycle.samplers.make_sampler(definition)
    trials = read_known(session, definition, runs)
    for position, trial in enumerate(trials):
        running = trial.attrs.get(LEARNED_FROM)
        then = running if isinstance(running, list) else []
        history = [replace(one, status=RUNNING, values=()) if one.number in then else one for one in trials[:position]]
        yield trial.number, sampler.propose(trial.number, history)


def read_known(session: Session, definition: BatchDefinition, runs: Mapping[int, Run]) -> Sequence[Trial]:
    """Returns the trials by number, as the sampler saw them."""
    objectives = definition.objectives
    pairs = [
        (trial_of(run, objectives) if run.attempt.trial == number else reused_trial(number, run, objectives), run)
        for number, run in sorted(runs.items())
    ]
    return list(read_knowledge(session, pairs, definition))
