"""A value that a run is made of visits few files: whoever follows it through the code keeps them in mind."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

WALKS = Path(__file__).parent / "bench" / "walks.py"
LINE = re.compile(r"(?P<name>[a-z ]+): (?P<files>\d+) files, (?P<climbs>\d+) climbs: ")
MOST_FILES = {"the words of a call": 12, "the restart target": 8, "the attempt": 10}
MOST_CLIMBS = 2
"""Steps of the restart target to a file on a higher floor."""


def test_values_of_a_run_visit_few_files(tmp_path) -> None:
    # a process of its own, because the profiler would trace this one, and modules that other tests have loaded stay untraced
    words = [sys.executable, str(WALKS)]
    printed = subprocess.run(words, cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True).stdout
    walks = {match["name"]: match for match in map(LINE.match, printed.splitlines()) if match}
    assert walks.keys() == MOST_FILES.keys()
    over = {name: printed for name, most in MOST_FILES.items() if not 0 < int(walks[name]["files"]) <= most}
    assert over == {}
    assert int(walks["the restart target"]["climbs"]) <= MOST_CLIMBS
