"""A training job of somebody else's making, scikit-learn on its handwritten digits, lived through `git run`."""

from __future__ import annotations

import re
from hashlib import sha256
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from templates import made_once

if TYPE_CHECKING:
    from subprocess import CompletedProcess

    from repository import Repo

# its import takes seconds, in each process that collects tests
if find_spec("sklearn") is None:
    pytest.skip("scikit-learn is not installed (extra: test)", allow_module_level=True)

TRAIN = """\
import hashlib
import pickle

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

C = 1.0
max_iter = 20

images, digits = load_digits(return_X_y=True)
images = images / 16
seen, unseen, seen_digits, unseen_digits = train_test_split(images, digits, test_size=0.5, random_state=0)
model = LogisticRegression(C=C, max_iter=max_iter)
model.fit(seen, seen_digits)
print(f"accuracy: {model.score(unseen, unseen_digits):.6f}")
with open("model.pkl", "wb") as file:
    file.write(content := pickle.dumps(model))
assert pickle.loads(content).predict(unseen).tolist() == model.predict(unseen).tolist()
print("model:", hashlib.sha256(content).hexdigest())
"""
# the fit stops before it has converged, as the number of steps is a flag here
QUIET = {"PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@pytest.fixture
@made_once
def trained(empty_repo: Repo) -> tuple[Repo, CompletedProcess[str]]:
    """A repository with a training that has run, and what it said."""
    empty_repo.write("train.py", TRAIN)
    empty_repo.commit("train")
    return empty_repo, empty_repo.run("train.py", check=True, env=QUIET)


def train(repo: Repo, *words: str) -> float:
    """The accuracy that `git run WORDS` prints."""
    return accuracy(repo.run(*words, check=True, env=QUIET))


def accuracy(ended: CompletedProcess[str]) -> float:
    return float(re.fullmatch(r"accuracy: (\S+)\nmodel: \w+\n", ended.stdout)[1])


def run_id(repo: Repo) -> str:
    """The run with the newest attempt."""
    return repo.run("select", check=True).stdout.strip()


def test_restart_of_the_first_training_gives_its_accuracy_again_whatever_the_script_has_become(trained) -> None:
    project, done = trained
    first_accuracy, first = accuracy(done), run_id(project)
    project.write("train.py", "raise SystemExit('a training no more')\n")
    assert train(project, "--restart", first) == first_accuracy
    assert run_id(project) == first


@pytest.mark.slow
def test_restarted_training_with_another_flag_differs_and_keeps_both_attempts(trained) -> None:
    project, done = trained
    first_accuracy, first = accuracy(done), run_id(project)
    other_accuracy = train(project, "--restart", first, "C=0.001")
    assert other_accuracy != first_accuracy
    outputs = re.findall(r"\| accuracy: (\S+)", project.run("log", first, check=True).stdout)
    assert [float(text) for text in outputs] == [other_accuracy, first_accuracy]
    assert project.git("show", f"runs/{first}:.gitrun/flags.toml") == "C = 0.001\nmax_iter = 20"


@pytest.mark.slow
def test_needed_trains_once_for_the_same_flags_and_again_for_others(trained) -> None:
    project, _ = trained
    skipped = project.run("--needed", "train.py", check=True, env=QUIET)
    assert skipped.stdout.startswith("Skipping because the following runs match this operation (--needed specified):\n")
    assert "accuracy" not in skipped.stdout
    assert train(project, "--needed", "train.py", "C=0.25") > 0.8


def test_trained_model_is_a_file_of_the_run_byte_for_byte(trained) -> None:
    project, done = trained
    assert "1 file: model.pkl. To get it: git run checkout" in done.stderr
    assert project.git("status", "--short") == ""
    project.run("checkout", check=True)
    kept = project.run_bytes("cat", "-p", "model.pkl").stdout
    assert (project.path / "model.pkl").read_bytes() == kept
    assert done.stdout.splitlines()[1] == f"model: {sha256(kept).hexdigest()}"
