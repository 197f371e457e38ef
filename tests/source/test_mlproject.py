"""Entry points of an MLproject."""

from __future__ import annotations

from gitrun.model.tree import MemoryTree
from gitrun.source.mlproject import read_entry_points

MLPROJECT = b"""\
name: demo
conda_env: conda.yaml
entry_points:
  main:
    parameters:
      alpha: {type: float, default: 0.5}
      rounds: {type: int, default: "3"}
      data: path
      unused: float
    command: "python train.py --alpha { alpha } {rounds} {data}"
  odd: {}
"""


def test_entry_points_of_mlflow_become_operations() -> None:
    draft = read_entry_points(None, MemoryTree({"MLproject": MLPROJECT}), "MLproject")
    assert draft.operations == {
        "main": {
            "command": ["python", "train.py", "--alpha", "{alpha}", "{rounds}", "{data}"],
            "flags": {
                "alpha": {"default": 0.5, "type": "float"},
                "rounds": {"default": 3, "type": "int"},
                "data": {"type": "str", "required": True},
            },
        }
    }
    assert draft.losses == (
        "MLproject: conda_env: gitrun uses your environment, and records it",
        "MLproject: main: parameter unused is not in the command",
        "MLproject: odd has no command",
    )
