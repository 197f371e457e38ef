"""Meanings of Guild's attributes."""

from __future__ import annotations

import pytest

from gitrun.extras.importers.guild_words import command_of, flags_of, label_of, space_of
from gitrun.model.space import Choice, Range

MAIN = ["${python_exe}", "-um", "guild.op_main"]


def attrs(*words: str, cmd=(), **flags) -> dict:
    return {"op": {"op-cmd": {"cmd-args": list(words), "cmd-flags": flags}}, "cmd": list(cmd)}


@pytest.mark.parametrize(
    ("words", "paths", "command"),
    [
        ([*MAIN, "train", "--", "__flag_args__"], {"train.py"}, ("script", ("{python}", "train.py"))),
        ([*MAIN, "pkg.train", "--", "__flag_args__"], {"pkg/train.py"}, ("script", ("{python}", "pkg/train.py"))),
        ([*MAIN, "src/train", "--", "__flag_args__"], {"src/train.py"}, ("script", ("{python}", "src/train.py"))),
        ([*MAIN, "train", "--fast", "--", "__flag_args__"], {"train.py"}, ("script", ("{python}", "train.py", "--fast"))),
        ([*MAIN, "pkg", "--", "__flag_args__"], set(), ("command", ("{python}", "-m", "pkg", "--lr", "{lr}"))),
        (["sh", "go.sh", "${lr}", "-x${lr}"], set(), ("command", ("sh", "go.sh", "{lr}", "-x{lr}"))),
        (["sh", "__flag_args__"], set(), ("command", ("sh", "--lr", "{lr}"))),
        (["${python_exe}", "-c", "pass"], set(), ("command", ("{python}", "-c", "pass"))),
        (["sh", "${other}"], set(), ("command", ("sh", "what it was"))),
        ([], set(), ("command", ("sh", "what it was"))),
    ],
)
def test_command_needs_no_guild(words, paths, command) -> None:
    assert command_of(attrs(*words, cmd=["sh", "what it was"]), paths, {"lr": 0.1}) == command


def test_option_of_a_flag_has_the_name_that_the_program_has() -> None:
    kept = attrs("sh", "__flag_args__", lr={"arg-name": "learning-rate"})
    assert command_of(kept, set(), {"lr": 0.1})[1] == ("sh", "--learning-rate", "{lr}")


def test_flags_lack_null_and_dependencies() -> None:
    recorded = {
        "flags": {"lr": 0.1, "x": None, "operation:prepare": "9ce5", "data": "f00d"},
        "op": {"deps": [{"name": "data"}]},
    }
    assert flags_of(recorded) == {"lr": 0.1}


@pytest.mark.parametrize(
    ("label", "template", "kept"),
    [
        ("lr=0.1 x=2", None, None),
        ("operation:prepare=7869", None, None),
        ("fine", None, "fine"),
        ("lr=0.1", "lr=0.1", "lr=0.1"),
        (None, None, None),
        (7, None, None),
    ],
)
def test_label_of_guild_itself_is_dropped(label, template, kept) -> None:
    recorded = {"label": label, "flags": {"lr": 0.1, "operation:prepare": "7869"}, "op": {"label-template": template}}
    assert label_of(recorded, {"lr": 0.1}) == kept


def test_lists_and_ranges_are_the_space_of_a_batch() -> None:
    space = space_of({"lr": [0.1, 0.2], "x": "uniform[0.1:0.9]", "y": 3, "z": "text", "w": "uniform[a:"})
    assert (space.keys(), space["lr"]) == ({"lr", "x"}, Choice((0.1, 0.2)))
    assert isinstance(space["x"], Range)
    assert (space["x"].low, space["x"].high) == (0.1, 0.9)
