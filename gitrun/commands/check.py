"""`git run check`: a gate for the metrics of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gitrun.commands.opening import open_project
from gitrun.commands.render import out, print_json, run_json, table
from gitrun.commands.telling import words_of
from gitrun.errors import UsageError
from gitrun.model.gates import read_gate
from gitrun.model.refs import short
from gitrun.model.text import numbers_text, safe_text
from gitrun.views.checking import check

if TYPE_CHECKING:
    from gitrun.model.gates import Judged
    from gitrun.views.checking import Checked


@click.command(add_help_option=False)
@click.argument("name", required=False, metavar="[RUN]")
@click.option("--metric", "metrics", multiple=True, metavar="GATE", help="What must hold: 'loss<=base*1.02' (repeatable).")
@click.option("--base", metavar="REV|RUN", help="Compare with this run, or the latest completed one of this commit.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(name: str | None, *, metrics: tuple[str, ...], base: str | None, as_json: bool) -> int:
    r"""Says whether metrics of a run (default: the latest of HEAD) are within limits: exit 0 or 1, 128 if there are none.

    In a limit, base is the same metric of the latest completed run of the operation that was made of the commit where
    this work has left the main branch.

    \b
      git run check --metric 'loss<=base*1.02' --metric 'acc>0.9'
      git run check best --metric 'loss:min < base:loss - 0.01' --base v1.0
    """
    if not metrics:
        raise UsageError("what is to hold?", "for example --metric 'loss<=base*1.02'")
    gates = [read_gate(text) for text in metrics]
    project = open_project()
    with project.index() as index:
        found = check(project.git, index, gates, name, base)
    if as_json:
        print_json(checked_json(found))
    else:
        print_checked(found)
    return 0 if found.passed else 1


def print_checked(found: Checked) -> None:
    """A line for the run, and one for each gate."""
    out(f"{'passed' if found.passed else 'failed'}: run {safe_text(words_of(found.run))}")
    if found.gates:
        table([row(gate, found) for gate in found.gates])


def row(gate: Judged, found: Checked) -> list[str]:
    """A gate: what it says, its words, the values."""
    value, limit, base = numbers_text([gate.value, gate.limit, gate.base])
    beside = f"(base {base}, run {short(found.base.id)})" if gate.base is not None and found.base else ""
    said = "passed" if gate.passed else "failed"
    return [f"  {said}", safe_text(gate.text), f"{safe_text(gate.metric)} is {value}, limit {limit}", beside]


def checked_json(found: Checked) -> dict[str, Any]:
    """What was checked, for programs."""
    return {
        "passed": found.passed,
        "run": run_json(found.run),
        "base": run_json(found.base) if found.base else None,
        "gates": [
            {
                "gate": one.text,
                "metric": one.metric,
                "value": one.value,
                "limit": one.limit,
                "base": one.base,
                "passed": one.passed,
            }
            for one in found.gates
        ],
    }
