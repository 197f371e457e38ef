"""Configurations of Sacred, read from the text of a program."""

from __future__ import annotations

from script_text import kinds, read


def test_sacred_that_is_run_by_the_program_itself_leaves_the_constants() -> None:
    source = "from sacred import Experiment\nex = Experiment()\nN = 3\n@ex.config\ndef c():\n    lr = 1\n"
    assert kinds(read(source + "ex.run(config_updates={'lr': 2})")) == {"N": (3, "number")}
    assert kinds(read(source + "@ex.automain\ndef main(lr): ...")) == {"lr": (1, "number"), "seed": (None, "int")}
