"""What a run rests on and is made of: needs, inputs, steps and parent; as run.toml and result.toml say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitrun.model.reading import parse_toml, tables, text, texts, whole
from gitrun.model.record import RESULT, RUN
from gitrun.model.text import path_of, path_text

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Dependency:
    """The run of another operation whose files are needed, and the files: path and sha256 in hex."""

    operation: str
    run: str
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file or directory that is read: path as the entry has it, bytes, sha256 in hex, and where it was had from."""

    path: str
    size: int
    sha256: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class StepRun:
    """A step of a pipeline: its operation, the run that it is, and how that ended (`skipped` if it was not needed)."""

    operation: str
    run: str
    status: str


@dataclass(frozen=True, slots=True)
class Basis:
    """What an attempt was recorded to rest on: whether its operation is an entry, its needs, inputs, and parent run.

    `not_isolated` names what of the working tree its program may use in place of its own source.
    """

    is_entry: bool = False
    needs: tuple[Dependency, ...] = ()
    inputs: tuple[InputFile, ...] = ()
    parent: str = ""
    not_isolated: tuple[str, ...] = ()


NOTHING = Basis()


def basis_table(basis: Basis) -> dict[str, Any]:
    """The keys of run.toml that say what an attempt rests on; those that say nothing are None."""
    return {
        "entry": basis.is_entry or None,
        "parent": basis.parent or None,
        "not_isolated": [path_text(path) for path in basis.not_isolated] or None,
        "needs": [
            {"operation": need.operation, "run": need.run, "files": [file_table(*file) for file in need.files]}
            for need in basis.needs
        ]
        or None,
        "inputs": [
            {"path": path_text(one.path), "size": one.size, "sha256": one.sha256, **({"url": one.url} if one.url else {})}
            for one in basis.inputs
        ]
        or None,
    }


def file_table(path: str, sha256: str) -> dict[str, str]:
    """A file and its hash."""
    return {"path": path_text(path), "sha256": sha256}


def read_basis(data: bytes | None) -> Basis:
    """What the run.toml says that its attempt rests on. Raises BadRun if it does not read."""
    found = parse_toml(data or b"", RUN)
    needs = (
        Dependency(
            text(need, "operation") or "",
            text(need, "run") or "",
            tuple((path_of(text(file, "path") or "?"), text(file, "sha256") or "") for file in tables(need, "files")),
        )
        for need in tables(found, "needs")
    )
    inputs = (
        InputFile(path_of(text(one, "path") or "?"), whole(one, "size") or 0, text(one, "sha256") or "", text(one, "url") or "")
        for one in tables(found, "inputs")
    )
    return Basis(
        found.get("entry") is True,
        tuple(needs),
        tuple(inputs),
        text(found, "parent") or "",
        tuple(map(path_of, texts(found, "not_isolated"))),
    )


def needed(basis: Basis) -> dict[str, str]:
    """What an attempt needed, by name: of an operation its run, of each of its files and of each input the sha256."""
    found = {need.operation: need.run for need in basis.needs}
    found |= {f"{need.operation} {path_text(path)}": sha256 for need in basis.needs for path, sha256 in need.files}
    return found | {path_text(one.path): one.sha256 for one in basis.inputs}


def steps_tables(steps: Iterable[StepRun]) -> list[dict[str, str]]:
    """The `[[steps]]` of result.toml."""
    return [{"operation": step.operation, "run": step.run, "status": step.status} for step in steps]


def read_steps(data: bytes | None) -> tuple[StepRun, ...]:
    """The steps that a result.toml lists. Raises BadRun if it does not read."""
    found = parse_toml(data or b"", RESULT)
    steps = tables(found, "steps")
    return tuple(StepRun(text(one, "operation") or "", text(one, "run") or "", text(one, "status") or "") for one in steps)
