"""lent.toml of a run from elsewhere may say anything; what is read of it are counts, and paths inside of the tree."""

from __future__ import annotations

import pytest

from gitrun.model.lent import COPY, MAX_ENTRIES, Lent, read_lent

OUTSIDE = (
    "..", "../", "../x", "a/../../x", "a/..", "/", "/etc/", "/etc/passwd", "", ".", "./a", "a//b", "a//",
    ".git/", ".git/config", ".GIT/x", "a/.git/x", "git~1/x", ".gitrun/x", "a\0b", "\0",
)  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE)
def test_lent_paths_that_lead_out_of_the_tree_are_passed_over(path):
    rows = [{"path": path, "how": COPY}, {"path": "data/", "how": COPY}]
    assert read_lent({"lent": rows}) == (Lent("data/", COPY),)


@pytest.mark.parametrize("number", [-1, 1 << 63, 10**30, 1.5, float("inf"), True, "3", None, [1]])
def test_what_is_no_count_of_lent_files_is_none(number):
    row = {"path": "data/", "how": COPY, "files": number, "bytes": number, "links": number}
    assert read_lent({"lent": [row]}) == (Lent("data/", COPY),)


def test_lent_entries_are_bounded_and_named_once():
    rows = [{"path": f"d{number // 2}", "how": COPY} for number in range(MAX_ENTRIES * 4)]
    assert read_lent({"lent": rows}) == tuple(Lent(f"d{number}", COPY) for number in range(MAX_ENTRIES))
