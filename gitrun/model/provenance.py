"""Dependencies of a run (needs, inputs, steps, parent) as run.toml and result.toml record them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitrun.dataclass import dataclass
from gitrun.model.decode import get_int, get_tables, get_text, get_texts, parse_toml
from gitrun.model.record_files import RESULT, RUN
from gitrun.model.run import is_safe
from gitrun.model.text import decode_path, encode_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Dependency:
    """The run of another operation whose files this one needs, and those files: path and sha256 in hex.

    The program finds them below `directory`; empty: where that run had them.
    """

    operation: str
    run_id: str
    files: tuple[tuple[str, str], ...] = ()
    directory: str = ""

    @property
    def paths(self) -> list[str]:
        """Returns where the program finds the files."""
        return [f"{self.directory}/{path}" if self.directory else path for path, _ in self.files]

    @property
    def name(self) -> str:
        """Returns the operation, with the number of the trial if there are several: `train`, `train+/3`."""
        return self.directory or self.operation


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
    run_id: str
    status: str


@dataclass(frozen=True, slots=True)
class Basis:
    """The recorded dependencies of an attempt: needs, inputs, parent run, and whether its operation is an entry.

    `not_isolated` lists paths of the working tree that the program may use instead of its own source.
    """

    is_entry: bool = False
    needs: tuple[Dependency, ...] = ()
    inputs: tuple[InputFile, ...] = ()
    parent: str = ""
    not_isolated: tuple[str, ...] = ()


NO_BASIS = Basis()


def encode_basis(basis: Basis) -> dict[str, Any]:
    """Returns the keys of run.toml for these dependencies; empty ones are None."""
    return {
        "entry": basis.is_entry or None,
        "parent": basis.parent or None,
        "not_isolated": [encode_path(path) for path in basis.not_isolated] or None,
        # [[needs]] operation, run, files = [{ path, sha256 }], and directory if they are below one
        "needs": [
            {
                "operation": need.operation,
                "run": need.run_id,
                **({"directory": encode_path(need.directory)} if need.directory else {}),
                "files": [encode_file(*file) for file in need.files],
            }
            for need in basis.needs
        ]
        or None,
        # [[inputs]] path, size, sha256, and url if the entry gives one
        "inputs": [
            {"path": encode_path(one.path), "size": one.size, "sha256": one.sha256, **({"url": one.url} if one.url else {})}
            for one in basis.inputs
        ]
        or None,
    }


def encode_file(path: str, sha256: str) -> dict[str, str]:
    """Returns the TOML table of a file: path and sha256."""
    return {"path": encode_path(path), "sha256": sha256}


def read_basis(data: bytes | None) -> Basis:
    """Reads the dependencies from run.toml. Raises BadRun if it is not valid."""
    table = parse_toml(data or b"", RUN)
    # the file may come from elsewhere: a value of the wrong type reads as a missing one
    needs = (
        Dependency(
            get_text(need, "operation") or "",
            get_text(need, "run") or "",
            tuple(
                (decode_path(get_text(file, "path") or "?"), get_text(file, "sha256") or "")
                for file in get_tables(need, "files")
            ),
            read_directory(need),
        )
        for need in get_tables(table, "needs")
    )
    inputs = (
        InputFile(
            decode_path(get_text(one, "path") or "?"),
            get_int(one, "size") or 0,
            get_text(one, "sha256") or "",
            get_text(one, "url") or "",
        )
        for one in get_tables(table, "inputs")
    )
    return Basis(
        table.get("entry") is True,
        tuple(needs),
        tuple(inputs),
        get_text(table, "parent") or "",
        tuple(map(decode_path, get_texts(table, "not_isolated"))),
    )


def read_directory(need: Mapping[str, Any]) -> str:
    """Returns the directory of needed files; empty if it has none, or one outside the workspace."""
    directory = decode_path(get_text(need, "directory") or "")
    return directory if directory and is_safe(directory) else ""


def dependency_ids(basis: Basis) -> dict[str, str]:
    """Returns the dependencies by name: the run of an operation, the sha256 of each of its files and of each input."""
    ids = {need.name: need.run_id for need in basis.needs}
    # the operation is part of the name, because two needs may have files of one path
    ids |= {f"{need.name} {encode_path(path)}": sha256 for need in basis.needs for path, sha256 in need.files}
    return ids | {encode_path(one.path): one.sha256 for one in basis.inputs}


def encode_steps(steps: Iterable[StepRun]) -> list[dict[str, str]]:
    """Returns the `[[steps]]` of result.toml."""
    return [{"operation": step.operation, "run": step.run_id, "status": step.status} for step in steps]


def read_steps(data: bytes | None) -> tuple[StepRun, ...]:
    """Reads the steps that a result.toml lists. Raises BadRun if it is not valid."""
    table = parse_toml(data or b"", RESULT)
    # { operation = "prepare", run = "<id>", status = "completed" }
    steps = get_tables(table, "steps")
    return tuple(
        StepRun(get_text(one, "operation") or "", get_text(one, "run") or "", get_text(one, "status") or "") for one in steps
    )
