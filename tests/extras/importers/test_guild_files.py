"""Files of a Guild run: its manifest, and the times in the names of its event files."""

from __future__ import annotations

import pytest

from gitrun.extras.importers.guild_files import file_time, read_manifest


def test_lines_of_a_manifest_that_say_nothing_are_passed_over(tmp_path) -> None:
    manifest = tmp_path / "manifest"
    manifest.write_text("s train.py 93026f77 src/train.py\nd 'a b.csv' 1f00\nopen \"quote x y\ns train.py\n\n")
    assert list(read_manifest(manifest)) == [("s", "train.py", "src/train.py"), ("d", "a b.csv", "a b.csv")]
    assert list(read_manifest(tmp_path / "none")) == []


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("events.out.tfevents.1795976898.vm.15544.0", 1795976898),
        ("events.out.tfevents.x.vm", 0),
        ("events.out.tfevents." + "9" * 12, 0),
    ],
)
def test_time_of_an_event_file_is_in_its_name(name: str, seconds: int) -> None:
    assert file_time(name) == seconds
