"""Counts the files that a value visits on the road of a run: `python tests/bench/walks.py`.

A start and a restart are traced with `sys.setprofile`. A file is visited when one of its functions receives the value itself
as an argument: the words of the call, or the request that holds them; the run that is restarted; the handle of the attempt.
A climb is a step from a visited file to one on a higher floor (`FLOORS` of tests/test_floors.py).
"""

# ruff: noqa: T201 - a table is what it is for

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from test_floors import FLOORS, PACKAGE

from gitrun.commands.main import run_command
from gitrun.model.plan import Request
from gitrun.model.run import Run
from gitrun.store.attempts import AttemptHandle

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

WORD = str(b"lr=0.25", "ascii")
"""One object, so that an equal text from elsewhere is not taken for it."""

CONSTRUCTORS = "dataclass.py"
"""The value does not visit the code that makes objects and copies, as it would not visit the standard library's."""


@dataclass
class Walk:
    """The files that a value visits, in order; each once where it stays."""

    name: str
    is_it: Callable[[object], bool]
    files: list[str] = field(default_factory=list)

    def look(self, frame: FrameType) -> None:
        """Notes the file of a call that receives the value."""
        code = frame.f_code
        arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        file = Path(code.co_filename).relative_to(PACKAGE).as_posix()
        visits = file != CONSTRUCTORS and any(self.is_it(frame.f_locals.get(name)) for name in arguments)
        if visits and self.files[-1:] != [file]:
            self.files.append(file)

    @property
    def climbs(self) -> int:
        """Counts the steps to a file on a higher floor."""
        floors = [FLOORS[file.partition("/")[0].removesuffix(".py")] for file in self.files]
        return sum(after > before for before, after in pairwise(floors))


def holds_words(value: object) -> bool:
    """Returns whether a value is the word, a sequence with it, or the request."""
    words = value if isinstance(value, tuple | list) else (value,)
    return isinstance(value, Request) or any(word is WORD for word in words)


def traced(words: list[str], walks: list[Walk]) -> None:
    """Runs `git run WORDS` in this process and follows the values."""

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(f"{PACKAGE}/"):
            for walk in walks:
                walk.look(frame)

    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        sys.setprofile(profile)
        try:
            run_command(words)
        finally:
            sys.setprofile(None)


def main() -> None:
    """Prints a line for each value: files, climbs, and the way."""
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(["git", "init", "--quiet", place], check=True)
        Path(place, "train.py").write_text("lr = 0.1\nprint('loss:', lr)\n")
        os.chdir(place)
        words = Walk("the words of a call", holds_words)
        attempt = Walk("the attempt", lambda value: isinstance(value, AttemptHandle))
        traced(["train.py", WORD], [words, attempt])
        run = Walk("the restart target", lambda value: isinstance(value, Run))
        traced(["--restart", "1", "lr=0.5"], [run])
        for walk in (words, run, attempt):
            print(f"{walk.name}: {len(set(walk.files))} files, {walk.climbs} climbs: {' '.join(walk.files)}")


if __name__ == "__main__":
    main()
