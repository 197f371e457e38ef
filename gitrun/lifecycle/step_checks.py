"""Checks, before a pipeline starts anything, that each of its steps can run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitrun import lifecycle, source
from gitrun.dataclass import dataclass, replace
from gitrun.errors import UsageError
from gitrun.model.flags import Flags, resolve_flags
from gitrun.model.plan import Request
from gitrun.model.run import STEPS
from gitrun.source.declared_flags import read_declaration
from gitrun.source.operations import step_operation
from gitrun.source.reach import find_lost_flags, require_reach
from gitrun.source.source_tree import open_source

if TYPE_CHECKING:
    from gitrun.git.exe import Git
    from gitrun.git.objects import Objects
    from gitrun.model.entry import Definition, Step
    from gitrun.model.plan import Plan
    from gitrun.source.batch_space import BatchSpace
    from gitrun.source.declared_flags import Declaration
    from gitrun.source.operations import Operation
    from gitrun.workspace.session import Session


def check_steps(session: Session, objects: Objects, request: Request, plan: Plan) -> None:
    """Raises GitrunError if a step of the plan, or a step inside it, cannot run."""
    if plan.definition:
        StepCheck(session, objects, request, plan, {}).check_steps(plan.definition)


def read_step_space(git: Git, declaration: Declaration, step: Step, *, force: bool) -> BatchSpace:
    """Returns the flags of a step: those with one value, and those that make it a batch. Raises UsageError."""
    return source.batch_space.read_batch_space(git, declaration, Request(flags=dict(step.flags)), force=force)


def varies(git: Git, declaration: Declaration, step: Step, *, force: bool) -> bool:
    """Returns whether a step is a batch. Raises UsageError."""
    return bool(read_step_space(git, declaration, step, force=force).space)


def require_in_place(definition: Definition) -> None:
    """Raises UsageError if a run of the entry in the working tree would have to put files there first."""
    if definition.needs or any(one.url for one in definition.inputs):
        raise UsageError(
            f"--in-place would put files that {definition.name} needs into your working tree", "Leave out --in-place"
        )


@dataclass(frozen=True, slots=True)
class StepCheck:
    """The context in which a plan's steps are checked.

    `earlier` has the operations that earlier steps will have run, and whether each is a batch.
    """

    session: Session
    objects: Objects
    request: Request
    plan: Plan
    earlier: dict[str, bool]

    def check_steps(self, definition: Definition) -> None:
        """Raises GitrunError if a step lacks something it needs, or gets a flag that it does not take."""
        tree = open_source(self.objects, self.plan.source.whole)
        for step in definition.steps:
            operation = step_operation(tree, step.operation)
            if operation.definition:
                self.check_entry(operation.definition, step)
            # a value for a needed operation selects its run, and is no flag
            needed = {need.operation for need in operation.definition.needs} if operation.definition else set()
            own = replace(step, flags=tuple(pair for pair in step.flags if pair[0] not in needed))
            declaration = read_declaration(tree, operation)
            declared, force = declaration.with_values(), self.plan.params.force_flags
            space = read_step_space(self.session.git, declaration, own, force=force)
            if space.space:
                self.check_batch(operation, step)
            elif step.options:
                raise UsageError(
                    f"step {step.operation} has options of a batch, and no flag with several values",
                    f'To try values: {{ run = "{step.operation}", flags = {{ NAME = [VALUE, VALUE] }} }}',
                )
            for point in space.probes():
                point_flags: dict[str, Any] = {**space.fixed, **point}
                flags = Flags(resolve_flags(declared.flags, point_flags, operation=operation.name, force=force))
                lost = find_lost_flags(tree, operation, declared, flags)
                require_reach(operation, declared, lost, flags)
            self.earlier[step.operation] = bool(space.space)

    def check_batch(self, operation: Operation, step: Step) -> None:
        """Raises UsageError if a step with several values of a flag cannot be a batch."""
        if operation.kind == STEPS:
            raise UsageError(
                f"step {step.operation} has steps, which take one value for each flag", "Give the list to one of its steps"
            )
        if self.request.in_place:
            raise UsageError(f"step {step.operation} is a batch, which cannot run in the working tree", "Leave out --in-place")
        if name := dict(step.options).get("optimizer"):
            lifecycle.samplers.find_sampler_name(str(name))

    def check_entry(self, definition: Definition, step: Step) -> None:
        """Raises GitrunError if a step's entry lacks a needed run or an input file, or cannot run in place."""
        if self.request.in_place:
            require_in_place(definition)
        for need in definition.needs:
            # the run of an earlier step does not exist yet
            if need.operation not in self.earlier:
                run_name = dict(step.flags).get(need.operation)
                source.dependencies.find_needs(self.session.git, self.objects, need, definition.name, run_name)
            elif self.earlier[need.operation] and not need.takes_batch:
                raise UsageError(
                    f"{definition.name} needs files of one run of {need.operation}, and step {need.operation} is a batch",
                    f'To use its best trial: needs = {{ {need.operation} = {{ best = "loss", files = ["FILE"] }} }}',
                )
            elif need.each and not self.earlier[need.operation]:
                raise UsageError(
                    f"{definition.name} needs each trial of {need.operation}, and step {need.operation} is no batch",
                    f'To make it one: {{ run = "{need.operation}", flags = {{ NAME = [VALUE, VALUE] }} }}',
                )
        for one in definition.inputs:
            source.dependencies.find_input(self.session, self.objects, one, self.plan.source.whole, definition.name)
        self.check_steps(definition)
