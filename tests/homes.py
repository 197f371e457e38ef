"""The home in which tests live: a configuration, an identity and a clock zone of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pygit2
from forms import asked_form
from pygit2.enums import ConfigLevel

if TYPE_CHECKING:
    import pytest

CONFIG = """\
[init]
    defaultBranch = main
[user]
    name = A User
    email = user@example.org
[protocol "file"]
    allow = always
[advice]
    detachedHead = false
    skippedCherryPicks = false
[gc]
    auto = 0
[maintenance]
    auto = false
"""
LEAKS = ("GIT_", "GITRUN_", "FLAG_", "XDG_", "PYTHON", "LC_", "CONDA_")
LEAKING = (
    "VIRTUAL_ENV", "CUDA_VISIBLE_DEVICES", "LANG", "LANGUAGE", "EDITOR", "VISUAL", "PAGER", "COLUMNS",
    "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "EMAIL", "MANPATH", "BROWSER",
)  # fmt: skip


def move_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes `home` the home of this process; `git`, `git run` and `python` are those of the tests, whoever started them."""
    config = home / ".gitconfig"
    config.write_text(CONFIG)
    for name in [name for name in os.environ if name.startswith(LEAKS) or name in LEAKING]:
        monkeypatch.delenv(name)
    bin_first = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    fixed = {"HOME": str(home), "PATH": bin_first, "TZ": "UTC", "LC_ALL": "C.UTF-8", "TERM": "dumb"}
    ours = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": str(config), "GIT_TERMINAL_PROMPT": "0"}
    for name, value in (fixed | ours).items():
        monkeypatch.setenv(name, value)
    asked_form().apply(monkeypatch)
    # libgit2 reads neither GIT_CONFIG_GLOBAL nor a HOME that changes after it was loaded
    pygit2.settings.search_path[ConfigLevel.GLOBAL] = str(home)
    pygit2.settings.search_path[ConfigLevel.XDG] = str(home / "none")
    pygit2.settings.search_path[ConfigLevel.SYSTEM] = str(home / "none")
    return home
