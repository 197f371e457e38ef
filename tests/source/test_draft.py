"""Command lines of other tools in a draft of gitrun.toml."""

from __future__ import annotations

import pytest

from gitrun.source import draft, new_project_file
from gitrun.source.draft import draft_command


@pytest.mark.parametrize(
    ("line", "table"),
    [
        ("python train.py", {"script": "train.py"}),
        ("python3 'a b.py'", {"script": "a b.py"}),
        ("python train.py --lr 1", {"command": ["python", "train.py", "--lr", "1"]}),
        ("A=1 python train.py", {"command": ["sh", "-c", "A=1 python train.py"]}),
        ("a | b", {"command": ["sh", "-c", "a | b"]}),
        ("echo 'un", {"command": ["sh", "-c", "echo 'un"]}),
    ],
)
def test_command_line_needs_a_shell_only_for_what_is_of_one(line, table) -> None:
    assert draft_command(line) == table


def test_each_file_has_a_reader_in_this_order() -> None:
    assert tuple(new_project_file.readers()) == draft.FILES
