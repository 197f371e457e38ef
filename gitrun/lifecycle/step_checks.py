"""Checks, before a pipeline starts anything, that each of its steps can run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitrun import source
from gitrun.errors import UsageError
from gitrun.model.flags import Flags, resolve_flags
from gitrun.source.declared_flags import read_declaration
from gitrun.source.operations import step_operation
from gitrun.source.reach import find_lost_flags, require_reach
from gitrun.source.source_tree import open_source

if TYPE_CHECKING:
    from gitrun.git.objects import Objects
    from gitrun.model.entry import Definition, Step
    from gitrun.model.plan import Plan, Request
    from gitrun.workspace.session import Session


def check_steps(session: Session, objects: Objects, request: Request, plan: Plan) -> None:
    """Raises GitrunError if a step of the plan, or a step inside it, cannot run."""
    if plan.definition:
        StepCheck(session, objects, request, plan, set()).check_steps(plan.definition)


def require_in_place(definition: Definition) -> None:
    """Raises UsageError if a run of the entry in the working tree would have to put files there first."""
    if definition.needs or any(one.url for one in definition.inputs):
        raise UsageError(
            f"--in-place would put files that {definition.name} needs into your working tree", "Leave out --in-place"
        )


@dataclass(frozen=True, slots=True)
class StepCheck:
    """The context in which a plan's steps are checked. `earlier` are the operations that earlier steps will have run."""

    session: Session
    objects: Objects
    request: Request
    plan: Plan
    earlier: set[str]

    def check_steps(self, definition: Definition) -> None:
        """Raises GitrunError if a step lacks something it needs, or gets a flag that it does not take."""
        tree = open_source(self.objects, self.plan.source.whole)
        for step in definition.steps:
            operation = step_operation(tree, step.operation)
            if operation.definition:
                self.check_entry(operation.definition, step)
            # a value for a needed operation selects its run, and is no flag
            needed = {need.operation for need in operation.definition.needs} if operation.definition else set()
            own: dict[str, Any] = {name: value for name, value in step.flags if name not in needed}
            declared = read_declaration(tree, operation).with_values()
            flags = Flags(resolve_flags(declared.flags, own, operation=operation.name, force=self.plan.params.force_flags))
            lost = find_lost_flags(tree, operation, declared, flags)
            require_reach(operation, declared, lost, flags)
            self.earlier.add(step.operation)

    def check_entry(self, definition: Definition, step: Step) -> None:
        """Raises GitrunError if a step's entry lacks a needed run or an input file, or cannot run in place."""
        if self.request.in_place:
            require_in_place(definition)
        for need in definition.needs:
            # the run of an earlier step does not exist yet
            if need.operation not in self.earlier:
                source.dependencies.find_need(
                    self.session.git, self.objects, need, definition.name, dict(step.flags).get(need.operation)
                )
        for one in definition.inputs:
            source.dependencies.find_input(self.session, self.objects, one, self.plan.source.whole, definition.name)
        self.check_steps(definition)
