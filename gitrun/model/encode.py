"""Encoder of a run (format version 1): the TOML files under `.gitrun/` and the commit messages."""

from __future__ import annotations

from dataclasses import asdict
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeVar

from gitrun import model
from gitrun.model.flags import format_value
from gitrun.model.metrics import COUNT, FIRST, LEAST, MOST
from gitrun.model.run import COMPLETED, DIRECTORY, ERROR, LATER
from gitrun.model.text import number_text, path_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitrun.model.flags import Flags, Value
    from gitrun.model.metrics import Metrics
    from gitrun.model.plan import Outcome, Plan
    from gitrun.model.run import File, Notes

T = TypeVar("T")
FLAGS, RUN, ENV, LENT, RESULT, OUTPUT, METRICS, NOTES = (
    f"{DIRECTORY}/{name}"
    for name in ("flags.toml", "run.toml", "env.toml", "lent.toml", "result.toml", "output", "metrics.jsonl", "notes.toml")
)
KEPT = f"{DIRECTORY}/kept"
"""Directory in a result for small files that the run produced and git ignores."""
FORMAT = 1
SUBJECT = 72
"""Most characters of an attempt's subject."""
LONGEST, SPARE = 16 << 20, 1 << 20
"""Most bytes of a result.toml, and the part reserved for everything but the list of files."""
SHARED = 512 << 10
"""Most bytes for the names of files that a run changed although they are not its own."""


def toml(table: Mapping[str, Any]) -> bytes:
    """Returns the table as TOML, without keys whose value is None."""
    import tomli_w

    return tomli_w.dumps({key: value for key, value in table.items() if value is not None}).encode()


def flags_toml(flags: Flags) -> bytes:
    """Returns canonical TOML: keys sorted, one value a line, no comments. Equal flags make an equal blob."""
    # tomli_w quotes keys correctly; [:-5] cuts its ` = 0` and the line end
    return "".join(f"{literal({key: 0})[:-5]} = {inline(flags[key])}\n" for key in sorted(flags)).encode()


def inline(value: Value) -> str:
    """Returns a TOML value on one line."""
    if isinstance(value, list):
        return "[" + ", ".join(inline(item) for item in value) + "]"
    return literal({"v": value}).removeprefix("v = ")[:-1]


def literal(table: Mapping[str, Value]) -> str:
    """Returns the TOML line of a table with one plain value."""
    import tomli_w

    return tomli_w.dumps(table)


def run_toml(plan: Plan) -> bytes:
    """Returns the bytes of run.toml for a plan."""
    snapshot = plan.source
    skipped = [asdict(skipped) | {"path": path_text(skipped.path)} for skipped in snapshot.skipped]
    source = {
        "tree": snapshot.tree, "content": snapshot.content or None,
        "base": snapshot.base, "branch": snapshot.branch, "dirty": snapshot.dirty,
        "conflicts": [path_text(path) for path in snapshot.conflicts] or None,
        "submodules": {path_text(path): head for path, head in snapshot.submodules} or None,
        "carried": [path_text(path) for path in plan.carried] or None,
        "skipped": skipped or None,
    }  # fmt: skip
    params = {
        key: [path_text(one) for one in value] if key == "link" else list(value) if isinstance(value, tuple) else value
        for key, value in asdict(plan.params).items()
        if value or key not in LATER
    }
    return toml({
        "format": FORMAT, "operation": plan.operation, "kind": plan.kind, "command": list(plan.command),
        "cwd": path_text(plan.cwd), "created": plan.created, "nonce": plan.nonce, "staged": plan.staged or None,
        "given": list(plan.given),
        **said_of_basis(plan),
        "source": {key: value for key, value in source.items() if value is not None},
        "params": {key: value for key, value in params.items() if value is not None},
    })  # fmt: skip


def said_of_basis(plan: Plan) -> dict[str, Any]:
    """Returns the keys of run.toml for dependencies, if the plan has any."""
    if plan.basis is None:
        return {}

    return model.provenance.basis_table(plan.basis)


def rests_on_more(data: bytes) -> bool:
    """Returns whether a run.toml may name dependencies. A quick test: most files need no parsing for it."""
    return any(key in data for key in (b"entry", b"parent", b"needs", b"inputs", b"not_isolated"))


def result_toml(outcome: Outcome) -> bytes:
    """Returns the bytes of result.toml; lists that are too long are cut, and the rest is counted."""
    shared = within([(path, weight(path) + 12) for path in outcome.shared], SHARED)
    files = listed(outcome.files)
    return toml({
        "format": FORMAT, "status": outcome.status, "exit_status": outcome.exit_status, "started": outcome.started,
        "stopped": outcome.stopped, "duration": round(outcome.duration, 6), "reason": outcome.reason or None,
        "shared_left_out": len(outcome.shared) - len(shared) or None,
        "files_left_out": len(outcome.files) - len(files) or None, "steps": said_of_steps(outcome),
        "metrics": dict(outcome.metrics) or None,
        "series": series_table(outcome.metrics) or None,
        "shared": [{"path": path_text(path)} for path in shared] or None,
        "files": [file_table(file) for file in files] or None,
    })  # fmt: skip


def file_table(file: File) -> dict[str, str | int]:
    """Returns a produced file as a table of result.toml."""
    return {"path": path_text(file.path), "size": file.size, "sha256": file.sha256, "stored": file.stored}


def listed(files: Sequence[File]) -> Sequence[File]:
    """Returns the files that fit in result.toml, in their order. Files outside the result's tree take precedence."""
    weights = [(file, weight(file.path) + len(str(file.size)) + 122) for file in files]
    # files in the tree can be found without the list
    weights.sort(key=lambda pair: pair[0].stored == "git")
    room = frozenset(file.path for file in within(weights, LONGEST - SPARE))
    return files if len(room) == len(files) else [file for file in files if file.path in room]


def weight(path: str) -> int:
    """Returns an upper bound of the bytes that a path takes in TOML, with quotes, comma, indent and line end."""
    is_plain = path.isascii() and path.isprintable() and "\\" not in path and '"' not in path
    return len(path) * (1 if is_plain else 6) + 8


def within(weighed: Sequence[tuple[T, int]], room: int) -> list[T]:
    """Returns the leading items whose total weight is at most `room`."""
    ends = accumulate(amount for _, amount in weighed)
    return [thing for (thing, _), end in zip(weighed, ends, strict=True) if end <= room]


def said_of_steps(outcome: Outcome) -> list[dict[str, str]] | None:
    """Returns the `[[steps]]` of result.toml; None without steps."""
    if not outcome.steps:
        return None

    return model.provenance.steps_tables(outcome.steps)


def notes_toml(notes: Notes) -> bytes:
    """Returns the bytes of notes.toml."""
    comments = [{key: value for key, value in asdict(comment).items() if value} for comment in notes.comments]
    return toml({
        "label": notes.label, "tags": sorted(notes.tags) or None, "marked": notes.marked or None, "comments": comments or None,
    })  # fmt: skip


def message(subject: str, kind: str) -> bytes:
    """Returns a commit message: a subject of one line and the two trailers."""
    line = " ".join(subject.split())
    # the subject may hold a label or names of metrics of any length
    line = line if len(line) <= 200 else line[:199] + "…"
    return f"{line}\n\nGitrun-Kind: {kind}\nGitrun-Format: {FORMAT}\n".encode()


def attempt_subject(plan: Plan) -> str:
    """Returns the subject of an attempt: 72 characters at most, typed flags first."""
    text = " ".join(f"run {format_plain(plan.operation)} {plan.flags.text(plan.given)}".split())
    return text if len(text) <= SUBJECT else text[: SUBJECT - 1] + "…"


def outcome_subject(outcome: Outcome) -> str:
    """Returns the subject of a result."""
    numbers = " ".join(f"{format_plain(name)}={number_text(value)}" for name, value in outcome.metrics.items())
    ended = {COMPLETED: "completed", ERROR: f"error (exit {outcome.exit_status})"}.get(outcome.status, "terminated")
    return f"{ended} in {outcome.duration:.1f}s" + (f": {numbers}" if numbers else "")


def format_plain(text: str) -> str:
    """Returns the text, quoted and escaped if it has characters that a terminal obeys."""
    return text if text.isprintable() else format_value(text)


def series_table(metrics: Metrics) -> dict[str, dict[str, float]]:
    """Returns first, least, greatest value and count of each metric with a summary."""
    asked = (FIRST, LEAST, MOST, COUNT)
    return {name: {aspect: known.aspect(aspect) for aspect in asked} for name, known in metrics.summaries.items()}
