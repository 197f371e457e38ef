"""Run parameters as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Params:
    """Options of a start that are not flags and that a restart reuses.

    The paths in `link` and the patterns in `output` are relative to the top of the repository.
    """

    force_flags: bool = False
    gpus: str | None = None
    max_trials: int | None = None
    maximize: str | None = None
    minimize: str | None = None
    no_gpus: bool = False
    opt_flags: tuple[str, ...] = ()
    optimizer: str | None = None
    random_seed: int | None = None
    link: tuple[str, ...] = ()
    no_link: bool = False
    in_place: bool = False
    output: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    """Patterns for metrics, each as `NAME=PATTERN`."""

    def words(self) -> tuple[str, ...]:
        """Returns the command-line options for workspace, outputs and metrics, as a person types them."""
        return (
            *(("--in-place",) if self.in_place else ()),
            *(word for path in self.link for word in ("--link", path)),
            *(("--no-link",) if self.no_link else ()),
            *(word for pattern in self.output for word in ("--output", pattern)),
            *(word for pattern in self.metrics for word in ("--metric", pattern)),
        )


LATER = frozenset({"link", "no_link", "in_place", "output", "metrics"})
"""Parameters that run.toml has only if they were given: runs made before they existed lack them."""
