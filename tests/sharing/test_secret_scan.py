"""Secrets in what would be pushed."""

from __future__ import annotations

import subprocess
import sys

import pytest
from clones import make_team
from leaks import TOKEN, refused
from templates import place_made_once


@pytest.fixture
@place_made_once
def team(tmp_path):
    return make_team(tmp_path)


@pytest.mark.parametrize("before", [0, 300_000, 3_000_001])
def test_a_token_anywhere_in_a_file_is_found(team, leaving, before):
    words = f"import sys; open('big.bin', 'wb').write(b'\\n' * {before} + b'\\0 k = {TOKEN} \\n' + b'x' * 200_000)"
    team.ann.run("--", sys.executable, "-c", words.replace(TOKEN, f"{TOKEN[:9]}' + b'{TOKEN[9:]}"), check=True)
    assert "big.bin: it holds what looks like a GitHub token" in refused(team.ann, leaving)


def test_a_token_deep_in_the_output_is_found(team, leaving):
    words = f"print('line\\n' * 100_000); print('{TOKEN[:9]}' + '{TOKEN[9:]}'); print('line\\n' * 100_000)"
    team.ann.run("--", sys.executable, "-c", words, check=True)
    assert ".gitrun/output: it holds what looks like a GitHub token" in refused(team.ann, leaving)


def test_looking_through_a_large_file_takes_little_memory(team):
    size = 64 << 20
    team.ann.git("config", "gitrun.maxProduced", "1g")
    team.ann.run("--", "sh", "-c", f"head -c {size} /dev/zero > zeros", check=True)
    code = (
        "import re; from gitrun import Project; p = Project('.')\n"
        "p.sharing.secrets({r.id: r.tip for r in p.list_runs()}, ())\n"
        # ru_maxrss of a process that was forked begins with what its parent had
        "print(int(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1]) >> 10)"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=team.ann.path, check=True, capture_output=True, text=True)
    assert int(ended.stdout) < 80
