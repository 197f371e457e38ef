"""The names in one function of a program that uses argparse, while the function is read."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gitrun.scripts.constant_folding import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gitrun.scripts.argparse_tree import Known

UNKNOWN = ast.Constant(...)
"""An expression that cannot be folded, as a value for a name that is not known."""


@dataclass(slots=True)
class Frame:
    """The names of one function while it is read: parsers, values and expressions."""

    scope: Scope
    known: dict[str, Known] = field(default_factory=dict)
    returned: Known = None

    def with_values(self, values: Mapping[str, object]) -> None:
        """Adds names whose values are known."""
        self.scope = Scope(self.scope.module, {**self.scope.values, **values}, self.scope.nodes)

    def with_node(self, name: str, node: ast.expr) -> None:
        """Adds a name with the expression that it is assigned."""
        # the new expression hides an older value
        values = {key: value for key, value in self.scope.values.items() if key != name}
        self.scope = Scope(self.scope.module, values, {**self.scope.nodes, name: node})

    def forget(self, names: Iterable[str]) -> None:
        """Marks the names as unknown, whatever they were before."""
        for name in names:
            self.with_node(name, UNKNOWN)
