"""Dependencies of a run, as its records hold them."""

from __future__ import annotations

import pytest
import tomli_w

from gitrun.errors import BadRun
from gitrun.model import provenance
from gitrun.model.provenance import Basis, Dependency, InputFile, StepRun

BASIS = Basis(
    is_entry=True,
    needs=(Dependency("prepare", "1" * 40, (("data.txt", "a" * 64), ("odd\udcff", "b" * 64))),),
    inputs=(InputFile("in.csv", 7, "c" * 64, "https://example.org/in.csv"), InputFile("d", 3, "d" * 64)),
    parent="2" * 40,
    not_isolated=("build",),
)


def written(table: dict) -> bytes:
    return tomli_w.dumps({name: value for name, value in table.items() if value is not None}).encode()


def test_dependencies_are_read_as_they_were_written() -> None:
    assert provenance.read_basis(written(provenance.encode_basis(BASIS))) == BASIS


def test_steps_are_read_as_they_were_written() -> None:
    steps = (StepRun("prepare", "1" * 40, "completed"), StepRun("train", "2" * 40, "skipped"))
    assert provenance.read_steps(written({"steps": provenance.encode_steps(steps)})) == steps


def test_values_of_another_type_count_as_missing() -> None:
    found = provenance.read_basis(b'entry = "yes"\nparent = 3\nneeds = [{operation = 1}, 2]\ninputs = "x"\nnot_isolated = 1\n')
    assert found == Basis(needs=(Dependency("", ""),))


@pytest.mark.parametrize("read", [provenance.read_basis, provenance.read_steps])
def test_a_record_that_is_no_toml_is_refused(read) -> None:
    with pytest.raises(BadRun):
        read(b"= broken")


def test_files_of_two_needs_have_names_of_their_own() -> None:
    needs = (Dependency("a", "1", (("f", "x"),)), Dependency("b", "2", (("f", "y"),)))
    assert provenance.dependency_ids(Basis(needs=needs)) == {"a": "1", "b": "2", "a f": "x", "b f": "y"}
