"""Programs that are asked for their flags."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from gitrun.git.exe import open_repository
from gitrun.source.introspect import ask_script

if TYPE_CHECKING:
    from repository import Repo

    from gitrun.scripts.discover import Script


ARGPARSE = """
import argparse, pathlib
names = [chr(97 + n) for n in range(3)]
p = argparse.ArgumentParser()
for name in sorted(names):
    p.add_argument("--" + name, type=int, default=ord(name), help="one of them")
more = p.add_subparsers()
train = more.add_parser("train")
train.add_argument("--amp", action=argparse.BooleanOptionalAction, default=True)
p.parse_args()
pathlib.Path("went-on").touch()
raise SystemExit(3)
"""


def asked(repo: Repo, source: str, **more: float) -> Script:
    repo.write("tool.py", source)
    commit = repo.commit()
    return ask_script(open_repository(repo.path, os.environ), commit, "tool.py", sys.executable, **more)
