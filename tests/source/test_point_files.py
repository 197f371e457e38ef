"""Files of trials: what their cells mean, how faults in them are named, and that a written file reads back."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitrun.errors import GitrunError, MissingPackage
from gitrun.model.flags import Flag, Value
from gitrun.source.point_files import read_points, resolve_points, write_points

DECLARED = (
    Flag("lr", 0.1, "number"), Flag("opt", "adam", "str", ("adam", "sgd")), Flag("tag", "", "str"), Flag("layers", [1], "list"),
    Flag("batch_size", 8, "int"),
)  # fmt: skip
FORCE = "To pass it anyway: --force-flags"
HOLDS = "A flag holds true or false, a number, text, or a list of these"
COMBINED = "all combinations of lists: {lr: [0.1, 0.2]}"
ENDINGS = ("csv", "json", "toml", "yml")
plain: st.SearchStrategy[Any] = st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8"))
tricky = st.text(st.sampled_from("[],;'\"\\*0123456789.e-+_ \t\r\nnulltrue~|>&!%@{}inf=#:\x00\x1b\x85\u2028\ufeff\U0001f600é"))
values: st.SearchStrategy[Any] = st.recursive(plain | tricky, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
rows_of = st.lists(
    st.dictionaries(st.sampled_from(["lr", "opt-x", "a.b", "true", "n"]), values, min_size=1), min_size=1, max_size=4
)


def read(path: Path, text: str | bytes, declared: tuple[Flag, ...] | None = None, as_typed: str = "") -> list[dict[str, Value]]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(resolve_points(read_points(path), declared, operation="train.py", as_typed=as_typed))


def fault(path: Path, text: str | bytes, declared: tuple[Flag, ...] | None = None) -> str:
    with pytest.raises(GitrunError) as caught:
        read(path, text, declared)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.csv", "lr,opt\n0.1,adam\n1e-3,\n"),
        ("p.csv", "\ufefflr;opt\r\n0.1;adam\r\n\r\n1e-3;\r\n"),
        ("p.csv", "lr\topt\n0.1\tadam\n1e-3"),
        ("p.csv", ' lr , opt\n0.1, "adam"\n 1e-3, \n'), ("P.CSV", "lr,opt\n0.1,'adam'\n1e-3\n"),
        ("p.json", '[{"lr": 0.1, "opt": "adam"},\n {"lr": 1e-3, "opt": null}]'),
        ("p.toml", '[[trial]]\nlr = 0.1\nopt = "adam"\n[[trial]]\nlr = 1e-3\n'),
        ("p.toml", 'any = [{lr = 0.1, opt = "adam"}, {lr = 1e-3}]'),
        ("p.yml", "- {lr: 0.1, opt: adam}\n- lr: 1e-3\n  opt: ~\n"),
        ("p.yaml", "- &a\n  lr: 0.1\n  opt: adam\n- <<: *a\n  lr: 1e-3\n  opt: null\n"),
    ],
)  # fmt: skip
def test_a_row_is_a_trial(tmp_path: Path, name: str, text: str) -> None:
    for declared in (None, DECLARED):
        assert read(tmp_path / name, text, declared) == [{"lr": 0.1, "opt": "adam"}, {"lr": 0.001}]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.json", '{"lr": [0.1, 0.2], "n": 1, "opt": ["adam", "sgd"], "x": null}'),
        ("p.toml", 'lr = [0.1, 0.2]\nopt = ["adam", "sgd"]\nn = 1\n'),
        ("p.yml", "lr: [0.1, 2e-1]\nopt:\n- adam\n- sgd\nn: 1\n"),
    ],
)
def test_a_table_of_lists_gives_all_combinations(tmp_path: Path, name: str, text: str) -> None:
    assert read(tmp_path / name, text) == [{"lr": lr, "n": 1, "opt": opt} for lr in (0.1, 0.2) for opt in ("adam", "sgd")]


def test_cells_are_read_as_typed_words(tmp_path: Path) -> None:
    text = "tag,layers,x,batch-size\n007,\"[1, 2]\",yes,8\n'a b',[],'1',16\n"
    assert read(tmp_path / "p.csv", text, (*DECLARED, Flag("x"))) == [
        {"tag": "007", "layers": [1, 2], "x": True, "batch_size": 8}, {"tag": "a b", "layers": [], "x": "1", "batch_size": 16},
    ]  # fmt: skip
    assert read(tmp_path / "p.csv", "v\n1.10\n1.5\n", None, "numbers") == [{"v": "1.10"}, {"v": 1.5}]


def test_plain_words_of_yaml_are_read_as_typed_words(tmp_path: Path) -> None:
    text = "- {a: 1e-3, b: 12:30, c: 2026-01-02, d: .inf, e: 'no', f: [1e-3, on], tag: 1.10}\n"
    found = read(tmp_path / "p.yml", text, (Flag("tag", kind="str"), *map(Flag, "abcdef")))
    assert found == [
        {"a": 0.001, "b": "12:30", "c": "2026-01-02", "d": float("inf"), "e": "no", "f": [0.001, True], "tag": "1.10"}
    ]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "p.csv",
            "lr,opt\n0.1,adam\n0.2,adm\n",
            "p.csv, line 3: flag 'opt' of train.py must be one of adam, sgd, not 'adm'. FORCE",
        ),
        ("p.csv", 'lr,tag\n0.1,"a\nb"\n\nx,a\n', "p.csv, line 5: flag 'lr' of train.py must be a number, not 'x'. FORCE"),
        (
            "p.csv",
            "lr,opt\n0.1,adam,3\n",
            "p.csv, line 2: 3 values for 2 columns. To give a text or a list with commas: put it in double quotes",
        ),
        (
            "p.csv",
            ",lr\n0,0.1\n",
            "p.csv, line 1: column 1 has no name. To leave out the index of pandas: to_csv(PATH, index=False)",
        ),
        ("p.csv", "0.1,a\n", "p.csv, line 1: '0.1' cannot be the name of a flag. The first line has the names of flags"),
        ("p.csv", "lr,lr\n1,2\n", "p.csv, line 1: two columns are named 'lr'"),
        ("p.csv", 'lr\n"0.1\n', "p.csv, line 2: unexpected end of data"),
        ("p.csv", b"lr\n0.1\n\xff\n", "p.csv, line 3: the text is not UTF-8"),
        ("p.csv", "", "p.csv has no trials. To give one: a row with a value for each flag"),
        ("p.csv", "lr\n", "p.csv has no trials. To give one: a row with a value for each flag"),
        (
            "p.csv",
            "lr,rate\n0.1,1\n",
            "p.csv, line 2: train.py has no flag 'rate'. Its flags: lr, opt, tag, layers, batch_size. FORCE",
        ),
        ("p.json", '[{"lr": 0.1},\n\n{"lr": "x"}]', "p.json, line 3: flag 'lr' of train.py must be a number, not 'x'. FORCE"),
        ("p.json", '[{"lr": 0.1},\n{"lr": {}}]', "p.json, line 2: flag 'lr' cannot hold a value of type dict. HOLDS"),
        (
            "p.json",
            '[{"lr": 0.1},\n1]',
            "p.json, line 2: this is not a table of flags. A trial is a table such as {lr: 0.1, opt: adam}",
        ),
        ("p.json", "[{lr: 0.1}\n]", "p.json, line 1: this is not JSON: Expecting property name enclosed in double quotes"),
        ("p.json", '{"lr": []}', "p.json: lr has no values"),
        (
            "p.json",
            "3",
            "p.json has no list of trials. To give trials: [{lr: 0.1}, {lr: 0.2}], or " + COMBINED,
        ),
        ("p.json", "[" * 100_000, "p.json is nested too deeply"),
        (
            "p.toml",
            '[[trial]]\nlr = 1\n\n[[trial]]\nlr = "x"\n',
            "p.toml, line 4: flag 'lr' of train.py must be a number, not 'x'. FORCE",
        ),
        (
            "p.toml",
            'trials = [{lr = 1}, {lr = "x"}]\n',
            "p.toml, row 2: flag 'lr' of train.py must be a number, not 'x'. FORCE",
        ),
        ("p.toml", "lr = \n", "p.toml: this is not TOML: Invalid value (at line 1, column 6)"),
        ("p.yml", "- lr: 0.1\n- lr: x\n", "p.yml, line 2: flag 'lr' of train.py must be a number, not 'x'. FORCE"),
        ("p.yml", "- lr: [\n", "p.yml, line 2: this is not YAML: expected the node content, but found '<stream end>'"),
        ("p.yml", "- lr: 1\n- lr: &a [*a]\n", "p.yml, line 2: this has more than 100,000 values"),
        ("p.txt", "lr\n1\n", "p.txt is not a file of trials. Its name must end with one of .csv, .json, .toml, .yml, .yaml"),
    ],
)  # fmt: skip
def test_faults_are_named_with_file_and_line(tmp_path: Path, name: str, text: str | bytes, message: str) -> None:
    assert fault(tmp_path / name, text, DECLARED) == message.replace("FORCE", FORCE).replace("HOLDS", HOLDS)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GitrunError, match=r"cannot read p.csv: No such file or directory"):
        read_points(tmp_path / "p.csv")
    with pytest.raises(GitrunError, match=r"cannot write p.csv: No such file or directory"):
        write_points(tmp_path / "gone" / "p.csv", [{"a": 1}])


def test_yaml_bombs_are_refused(tmp_path: Path) -> None:
    names = "abcdefgh"
    lists = (f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]" for before, name in pairwise(names))
    text = ", ".join(["a: &a [1, 2]", *lists])
    assert fault(tmp_path / "p.yml", f"- {{{text}}}\n") == "p.yml, line 1: this has more than 100,000 values"
    assert fault(tmp_path / "p.yml", f"{{{text}}}\n") == "p.yml: this has more than 100,000 values"


def test_yaml_without_pyyaml_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingPackage, match=r"pip install 'git-run-tracker\[yaml\]'"):
        read(tmp_path / "p.yml", "- lr: 1\n")


@pytest.mark.parametrize("ending", ENDINGS)
@given(rows=rows_of)
def test_written_rows_read_back(ending: str, rows: list[dict[str, Any]]) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory, f"p.{ending}")
        write_points(path, rows)
        # repr tells 1 from 1.0, and text from what looks like it
        assert list(map(sort_row, resolve_points(read_points(path), None, operation="t"))) == list(map(sort_row, rows))


@pytest.mark.parametrize("ending", ENDINGS)
@given(texts=st.lists(tricky, min_size=1, max_size=4))
def test_written_texts_read_back_for_text_flags(ending: str, texts: list[str]) -> None:
    rows = [{"tag": text} for text in texts]
    with TemporaryDirectory() as directory:
        path = Path(directory, f"p.{ending}")
        write_points(path, rows)
        for flag in (Flag("tag", kind="str"), Flag("tag", as_typed="all"), Flag("tag", as_typed="numbers")):
            assert list(resolve_points(read_points(path), [flag], operation="t", as_typed="all")) == rows


def test_rows_without_flags_read_back(tmp_path: Path) -> None:
    for ending in ENDINGS:
        write_points(tmp_path / f"p.{ending}", [{"a": 1}, {}, {"a": 2}])
        assert [row.flags.keys() for row in read_points(tmp_path / f"p.{ending}")] == [{"a"}, set(), {"a"}]
    with pytest.raises(GitrunError, match="no flags to write"):
        write_points(tmp_path / "p.csv", [{}])


def sort_row(row: dict[str, Any]) -> str:
    return repr(sorted(row.items()))
