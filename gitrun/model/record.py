"""The bytes of a run: the TOML files under `.gitrun/` and the commit messages, as they are written (format version 1)."""

from __future__ import annotations

from dataclasses import asdict
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeVar

from gitrun.model.flags import format_value
from gitrun.model.metrics import COUNT, FIRST, LEAST, MOST
from gitrun.model.params import LATER
from gitrun.model.status import COMPLETED, ERROR
from gitrun.model.text import number_text, path_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitrun.model.files import File
    from gitrun.model.flags import Flags, Value
    from gitrun.model.metrics import Metrics
    from gitrun.model.plan import Outcome, Plan
    from gitrun.model.run import Notes

T = TypeVar("T")
DIRECTORY = ".gitrun"
FLAGS, RUN, ENV, LENT, RESULT, OUTPUT, METRICS, NOTES = (
    f"{DIRECTORY}/{name}"
    for name in ("flags.toml", "run.toml", "env.toml", "lent.toml", "result.toml", "output", "metrics.jsonl", "notes.toml")
)
KEPT = f"{DIRECTORY}/kept"
"""Where a result has small files that git ignores and the run produced."""
FORMAT = 1
SUBJECT = 72
"""Characters of the subject of an attempt."""
LONGEST, SPARE = 16 << 20, 1 << 20
"""Bytes of a result.toml, which is not read if it is larger, and of them those for all but the list of files."""
SHARED = 512 << 10
"""Bytes of the names of files that a run wrote although they are not its own."""


def toml(table: Mapping[str, Any]) -> bytes:
    """The table as TOML, without the keys whose value is None."""
    import tomli_w

    return tomli_w.dumps({key: value for key, value in table.items() if value is not None}).encode()


def flags_toml(flags: Flags) -> bytes:
    """Canonical bytes: keys sorted, one value a line, no comments, so that equal flags are an equal blob."""
    return "".join(f"{literal({key: 0})[:-5]} = {inline(flags[key])}\n" for key in sorted(flags)).encode()


def inline(value: Value) -> str:
    """A TOML value on one line."""
    if isinstance(value, list):
        return "[" + ", ".join(inline(item) for item in value) + "]"
    return literal({"v": value}).removeprefix("v = ")[:-1]


def literal(table: Mapping[str, Value]) -> str:
    """A table of one plain value as its line of TOML."""
    import tomli_w

    return tomli_w.dumps(table)


def run_toml(plan: Plan) -> bytes:
    """What is run.toml for this plan."""
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
    """The keys of run.toml that say what an attempt rests on, if there is anything to say."""
    if plan.basis is None:
        return {}
    from gitrun.model.basis import basis_table

    return basis_table(plan.basis)


def rests_on_more(data: bytes) -> bool:
    """Whether a run.toml may say what its attempt rests on: most say nothing, and need not be read for it."""
    return any(key in data for key in (b"entry", b"parent", b"needs", b"inputs", b"not_isolated"))


def result_toml(outcome: Outcome) -> bytes:
    """What is result.toml for this outcome; what is too much for its lists is left out of them, and counted."""
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
    """A produced file as result.toml has it."""
    return {"path": path_text(file.path), "size": file.size, "sha256": file.sha256, "stored": file.stored}


def listed(files: Sequence[File]) -> Sequence[File]:
    """The files that a result.toml has room for, in their order: first those that are not in its own tree."""
    weights = [(file, weight(file.path) + len(str(file.size)) + 122) for file in files]
    weights.sort(key=lambda pair: pair[0].stored == "git")
    room = frozenset(file.path for file in within(weights, LONGEST - SPARE))
    return files if len(room) == len(files) else [file for file in files if file.path in room]


def weight(path: str) -> int:
    """The bytes that a path takes in TOML at most, `    "",` and a line end around it."""
    is_plain = path.isascii() and path.isprintable() and "\\" not in path and '"' not in path
    return len(path) * (1 if is_plain else 6) + 8


def within(weighed: Sequence[tuple[T, int]], room: int) -> list[T]:
    """The first of the things that together have no more than this weight."""
    ends = accumulate(amount for _, amount in weighed)
    return [thing for (thing, _), end in zip(weighed, ends, strict=True) if end <= room]


def said_of_steps(outcome: Outcome) -> list[dict[str, str]] | None:
    """The `[[steps]]` of result.toml, if there are any."""
    if not outcome.steps:
        return None
    from gitrun.model.basis import steps_tables

    return steps_tables(outcome.steps)


def notes_toml(notes: Notes) -> bytes:
    """What is notes.toml for these annotations."""
    comments = [{key: value for key, value in asdict(comment).items() if value} for comment in notes.comments]
    return toml({
        "label": notes.label, "tags": sorted(notes.tags) or None, "marked": notes.marked or None, "comments": comments or None,
    })  # fmt: skip


def message(subject: str, kind: str) -> bytes:
    """A commit message: a subject of one line and the two trailers."""
    line = " ".join(subject.split())
    line = line if len(line) <= 200 else line[:199] + "…"
    return f"{line}\n\nGitrun-Kind: {kind}\nGitrun-Format: {FORMAT}\n".encode()


def attempt_subject(plan: Plan) -> str:
    """What a person reads in `git log` for an attempt: the flags that were given come first, in 72 characters at most."""
    text = " ".join(f"run {format_plain(plan.operation)} {plan.flags.text(plan.given)}".split())
    return text if len(text) <= SUBJECT else text[: SUBJECT - 1] + "…"


def outcome_subject(outcome: Outcome) -> str:
    """What a person reads in `git log` for a result."""
    numbers = " ".join(f"{format_plain(name)}={number_text(value)}" for name, value in outcome.metrics.items())
    ended = {COMPLETED: "completed", ERROR: f"error (exit {outcome.exit_status})"}.get(outcome.status, "terminated")
    return f"{ended} in {outcome.duration:.1f}s" + (f": {numbers}" if numbers else "")


def format_plain(text: str) -> str:
    """Text without what a terminal would obey."""
    return text if text.isprintable() else format_value(text)


def series_table(metrics: Metrics) -> dict[str, dict[str, float]]:
    """What of each metric is known besides its last value."""
    asked = (FIRST, LEAST, MOST, COUNT)
    return {name: {aspect: known.aspect(aspect) for aspect in asked} for name, known in metrics.summaries.items()}
