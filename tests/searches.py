"""Spaces that samplers are tried on."""

from __future__ import annotations

from gitrun.model.batch import BatchDefinition
from gitrun.model.space import Choice, Range

SPACE = {
    "lr": Range("float", 1e-5, 0.1, log=True),
    "layers": Range("int", 1, 8),
    "width": Range("int", 16, 256, step=16),
    "drop": Range("float", 0.0, 0.3, step=0.1),
    "size": Range("int", 1, 1000, log=True),
    "opt": Choice(("adam", "sgd")),
    "momentum": Range("float", 0.0, 1.0, when={"opt": ("sgd",)}),
}


def search(space, seed=7, **others):
    return BatchDefinition("random", space, seed=seed, **others)
