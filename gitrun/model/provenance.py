"""Dependencies of a run (needs, inputs, steps, parent) as run.toml and result.toml record them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitrun.model.decode import parse_toml, tables, text, texts, whole
from gitrun.model.encode import RESULT, RUN
from gitrun.model.text import path_of, path_text

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Dependency:
    """The run of another operation whose files this one needs, and those files: path and sha256 in hex."""

    operation: str
    run: str
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file or directory that the program reads: path as in the entry, bytes, sha256 in hex, and source URL."""

    path: str
    size: int
    sha256: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class StepRun:
    """A step of a pipeline: its operation, its run, and the status of that run (`skipped` if it was not needed)."""

    operation: str
    run: str
    status: str


@dataclass(frozen=True, slots=True)
class Basis:
    """The recorded dependencies of an attempt: needs, inputs, parent run, and if its operation is an entry.

    `not_isolated` lists paths of the working tree that the program may use instead of its own source.
    """

    is_entry: bool = False
    needs: tuple[Dependency, ...] = ()
    inputs: tuple[InputFile, ...] = ()
    parent: str = ""
    not_isolated: tuple[str, ...] = ()


NOTHING = Basis()


def basis_table(basis: Basis) -> dict[str, Any]:
    """Returns the keys of run.toml for these dependencies; empty ones are None."""
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
    """Returns the TOML table of a file: path and sha256."""
    return {"path": path_text(path), "sha256": sha256}


def read_basis(data: bytes | None) -> Basis:
    """Reads the dependencies from run.toml. Raises BadRun if it is not valid."""
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
    """Returns the dependencies by name: the run of an operation, the sha256 of each of its files and of each input."""
    found = {need.operation: need.run for need in basis.needs}
    found |= {f"{need.operation} {path_text(path)}": sha256 for need in basis.needs for path, sha256 in need.files}
    return found | {path_text(one.path): one.sha256 for one in basis.inputs}


def steps_tables(steps: Iterable[StepRun]) -> list[dict[str, str]]:
    """Returns the `[[steps]]` of result.toml."""
    return [{"operation": step.operation, "run": step.run, "status": step.status} for step in steps]


def read_steps(data: bytes | None) -> tuple[StepRun, ...]:
    """Reads the steps that a result.toml lists. Raises BadRun if it is not valid."""
    found = parse_toml(data or b"", RESULT)
    steps = tables(found, "steps")
    return tuple(StepRun(text(one, "operation") or "", text(one, "run") or "", text(one, "status") or "") for one in steps)
