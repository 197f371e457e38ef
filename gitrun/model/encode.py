"""Encoder of a run (format version 1): the TOML files under `.gitrun/` and the commit messages."""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate

from gitrun import model
from gitrun.dataclass import asdict
from gitrun.model.flags import format_value
from gitrun.model.metrics import COUNT, FIRST, LEAST, MOST
from gitrun.model.record_files import FORMAT, MAX_RESULT, MAX_SHARED, RESULT_RESERVE, TRIALS_HEADER
from gitrun.model.run import COMPLETED, ERROR, LATER_PARAMS
from gitrun.model.text import encode_path, number_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, TypeVar

    from gitrun.model.batch import Trial
    from gitrun.model.flags import Flags, Value
    from gitrun.model.metrics import Metrics
    from gitrun.model.plan import Outcome, Plan
    from gitrun.model.run import File, Notes

    T = TypeVar("T")

MAX_SUBJECT = 72
"""Most characters of an attempt's subject."""


def encode_table(table: Mapping[str, Any]) -> bytes:
    """Returns the table as TOML, without keys whose value is None."""
    return dump_toml({key: value for key, value in table.items() if value is not None}).encode()


def dump_toml(table: Mapping[str, Any]) -> str:
    """Returns the table as TOML text."""
    # reading runs needs no writer of TOML: only what writes pays 2 ms for this import
    import tomli_w

    return tomli_w.dumps(table)


def encode_flags(flags: Flags) -> bytes:
    """Returns canonical TOML: keys sorted, one value a line, no comments. Equal flags make an equal blob."""
    return "".join(f"{quote_key(key)} = {format_inline(flags[key])}\n" for key in sorted(flags)).encode()


@lru_cache(maxsize=256)
def quote_key(key: str) -> str:
    """Returns a key as TOML has it. All trials of a batch have the same."""
    # tomli_w quotes keys correctly; [:-5] cuts its ` = 0` and the line end
    return dump_toml({key: 0})[:-5]


def format_inline(value: Value) -> str:
    """Returns a TOML value on one line."""
    if isinstance(value, list):
        # tomli_w writes a list over several lines, one item on each
        return "[" + ", ".join(format_inline(item) for item in value) + "]"
    return dump_toml({"v": value}).removeprefix("v = ")[:-1]


def encode_run(plan: Plan) -> bytes:
    """Returns the bytes of run.toml for a plan."""
    snapshot = plan.source
    skipped = [asdict(skipped) | {"path": encode_path(skipped.path)} for skipped in snapshot.skipped]
    source = {
        "tree": snapshot.tree, "content": snapshot.content or None,
        "base": snapshot.base, "branch": snapshot.branch, "dirty": snapshot.dirty,
        "full": snapshot.is_full or None,
        "conflicts": [encode_path(path) for path in snapshot.conflicts] or None,
        "submodules": {encode_path(path): head for path, head in snapshot.submodules} or None,
        "carried": [encode_path(path) for path in plan.carried] or None,
        "skipped": skipped or None,
    }  # fmt: skip
    params = {
        key: [encode_path(one) for one in value] if key == "link" else list(value) if isinstance(value, tuple) else value
        for key, value in asdict(plan.params).items()
        # a parameter that came later is written only if it was given, so that other runs keep their form
        if value or key not in LATER_PARAMS
    }
    return encode_table({
        "format": FORMAT, "operation": plan.operation, "kind": plan.kind, "command": list(plan.command),
        "cwd": encode_path(plan.cwd), "created": plan.created, "nonce": plan.nonce, "staged": plan.staged or None,
        "given": list(plan.given), "batch": plan.batch, "trial": plan.trial, "sampler": dict(plan.sampler) or None,
        "worker": plan.worker or None,
        **(model.provenance.encode_basis(plan.basis) if plan.basis else {}),
        "source": {key: value for key, value in source.items() if value is not None},
        "params": {key: value for key, value in params.items() if value is not None},
    })  # fmt: skip


def may_name_dependencies(data: bytes) -> bool:
    """Returns whether a run.toml may name dependencies. A quick test: most files need no parsing for it."""
    return any(key in data for key in (b"entry", b"parent", b"needs", b"inputs", b"not_isolated"))


def encode_result(outcome: Outcome) -> bytes:
    """Returns the bytes of result.toml; lists that are too long are cut, and the rest is counted."""
    shared = cut_to_weight([(path, toml_weight(path) + 12) for path in outcome.shared], MAX_SHARED)
    files = cut_file_list(outcome.files)
    table = encode_table({
        "format": FORMAT, "status": outcome.status, "exit_status": None if outcome.is_value else outcome.exit_status,
        "started": outcome.started, "stopped": outcome.stopped, "duration": round(outcome.duration, 6),
        "reason": outcome.reason or None, "pruned": outcome.pruned,
        "shared_left_out": len(outcome.shared) - len(shared) or None,
        "files_left_out": len(outcome.files) - len(files) or None,
        "steps": model.provenance.encode_steps(outcome.steps) if outcome.steps else None,
        "metrics": dict(outcome.metrics) or None,
        "series": series_table(outcome.metrics) or None,
        "shared": [{"path": encode_path(path)} for path in shared] or None,
        "files": [file_table(file) for file in files] or None,
        **(model.batch_record.encode_outcome(outcome) if outcome.counts or outcome.trials else {}),
    })  # fmt: skip
    # tomli_w would write short tables on a line each, and readers could not leave them out without parsing them
    return table + b"".join(TRIALS_HEADER + encode_trial(trial) for trial in outcome.trials)


def encode_trial(trial: Trial) -> bytes:
    """Returns a trial as a table of result.toml, with its flags if it has no run that records them."""
    table = encode_table(model.batch_record.encode_trial(trial))
    return table + (b"[trials.flags]\n" + encode_flags(model.flags.Flags(trial.flags)) if trial.reason and trial.flags else b"")


def file_table(file: File) -> dict[str, str | int]:
    """Returns a produced file as a table of result.toml."""
    return {"path": encode_path(file.path), "size": file.size, "sha256": file.sha256, "stored": file.stored}


def cut_file_list(files: Sequence[File]) -> Sequence[File]:
    """Returns the files that fit in result.toml, in their order. Files outside the result's tree take precedence."""
    # a table with the lines [[files]], path, size, sha256 (64 digits) and stored
    weights = [(file, toml_weight(file.path) + len(str(file.size)) + 122) for file in files]
    # files in the tree can be found without the list
    weights.sort(key=lambda pair: pair[0].stored == "git")
    room = frozenset(file.path for file in cut_to_weight(weights, MAX_RESULT - RESULT_RESERVE))
    return files if len(room) == len(files) else [file for file in files if file.path in room]


def toml_weight(path: str) -> int:
    """Returns an upper bound of the bytes that a path takes in TOML, with quotes, comma, indent and line end."""
    # the longest form of a character is \u00XX, six bytes; TOML escapes controls, quotes and backslashes
    is_plain = path.isascii() and path.isprintable() and "\\" not in path and '"' not in path
    return len(path) * (1 if is_plain else 6) + 8


def cut_to_weight(weighed: Sequence[tuple[T, int]], room: int) -> list[T]:
    """Returns the leading items whose total weight is at most `room`."""
    ends = accumulate(amount for _, amount in weighed)
    return [item for (item, _), end in zip(weighed, ends, strict=True) if end <= room]


def encode_notes(notes: Notes) -> bytes:
    """Returns the bytes of notes.toml."""
    comments = [{key: value for key, value in asdict(comment).items() if value} for comment in notes.comments]
    return encode_table({
        # sorted, so that the same tags make the same blob
        "label": notes.label, "tags": sorted(notes.tags) or None, "marked": notes.marked or None, "comments": comments or None,
    })  # fmt: skip


def commit_message(subject: str, kind: str) -> bytes:
    """Returns a commit message: a subject of one line and the two trailers."""
    # a line end would begin the body, and could add a trailer
    line = " ".join(subject.split())
    # the subject may hold a label or names of metrics of any length
    line = line if len(line) <= 200 else line[:199] + "…"
    return f"{line}\n\nGitrun-Kind: {kind}\nGitrun-Format: {FORMAT}\n".encode()


def attempt_subject(plan: Plan) -> str:
    """Returns the subject of an attempt: 72 characters at most, typed flags first."""
    text = " ".join(f"run {quote_unprintable(plan.operation)} {plan.flags.text(plan.given)}".split())
    return text if len(text) <= MAX_SUBJECT else text[: MAX_SUBJECT - 1] + "…"


def outcome_subject(outcome: Outcome) -> str:
    """Returns the subject of a result."""
    numbers = " ".join(f"{quote_unprintable(name)}={number_text(value)}" for name, value in outcome.metrics.items())
    ended = {COMPLETED: "completed", ERROR: f"error (exit {outcome.exit_status})"}.get(outcome.status, "terminated")
    return f"{ended} in {outcome.duration:.1f}s" + (f": {numbers}" if numbers else "")


def quote_unprintable(text: str) -> str:
    """Returns the text, quoted and escaped if it has characters that a terminal obeys."""
    return text if text.isprintable() else format_value(text)


def series_table(metrics: Metrics) -> dict[str, dict[str, float]]:
    """Returns first, least, greatest value and count of each metric with a summary."""
    measures = (FIRST, LEAST, MOST, COUNT)
    return {name: {aspect: summary.aspect(aspect) for aspect in measures} for name, summary in metrics.summaries.items()}
