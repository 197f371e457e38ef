"""A project with a dvc.yaml, whose data is ignored as DVC does it."""

from __future__ import annotations

import pytest
from templates import made_once

PIPELINE = """\
vars:
- size: 2
stages:
  prepare:
    desc: |
      Makes
      numbers
    cmd: seq ${size} > data/numbers.txt
    deps: [raw.csv, code.py]
    outs: [data]
  train:
    cmd: python train.py
    deps: [data/numbers.txt]
    params: [train.lr]
    outs: [model.bin]
    metrics:
    - metrics.json: {cache: false}
    - scores.json: {cache: false}
  evaluate:
    cmd:
    - echo ${train.lr}
    - wc -c model.bin
    wdir: .
    deps: [model.bin]
    frozen: true
  several:
    foreach: [1, 2]
    do:
      cmd: echo ${item} ${nothing}
      outs: ['out-${item}.txt']
"""
TRAIN = """\
import yaml
lr = yaml.safe_load(open("params.yaml"))["train"]["lr"]
total = sum(map(int, open("data/numbers.txt")))
open("model.bin", "w").write(str(lr * total))
open("metrics.json", "w").write('{"loss": %s}' % (lr * total))
"""


@pytest.fixture
@made_once
def dvc_project(repo):
    """Returns the project, committed."""
    repo.write("dvc.yaml", PIPELINE)
    repo.write("params.yaml", "train:\n  lr: 0.5\n")
    repo.write("train.py", TRAIN)
    repo.write("code.py", "")
    repo.write("raw.csv", "1\n")
    repo.write("data/.keep", "")
    repo.write(".gitignore", "/raw.csv\n/data/numbers.txt\n/model.bin\n")
    repo.git("add", "-A")
    repo.git("commit", "-qm", "project")
    return repo
