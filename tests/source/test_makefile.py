"""Targets of a Makefile."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gitrun.model.toml import load_toml
from gitrun.model.tree import MemoryTree
from gitrun.source.makefile import read_targets
from gitrun.source.new_project_file import merge_drafts, render_draft

MAKEFILE = """\
# variables
LR ?= 0.1
EPOCHS := 3
NAME = $(shell touch executed)
OUT = model.bin
.PHONY: train all
all: train ## Everything
data.csv: raw.csv
\tcp raw.csv data.csv
train: data.csv | out   ## Fit a model
\techo $(LR) ${EPOCHS} \\
\t  $(NAME) > $(OUT)
%.o: %.c
\tcc $<
include other.mk
lint: ; ruff check
"""


def test_targets_of_make_have_their_variables_as_flags() -> None:
    draft = read_targets(None, MemoryTree({"Makefile": MAKEFILE.encode()}), "Makefile")
    flags = {"LR": 0.1, "EPOCHS": 3, "OUT": "model.bin"}
    words = ["LR={LR}", "EPOCHS={EPOCHS}", "OUT={OUT}"]
    assert draft.operations == {
        "all": {"description": "Everything", "command": ["make", "all", *words], "flags": flags},
        "data.csv": {"command": ["make", "data.csv"]},
        "train": {"description": "Fit a model", "command": ["make", "train", *words], "flags": flags},
        "lint": {"command": ["make", "lint"]},
    }
    assert draft.losses == (
        "Makefile: %.o: %.c: a pattern names no target",
        "Makefile: include other.mk: targets and variables that make finds there are not read",
    )


def test_drafted_target_passes_its_flags_to_make(repo) -> None:
    repo.write("Makefile", MAKEFILE)
    repo.write("other.mk", "")
    repo.write("raw.csv", "1\n")
    repo.write("out", "")
    repo.run("ops", "--init", check=True)
    # reading a Makefile starts nothing
    assert not (repo.path / "executed").exists()
    repo.run("train", "LR=0.7", check=True)
    assert repo.run("cat", "1", "model.bin", check=True).stdout == "0.7 3\n"


@settings(max_examples=60)
@given(st.text(alphabet="ab:=%#$(){}\t\n\\.|; ", max_size=80))
def test_any_makefile_makes_a_valid_draft(text) -> None:
    merged = merge_drafts([read_targets(None, MemoryTree({"Makefile": text.encode()}), "Makefile")], ())
    assert load_toml(render_draft(merged)).get("operations", {}).keys() == merged.operations.keys()
