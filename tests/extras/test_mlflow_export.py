"""git run export mlflow: what is handed over."""

from __future__ import annotations

import math

from gitrun import Project
from gitrun.extras.mlflow_export import clean_name, describe_run

TRAIN = "import gitrun\nlr = 0.1\nfor step in range(3):\n    gitrun.log({'loss': lr / (step + 1), 'a@b': float('nan')}, step)\n"


def test_run_is_described_with_curves_files_and_output(repo, tmp_path) -> None:
    repo.write("train.py", TRAIN + "open('model.txt', 'w').write('m')\nprint('done')\n")
    repo.run("train.py", "lr=0.5", "--label", "best", "--tag", "paper", check=True)
    run = Project(repo.path).find("1")
    described = describe_run(Project(repo.path), run, tmp_path)
    assert (described["id"], described["name"], described["operation"]) == (run.id, "best", "train.py")
    assert (described["status"], described["params"]) == ("FINISHED", {"lr": "0.5"})
    assert described["tags"]["tag.paper"] == "true"
    loss = [point for point in described["metrics"] if point[0] == "loss"]
    assert [(value, step) for _, value, _, step in loss] == [(0.5, 0), (0.25, 1), (0.5 / 3, 2)]
    assert described["started"] <= loss[0][2] <= loss[-1][2] <= described["stopped"]
    assert all(math.isnan(value) for name, value, _, _ in described["metrics"] if name == "a_b")
    assert {path.name: path.read_text() for path in (tmp_path / run.id).iterdir()} == {"model.txt": "m", "output.txt": "done\n"}


def test_names_have_only_characters_that_mlflow_takes() -> None:
    assert clean_name("a@b(c) d/e.f:g-h_i\x1b") == "a_b_c_ d/e.f:g-h_i_"
    assert clean_name("") == "_"
