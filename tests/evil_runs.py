"""A run whose names and texts attack what shows them."""

from __future__ import annotations

import pytest
from evil_texts import EVIL
from templates import made_once


@pytest.fixture
@made_once
def evil(repo):
    """A run all of whose words would like to be more than words."""
    repo.write("evil.py", f"v = 'a'\nprint({EVIL!r})\nprint('loss:', 1)\nprint('````')\nraise SystemExit(1)\n")
    repo.git("config", "user.name", "@you <script>alert(1)</script> `|`")
    repo.commit(EVIL.replace("\x1b", ""))
    repo.run("evil.py", f"v={EVIL}", "--label", EVIL)
    repo.run("--", "sh", "-c", f": {EVIL!r}")
    return repo
