"""Every hostile ref of the corpus: refused when it is fetched, and no verb that reads stumbles over it if it is there."""

from __future__ import annotations

import contextlib
import io
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from repository import Repo

from gitrun.commands import main

sys.path.insert(0, str(Path(__file__).parent))
from corpus import Case, build, is_safe, place

SECONDS, BYTES, LONGEST = 5.0, 500 << 20, 30 << 20
THOROUGH, STEP = os.environ.get("HYPOTHESIS_PROFILE") == "long", 3
WHOLE = [
    ("list", "--all"),
    ("list", "--all", "--json"),
    ("select", "--all"),
    ("compare", "--all"),
    ("log", "HEAD"),
    ("trust",),
    ("report",),
]
ONE = [
    ("show",),
    ("show", "--json"),
    ("log",),
    ("diff",),
    ("ls",),
    ("cat",),
    ("run", "--dry-run", "--restart"),
    ("report",),
    ("verify",),
]


@pytest.fixture(scope="module")
def forged(tmp_path_factory):
    """How to get a bare repository with the corpus, and its cases; refs that git takes are set."""
    made: list[tuple[Path, dict[str, Case]]] = []

    def make() -> tuple[Path, dict[str, Case]]:
        if not made:
            path = tmp_path_factory.mktemp("forged") / "remote.git"
            subprocess.run(["git", "init", "-q", "--bare", path], check=True)
            cases = build(path)
            subprocess.run(["git", "config", "uploadpack.allowAnySHA1InWant", "true"], cwd=path, check=True)
            made.append((path, cases))
        return made[0]

    return make


def processor() -> float:
    """Seconds that we and our children have computed: a busy machine makes nothing of ours slow."""
    return sum(os.times()[:4])


def unlike(cases: dict[str, Case]) -> dict[str, Case]:
    """The cases without those whose name another one has."""
    return {name: case for name, case in cases.items() if name == next(n for n, c in cases.items() if c.ref == case.ref)}


def test_corpus_is_large(forged) -> None:
    assert len(forged()[1]) >= 120


@pytest.mark.usefixtures("started")
def test_what_is_fetched_becomes_a_run_only_if_it_may_be_one(forged, repo) -> None:
    path, cases = forged()
    alone = unlike({name: case for name, case in cases.items() if not case.poison})
    place(path, alone)
    before = repo.git("for-each-ref", "refs/heads")
    began = processor()
    ended = repo.run("fetch", str(path))
    assert processor() - began < SECONDS
    assert ended.returncode == 1
    assert is_safe(ended.stderr)
    there = set(repo.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/runs").split())
    assert there == {case.ref for case in alone.values() if case.sound}
    refused = {case.ref for case in alone.values() if not case.sound}
    assert (
        sum(re.match("gitrun: error: run [0-9a-f]{8} is refused: ", line) is not None for line in ended.stderr.splitlines())
        == 10
    )
    assert f"and {len(refused) - 10} more" in ended.stderr
    assert repo.git("for-each-ref", "refs/heads", "refs/gitrun") == before
    assert not (repo.path / "owned").exists()


def test_what_git_itself_stumbles_over_leaves_nothing_behind(forged, repo) -> None:
    path, cases = forged()
    for name, case in cases.items():
        if case.poison and not case.sound:
            place(path, {name: case})
            ended = repo.run("fetch", str(path))
            assert ended.returncode in {1, 128}, name
            assert is_safe(ended.stderr), name
            assert repo.git("for-each-ref", "refs/runs", "refs/gitrun") == "", name


@pytest.fixture(scope="module")
def infested(forged, tmp_path_factory):
    """How to get a repository in which all of the corpus lies under refs/runs already, as a plain git fetch leaves it."""
    made: list[Repo] = []

    def make() -> Repo:
        if not made:
            repo = Repo.create(tmp_path_factory.mktemp("infested") / "repo")
            repo.write("train.py", "x = 1\n")
            repo.commit()
            cases = build(repo.path / ".git")
            place(repo.path / ".git", unlike(cases))
            made.append(repo)
        return made[0]

    return make


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))


@pytest.mark.parametrize("words", WHOLE, ids=" ".join)
def test_verbs_that_read_all_runs_are_quick_and_small_and_show_nothing_raw(infested, words) -> None:
    repo = infested()
    began = processor()
    ended = subprocess.run(
        ["git", "run", *words], cwd=repo.path, stdin=subprocess.DEVNULL, capture_output=True, check=False, preexec_fn=limited
    )
    assert processor() - began < SECONDS
    assert ended.returncode == 0, ended.stderr.decode()
    assert len(ended.stdout) < LONGEST
    assert is_safe(ended.stdout.decode())
    assert is_safe(ended.stderr.decode())


@pytest.mark.parametrize("words", ONE, ids=" ".join)
def test_verbs_that_read_one_run_are_quick_and_stumble_over_none(forged, repo, words, monkeypatch) -> None:
    alternates = repo.path / ".git" / "objects" / "info" / "alternates"
    alternates.write_text(f"{forged()[0] / 'objects'}\n")
    cases = unlike(forged()[1])
    broken = [name for name, case in cases.items() if not case.sound]
    sound = [name for name, case in cases.items() if case.sound]
    asked = sound if THOROUGH else sound[ONE.index(words) % STEP :: STEP]  # each case meets some of the verbs
    some = {name: case for name, case in cases.items() if name in asked or (name in broken[::12] and words == ("show",))}
    place(repo.path / ".git", some)
    monkeypatch.chdir(repo.path)
    before = sorted(path.name for path in repo.path.iterdir())
    for name, case in some.items():
        began = processor()
        code, said = call(*words, case.ref)
        assert processor() - began < SECONDS, name
        assert code in {0, 1, 128, 129}, (name, said[:2000])
        assert is_safe(said), (name, said[:2000])
    assert sorted(path.name for path in repo.path.iterdir()) == before


def call(*words: str) -> tuple[object, str]:
    """Exit code of `git run WORDS`, in this process, and what it says; of `cat`, which gives bytes as they are, only stderr."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", ["git-run", *words])
        with pytest.raises(SystemExit) as ended:
            main.main()
        out.flush()
        err.flush()
        data = b"" if words[0] == "cat" else out.buffer.getvalue()
        return ended.value.code, (err.buffer.getvalue() + data).decode()


@pytest.mark.usefixtures("started")
def test_chain_of_very_many_annotations_is_refused_in_time(repo, tmp_path) -> None:
    path = tmp_path / "long.git"
    subprocess.run(["git", "init", "-q", "--bare", path], check=True)
    from corpus import Forge, named, words

    first = Forge(path).attempt()
    message = words("annotation").encode()
    stream = b"".join(
        b"commit refs/heads/x\ncommitter A <a> %d +0000\ndata %d\n%s%s\n"
        % (n, len(message), message, b"from %s\n" % first.encode() if n == 1_760_000_000 else b"")
        for n in range(1_760_000_000, 1_760_020_500)
    )
    subprocess.run(["git", "-c", "core.compression=0", "fast-import", "--quiet"], cwd=path, input=stream, check=True)
    tip = Repo(path).git("rev-parse", "refs/heads/x")
    place(path, {"long": Case(named(first).ref, tip)})
    began = processor()
    assert "more than 20,000 commits" in repo.run("fetch", str(path)).stderr
    (repo.path / ".git" / "objects" / "info" / "alternates").write_text(f"{path / 'objects'}\n")
    place(repo.path / ".git", {"long": Case(first, tip)})
    assert repo.run("list", "--all").returncode == 0
    assert repo.run("log", first).returncode in {0, 128}
    assert processor() - began < 3 * SECONDS
