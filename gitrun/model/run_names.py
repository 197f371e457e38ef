"""Names of runs: an id or its beginning, a number in the list, an operation, or a label."""

from __future__ import annotations

from gitrun.errors import AmbiguousRun, NoMatch, UnknownRun
from gitrun.model.run import PREFIX, RUNS, is_id, short_id
from gitrun.model.text import safe_text, time_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitrun.model.run import Run


LATEST = "\0"
"""Stands for "no name given": the newest run made or trusted here. Nobody can type a NUL."""


def parse_id_prefix(name: str) -> str:
    """Returns the hex digits (4 or more) of an abbreviated id, also as `runs/<id>`; empty for other names."""
    # 3f9c21aa   runs/3f9c21aa   refs/runs/3f9c21aa
    digits = name.removeprefix("refs/").removeprefix(RUNS.removeprefix("refs/")).lower()
    return digits if PREFIX.fullmatch(digits) else ""


def find_id(name: str, ids: Iterable[str]) -> str | None:
    """Returns the id that `name` abbreviates (4 digits or more, also as `runs/<id>`); None if none matches.

    Raises UnknownRun with the candidates if several match, or if a name of the form `runs/<id>` matches none.
    """
    digits = parse_id_prefix(name)
    if not digits:
        return None
    # sorted, so that the message names the same candidates each time
    matches = sorted(run_id for run_id in ids if run_id.startswith(digits) and is_id(run_id))
    if len(matches) > 1:
        some = ", ".join(run_id[: len(digits) + 4] for run_id in matches[:8])
        raise AmbiguousRun(
            f"'{safe_text(name)}' matches {len(matches)} runs: {some}",
            "Give more digits",
        )
    # `face` may still be an operation or a label, runs/face only an id
    if not matches and "/" in name:
        raise unknown_run(name)
    return matches[0] if matches else None


def require_numbered(name: str, run: Run | None, total: int, *, is_bare: bool = False) -> Run:
    """Returns `run`, the one at number `name` of the list. Raises UnknownRun if it is None; `total` counts all runs."""
    if run is not None:
        return run
    if not total:
        raise NoMatch("no runs here yet", "To fetch runs: git run fetch" if is_bare else "To make one: git run <script>")
    there = "the list has 1 run" if total == 1 else f"the list has {total:,} runs"
    raise UnknownRun(f"no run {name}: {there}", "To list all runs: git run list --all")


def require_latest(run: Run | None, total: int, *, is_bare: bool = False) -> Run:
    """Returns `run`, the default run. Raises UnknownRun if it is None: none of `total` runs was made or is trusted here."""
    if run is None and total:
        raise UnknownRun(
            "no run here was made or is trusted on this machine", "To list all runs: git run list. To name one: its id"
        )
    return require_numbered("1", run, total, is_bare=is_bare)


def find_by_name(name: str, runs: Sequence[Run]) -> Run:
    """Returns the run of that operation or label among `runs`, newest first. Raises UnknownRun."""
    same_name = [run for run in runs if run.operation == name]
    # an operation wins over a label: labels are free text
    if same_name:
        return find_marked(same_name) or same_name[0]
    labelled = [run for run in runs if run.notes.label == name]
    # nothing keeps two runs from having one label
    if len(labelled) > 1:
        raise AmbiguousRun(
            f"{len(labelled)} runs have the label '{safe_text(name)}': {describe_candidates(labelled)}", "Give the id of one"
        )
    if labelled:
        return labelled[0]
    raise unknown_run(name)


def find_marked(runs: Iterable[Run]) -> Run | None:
    """Returns the marked run of an operation's runs; None without one.

    Raises UnknownRun if several are marked, as after fetching from two people.
    """
    marked = [run for run in runs if run.notes.marked]
    if len(marked) > 1:
        message = f"{len(marked)} runs of '{safe_text(marked[0].operation)}' are marked: {describe_candidates(marked)}"
        raise UnknownRun(message, "To mark one: git run mark ID")
    return marked[0] if marked else None


def describe_candidates(runs: Sequence[Run]) -> str:
    """Describes up to eight candidates on one line."""
    return "; ".join(f"{short_id(run.id)} {safe_text(run.operation)} {time_text(run.attempt.started)}" for run in runs[:8])


def unknown_run(name: str) -> UnknownRun:
    """Returns the error for a name that matches no run."""
    # the user probably meant a filter
    is_expression = any(sign in name for sign in "<>=")
    hint = "To filter by an expression: --where EXPR" if is_expression else "To list all runs: git run list --all"
    return UnknownRun(f"no run '{safe_text(name)}'", hint)
