"""Configuration files whose values are flags: read by dotted names, written again, hostile ones refused in one line."""

from __future__ import annotations

import json

import pytest
import tomli
import yaml

from gitrun.errors import UsageError
from gitrun.source.config_files import edit_config, find_changes, load_tables, read_flags

FILES = {
    "a.toml": b'lr = 0.1\nname = "x"\n[model]\nlayers = [1, 2]\nbias = true\n[model.opt]\nkind = "adam"\n',
    "a.yaml": b"lr: 0.1\nname: x\nmodel:\n  layers: [1, 2]\n  bias: true\n  opt: {kind: adam}\n",
    "a.yml": b"\xef\xbb\xbflr: 0.1\r\nname: x\r\nmodel: {layers: [1, 2], bias: true, opt: {kind: adam}}\r\n",
    "a.json": b'{"lr": 0.1, "name": "x", "model": {"layers": [1, 2], "bias": true, "opt": {"kind": "adam"}}}',
}
BOMB = b"a: &a [x, x]\n" + b"".join(b"%c: &%c [%s]\n" % (n, n, b", ".join([b"*%c" % (n - 1)] * 9)) for n in range(98, 110))
FLAGS = {"lr": 0.1, "name": "x", "model.layers": [1, 2], "model.bias": True, "model.opt.kind": "adam"}


def values(data: bytes, path: str) -> dict[str, object]:
    return {flag.name: flag.default for flag in read_flags(data, path)}


@pytest.mark.parametrize("path", FILES)
def test_values_are_flags_with_dotted_names_and_kinds(path) -> None:
    found = read_flags(FILES[path], path)
    assert {flag.name: flag.default for flag in found} == FLAGS
    assert [flag.kind for flag in found] == ["number", "str", "list", "bool", "str"]


@pytest.mark.parametrize("path", FILES)
def test_what_is_put_in_is_read_again_and_all_else_stays(path) -> None:
    given = {"lr": 1e-05, "model.opt.kind": "ü: #", "model.new.deep": 3, "name": "007"}
    assert values(edit_config(FILES[path], path, given), path) == {**FLAGS, **given}


def test_sections_of_ini_are_tables_and_texts_are_read_as_typed() -> None:
    data = b"[DEFAULT]\nseed = 1\n[train]\nlr = 1e-3\nName = a b\nfast = yes\nrest =\n"
    assert values(data, "a.ini") == {
        "train.seed": 1,
        "train.lr": 0.001,
        "train.Name": "a b",
        "train.fast": True,
        "train.rest": "",
    }
    fresh = edit_config(data, "a.cfg", {"train.lr": 0.5, "train.Name": "two\nlines %(x)s", "new.k": [1, "a"]})
    found = values(fresh, "a.cfg")
    assert (found["train.lr"], found["train.Name"], found["new.k"], found["train.seed"]) == (
        0.5,
        "two\nlines %(x)s",
        [1, "a"],
        1,
    )
    for name in ("lr", "train.lr.x"):
        with pytest.raises(UsageError, match="names no section"):
            edit_config(data, "a.ini", {name: 1})


def test_texts_of_ini_that_are_not_put_in_stay_as_they_are() -> None:
    texts = b"lr = 0.1\nversion = 1.10\nflag = yes\nname = 'quoted'\nbig = 1e3\nnone = null\n"
    data = b"[DEFAULT]\nseed = 007\n\n[run]\n" + texts + b"\n[b]\n\n"
    assert edit_config(data, "a.ini", {"run.lr": 0.2}) == data.replace(b"0.1\n", b"0.2\n")
    assert edit_config(data, "a.ini", {"b.seed": 3}) == data.replace(b"[b]\n", b"[b]\nseed = 3\n")


def test_what_is_taken_away_is_null_where_there_is_null_and_else_is_out() -> None:
    assert json.loads(edit_config(b'{"a": {"b": 1}, "c": 2}', "a.json", {"a.b": None})) == {"a": {"b": None}, "c": 2}
    assert yaml.safe_load(edit_config(b"a: {b: 1}\nc: 2\n", "a.yaml", {"a.b": None})) == {"a": {"b": None}, "c": 2}
    assert tomli.loads(edit_config(b"c = 2\n[a]\nb = 1\n", "a.toml", {"a.b": None}).decode()) == {"a": {}, "c": 2}
    assert edit_config(b"[a]\nb = 1\nc = 2\n", "a.ini", {"a.b": None}) == b"[a]\nc = 2\n\n"


def test_default_of_ini_that_is_taken_out_of_a_section_stays_in_the_others() -> None:
    fresh = edit_config(b"[DEFAULT]\nx = 007\n[a]\n[b]\n[c]\nx = 1\n", "a.ini", {"a.x": None})
    assert fresh == b"[a]\n\n[b]\nx = 007\n\n[c]\nx = 1\n\n"


def test_what_is_put_in_is_not_in_what_shared_it_by_an_anchor() -> None:
    fresh = edit_config(b"a: &x {k: 1, l: &y [1]}\nb: *x\nc: {<<: *x, m: *y}\n", "a.yaml", {"a.k": 2})
    assert yaml.safe_load(fresh) == {"a": {"k": 2, "l": [1]}, "b": {"k": 1, "l": [1]}, "c": {"k": 1, "l": [1], "m": [1]}}


def test_only_what_differs_in_value_or_type_is_written() -> None:
    found = read_flags(FILES["a.toml"], "a.toml")
    assert find_changes(FLAGS, found) == {}
    assert find_changes({name: value for name, value in FLAGS.items() if name != "lr"}, found) == {"lr": None}
    assert find_changes({**FLAGS, "model.bias": 1, "lr": 0.2, "q": 1}, found) == {"model.bias": 1, "lr": 0.2, "q": 1}
    assert find_changes({**FLAGS, "model.layers": [1.0, 2]}, found) == {}


def test_what_no_flag_can_be_is_left_out_and_stays_in_the_file() -> None:
    data = b"when: 2026-01-01\n1: x\n'a.b': 1\nnothing: null\nlist: [{a: 1}]\nlr: 1\n"
    assert values(data, "a.yaml") == {"nothing": None, "lr": 1}
    kept = yaml.safe_load(edit_config(data, "a.yaml", {"lr": 2, "nothing": 3}))
    assert (kept["lr"], kept["nothing"], kept[1], kept["list"], str(kept["when"])) == (2, 3, "x", [{"a": 1}], "2026-01-01")


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b"\xff", "a.toml"), (b"a = ", "a.toml"), (b"a: [", "a.yaml"), (b"a: !!python/object:os.system {}", "a.yaml"),
        (b"{", "a.json"), (b"[1]", "a.json"), (b"- 1", "a.yaml"), (b"x", "a.ini"), (b"[" * 100_000, "a.json"),
        (b"a: " + b"[" * 5_000, "a.yaml"), (b"#" * ((1 << 20) + 1), "a.yaml"),
        (BOMB, "a.yaml"), (b"a: &a [*a, *a]", "a.yaml"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_hostile_file_is_refused_in_one_line(data, path) -> None:
    with pytest.raises(UsageError) as caught:
        read_flags(data, path)
    assert path in caught.value.message.partition(":")[0]
    assert "\n" not in caught.value.message


def test_value_in_the_way_of_a_table_is_named() -> None:
    with pytest.raises(UsageError, match=r"a\.json has no table for the flag 'lr\.x'"):
        edit_config(b'{"lr": 1}', "a.json", {"lr.x": 1})


def test_order_of_keys_stays() -> None:
    assert list(json.loads(edit_config(b'{"z": 1, "a": {"c": 1, "b": 2}}', "a.json", {"a.b": 3}))) == ["z", "a"]
    assert list(tomli.loads(edit_config(b"z = 1\na = 2\n", "a.toml", {"a": 3}).decode())) == ["z", "a"]
    assert list(load_tables(edit_config(b"z: 1\na: 2\n", "a.yaml", {"a": 3}), "a.yaml")) == ["z", "a"]
