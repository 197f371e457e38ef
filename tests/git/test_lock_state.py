"""Whether a lock is held is told without taking it."""

from __future__ import annotations

import os

from gitrun.git.lock_state import is_held
from gitrun.git.locks import acquire


def test_nobody_holds_a_lock_that_is_not_there(tmp_path):
    assert not is_held(tmp_path / "none" / "lock")
    assert list(tmp_path.iterdir()) == []


def test_looking_at_a_lock_leaves_it_to_its_holder(tmp_path):
    path = tmp_path / "lock"
    with acquire(path):
        assert is_held(path)
        assert is_held(os.fsencode(path))
        assert acquire(path, wait=0) is None
    assert not is_held(path)
    assert acquire(path, wait=0) is not None
