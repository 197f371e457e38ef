"""The flags of a notebook are read from its text, and put into a copy of it."""

from __future__ import annotations

import json

import pytest
from notebook import notebook

from gitrun.errors import UsageError
from gitrun.scripts.notebooks import read_notebook, set_notebook_flags


def flags(text: str) -> dict[str, object]:
    return {flag.name: flag.default for flag in read_notebook(text.encode(), "a.ipynb").flags}


def sources(text: str, **values: object) -> list[str]:
    return [cell["source"] for cell in set_notebook_flags(json.loads(text), values)["cells"]]


def test_constants_of_the_first_code_cell_are_flags() -> None:
    assert flags(notebook("lr = 0.1\nopt: str = 'adam'\nmodel = make()", "other = 1")) == {"lr": 0.1, "opt": "adam"}


def test_cell_with_the_tag_goes_before_the_first() -> None:
    assert flags(notebook("import os\nseed = 1", "lr = 0.1", tagged=1)) == {"lr": 0.1}


def test_what_is_ipythons_is_read_over() -> None:
    cell = "%matplotlib inline\nlr = 0.1\nfiles = !ls\nif lr:\n    !echo yes\nlr?\nn = 5 % 3\ntext = '''\n%d\n'''\nk = 1"
    assert flags(notebook(cell)) == {"lr": 0.1, "n": 2, "text": "\n%d\n", "k": 1}


@pytest.mark.parametrize("cell", ["%%bash\nlr=1", "lr = = 1", "", "\0"])
def test_cell_that_is_not_python_has_no_flags(cell) -> None:
    assert flags(notebook(cell)) == {}


def test_notebook_of_another_language_has_a_kernel_and_no_flags() -> None:
    found = read_notebook(notebook("lr <- 1\nx = 2", language="R", kernel="ir").encode(), "a.ipynb")
    assert (found.language, found.kernel, found.flags) == ("R", "ir", ())


def test_cell_may_be_a_list_of_lines() -> None:
    text = json.loads(notebook("x"))
    text["cells"][0]["source"] = ["lr = 0.1\n", "n = 3"]
    assert flags(json.dumps(text)) == {"lr": 0.1, "n": 3}


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"cells": 3}', b'{"cells": [3]}', b"\xff", b"[" * 100_000])
def test_what_is_no_notebook_says_so(data) -> None:
    with pytest.raises(UsageError, match=r"'a\.ipynb' is not a notebook"):
        read_notebook(data, "a.ipynb")


def test_values_stand_where_the_constants_of_the_first_cell_stood() -> None:
    text = notebook("%pwd\nname = 'ä'; lr = 0.1  # rate\nsize = (2, 3)\ntwice = lr * 2", "print(lr)")
    first, second = sources(text, lr=0.5, size=[4, 5], name="ö")
    assert first == "%pwd\nname = 'ö'; lr = 0.5  # rate\nsize = (4, 5)\ntwice = lr * 2"
    assert second == "print(lr)"


def test_values_are_assigned_behind_the_cell_with_the_tag() -> None:
    text = notebook("import os", "lr = 0.1\nn = 3", "print(lr)", tagged=1)
    assert sources(text, lr=float("nan"))[1:3] == ["lr = 0.1\nn = 3", '# flags of this run\nlr = float("nan")']


def test_values_of_another_time_are_taken_out() -> None:
    text = notebook("lr = 0.1", "print(lr)", tagged=0)
    again = json.dumps(set_notebook_flags(json.loads(text), {"lr": 0.5}))
    assert sources(again, lr=0.7) == sources(text, lr=0.7)
    assert sources(again) == sources(text)


def test_names_that_a_notebook_does_not_have_are_assigned_first() -> None:
    assert sources(notebook("lr = 0.1"), lr=1, more=None) == ["# flags of this run\nmore = None", "lr = 1"]


def test_no_values_leave_the_cells_as_they_are() -> None:
    text = notebook("lr = 0.1", "print(lr)")
    assert set_notebook_flags(json.loads(text), {}) == json.loads(text)


def test_values_stand_wherever_the_first_cell_gives_them() -> None:
    text = notebook("a, b = 1, (2, 3)\nif a:\n    c = d = 'x'; e = 10 * 2\nelse:\n    c = 0", "print(a)")
    assert flags(text) == {"a": 1, "b": [2, 3], "c": None, "d": None, "e": None}
    assert sources(text, b=[4], c="y", e=5)[0] == ("a, b = 1, (4,)\nif a:\n    d = 'x'; c = 'y'; e = 5\nelse:\n    c = 'y'")


def test_a_name_that_a_later_cell_assigns_again_is_no_flag() -> None:
    assert flags(notebook("loss = 0.0\nlr = 0.1\nlog = []", "for i in x:\n    loss += i", "log.append(1)")) == {"lr": 0.1}
    assert flags(notebook("loss = 0.0", "loss += 1", tagged=0)) == {"loss": 0.0}
