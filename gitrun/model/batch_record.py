"""Encoder and decoder of a batch: batch.toml, its points, and the trials in its result (format version 1)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gitrun.errors import BadRun, UsageError
from gitrun.model.batch import BatchDefinition, CommitTree, Objective, Trial
from gitrun.model.decode import (
    get_int,
    get_number,
    get_table,
    get_tables,
    get_text,
    parse_toml,
    split_long_result,
)
from gitrun.model.flags import copy_value
from gitrun.model.metrics import as_float
from gitrun.model.record_files import BATCH, FORMAT, MAX_BATCH, POINTS, RESULT, RUN, TRIALS_HEADER
from gitrun.model.run import ENDINGS, PENDING, SCRIPT, is_id
from gitrun.model.space import Choice, Range
from gitrun.model.toml import parse_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gitrun.model.plan import Outcome
    from gitrun.model.space import Domain, Space
    from gitrun.model.values import Value

MINIMIZE, MAXIMIZE = "minimize", "maximize"
INT, FLOAT, CHOICE = "int", "float", "choice"
"""Kinds of the domain of a flag."""


def encode_batch(definition: BatchDefinition) -> dict[str, Any]:
    """Returns the table of batch.toml. The seed is in run.toml, the points are in a file of their own."""
    table = {
        "format": FORMAT, "kind": definition.kind if definition.kind != SCRIPT else None, "sampler": definition.sampler,
        "engine": definition.engine or None,
        "max_trials": definition.max_trials, "prune": definition.prune or None, "learn": definition.learn,
        "repeat": definition.repeat, "gpus_per_trial": definition.gpus_per_trial,
        "objectives": [
            {"metric": one.metric, "direction": MINIMIZE if one.minimize else MAXIMIZE} for one in definition.objectives
        ] or None,
        "options": dict(definition.options) or None,
        "commits": [{"commit": one.commit, "tree": one.tree} for one in definition.commits] or None,
        "space": {name: encode_domain(domain) for name, domain in sorted(definition.space.items())} or None,
    }  # fmt: skip
    return {key: value for key, value in table.items() if value is not None}


def encode_domain(domain: Domain) -> dict[str, Any]:
    """Returns the table of one flag of the space."""
    when = {name: list(values) for name, values in domain.when.items()}
    if isinstance(domain, Choice):
        return {"kind": CHOICE, "values": list(domain.values), **({"when": when} if when else {})}
    number = int if domain.kind == INT else float
    some = {"step": domain.step, "initial": domain.initial}
    return {
        "kind": domain.kind, "low": number(domain.low), "high": number(domain.high),
        **({"log": True} if domain.log else {}),
        **{name: number(value) for name, value in some.items() if value is not None},
        **({"when": when} if when else {}),
    }  # fmt: skip


def encode_points(points: Iterable[Mapping[str, Value]]) -> bytes:
    """Returns points.jsonl: the flags of each row as a JSON object on a line."""
    return "".join(f"{json.dumps(dict(point))}\n" for point in points).encode()


def decode_batch(data: bytes, points: bytes | None = None, seed: int = 0) -> BatchDefinition:
    """Reads batch.toml, and points.jsonl if there is one. Raises BadRun if either is invalid or of a newer format.

    `seed` is the parameter `random_seed` of the run. Unknown keys are ignored.
    """
    table = parse_batch(data)
    if (form := get_int(table, "format")) is None or form < 1:
        raise BadRun(f"{BATCH} has no valid format number")
    if form > FORMAT:
        raise BadRun(f"{BATCH} has format {form}, which is newer than this version of gitrun")
    sampler = get_text(table, "sampler")
    if not sampler:
        raise BadRun(f"{BATCH} names no sampler")
    limit, gpus = get_int(table, "max_trials"), get_int(table, "gpus_per_trial")
    return BatchDefinition(
        sampler=sampler,
        space=decode_space(get_table(table, "space")),
        points=decode_points(points or b""),
        objectives=tuple(decode_objective(one) for one in get_tables(table, "objectives")),
        max_trials=limit if limit is not None and limit > 0 else None,
        seed=seed,
        prune=get_text(table, "prune") or "",
        learn=get_text(table, "learn") or "batch",
        repeat=max(get_int(table, "repeat") or 1, 1),
        engine=get_text(table, "engine") or "",
        kind=get_text(table, "kind") or SCRIPT,
        gpus_per_trial=gpus if gpus is not None and gpus > 0 else None,
        options={name: read_value(name, value) for name, value in get_table(table, "options").items()},
        commits=tuple(map(decode_commit, get_tables(table, "commits"))),
    )


def parse_batch(data: bytes) -> dict[str, Any]:
    """Parses batch.toml, which may be long because of its lists. Raises BadRun."""
    if len(data) > MAX_BATCH:
        raise BadRun(f"{BATCH} is larger than {MAX_BATCH >> 20} MiB")
    try:
        return parse_text(data.decode())
    except (ValueError, RecursionError) as error:
        raise BadRun(f"{BATCH} is not TOML: {error}") from error


def decode_space(table: Mapping[str, Any]) -> Space:
    """Reads the tables of the flags. Raises BadRun: a batch without one of its flags would be another batch."""
    return {name: decode_domain(name, get_table(table, name)) for name in table}


def decode_domain(name: str, table: Mapping[str, Any]) -> Domain:
    """Reads the table of one flag. Raises BadRun."""
    kind = get_text(table, "kind")
    when = {flag: read_values(flag, values) for flag, values in get_table(table, "when").items()}
    if kind == CHOICE:
        return Choice(read_values(name, table.get("values")), when)
    get = {INT: get_int, FLOAT: get_number}.get(kind or "")
    if get is None:
        raise BadRun(f"flag {name!r} in {BATCH} has the unknown kind {kind!r:.60}")
    low, high = get(table, "low"), get(table, "high")
    if low is None or high is None:
        raise BadRun(f"flag {name!r} in {BATCH} has no valid bounds")
    return Range(kind or "", low, high, table.get("log") is True, get(table, "step"), get(table, "initial"), when)


def decode_objective(table: Mapping[str, Any]) -> Objective:
    """Reads an objective. Raises BadRun: the wrong direction would make the worst trial the best one."""
    metric, direction = get_text(table, "metric"), get_text(table, "direction")
    if not metric or direction not in {MINIMIZE, MAXIMIZE}:
        raise BadRun(f"{BATCH} has an objective without a metric or direction")
    return Objective(metric, direction == MINIMIZE)


def decode_commit(table: Mapping[str, Any]) -> CommitTree:
    """Reads a commit that is the source of trials. Raises BadRun: a batch without one of its commits would be another batch."""
    commit, tree = get_text(table, "commit") or "", get_text(table, "tree") or ""
    if not (is_id(commit) and is_id(tree)):
        raise BadRun(f"{BATCH} has a commit without a valid id")
    return CommitTree(commit, tree)


def read_values(name: str, raw: object) -> tuple[Value, ...]:
    """Returns the items of a list as values of flags. Raises BadRun."""
    if not isinstance(raw, list):
        raise BadRun(f"flag {name!r} in {BATCH} has no list of values")
    return tuple(read_value(name, item) for item in raw)


def read_value(name: str, raw: object) -> Value:
    """Returns a value as a flag can hold it. Raises BadRun."""
    try:
        return copy_value(name, raw)
    except UsageError as error:
        raise BadRun(f"{BATCH}: {error.message}") from error


def decode_points(data: bytes) -> tuple[Mapping[str, Value], ...]:
    """Reads the rows of points.jsonl. Raises BadRun."""
    if len(data) > MAX_BATCH:
        raise BadRun(f"{POINTS} is larger than {MAX_BATCH >> 20} MiB")
    # splitlines would also split at U+2028, which a text may hold
    return tuple(decode_point(line, number) for number, line in enumerate(data.split(b"\n"), 1) if line)


def decode_point(line: bytes, number: int) -> Mapping[str, Value]:
    """Reads one row of points.jsonl. Raises BadRun."""
    try:
        table = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadRun(f"{POINTS}, line {number} is not JSON: {error}") from error
    if not isinstance(table, dict):
        raise BadRun(f"{POINTS}, line {number} is not an object")
    return {name: read_value(name, value) for name, value in table.items()}


def encode_outcome(outcome: Outcome) -> dict[str, Any]:
    """Returns the keys of result.toml that a batch adds: counts, and the best trial."""
    counts, best = outcome.counts, outcome.counts.best if outcome.counts else None
    return {
        "batch": {name: getattr(counts, name) for name in ("total", *ENDINGS, PENDING)} if counts else None,
        "best": {"trial": best.number, "run": best.run_id, "value": best.value} if best else None,
    }


def encode_trial(trial: Trial) -> dict[str, Any]:
    """Returns a trial as a table of result.toml."""
    values = {"value": trial.values[0]} if len(trial.values) == 1 else {"values": list(trial.values)} if trial.values else {}
    return {
        "number": trial.number, "run": trial.run_id, "status": trial.status, **values,
        **({"reused": True} if trial.reused else {}),
        **({"tip": trial.tip} if trial.tip else {}),
        # nothing else records a trial without a run
        **({"tree": trial.tree, "reason": trial.reason} if trial.reason else {}),
    }  # fmt: skip


def read_trials(data: bytes | None) -> tuple[Trial, ...]:
    """Reads the trials in a result.toml: number, run, status, values, reused, tip. Raises BadRun."""
    data = data or b""
    # all that stands before the trials is left out
    tail = data[start + 1 :] if (start := data.find(TRIALS_HEADER)) >= 0 else b""
    tables = (one for piece in split_long_result(tail) for one in get_tables(parse_toml(piece, RESULT), "trials"))
    return tuple(trial for one in tables if (trial := read_trial(one)))


def read_trial(table: Mapping[str, Any]) -> Trial | None:
    """Reads a trial of a result; None if it has no number."""
    number, run_id = get_int(table, "number"), get_text(table, "run") or ""
    if number is None or number < 1:
        return None
    several = table.get("values")
    numbers: Sequence[object] = [table["value"]] if "value" in table else several if isinstance(several, list) else []
    values = tuple(value for value in map(as_float, numbers) if value is not None)
    reason = get_text(table, "reason") or ""
    flags = {name: read_value(name, value) for name, value in get_table(table, "flags").items()} if reason else {}
    tip = get_text(table, "tip") or ""
    return Trial(
        number, flags, get_text(table, "status") or PENDING, run_id if is_id(run_id) else "", values,
        reused=table.get("reused") is True, tree=get_text(table, "tree") or "", reason=reason,
        tip=tip if is_id(tip) else "",
    )  # fmt: skip


def read_sampler(data: bytes | None) -> Mapping[str, Value]:
    """Reads from the run.toml of a trial what the sampler keeps with it. Raises BadRun."""
    return {name: read_value(name, value) for name, value in get_table(parse_toml(data or b"", RUN), "sampler").items()}
