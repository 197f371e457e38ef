"""Archives from elsewhere are read only if they are as gitrun writes them."""

from __future__ import annotations

import pytest
from archived_runs import archive, archive_all, repository_of

from gitrun import Project
from gitrun.errors import BadRun
from gitrun.git.objects import Loose, Objects
from gitrun.store import archives
from gitrun.store.archive_writer import SEALS
from gitrun.store.archives import PUBLIC, own_writers, read_archive, write_archive_commit

HEAD = "author gitrun <gitrun@localhost> 0 +0000\ncommitter gitrun <gitrun@localhost> 0 +0000\n"
END = "\narchive\n\nGitrun-Kind: archive\nGitrun-Format: 1\n"


@pytest.fixture
def archived(twelve):
    """The repository, the tips of its runs, and the last commit of its archive."""
    return twelve, archive_again(twelve), archive(twelve)[1]


def archive_again(repo) -> dict[str, str]:
    with Objects(Project(repo.path).git) as objects:
        return dict(read_archive(objects, archive(repo)[1])[0].tips)


def forge(repo, files: dict[str, bytes], parents: list[str]) -> str:
    """Writes a commit with these files and parents, whatever they say."""
    git = Project(repo.path).git

    def write(*words: str, content: bytes) -> str:
        return git.run(*words, stdin=content).decode().strip()

    blobs = {name: write("hash-object", "-w", "--stdin", content=data) for name, data in sorted(files.items())}
    tree = write("mktree", content="".join(f"100644 blob {blob}\t{name}\n" for name, blob in blobs.items()).encode())
    lines = "".join(f"parent {parent}\n" for parent in parents)
    return write("hash-object", "-w", "-t", "commit", "--stdin", content=f"tree {tree}\n{lines}{HEAD}{END}".encode())


def read(repo, head: str):
    with Objects(Project(repo.path).git) as objects:
        return read_archive(objects, head)


def listing(tips: dict[str, str]) -> bytes:
    return "".join(f"{run} {tip}\n" for run, tip in tips.items()).encode()


def test_what_is_written_is_read_again(archived) -> None:
    repo, tips, head = archived
    loose = Loose(Project(repo.path).git)
    run = next(iter(tips))
    last = write_archive_commit(loose, head, {}, [run])
    chain = read(repo, last.id)
    # the last commits of an archive are without runs
    assert chain[-1] == last
    assert [len(commit.tips) for commit in chain] == [len(chain[0].tips)] + [0] * (SEALS + 1)
    assert archives.tips_of(chain) == {one: tip for one, tip in tips.items() if one != run}


def test_forged_commit_of_the_right_form_is_read(archived) -> None:
    repo, tips, _ = archived
    assert read(repo, forge(repo, {"tips": listing(tips), "gone": b""}, list(tips.values())))[0].tips == tips


@pytest.mark.parametrize(
    "case", ["no parent", "other parent", "twice", "unordered", "gone twice", "no id", "more files", "long"]
)
def test_commit_of_another_form_is_refused(archived, case) -> None:
    repo, tips, _ = archived
    parents, (first, *rest) = list(tips.values()), tips.items()
    lines = {
        "twice": listing(tips) + f"{rest[-1][0]} {rest[-1][1]}\n".encode(),
        "unordered": listing(dict([*rest, first])),
        "no id": listing(tips) + b"nonsense " + b"0" * 40 + b"\n",
        "long": listing(tips) * 1200,
    }.get(case, listing(tips))
    gone = f"{first[0]}\n{first[0]}\n".encode() if case == "gone twice" else b""
    more = {"more": b"x"} if case == "more files" else {}
    some = {"no parent": parents[:-1], "other parent": [*parents, repo.head()]}.get(case, parents)
    with pytest.raises(BadRun, match="archive"):
        read(repo, forge(repo, {"tips": lines, "gone": gone, **more}, some))


@pytest.mark.parametrize("name", ["HEAD", "HEAD:train.py", "0" * 40])
def test_other_objects_are_no_archives(archived, name) -> None:
    repo, _, _ = archived
    with pytest.raises(BadRun):
        read(repo, repo.git("rev-parse", name))


def test_chain_has_a_limit(archived, monkeypatch) -> None:
    repo, _, head = archived
    monkeypatch.setattr(archives, "MAX_RUNS", 11)
    with pytest.raises(BadRun, match="longer than"):
        read(repo, head)


def test_each_repository_names_its_archive_once(tmp_path) -> None:
    repo = repository_of(tmp_path / "repo", 2)
    git = Project(repo.path).git
    assert own_writers(git) == {}
    archive_all(repo)
    assert own_writers(git) == {PUBLIC: archive(repo)[0]}
    (git.state / "writer").write_text("public ../../heads/main\n")
    assert own_writers(git) == {}
