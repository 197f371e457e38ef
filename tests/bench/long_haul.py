"""Lives the life of a project: `python tests/bench/long_haul.py [--runs 2000] [--json FILE] [--place DIR]`.

Two clones and a server with its hook: runs, restarts, labels, deletions; a commit for every ten runs, amended, rebased,
on branches that are deleted; pushes, pulls, `git gc` in between. At the end every run must be there, whole and readable
wherever it should be, and the figures are printed. The same number of runs is the same life each time.
"""

# ruff: noqa: T201 - figures are what it is for

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from looking import FLOOR, spent
from spine import command, git, live_in

from gitrun import Project
from gitrun.model.plan import Request
from gitrun.process.streams import NoStream
from gitrun.sharing.transfer import FetchRequest
from gitrun.store.trust import commits_to_trust
from gitrun.upkeep.gc import GcRules

TRAIN = """\
import json, pathlib
lr = 0.1
before = json.loads(pathlib.Path("model.json").read_text())["steps"] if pathlib.Path("model.json").exists() else 0
pathlib.Path("model.json").write_text(json.dumps({"lr": lr, "steps": before + 1}))
print("loss:", 1 / (before + 1))
print("lr is", lr)
"""
A_COMMIT, A_DAY, A_WEEK = 10, 30, 200
"""Attempts for each commit, between two exchanges through the server, and between two times that somebody keeps house."""
RECENT = 12
"""Runs that people go on with: some of them both, which are merged then."""


@dataclass
class Person:
    """Somebody with a clone: the runs that are theirs to go on with, and the ids that they deleted."""

    name: str
    repo: Path
    own: list[str] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)

    def project(self) -> Project:
        """Returns their project, opened again as every command does, and silent."""
        found = Project(self.repo)
        found.stdout = found.stderr = NoStream()
        return found


@dataclass
class Life:
    """What has happened: how many attempts each run must have, what was done how often, and the dice."""

    server: Path
    people: tuple[Person, Person]
    dice: random.Random
    attempts: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    branches: int = 0


def main() -> None:
    """Lives and prints the figures; exit status 1 if anything is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--place", type=Path, metavar="DIR", help="an empty directory that is kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gitrun-life-") as name:
        place = options.place or Path(name)
        live_in(Path(name))
        began = time.perf_counter()
        life = begin(place)
        live(life, options.runs)
        found = figures(life) | {"seconds lived": round(time.perf_counter() - began)}
    for what, value in found.items():
        print(f"{what + ':':<42} {value}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    sys.exit(any(found[what] for what in WRONG))


def begin(place: Path) -> Life:
    """A server with the hook, and two clones with theirs."""
    place.mkdir(parents=True, exist_ok=True)
    server = place / "server.git"
    git(place, "init", "-q", "--bare", str(server))
    command(server, "git", "run", "hooks", "install", "pre-receive")
    people = (Person("ann", place / "ann"), Person("bob", place / "bob"))
    for person in people:
        command(place, "git", "clone", "-q", str(server), str(person.repo))
        git(person.repo, "config", "user.name", person.name)
        git(person.repo, "config", "gitrun.fsync", "false")  # it is no power cut that is lived through here
        command(person.repo, "git", "run", "hooks", "install", "prepare-commit-msg", "commit-msg", "post-commit")
    ann, bob = people
    (ann.repo / "train.py").write_text(TRAIN)
    (ann.repo / ".gitignore").write_text("data/\n")
    for number in range(50):
        (ann.repo / f"module{number}.py").write_text(f"value = {number}\n")
    commit(ann, "start")
    git(ann.repo, "push", "-q", "-u", "origin", "main")
    git(bob.repo, "pull", "-q", "origin", "main")
    return Life(server, people, random.Random(7))


def commit(person: Person, message: str, *words: str) -> None:
    """Commits all that is in the working tree."""
    git(person.repo, "add", "-A")
    git(person.repo, "commit", "-q", "--allow-empty", "-m", message, *words)


def live(life: Life, runs: int) -> None:
    """So many runs, their restarts, and what people do between them."""
    for number in count(1):
        if len(life.attempts) >= runs:
            break
        person = life.people[number // 5 % 2]
        edit(life, person, number)
        one_run(life, person, number)
        if number % 3 == 0:
            annotate(life, person)
        if number % A_COMMIT == 0:
            write_history(life, person, number)
        if number % A_DAY == 0:
            exchange(life, life.people[number // A_DAY % 2])
        if number % A_WEEK == 0:
            keep_house(life, life.people[number // A_WEEK % 2], number)
    for person in (*life.people, life.people[0]):
        exchange(life, person)


def edit(life: Life, person: Person, number: int) -> None:
    """A change that is not committed yet, of a file that the other one does not change."""
    half = 0 if person.name == "ann" else 25
    (person.repo / f"module{half + life.dice.randrange(25)}.py").write_text(f"value = {number}\n")


def one_run(life: Life, person: Person, number: int) -> None:
    """One more attempt: of a run that is there, or of a new one; now and then by the command line."""
    project, lr = person.project(), life.dice.randrange(1, 10_000) / 10_000
    kind = life.dice.choices(("new", "restart", "command", "error", "staged", "words"), (60, 20, 8, 3, 4, 5))[0]
    life.done[kind] += 1
    if kind == "restart" and person.own:
        run = life.dice.choice(person.own[-RECENT:])
        project.run(restart=run, flags={"lr": lr})
    elif kind == "words":
        command(person.repo, "git", "run", "train.py", f"lr={lr}")
        run = project.list_runs()[0].id
    elif kind == "command":
        run = project.start(Request(command=("sh", "-c", "echo lr is $FLAG_LR"), flags={"lr": lr})).run_id
    elif kind == "error":
        run = project.run(command=("sh", "-c", "echo lr is $FLAG_LR; exit 3"), flags={"lr": lr}).id
    else:
        run = project.start(Request(operation="train.py", flags={"lr": lr}, stage=kind == "staged")).run_id
        if kind == "staged":
            project.run(restart=run)
            life.attempts[run] += 1
    life.attempts[run] += 1
    person.own += [] if run in person.own else [run]


def annotate(life: Life, person: Person) -> None:
    """Annotates a run, or deletes it, perhaps by mistake."""
    project, run = person.project(), life.dice.choice(person.own)
    what = life.dice.choices(("label", "tag", "comment", "mark", "rm", "mistake"), (4, 6, 4, 3, 2, 2))[0]
    life.done[what] += 1
    if what in {"label", "tag"}:
        command(person.repo, "git", "run", what, f"{what}{life.dice.randrange(5)}", run)
    elif what == "comment":
        command(person.repo, "git", "run", "comment", run, "-m", "seen")
    elif what == "mark":
        project.mark(project.find(run))
    elif len(person.own) > 1:
        project.trash.remove([project.find(run)])
        if what == "mistake":
            project.trash.restore(project.trash.find([run]))
        else:
            person.own.remove(run)
            person.deleted.add(run)


def write_history(life: Life, person: Person, number: int) -> None:
    """A commit: on the branch, amended, on a topic that is merged, or on one that is rebased and thrown away."""
    kind = life.dice.choices(("commit", "amend", "merge", "rebase", "drop"), (5, 2, 2, 2, 1))[0]
    life.done[f"history: {kind}"] += 1
    if kind in {"commit", "amend"}:
        commit(person, f"step {number}")
        if kind == "amend":
            (person.repo / "notes.txt" if person.name == "ann" else person.repo / "todo.txt").write_text(f"{number}\n")
            commit(person, f"step {number}, better", "--amend")
        return
    life.branches += 1
    topic = f"topic{life.branches}"
    git(person.repo, "switch", "-q", "-c", topic)
    commit(person, f"{topic} of {number}")
    git(person.repo, "switch", "-q", "main")
    if kind == "rebase":
        commit(person, f"in between {number}")
        git(person.repo, "rebase", "-q", "main", topic)
        git(person.repo, "switch", "-q", "main")
    if kind != "drop":
        git(person.repo, "merge", "-q", "--no-edit", topic)
    git(person.repo, "branch", "-q", "-D", topic)


def exchange(life: Life, person: Person) -> None:
    """Takes what the other one has pushed, branch and runs, trusts some of it, and pushes."""
    commit(person, "before I pull")
    git(person.repo, "pull", "-q", "--rebase", "origin", "main")
    git(person.repo, "push", "-q", "origin", "main")
    project = person.project()
    found = project.sharing.fetch("origin", FetchRequest(merge=True))
    assert found.refused == {}
    assert found.diverged == []
    life.done["runs fetched"] += len(found.fresh) + len(found.forward)
    life.done["runs merged"] += len(found.merged)
    new = [run for run in project.list_runs() if run.id in {*found.fresh, *found.forward, *found.merged}]
    project.sharing.trust([commit for run in new for commit in commits_to_trust(run)])
    person.own += [run.id for run in new[:5] if run.id not in person.own]
    pushed = project.sharing.push("origin", project.sharing.all_tips())
    assert not pushed.rejected, pushed


def keep_house(life: Life, person: Person, number: int) -> None:
    """`git gc` that prunes all it can, `git run gc`, and a server that does the same; the trash is emptied."""
    life.done["gc"] += 1
    git(person.repo, "reflog", "expire", "--expire=now", "--all")
    git(person.repo, "gc", "-q", "--prune=now")
    git(life.server, "gc", "-q", "--prune=now")
    project = person.project()
    project.upkeep.sweep(project.upkeep.survey(GcRules(expire=time.time() + 60, slots=bool(number // A_WEEK % 2))))


WRONG = (
    "runs missing",
    "runs that should be gone",
    "runs that do not read",
    "runs with lost attempts",
    "wrong outputs",
    "doctor",
)


def figures(life: Life) -> dict[str, Any]:
    """What there is at the end, and what is wrong with it."""
    found: dict[str, Any] = dict.fromkeys(WRONG, 0)
    ann = life.people[0]
    for person in life.people:
        examine(life, person, found)
    there = set(git(life.server, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/runs").split())
    found["runs missing"] += len(life.attempts.keys() - there - ann.deleted - life.people[1].deleted)
    for repo in (*(person.repo for person in life.people), life.server):
        git(repo, "fsck", "--strict", "--no-dangling")
    size = disk(ann.repo / ".git" / "objects")
    git(ann.repo, "gc", "-q", "--prune=now")
    found |= {
        "runs made": len(life.attempts), "attempts": sum(life.attempts.values()), "runs on the server": len(there),
        "commits on main": int(git(ann.repo, "rev-list", "--count", "main")), "branches deleted": life.branches,
        "objects, before gc (kB)": size // 1000, "objects, after gc (kB)": disk(ann.repo / ".git" / "objects") // 1000,
        "bytes a run, after gc": disk(ann.repo / ".git" / "objects") // len(there),
        "all of .git (kB)": disk(ann.repo / ".git") // 1000,
    }  # fmt: skip
    floor = middle(ann.repo, sys.executable, "-c", "pass")
    for words in (("list",), ("list", "--all"), ("show", "1"), ("select", "1")):
        found[f"git run {' '.join(words)} (CPU s)"] = middle(ann.repo, "git", "run", *words)
    return found | {f"{FLOOR} (CPU s)": floor, "fsck": "clean", "done": dict(life.done)}


def examine(life: Life, person: Person, found: dict[str, Any]) -> None:
    """Looks at every run that one of them has, and asks the doctor."""
    git(person.repo, "config", "--unset", "gitrun.fsync")
    project = person.project()
    runs = project.list_runs()
    theirs = {run.id for run in runs}
    gone = life.people[0].deleted | life.people[1].deleted
    found["runs missing"] += len(life.attempts.keys() - theirs - gone)
    found["runs that should be gone"] += len(theirs & person.deleted)
    found["runs that do not read"] += len(project.broken())
    kept = (run for run in runs if run.id not in gone)  # of what one deleted the other may lack the last attempt
    found["runs with lost attempts"] += sum(len(project.attempts(run)) != life.attempts[run.id] for run in kept)
    found["wrong outputs"] += sum(f"lr is {run.flags['lr']}\n" not in run.output for run in runs)
    said = subprocess.run(("git", "run", "doctor"), cwd=person.repo, capture_output=True, text=True, check=False)
    found["doctor"] += said.returncode
    if said.returncode:
        print(said.stdout, said.stderr)


def disk(place: Path) -> int:
    """Bytes of all files below a directory."""
    return sum(path.lstat().st_size for path in place.rglob("*") if path.is_file() and not path.is_symlink())


def middle(repo: Path, *words: str) -> float:
    """Median CPU seconds of a command."""
    return round(sorted(spent(repo, words).cpu for _ in range(7))[3], 3)


if __name__ == "__main__":
    main()
