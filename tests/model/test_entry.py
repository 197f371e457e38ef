"""What an entry of the project file says over what a program declares."""

from __future__ import annotations

from gitrun.model.entry import override_flags
from gitrun.model.flags import Flag


def test_condition_of_an_entry_joins_the_flag_of_the_program() -> None:
    found = Flag("momentum", 0.9, "float", option="--momentum")
    when = (("opt", ("sgd",)),)
    assert override_flags([found], [Flag("momentum", when=when)]) == (
        Flag("momentum", 0.9, "float", option="--momentum", when=when),
    )
