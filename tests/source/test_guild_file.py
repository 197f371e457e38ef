"""Operations of a guild.yml."""

from __future__ import annotations

from contextlib import suppress

import pytest
from repository import Repo

from gitrun.errors import GitrunError
from gitrun.model.tree import MemoryTree
from gitrun.source.guild_file import guild_definition, guild_entries, read_operations

GUILD = b"""\
- config: common
  flags:
    lr: {default: 0.1, type: float, min: 0, max: 1, description: Step  size}
  operations:
    evaluate: {main: evaluate, python-path: lib}
- model: m
  extends: common
  params: {script: train}
  resources:
    data: [{file: data.csv}]
  operations:
    prepare: prepare
    train:
      description: Train it
      main: '{{script}}'
      flags:
        $include: common
        epochs: [1, 2]
        opt: {default: adam, choices: [adam, {value: sgd, description: plain}]}
        none: null
      requires:
        - operation: prepare
          select: data\\.txt
        - data
      output-scalars: {loss: 'loss: (\\value)'}
      env: {SEED: 7}
      stop-after: 30
      label: lr=${lr}
      optimizers: {gp: {}}
    shell: {exec: 'sh go.sh ${flag_args} ${lr}', flags: {lr: 0.1}}
    pkg: {main: src/pkg.run --fast}
    pipe:
      steps: [prepare n=5, {run: train lr=0.3, label: x}]
      flags: {lr: 1}
    nothing: {}
"""
PIPELINE = """\
- model: m
  operations:
    prepare: prepare
    train: {main: train, label: x, requires: [{operation: prepare, select: data.txt}]}
    pipe: {steps: [prepare n=5, train lr=0.5]}
"""
FILES = {"guild.yml": GUILD, "prepare.py": b"n = 1\n", "train.py": b"lr = 0.1\n", "src/pkg/run.py": b"", "data.csv": b""}


def draft(text: bytes, **files: bytes):
    return read_operations(None, MemoryTree({"guild.yml": text, **files}), "guild.yml")


def test_operations_of_guild_become_operations() -> None:
    found = read_operations(None, MemoryTree(FILES), "guild.yml")
    assert found.operations["m:train"] == {
        "description": "Train it",
        "script": "train.py",
        "flags": {
            "lr": {"default": 0.1, "type": "float", "min": 0, "max": 1, "help": "Step size"},
            "epochs": 1,
            "opt": {"default": "adam", "choices": ["adam", "sgd"]},
            "none": {},
        },
        "needs": {"m:prepare": ["data.txt"]},
        "inputs": ["data.csv"],
        "metrics": {"loss": "loss: ([-+]?[0-9]*\\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"},
        "env": {"SEED": "7"},
        "stop-after": "1800s",
    }
    assert found.operations["m:shell"]["command"] == ["sh", "go.sh", "--lr", "{lr}", "{lr}"]
    assert found.operations["m:pkg"]["command"] == ["python3", "src/pkg/run.py", "--fast"]
    assert found.operations["m:pipe"] == {"steps": ["m:prepare n=5", "m:train lr=0.3"]}
    assert found.operations["m:evaluate"] == {"command": ["python3", "-m", "evaluate"]}


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("train", {"script": "train.py"}),
        ("train.py", {"script": "train.py"}),
        ("src/fit-all", {"script": "src/fit_all.py"}),
        ("src.fit_all", {"script": "src/fit_all.py"}),
        ("pkg", {"command": ["python3", "-m", "pkg"]}),
        ("nosuch", {}),
    ],
)
def test_operation_without_a_body_runs_the_module_of_its_name(name, body) -> None:
    files = {"train.py": b"", "src/fit_all.py": b"", "pkg/__main__.py": b""}
    assert draft(f"{name}: {{flags-import: all}}\n".encode(), **files).operations == {name: body}


def test_flag_reaches_a_command_in_the_variable_that_it_names() -> None:
    flags = "flags: {lr: {default: 1, env-name: LR}, n: 2}"
    found = draft(f"go: {{exec: ./go.sh, {flags}}}\nfit: {{main: fit, {flags}}}\n".encode(), **{"fit.py": b""})
    assert found.operations["go"] == {"command": ["env", "LR={lr}", "./go.sh"], "flags": {"lr": {"default": 1}, "n": 2}}
    assert (found.operations["fit"]["script"], found.losses) == ("fit.py", ("guild.yml: fit: flag lr: env-name",))


def test_required_file_that_a_flag_names_is_no_input() -> None:
    found = draft(b"go: {exec: ls, flags: {f: a.txt}, requires: [{file: '${f}'}, {file: b.txt}]}\n")
    assert (found.operations["go"]["inputs"], found.losses) == (["b.txt"], ("guild.yml: go: requires: file",))


@pytest.mark.parametrize(
    ("step", "drafted", "losses"),
    [
        ("run: train lr=0.3", "train lr=0.3", []),
        ("run: train lr=[1,2] name='a b'", {"run": "train lr=[1,2]", "flags": {"name": "a b"}}, []),
        ("run: train lr=${lr}", "train", []),
        ("run: train lr=${rate}", "train", ["steps: lr=${rate}"]),
        ("{run: train, flags: {lr: [1, 2], fast: yes}}", {"run": "train", "flags": {"lr": [1, 2], "fast": True}}, []),
        ("{run: train, flags: {lr: 'linspace[1:2:3]', name: x}}", "train lr=linspace[1:2:3] name=x", []),
        (
            "{run: train, flags: {lr: '[0:1]'}, optimizer: gp, max-trials: 9, maximize: acc}",
            {"run": "train lr=[0:1]", "optimizer": "gp", "max-trials": 9, "maximize": "acc"},
            [],
        ),
        ("{run: train, optimizer: gbrt, tag: x}", "train", ["steps: optimizer", "steps: tag"]),
        ("{flags: {lr: 1}}", "", ["steps: flags"]),
    ],
)
def test_step_keeps_its_flags_and_options(step, drafted, losses) -> None:
    step = step if step.startswith("{") else f"{{{step!r}}}".replace("{'run: ", "{run: '").replace('{"run: ', '{run: "')
    found = draft(f"train: {{exec: ls}}\npipe: {{steps: [{step}]}}\n".encode())
    assert found.operations["pipe"] == {"steps": [drafted] if drafted else []}
    assert [loss.removeprefix("guild.yml: pipe: ") for loss in found.losses] == losses


def test_steps_are_read_as_they_were_drafted() -> None:
    text = b"train: {exec: ls, flags: {lr: 1, s: x, fast: no}}\n"
    text += b"pipe: {steps: [{run: train s='a b', flags: {lr: [1, 2], fast: yes}, maximize: acc}]}\n"
    (step,) = guild_definition(MemoryTree({"guild.yml": text}), "pipe").steps
    assert (step.operation, [(name, getattr(value, "text", value)) for name, value in step.flags], step.options) == (
        "train",
        [("s", "a b"), ("lr", [1, 2]), ("fast", True)],
        (("maximize", "acc"),),
    )


def test_what_cannot_be_kept_is_named() -> None:
    assert [loss.removeprefix("guild.yml: ") for loss in read_operations(None, MemoryTree(FILES), "guild.yml").losses] == [
        "m:evaluate: python-path: set PYTHONPATH in env",
        "m:train: flag epochs: a list as default, which makes a batch. To run it: git run OPERATION epochs=[…]",
        "m:train: label: git run --label",
        "m:train: optimizers: git run -o",
        "m:pipe: steps: label",
        "m:pipe: flag lr: steps have their own defaults. To set it: lr=1",
        "m:nothing: it says nothing about what runs",
    ]


def test_file_may_have_only_operations() -> None:
    assert draft(b"train: train\ngo: {exec: ls}\n", **{"train.py": b""}).operations == {
        "train": {"script": "train.py"},
        "go": {"command": ["ls"]},
    }


def test_short_name_finds_the_operation_of_the_only_model() -> None:
    assert guild_definition(MemoryTree(FILES), "train").name == "m:train"
    two = b"- model: a\n  operations: {x: {exec: ls}}\n- model: b\n  operations: {x: {exec: ls}}\n"
    assert guild_definition(MemoryTree({"guild.yml": two}), "x") is None
    assert guild_definition(MemoryTree({"guild.yml": two}), "b:x").name == "b:x"
    assert guild_definition(MemoryTree({}), "x") is None


@pytest.mark.parametrize(
    "text",
    [b"!!python/object/apply:os.system [touch owned]", b"[" * 5000, b"a: &a [*a]", b"\xff", b"a: [", b"- 1\n- 2", b"", b"3"],
    ids=["object", "deep", "circle", "bytes", "broken", "numbers", "empty", "number"],
)
def test_file_that_is_none_executes_nothing(text, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with suppress(GitrunError):
        assert draft(text).operations == {}
    assert list(tmp_path.iterdir()) == []


ODD = (
    "[]", "3", "{main: 3}", "{main: '\"'}", "{main: a, flags: 3}", "{main: a, requires: 7}", "{steps: {a: b}}",
    "{exec: x, flags: {'a b': 1}}", "{main: a, output-scalars: {x: '('}}",
)  # fmt: skip


@pytest.mark.parametrize("table", ODD)
def test_odd_operations_harm_no_other(table) -> None:
    entries = guild_entries(MemoryTree({"guild.yml": f"odd: {table}\ngood: {{exec: ls}}\n".encode()}))
    assert entries["good"].command == ("ls",)


def test_operations_of_guild_run_without_it(tmp_path) -> None:
    repo = Repo.create(tmp_path / "project")
    repo.write("prepare.py", 'n = 10\nopen("data.txt", "w").write("x" * n)\n')
    repo.write("train.py", 'lr = 0.1\nprint("loss:", lr * len(open("data.txt").read()))\n')
    repo.write("guild.yml", PIPELINE)
    repo.commit()
    listed = repo.run("ops")
    assert listed.stdout.splitlines()[:4] == ["m:prepare", "  n=10", "m:train", "  lr=0.1"]
    assert "note: not carried over from guild.yml: m:train: label: git run --label" in listed.stderr
    assert repo.run("pipe", check=True).stdout == "loss: 2.5\n"
    assert repo.run("--restart", "m:train", "lr=1.0", check=True).stdout == "loss: 5.0\n"
    assert repo.run("--needed", "m:train", "lr=1.0", check=True).stdout.startswith("Skipping because")


def test_operations_of_gitrun_toml_come_first(tmp_path) -> None:
    repo = Repo.create(tmp_path / "project")
    repo.write("guild.yml", "same: {exec: echo guild}\nother: {exec: echo other}\n")
    repo.write("gitrun.toml", '[operations.same]\ncommand = ["echo", "ours"]\n')
    repo.commit()
    listed = repo.run("ops", check=True)
    assert listed.stdout.split()[0] == "same"
    assert "other" not in listed.stdout
    assert "note: guild.yml has operations too, which are not listed here. To run one: git run NAME" in listed.stderr
    assert [repo.run(name, check=True).stdout for name in ("same", "other")] == ["ours\n", "other\n"]


def test_broken_guild_yml_stops_no_script(tmp_path) -> None:
    repo = Repo.create(tmp_path / "project")
    repo.write("train.py", "print(1)\n")
    repo.write("guild.yml", "[")
    repo.commit()
    assert repo.run("train.py", check=True).stdout == "1\n"
    assert "Did you mean train.py?" in repo.run("trian.py").stderr
    listed = repo.run("ops", check=True)
    assert listed.stdout.split()[0] == "train.py"
    assert "note: guild.yml is not read: cannot read guild.yml: " in listed.stderr
