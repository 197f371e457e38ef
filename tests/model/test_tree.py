"""Files by path, in memory."""

from __future__ import annotations

from gitrun.model.tree import EXECUTABLE, FILE, TREE, MemoryTree, is_regular_file

FILES = MemoryTree({"a.py": b"a", "d/b.py": b"b", "d/e/c.txt": b"c"}, frozenset({"d/b.py"}))


def test_modes_are_those_of_git() -> None:
    assert [FILES.mode(path) for path in ("a.py", "d/b.py", "d", "d/e", "", "none")] == [
        FILE,
        EXECUTABLE,
        TREE,
        TREE,
        TREE,
        None,
    ]
    assert [is_regular_file(FILES, path) for path in ("a.py", "d/b.py", "d", "none")] == [True, True, False, False]


def test_directories_are_named_whatever_their_endings() -> None:
    assert FILES.names("", (".py",)) == ("a.py", "d")
    assert FILES.names("d", (".py",)) == ("b.py", "e")
    assert FILES.names("a.py") == FILES.names("none") == ()


def test_a_file_over_the_limit_is_not_read() -> None:
    assert (FILES.read("a.py", 1), FILES.read("a.py", 0), FILES.read("d", 9)) == (b"a", None, None)


def test_identity_follows_the_content() -> None:
    other = MemoryTree({"a.py": b"x", "same.py": b"a"})
    assert FILES.identity("a.py") == other.identity("same.py") != other.identity("a.py")
    assert FILES.identity("none") == ""
