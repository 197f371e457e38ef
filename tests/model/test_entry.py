"""What an entry of the project file says over what a program declares."""

from __future__ import annotations

import json

from jsonschema import Draft202012Validator

from gitrun.commands.install_docs import SHARE
from gitrun.model.entry import Input, Need, Step, override_flags
from gitrun.model.flags import Flag
from gitrun.source.project_file import KINDS, OPERATION, read_definitions


def test_condition_of_an_entry_joins_the_flag_of_the_program() -> None:
    found = Flag("momentum", 0.9, "float", option="--momentum")
    when = (("opt", ("sgd",)),)
    assert override_flags([found], [Flag("momentum", when=when)]) == (
        Flag("momentum", 0.9, "float", option="--momentum", when=when),
    )


SCHEMA = json.loads((SHARE / "gitrun.schema.json").read_text())


SHA256 = "0123456789abcdef" * 4


WHOLE = f"""
[operations.train]
description = "Train the classifier"
script = "./src/train.py"
flags-to = "args"
needs = {{ prepare = "data/*.npz", fetch = {{ files = ["a", "b/"], resolve = "always" }} }}
inputs = ["data/raw.csv", "/srv/x", "~/y", {{ path = "z", sha256 = "{SHA256.upper()}" }},
          {{ url = "https://example.org/d/big.bin?v=1", sha256 = "{SHA256}" }}]
outputs = ["model.pkl", "plots/"]
link = ["data"]
stop-after = "1h30m"
env = {{ OMP_NUM_THREADS = "1", EMPTY = "" }}

[operations.train.flags]
lr = 0.1
epochs = {{ default = 10, type = "int", min = 1, max = 100, help = "passes over the data" }}
opt = {{ default = "adam", choices = ["adam", "sgd"] }}
name = {{ required = true }}
momentum = {{ default = 0.9, when = {{ opt = ["sgd"], lr = 0.1 }} }}

[operations.train.metrics]
acc = 'accuracy[:=]\\s*(\\d+\\.\\d+)'

[operations.all]
steps = ["prepare", {{ run = "train", flags = {{ lr = 1, opt = "sgd" }} }}]
"""


def test_every_key_is_read() -> None:
    found = read_definitions(WHOLE.encode(), "gitrun.toml")
    train = found["train"]
    assert (train.kind, train.command, train.description, train.flags_to) == (
        "script", ("src/train.py",), "Train the classifier", "args",
    )  # fmt: skip
    assert train.needs == (Need("prepare", ("data/*.npz",)), Need("fetch", ("a", "b/"), always=True))
    assert train.inputs == (
        Input("data/raw.csv"), Input("/srv/x"), Input("~/y"), Input("z", "", SHA256),
        Input("big.bin", "https://example.org/d/big.bin?v=1", SHA256),
    )  # fmt: skip
    assert (train.outputs, train.links, train.stop_after) == (("model.pkl", "plots"), ("data",), 5400.0)
    assert train.env == (("OMP_NUM_THREADS", "1"), ("EMPTY", ""))
    assert train.flags == (
        Flag("lr", 0.1), Flag("epochs", 10, "int", help="passes over the data", least=1, most=100),
        Flag("opt", "adam", choices=("adam", "sgd")), Flag("name", required=True),
        Flag("momentum", 0.9, when=(("opt", ("sgd",)), ("lr", (0.1,)))),
    )  # fmt: skip
    assert train.metrics == (("acc", r"accuracy[:=]\s*(\d+\.\d+)"),)
    assert found["all"].steps == (Step("prepare"), Step("train", (("lr", 1), ("opt", "sgd"))))


def test_every_key_of_an_entry_is_in_the_schema_and_no_other() -> None:
    assert set(SCHEMA["$defs"]["operation"]["properties"]) == set(OPERATION)
    assert SCHEMA["$defs"]["flag"]["properties"]["type"]["enum"] == list(KINDS)
    Draft202012Validator.check_schema(SCHEMA)
