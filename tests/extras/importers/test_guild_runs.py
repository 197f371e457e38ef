"""The directory of a Guild run: its operation, and how it ended."""

from __future__ import annotations

import pytest

from gitrun.extras.importers.guild_runs import KILLED, ending, read_operation


@pytest.mark.parametrize(
    ("opref", "operation"),
    [
        ("guildfile:/home/ann/p/guild.yml 3a62030 m train", "m:train"),
        ("script:/home/ann/p '' '' train.py", "train.py"),
        ("script:/home/ann/p '' ''", ""),
        ("an open 'quote a b c", ""),
    ],
)
def test_operation_is_shown_as_guild_shows_it(tmp_path, opref: str, operation: str) -> None:
    (tmp_path / ".guild").mkdir()
    (tmp_path / ".guild" / "opref").write_text(opref)
    assert read_operation(tmp_path) == operation


@pytest.mark.parametrize(
    ("value", "status", "exit_status"),
    [
        (0, "completed", 0),
        (3, "error", 3),
        (-15, "terminated", -15),
        (None, "terminated", KILLED),
        (True, "terminated", KILLED),
        ("0", "terminated", KILLED),
        (1 << 40, "terminated", KILLED),
    ],
)
def test_exit_status_says_how_a_run_ended(value: object, status: str, exit_status: int) -> None:
    assert ending(value)[:2] == (status, exit_status)
