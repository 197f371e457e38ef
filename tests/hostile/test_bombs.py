"""Small objects that unfold to very much, under refs/runs as a plain `git fetch` leaves them: no verb unfolds one."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from repository import Repo
from sampled import sampled

sys.path.insert(0, str(Path(__file__).parent))
from corpus import CREATED, RESULT, RUN, Case, Forge, is_safe, named, place, sourced, words

SECONDS, BYTES, STEP = 5.0, 200 << 20, 3
ONE = [
    ("show",), ("show", "--json"), ("diff",), ("diff", "--stat"), ("ls",), ("cat",), ("compare",), ("report",), ("checkout",),
    ("checkout", "--source"), ("--restart",), ("--dry-run", "--restart"), ("trust",), ("verify",), ("log",), ("mark",),
    ("push", "--dry-run", "origin"),
]  # fmt: skip
WHOLE = [
    ("list", "--all"), ("list", "--json"), ("select", "--all"), ("compare", "--all"), ("report",), ("trust",), ("doctor",),
    ("doctor", "--fix"), ("notes", "--rebuild"), ("gc", "--dry-run"), ("fetch",),
]  # fmt: skip


def wide(forge: Forge) -> str:
    """A tree of 11 objects that unfolds to 10^10 files."""
    tree = forge.tree([("100644", b"%d" % number, forge.blob(b"x")) for number in range(10)])
    for _ in range(9):
        tree = forge.tree([("40000", b"%d" % number, tree) for number in range(10)])
    return tree


def deep(forge: Forge) -> str:
    """A tree with 3,000 directories within each other."""
    tree = forge.tree([("100644", b"f", forge.blob(b"x"))])
    for _ in range(3000):
        tree = forge.tree([("40000", b"d", tree)])
    return tree


def bombs(forge: Forge) -> dict[str, Case]:
    found = {}
    for name, made in (("wide", wide(forge)), ("deep", deep(forge))):
        found[f"{name} source"] = named(forge.attempt([("40000", b"x", made)]))
        plain = forge.attempt(flags_toml=f"bomb = '{name}'\n".encode())
        records = forge.records(run_toml=sourced(RUN + CREATED), flags_toml=f"bomb = '{name}'\n".encode(), result_toml=RESULT)
        result = forge.commit(forge.tree([("40000", b".gitrun", records), ("40000", b"x", made)]), (plain,), words("result"))
        found[f"{name} result"] = Case(plain, result)
        base = forge.commit(made, (), "a commit of somebody's")
        found[f"{name} base"] = named(forge.attempt(parents=(base,), flags_toml=f"base = '{name}'\n".encode()))
        first = forge.attempt([("40000", b"x", made)], flags_toml=f"first = '{name}'\n".encode())
        second = forge.attempt(parents=(first,), flags_toml=f"second = '{name}'\n".encode())
        found[f"{name} earlier attempt"] = Case(first, second)
        inner = forge.tree(
            [("40000", b"x", made), ("100644", b"run.toml", forge.blob(sourced(RUN + CREATED + f"#{name}".encode())))]
        )
        found[f"{name} .gitrun"] = named(forge.commit(forge.tree([("40000", b".gitrun", inner)]), (), words("attempt")))
    zeros = b"#" * (64 << 20)
    found["a huge run.toml"] = named(forge.attempt(run_toml=sourced(RUN + CREATED) + zeros))
    found["a huge flags.toml"] = named(forge.attempt(flags_toml=b"x = 1\n" + zeros))
    found["a huge notes.toml"] = named(forge.attempt(notes_toml=zeros), sound=True)
    first = forge.attempt(flags_toml=b"huge = 1\n")
    records = forge.records(run_toml=sourced(RUN + CREATED), flags_toml=b"huge = 1\n", result_toml=RESULT + zeros)
    found["a huge result.toml"] = Case(
        first, forge.commit(forge.tree([("40000", b".gitrun", records)]), (first,), words("result"))
    )
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> list[tuple[Repo, dict[str, Case]]]:
    return []


@pytest.fixture
def mined(made, tmp_path_factory):
    """A repository with a run of its own and all bombs, and the bombs."""
    if not made:
        repo = Repo.create(tmp_path_factory.mktemp("mined") / "repo")
        repo.write("train.py", "x = 1\nprint('mine')\n")
        repo.commit()
        subprocess.run(["git", "init", "-q", "--bare", repo.path.parent / "remote.git"], check=True)
        repo.git("remote", "add", "origin", "../remote.git")
        repo.run("train.py", check=True)
        cases = bombs(Forge(repo.path / ".git"))
        place(repo.path / ".git", cases)
        made.append((repo, cases))
    return made[0]


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))


def ended(repo: Repo, *asked: str) -> tuple[int, str, str]:
    began = sum(os.times()[:4])
    done = subprocess.run(
        ["git", "run", *asked], cwd=repo.path, stdin=subprocess.DEVNULL, capture_output=True, check=False,
        preexec_fn=limited, timeout=60,
    )  # fmt: skip
    assert sum(os.times()[:4]) - began < SECONDS, asked
    out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    assert "Traceback" not in err, err
    assert is_safe(err)
    return done.returncode, out, err


@pytest.mark.parametrize("asked", sampled(3, [(words,) for words in WHOLE]), ids=" ".join)
def test_verbs_that_read_all_runs_unfold_no_bomb(mined, asked) -> None:
    repo, _ = mined
    code, _, err = ended(repo, *asked)
    assert code in {0, 1}, err


@pytest.mark.parametrize("asked", sampled(5, [(words,) for words in ONE]), ids=" ".join)
def test_verbs_about_one_run_refuse_each_bomb_in_a_line(mined, asked) -> None:
    repo, cases = mined
    before = sorted(path.name for path in repo.path.iterdir())
    first = ONE.index(asked) % STEP  # each bomb meets a third of the verbs, and each verb bombs of all kinds
    for name, case in list(cases.items())[first::STEP]:
        code, out, err = ended(repo, *asked, case.ref)
        if not case.sound:
            assert (code, out, len(err.splitlines())) == (128, "", 1), (name, out[:500], err)
            assert f"run {case.ref[:8]} cannot be read: " in err, (name, err)
    assert sorted(path.name for path in repo.path.iterdir()) == before


def test_own_run_among_bombs_is_listed_first(mined) -> None:
    repo, _ = mined
    _, out, _ = ended(repo, "list", "--all")
    assert "train.py" in out.splitlines()[1] or "train.py" in out.splitlines()[0]
    assert sum("expands to more than 1,000,000 files" in line for line in out.splitlines()) >= 4
    assert sum("more than 200 nested directories" in line for line in out.splitlines()) >= 4


def test_bomb_of_a_base_is_not_fetched_either(mined, tmp_path) -> None:
    repo, cases = mined
    other = Repo.create(tmp_path / "other")
    names = [f"refs/runs/{case.ref}" for name, case in cases.items() if name in {"wide base", "wide source", "wide result"}]
    done = other.run("fetch", str(repo.path), *(name.removeprefix("refs/") for name in names))
    assert done.returncode == 1
    assert done.stderr.count("expands to more than 1,000,000 files") == 3
