"""For programs: what every verb prints with --json is what the schema in the package says; errors too; nothing is asked."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator
from repository import Repo

from gitrun.commands.completion import complete_words
from gitrun.commands.install_docs import SHARE
from gitrun.commands.verbs import VERBS

SCHEMA = json.loads((SHARE / "run.schema.json").read_text())
CASES = {
    "run": [("--dry-run", "train.py", "lr=0.5"), ("--dry-run", "n=[1, 'a']", "--", "make", "x")],
    "list": [(), ("--all",), ("--status", "error"), ("nothing.py",)],
    "ops": [(), ("train.py",)],
    "select": [(), ("--all",)],
    "trust": [()],
    "hooks": [(), ("status", "pre-push")],
    "report": [(), ("1:3",), ("HEAD~1..HEAD",)],
    "site": [("--single-file", "runs.html", "1:3")],
    "verify": [("best",)],
    "check": [("best", "--metric", "loss<base", "--base", "3"), ("--metric", "loss<2")],
    "bisect": [("--good", "HEAD", "--bad", "worse", "loss<=0.1", "train.py")],
    "show": [(), ("2",), ("1", "2", "3"), ("staged",)],
    "log": [(), ("3",), ("HEAD",), ("HEAD~1..HEAD",)],
    "ls": [(), ("2",), ("--source",)],
    "compare": [("--all",), ("1:3", "--columns", "id,lr,loss")],
    "plot": [("loss",), ("worst", "best"), ("lr:loss", "--where", "lr<1"), ("--best", "loss")],
    "diff": [("2", "1"), ("1",), ("1", "--working"), ("3", "2", "--env")],
    "worker": [(".", "--once", "1")],
    "doctor": [()],
    "gc": [("--dry-run",), ("--dry-run", "--keep", "0", "--slots")],
    "import": [("csv", "runs.csv", "--dry-run")],
    "watch": [("best",)],
}
TRAIN = """\
import gitrun
lr = 0.1
name = "ü"
gitrun.log({"loss": lr, "worst": float("nan")}, step=1)
open("model.bin", "w").write("x")
open("large.bin", "wb").write(bytes(11 << 20))
"""


def valid(found: object, name: str) -> object:
    """The value, if it is what the schema says under the name."""
    schema = {"$defs": SCHEMA["$defs"], "$ref": f"#/$defs/{name}"}
    Draft202012Validator(schema).validate(found)
    return found


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory):
    """How to get a repository in which runs of every kind have been made."""
    made: list[Repo] = []

    def make() -> Repo:
        if made:
            return made[0]
        repo = Repo.create(tmp_path_factory.mktemp("lived") / "repo")
        repo.write("train.py", TRAIN)
        repo.commit()
        repo.commit("another")
        repo.write("train.py", TRAIN.replace("0.1", "0.2"))
        repo.git("tag", "worse", repo.git("stash", "create"))
        repo.write("train.py", TRAIN)
        # so that a bisection finds all runs that it needs
        for commit in ("HEAD", "worse"):
            repo.run("--at", commit, "train.py", check=True)
        repo.run("train.py", check=True)
        repo.run("train.py", "lr=1e300", "--label", "best", "--tag", "t", "--comment", "c", check=True)
        repo.write("train.py", TRAIN.replace("0.1", "0.2"))
        repo.run("--restart", "2", "lr=inf", check=True)
        repo.run("d=2026-01-01", "n=2.5", "--", "false")
        repo.run("--stage", "--label", "staged", "train.py", check=True)
        repo.git("update-ref", f"refs/runs/{'1' * 40}", "HEAD")
        repo.write("runs.csv", "operation,flag.lr,metric.loss\ntrain.py,0.1,2.5\n")
        made.append(repo)
        return repo

    return make


def test_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(("verb", "words"), [(verb, words) for verb, cases in CASES.items() for words in cases], ids=str)
def test_output_is_what_the_schema_says(lived_in, verb, words) -> None:
    ended = lived_in().run(verb, *words, "--json") if "--" not in words else lived_in().run(verb, "--json", *words)
    if words == ("nothing.py",):
        valid(json.loads(ended.stderr), "error")
        return
    assert ended.returncode == ((verb == "check" and "--base" not in words) or verb == "doctor"), ended.stderr
    assert valid(json.loads(ended.stdout), "run --dry-run" if verb == "run" else verb) is not None


def test_every_verb_that_has_json_is_among_the_cases(lived_in) -> None:
    having = {verb for verb in VERBS if "--json" in complete_words(verb).split()}
    assert having == set(CASES)
    assert having - {"run"} < SCHEMA["$defs"].keys()


def test_event_of_a_watched_run_has_the_keys_of_a_run(lived_in) -> None:
    event = json.loads(lived_in().run("watch", "best", "--json", check=True).stdout)
    assert event.pop("event") == "ended"
    assert valid(event, "run") == event


def test_run_of_a_list_is_what_the_schema_says_at_its_top(lived_in) -> None:
    runs = json.loads(lived_in().run("list", "--json", check=True).stdout)
    unreadable = [run for run in runs if "error" in run]
    assert (len(runs), len(unreadable)) == (7, 1)
    for run in runs:
        assert Draft202012Validator(SCHEMA).is_valid(run) == (run not in unreadable)


def test_schema_notices_what_is_missing_and_what_is_not_described(lived_in) -> None:
    run = json.loads(lived_in().run("list", "--json", check=True).stdout)[0]
    for other in (run | {"new": 1}, {**run, "status": "done"}, {**run, "started": "today"}, {"id": run["id"]}):
        assert not Draft202012Validator(SCHEMA).is_valid(other)


@pytest.mark.parametrize(
    ("words", "code", "kind"),
    [
        (("show", "--json", "nothing"), 128, "unknown-run"),
        (("list", "--json", "--no-such-option"), 129, "usage"),
        (("list", "--json", "--where", "lr <"), 129, "bad-filter"),
        (("check", "--json", "--metric", "loss"), 129, "bad-gate"),
        (("run", "--json", "--dry-run", "nothing.py"), 129, "unknown-operation"),
        (("run", "--json", "--dry-run", "train.py", "q=1"), 129, "unknown-flag"),
        (("diff", "--json", "nothing", "1"), 128, "unknown-run"),
        (("show", "--json", "11111111"), 128, "bad-run"),
    ],
    ids=str,
)
def test_error_is_one_object_on_stderr(lived_in, words, code, kind) -> None:
    ended = lived_in().run(*words)
    assert (ended.returncode, ended.stdout) == (code, "")
    found = valid(json.loads(ended.stderr), "error")
    assert (found["error"], found["kind"]) == (code, kind)


def test_error_outside_a_repository_is_an_object_too(tmp_path) -> None:
    ended = Repo(tmp_path).run("list", "--json", env={"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)})
    assert "not a git repository" in valid(json.loads(ended.stderr), "error")["message"]
    assert json.loads(ended.stderr)["kind"] == "not-a-repository"


@pytest.mark.parametrize(
    "words", [("comment", "1"), ("purge", "--all"), ("rm", "1"), ("label", "a", "1"), ("train.py",)], ids=str
)
def test_nothing_is_asked_without_a_terminal(lived_in, words) -> None:
    editor = {"GIT_EDITOR": "echo asked >&2; false", "EDITOR": "false"}
    ended = lived_in().run(*words, env=editor, input="")
    assert "asked" not in ended.stderr
    assert "Continue?" not in ended.stderr
