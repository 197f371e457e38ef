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
    found = {
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
    return {key: value for key, value in found.items() if value is not None}


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
    found = parse_batch(data)
    if (form := get_int(found, "format")) is None or form < 1:
        raise BadRun(f"{BATCH} has no valid format number")
    if form > FORMAT:
        raise BadRun(f"{BATCH} has format {form}, which is newer than this version of gitrun")
    sampler = get_text(found, "sampler")
    if not sampler:
        raise BadRun(f"{BATCH} names no sampler")
    limit, gpus = get_int(found, "max_trials"), get_int(found, "gpus_per_trial")
    return BatchDefinition(
        sampler=sampler,
        space=decode_space(get_table(found, "space")),
        points=decode_points(points or b""),
        objectives=tuple(decode_objective(one) for one in get_tables(found, "objectives")),
        max_trials=limit if limit is not None and limit > 0 else None,
        seed=seed,
        prune=get_text(found, "prune") or "",
        learn=get_text(found, "learn") or "batch",
        repeat=max(get_int(found, "repeat") or 1, 1),
        engine=get_text(found, "engine") or "",
        kind=get_text(found, "kind") or SCRIPT,
        gpus_per_trial=gpus if gpus is not None and gpus > 0 else None,
        options={name: read_value(name, value) for name, value in get_table(found, "options").items()},
        commits=tuple(map(decode_commit, get_tables(found, "commits"))),
    )


def parse_batch(data: bytes) -> dict[str, Any]:
    """Parses batch.toml, which may be long because of its lists. Raises BadRun."""
    if len(data) > MAX_BATCH:
        raise BadRun(f"{BATCH} is larger than {MAX_BATCH >> 20} MiB")
    try:
        return parse_text(data.decode())
    except (ValueError, RecursionError) as error:
        raise BadRun(f"{BATCH} is not TOML: {error}") from error


def decode_space(found: Mapping[str, Any]) -> Space:
    """Reads the tables of the flags. Raises BadRun: a batch without one of its flags would be another batch."""
    return {name: decode_domain(name, get_table(found, name)) for name in found}


def decode_domain(name: str, found: Mapping[str, Any]) -> Domain:
    """Reads the table of one flag. Raises BadRun."""
    kind = get_text(found, "kind")
    when = {flag: read_values(flag, values) for flag, values in get_table(found, "when").items()}
    if kind == CHOICE:
        return Choice(read_values(name, found.get("values")), when)
    get = {INT: get_int, FLOAT: get_number}.get(kind or "")
    if get is None:
        raise BadRun(f"flag {name!r} in {BATCH} has the unknown kind {kind!r:.60}")
    low, high = get(found, "low"), get(found, "high")
    if low is None or high is None:
        raise BadRun(f"flag {name!r} in {BATCH} has no valid bounds")
    return Range(kind or "", low, high, found.get("log") is True, get(found, "step"), get(found, "initial"), when)


def decode_objective(found: Mapping[str, Any]) -> Objective:
    """Reads an objective. Raises BadRun: the wrong direction would make the worst trial the best one."""
    metric, direction = get_text(found, "metric"), get_text(found, "direction")
    if not metric or direction not in {MINIMIZE, MAXIMIZE}:
        raise BadRun(f"{BATCH} has an objective without a metric or direction")
    return Objective(metric, direction == MINIMIZE)


def decode_commit(found: Mapping[str, Any]) -> CommitTree:
    """Reads a commit that is the source of trials. Raises BadRun: a batch without one of its commits would be another batch."""
    commit, tree = get_text(found, "commit") or "", get_text(found, "tree") or ""
    if not (is_id(commit) and is_id(tree)):
        raise BadRun(f"{BATCH} has a commit without a valid id")
    return CommitTree(commit, tree)


def read_values(name: str, found: object) -> tuple[Value, ...]:
    """Returns the items of a list as values of flags. Raises BadRun."""
    if not isinstance(found, list):
        raise BadRun(f"flag {name!r} in {BATCH} has no list of values")
    return tuple(read_value(name, item) for item in found)


def read_value(name: str, found: object) -> Value:
    """Returns a value as a flag can hold it. Raises BadRun."""
    try:
        return copy_value(name, found)
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
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadRun(f"{POINTS}, line {number} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise BadRun(f"{POINTS}, line {number} is not an object")
    return {name: read_value(name, value) for name, value in found.items()}


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
    found = (one for piece in split_long_result(tail) for one in get_tables(parse_toml(piece, RESULT), "trials"))
    return tuple(trial for one in found if (trial := read_trial(one)))


def read_trial(found: Mapping[str, Any]) -> Trial | None:
    """Reads a trial of a result; None if it has no number."""
    number, run_id = get_int(found, "number"), get_text(found, "run") or ""
    if number is None or number < 1:
        return None
    several = found.get("values")
    asked: Sequence[object] = [found["value"]] if "value" in found else several if isinstance(several, list) else []
    values = tuple(value for value in map(as_float, asked) if value is not None)
    reason = get_text(found, "reason") or ""
    flags = {name: read_value(name, value) for name, value in get_table(found, "flags").items()} if reason else {}
    tip = get_text(found, "tip") or ""
    return Trial(
        number, flags, get_text(found, "status") or PENDING, run_id if is_id(run_id) else "", values,
        reused=found.get("reused") is True, tree=get_text(found, "tree") or "", reason=reason,
        tip=tip if is_id(tip) else "",
    )  # fmt: skip


def read_sampler(data: bytes | None) -> Mapping[str, Value]:
    """Reads from the run.toml of a trial what the sampler keeps with it. Raises BadRun."""
    return {name: read_value(name, value) for name, value in get_table(parse_toml(data or b"", RUN), "sampler").items()}
