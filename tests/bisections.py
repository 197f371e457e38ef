"""Histories in which a metric gets worse, and their bisections."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from repository import Repo


GOOD, BAD, BROKEN, SILENT = 0.2, 0.5, "broken", "silent"


TEXTS = {BROKEN: "raise SystemExit('broken')\n", SILENT: "print('no metric')\n"}


def program(kind: object, number: int) -> str:
    """Source of a program that prints the loss, fails, or prints no metric; no two commits have equal trees."""
    return f"lr = 0.1  # {number}\n" + str(TEXTS.get(str(kind), f"print('loss: {kind}')\n"))


def commit_each(repo: Repo, kinds: Sequence[object]) -> list[str]:
    """Commits a program of each kind, None being a commit without a program. Returns the commits, oldest first."""
    found = []
    for number, kind in enumerate(kinds):
        if kind is None:
            repo.git("rm", "--quiet", "--ignore-unmatch", "train.py")
            repo.write("other.txt", str(number))
        else:
            repo.write("train.py", program(kind, number))
        found.append(repo.commit(f"number {number}"))
    return found


def bisected(repo: Repo, *words: str, condition: str = "loss<0.3", code: int = 0) -> Any:
    done = repo.run("bisect", "--json", *words, condition, "train.py")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)
