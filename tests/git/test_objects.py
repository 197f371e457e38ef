"""Objects read and trees made, whatever bytes are in their names."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import zlib
from dataclasses import replace

import pytest

from gitrun.errors import GitFailed
from gitrun.git.exe import KeptProcesses, open_repository
from gitrun.git.objects import (
    LARGEST_KEPT,
    MOST_KEPT,
    Entry,
    Loose,
    Objects,
    TreeMaker,
    deflate,
    edit_tree,
    entry_at,
    read_loose_object,
    tree_of_commit,
)
from gitrun.model.tree import FILE, LINK, TREE


@pytest.fixture
def git(repo):
    return open_repository(repo.path, os.environ)


@pytest.fixture
def remembering(git):
    """The repository as a process sees it that executes many attempts."""
    with KeptProcesses() as kept:
        kept.remembered = {}
        yield replace(git, processes=kept)


def names(repo, tree: str) -> list[bytes]:
    words = ["git", "ls-tree", "-r", "-z", "--name-only", tree]
    return subprocess.run(words, cwd=repo.path, capture_output=True, check=True).stdout.split(b"\0")[:-1]


def test_objects_come_in_the_order_they_were_asked_for_and_missing_ones_are_none(repo, git):
    blobs = [repo.git("rev-parse", "HEAD:echo.py"), "0" * 40, "nope", "HEAD:a b", "HEAD:line\nend", "HEAD^{tree}"]
    with Objects(git) as objects:
        found = objects.read_many(blobs * 60)
        assert [each and each.kind for each in found] == ["blob", None, None, None, None, "tree"] * 60
        assert objects.read("HEAD:echo.py").data == (repo.path / "echo.py").read_bytes()


def test_the_content_of_what_is_over_the_limit_is_not_read(git):
    with Objects(git) as objects:
        found = objects.read("HEAD:echo.py", limit=3)
    assert (found.data, found.size > 3) == (None, True)


def test_an_entry_is_found_under_a_name_of_any_bytes(repo, git):
    repo.write(os.fsdecode(b"d\xff/line\nend"), "x")
    repo.commit()
    with Objects(git) as objects:
        assert entry_at(objects, "HEAD", b"d\xff/line\nend").mode == FILE
        assert entry_at(objects, "HEAD", b"d\xff").mode == TREE
        assert entry_at(objects, "HEAD", b"d\xff/line") is None
        assert entry_at(objects, "HEAD", b"echo.py/x") is None
        with pytest.raises(GitFailed, match="missing"):
            entry_at(objects, "1" * 40, b"x")


CHANGES = [
    ({b"new": True}, [b"d/x", b"d/y", b"f", b"new"]),
    ({b"d/x": None}, [b"d/y", b"f"]),
    ({b"d/x": None, b"d/y": None}, [b"f"]),
    ({b"d": None}, [b"f"]),
    ({b"d": True}, [b"d", b"f"]),
    ({b"d/x": None, b"d/y": None, b"d": True}, [b"d", b"f"]),
    ({b"f/in": True}, [b"d/x", b"d/y", b"f/in"]),
    ({b"f": None, b"f/in": True}, [b"d/x", b"d/y", b"f/in"]),
    ({b"nope/x": None, b"d/nope": None}, [b"d/x", b"d/y", b"f"]),
    ({b"d/\n\xff/\t": True}, [b"d/\n\xff/\t", b"d/x", b"d/y", b"f"]),
    ({b"d": None, b"f": None}, []),
]


@pytest.mark.parametrize(("changes", "left"), CHANGES)
def test_a_tree_is_edited_and_what_becomes_empty_goes(repo, git, changes, left):
    (repo.path / "echo.py").unlink()
    for name in ("d/x", "d/y", "f"):
        repo.write(name, name)
    repo.commit()
    entry = Entry(LINK, repo.git("rev-parse", "HEAD:f"))
    with Objects(git) as objects, TreeMaker(git) as maker:
        made = edit_tree(objects, maker, "HEAD", {path: entry if put else None for path, put in changes.items()})
    assert names(repo, made) == left
    assert repo.git("fsck", "--strict", "--no-dangling") == ""


def test_tree_of_a_commit_is_an_id_of_any_length_or_nothing(repo):
    content = repo.git("cat-file", "commit", "HEAD").encode()
    assert tree_of_commit(content) == repo.git("rev-parse", "HEAD^{tree}")
    assert tree_of_commit(b"tree " + b"ab" * 32 + b"\nauthor x") == "ab" * 32
    for forged in (b"", b"tree HEAD:file\n", b"tree " + b"ab" * 20, b"parent " + b"ab" * 20 + b"\n"):
        assert tree_of_commit(forged) == ""


def test_memory_answers_as_the_repository_does(repo, git, remembering):
    head = repo.head()
    tree, blob = repo.git("rev-parse", "HEAD^{tree}"), Loose(remembering).write("blob", b"new")
    asked = [head, f"{head}^{{tree}}", tree, f"{tree}^{{tree}}", blob, f"{blob}^{{tree}}", "HEAD", "0" * 40, f"{head}:echo.py"]
    with Objects(git) as plain, Objects(remembering) as objects:
        for limit in (1 << 20, 0, 3):
            expected = plain.read_many(asked, limit)
            assert [objects.read_many(asked, limit) for _ in range(3)] == [expected] * 3


def test_memory_reads_what_this_process_has_written_without_files(repo, remembering):
    writer = Loose(remembering)
    made = writer.make({b"f": Entry(FILE, writer.write("blob", b"1"))})
    shutil.rmtree(repo.path / ".git" / "objects" / made[:2])
    with Objects(remembering) as objects:
        assert list(objects.tree(made)) == [b"f"]
        assert objects.infos([made.encode()]) == [None]  # git tells what is in the repository


def test_memory_is_bounded_and_keeps_what_is_read_again(remembering):
    writer = Loose(remembering)
    first, large = writer.write("blob", b"first"), writer.write("blob", b"x" * (LARGEST_KEPT + 1))
    with Objects(remembering) as objects:
        for number in range(2 * MOST_KEPT):
            writer.write("blob", b"%d" % number)
            assert objects.read(first).data == b"first"
    memory = next(iter(remembering.processes.objects.values()))
    assert len(memory._objects) == MOST_KEPT
    assert memory.get(large, 1 << 30) is None
    assert memory.get(first, 1 << 30).data == b"first"


@pytest.mark.parametrize("name", ["", "^{tree}", ":echo.py", ":sub", ":sub/deep.txt", ":sub/none", ":none"])
@pytest.mark.parametrize("limit", [0, 1 << 20])
def test_loose_objects_are_what_git_says_without_a_git(repo, git, name, limit):
    repo.write("sub/deep.txt", "x" * 10_000)
    repo.commit()
    head = repo.git("rev-parse", "HEAD")
    with Objects(git) as objects:
        read = objects.read(head + name, limit)
        assert objects._process is None
        assert read == objects._read_many([head + name], limit)[0]


def test_a_damaged_loose_object_is_left_to_git(repo, git):
    blob = repo.git("rev-parse", "HEAD:echo.py")
    path = git.common_dir / "objects" / blob[:2] / blob[2:]
    whole = path.read_bytes()
    path.chmod(0o644)
    for damaged in (b"", whole[: len(whole) // 2], b"x" + whole):
        path.write_bytes(damaged)
        assert read_loose_object(f"{git.common_dir}/objects/", blob, 1 << 20) is None


def test_a_path_is_looked_up_on_disk_and_not_in_memory(repo, remembering):
    writer = Loose(remembering)
    blob = writer.write("blob", b"gone")
    tree = writer.make({b"a": Entry(FILE, blob)})
    (remembering.common_dir / "objects" / blob[:2] / blob[2:]).unlink()
    with Objects(remembering) as objects:
        assert objects.read(f"{tree}:a") is None


@pytest.mark.parametrize("size", [0, 1, 300, 4096, 4097, 100_000])
def test_what_is_compressed_reads_the_same_for_zlib_and_git(repo, git, size):
    data = bytes(random.Random(size).choices(b"abc = 0.1\n", k=size))
    assert zlib.decompress(deflate(data)) == data
    assert repo.git("cat-file", "blob", Loose(git).write("blob", data)) == data.decode().removesuffix("\n")
    repo.git("fsck", "--strict")
