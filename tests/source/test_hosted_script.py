"""Which Python script the words of a command start, through interpreters, launchers and wrappers."""

from __future__ import annotations

import pytest

from gitrun.source.hosted_script import find_start

STARTS = {
    "python t.py": "t.py",
    "python3.11 -u -X dev -W error t.py --lr 1": "t.py",
    "/usr/bin/python3 t.py": "t.py",
    "python -m pkg.train --lr 1": "pkg.train",
    "python -m torch.distributed.run --nproc-per-node 2 t.py": "t.py",
    "python -m cProfile -o out t.py": "t.py",
    "torchrun --nproc-per-node 2 --standalone t.py x.py": "t.py",
    "accelerate launch --num_processes 2 t.py": "t.py",
    "coverage run --branch t.py": "t.py",
    "uv run t.py": "t.py",
    "uv run --with numpy python t.py": "t.py",
    "poetry run python t.py": "t.py",
    "mpirun -n 4 python t.py": "t.py",
    "env A=1 nice -n 5 python t.py": "t.py",
    "./t.py --lr 1": "./t.py",
}
STARTS_NONE = [
    "echo python t.py", "cat t.py", "uv run pytest t.py", "uv run ruff check t.py", "python -c print(1) t.py", "python",
    "python -",
    "black t.py", "make", "sh run.sh", "python -m", "torchrun",
]  # fmt: skip


@pytest.mark.parametrize(("words", "found"), STARTS.items(), ids=STARTS)
def test_script_that_words_start_is_found(words, found) -> None:
    split = words.split()
    place = find_start(split)
    assert place is not None
    assert split[place] == found


@pytest.mark.parametrize("words", STARTS_NONE)
def test_words_that_start_no_script_are_known(words) -> None:
    place = find_start(words.split())
    assert place is None or place >= len(words.split())
