"""Files of a result that stay on this machine."""

from __future__ import annotations

from job_runs import script, shown

MIB = 1 << 20


def test_long_output_is_cut_and_kept_whole(repo):
    ended = script(repo, "import sys\nsys.stdout.write('a' * (6 << 20) + 'b' * (6 << 20))\n")
    assert len(ended.stdout) == 12 * MIB
    cut = repo.git("cat-file", "blob", f"refs/runs/{shown(repo)['id']}:.gitrun/output")
    first, between, last = cut.split("\n")
    assert (first, last) == ("a" * (5 * MIB), "b" * (5 * MIB))
    assert str(2 * MIB) in between
    assert repo.run("cat").stdout == ended.stdout
