"""Drafts: what is decided about a run before anything is written."""

from __future__ import annotations

import pytest

from gitrun.extras.importers.drafts import author_text, open_content, without_conflicts
from gitrun.extras.importers.imported import ImportedFile


def paths(*names: str, taken=frozenset()) -> list[str]:
    return [file.path for file in without_conflicts([ImportedFile(name, b"") for name in names], taken)]


def test_no_file_is_a_directory_of_another() -> None:
    assert paths("a/b", "a", "c", "c/d", "c", "e") == ["a/b", "c", "e"]


def test_produced_files_may_replace_the_source() -> None:
    assert paths("a", "b/c", taken={"a", "b"}) == ["a"]


@pytest.mark.parametrize(
    ("author", "text"),
    [
        (None, "import <import@gitrun.invalid>"),
        (("Ann", "ann@host"), "Ann <ann@host>"),
        (("A\nparent x", "a> 1 +0000\n"), "Aparent x <a 1 +0000>"),
        (("", ""), "import <import@gitrun.invalid>"),
    ],
)
def test_author_cannot_add_a_header(author, text) -> None:
    assert author_text(author) == text


def test_content_of_a_link_is_not_read(tmp_path) -> None:
    (tmp_path / "a").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="cannot read"):
        list(open_content(tmp_path / "a"))
