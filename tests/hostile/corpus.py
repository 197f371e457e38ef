# ruff: noqa: E501 - a case a line
"""Refs that somebody may push, good and bad, made object by object: none of git's own care stands between.

A case is a ref, whether it is a run that may be one here (`sound`), and whether git itself already stumbles over it, so
that it must come alone (`poison`).
"""

from __future__ import annotations

import subprocess
import unicodedata
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from forms import asked_form
from values import FORMAT, values

if TYPE_CHECKING:
    from pathlib import Path

EVIL = "\x1b]52;c;eA==\x07\x9b31m\u202e\u2066"
RUN = b'format = 1\noperation = "train.py"\nkind = "script"\ncommand = ["{python}", "train.py"]\ncwd = ""\n'
CREATED = b"created = 2026-01-02T03:04:05.000000+00:00\n"
RESULT = b'format = 1\nstatus = "completed"\nexit_status = 0\n'
WHO = "A <a@example.org> 1760000000 +0000"
MISSING = "d" * FORMAT.digits
EMPTY = FORMAT.empty_tree
Entries = list[tuple[str, bytes, str]]


@dataclass(frozen=True)
class Case:
    """A ref (below refs/runs/) and what it is."""

    ref: str
    tip: str
    sound: bool = False
    poison: bool = False


@dataclass(frozen=True)
class Forge:
    """Writes objects of any content into a repository."""

    path: Path

    def object(self, kind: str, data: bytes) -> str:
        """Writes an object as git would, thousands of times faster than a git for each."""
        whole = b"%s %d\0%s" % (kind.encode(), len(data), data)
        object_id = FORMAT.hash(whole).hexdigest()
        file = self.path / "objects" / object_id[:2] / object_id[2:]
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(zlib.compress(whole, 1))
        return object_id

    def blob(self, data: bytes) -> str:
        return self.object("blob", data)

    def tree(self, entries: Entries) -> str:
        """A tree with these entries, in this order."""
        return self.object("tree", b"".join(b"%s %s\0" % (m.encode(), n) + bytes.fromhex(i) for m, n, i in entries))

    def records(self, **files: bytes) -> str:
        """A `.gitrun` with these files."""
        named = sorted((name.replace("_", ".").encode(), data) for name, data in files.items())
        return self.tree([("100644", name, self.blob(data)) for name, data in named])

    def commit(
        self, tree: str, parents: tuple[str, ...] = (), message: str = "", head: str = f"author {WHO}", tail: str = ""
    ) -> str:
        lines = "".join(f"parent {parent}\n" for parent in parents)
        return self.object("commit", f"tree {tree}\n{lines}{head}\ncommitter {WHO}\n{tail}\n{message}".encode())

    def attempt(
        self, entries: Entries | None = None, records: str | None = None, parents: tuple[str, ...] = (), **more: bytes
    ) -> str:
        """An attempt whose tree has these entries too."""
        run = sourced(more.pop("run_toml", RUN + CREATED), self.tree(entries or []))
        folder = records or self.records(**{"run_toml": run, "flags_toml": b"x = 1\n", **more})
        return self.commit(self.tree([("40000", b".gitrun", folder), *(entries or [])]), parents, words("attempt"))

    def then(self, kind: str, *parents: str, records: str | None = None, **more: bytes) -> str:
        """A commit of this kind on others."""
        files = {"run_toml": sourced(RUN + CREATED), "flags_toml": b"x = 1\n"}
        files |= {"result_toml": RESULT} if kind == "result" else {}
        folder = records or self.records(**{**files, **more})
        return self.commit(self.tree([("40000", b".gitrun", folder)]), parents, words(kind))


def sourced(run: bytes, tree: str = EMPTY) -> bytes:
    """A run.toml that names the tree as its source, if it names none."""
    line = f'[source]\ntree = "{tree}"\n'.encode()
    if b"\ntree = " in run:
        return run
    if b"[source]\n" in run:
        return run.replace(b"[source]\n", line)
    head, below, rest = run.partition(b"[[source.")
    return head + line + below + rest


def words(kind: str, subject: str = "x") -> str:
    return f"{subject}\n\nGitrun-Kind: {kind}\nGitrun-Format: 1\n"


def named(tip: str, **more: bool) -> Case:
    return Case(tip, tip, **more)


NAMES = [
    b".git", b".GIT", b".Git", b".git ", b".git.", b".git. .", b"git~1", b"GIT~1", ".g\u200cit".encode(), "\u200e.git".encode(),
    ".gi\ufefft".encode(), b".git::$INDEX_ALLOCATION", b".git\\hooks", b"a\\.git\\b", b"..", b".", b"a" * 300,
]  # fmt: skip
EMPTY_OR_PATH = [b"", b"a/b", b"../../escape"]
TABLES = {
    "broken TOML": b"a = [", "no operation": b"kind = 'script'\n", "not UTF-8": b"operation = '\xff'", "a NUL": b"operation = 'a\0'",
    "wrong kinds": b"operation=1\ncommand=2\nsource=3\n", "deep": b"operation='a'\na = " + b"[" * 3000, "twice": b"operation='a'\noperation='b'",
    "huge": b"operation='a'\n" + b"#" * (3 << 20), "a bomb": b"operation='a'\n#" + b" " * (40 << 20), "one key of many": b"a" + b".a" * 5000 + b"=1",
    "no format": b"operation='a'\nformat='x'\n", "negative format": b"operation='a'\nformat=-1\n",
}  # fmt: skip
GOOD_TABLES = {
    "a higher format": b"operation='a'\nformat=99\nfuture={a=[1]}\n",
    "escapes": ('operation="' + "\\u001b]52;c;eA==\\u0007\\u202e" + '"\nkind="\\u009b"\ncwd="\\u202e"\n[source]\nbranch="\\u001b[2J"\n').encode(),
    "old time": b"operation='a'\ncreated=0001-01-01T00:00:00+10:00\n",
}  # fmt: skip


def place(repository: Path, cases: dict[str, Case]) -> None:
    """Sets the refs of the cases instead of those set before, in files past all that git would say about them."""
    if asked_form().refs == "reftable":
        refs, before = {f"refs/runs/{case.ref}": case.tip for case in cases.values()}, repository / "placed"
        gone = set(before.read_text().split()) - refs.keys() if before.exists() else set()
        lines = "".join([*(f"delete {ref}\n" for ref in gone), *(f"update {ref} {tip}\n" for ref, tip in refs.items())])
        subprocess.run(["git", "update-ref", "--stdin"], cwd=repository, input=lines, text=True, check=True)
        before.write_text("\n".join(refs))
        return
    lines = "".join(f"{case.tip} refs/runs/{case.ref}\n" for case in sorted(cases.values(), key=lambda case: case.ref))
    (repository / "packed-refs").write_text(f"# pack-refs with: peeled fully-peeled sorted \n{lines}")


def is_safe(text: str) -> bool:
    # git puts a tab behind a path with blanks in the head of a diff
    return not {unicodedata.category(char) for char in text.replace(" \t\n", "\n") if char != "\n"} & {"Cc", "Cf", "Cs"}


def build(path: Path) -> dict[str, Case]:
    """All cases, their objects in the repository at `path`; no ref is set."""
    forge = Forge(path)
    cases: dict[str, Case] = {}
    for part in (names, modes, bombs, tables, shapes, refs, texts, values):
        cases |= part(forge)
    return cases


def names(forge: Forge) -> dict[str, Case]:
    blob = forge.blob(b"#!/bin/sh\ntouch owned\n")
    found = {f"name {name!r}"[:60]: named(forge.attempt([("100755", name, blob)])) for name in NAMES}
    found |= {f"name {name!r}": named(forge.attempt([("100755", name, blob)]), poison=True) for name in EMPTY_OR_PATH}
    hooks = forge.tree([("40000", b"hooks", forge.tree([("100755", b"post-checkout", blob)]))])
    found["a .git directory"] = named(forge.attempt([("40000", b".git", hooks)]))
    found["a .git directory below"] = named(forge.attempt([("40000", b"a", forge.tree([("40000", b".Git", hooks)]))]))
    return found


def modes(forge: Forge) -> dict[str, Case]:
    text, outside = forge.blob(b"[filter]\n"), forge.blob(b"/etc/passwd")
    look_alike: Entries = [
        ("100644", b"HEAD", forge.blob(b"ref: refs/heads/main\n")), ("100644", b"config", forge.blob(b"[core]\nfsmonitor=touch owned;\n")),
        ("40000", b"objects", forge.tree([])), ("40000", b"refs", forge.tree([])),
    ]  # fmt: skip
    return {
        "a symlink for .gitmodules": named(forge.attempt([("120000", b".gitmodules", outside)])),
        "a symlink for .GITMODULES": named(forge.attempt([("120000", b".GitModules", outside)])),
        "no mode": named(forge.attempt([("0", b"a", text)]), poison=True),
        "a mode of no kind": named(forge.attempt([("170777", b"a", text)]), poison=True),
        "a directory that is a file": named(forge.attempt([("40000", b"a", text)]), poison=True),
        "a file that is a directory": named(forge.attempt([("100644", b"a", forge.tree([]))]), poison=True, sound=True),
        "a name twice": named(forge.attempt([("100644", b"a", text), ("100644", b"a", outside)])),
        "out of order": named(forge.attempt([("100644", b"z", text), ("100644", b"a", outside)]), sound=True),
        "a symlink out": named(forge.attempt([("120000", b"link", outside)]), sound=True),
        "a submodule": named(forge.attempt([("160000", b"module", "1" * FORMAT.digits)]), sound=True),
        "a filter": named(forge.attempt([("100644", b".gitattributes", forge.blob(b"* filter=lfs diff=evil\n"))]), sound=True),
        "an .lfsconfig": named(forge.attempt([("100644", b".lfsconfig", forge.blob(b"[lfs]\nurl=http://127.0.0.1:9/\n"))]), sound=True),
        "like a repository": named(forge.attempt(look_alike), sound=True),
        "a tree cut short": named(forge.commit(forge.object("tree", b"100644 a\0abc"), (), words("attempt")), poison=True),
    }  # fmt: skip


def bombs(forge: Forge) -> dict[str, Case]:
    wide = forge.tree([("100644", b"%d" % number, forge.blob(b"x")) for number in range(10)])
    for _ in range(10):
        wide = forge.tree([("40000", b"%d" % number, wide) for number in range(10)])
    deep = forge.tree([])
    for _ in range(400):
        deep = forge.tree([("40000", b"d", deep)])
    output = forge.records(run_toml=sourced(RUN + CREATED), result_toml=RESULT, flags_toml=b"x = 1\n", output=b"x" * (20 << 20))
    first = forge.attempt()
    return {
        "10^11 files": named(forge.attempt([("40000", b"wide", wide)])),
        "400 directories": named(forge.attempt([("40000", b"deep", deep)])),
        "20 MiB of output": Case(first, forge.commit(forge.tree([("40000", b".gitrun", output)]), (first,), words("result"))),
        "2 MiB of message": named(forge.commit(forge.tree([]), (), words("attempt", "x" * (2 << 20)))),
    }


def tables(forge: Forge) -> dict[str, Case]:
    found = {f"run.toml: {name}": named(forge.attempt(run_toml=data)) for name, data in TABLES.items()}
    found |= {f"run.toml: {name}": named(forge.attempt(run_toml=data), sound=True) for name, data in GOOD_TABLES.items()}
    for name in ("flags", "env", "notes"):
        found[f"{name}.toml is broken"] = named(forge.attempt(**{f"{name}_toml": b"a = ["}))
    first, text = forge.attempt(), forge.blob(RUN)
    found["result.toml is broken"] = Case(
        first, forge.then("result", first, records=forge.records(run_toml=RUN, result_toml=b"="))
    )
    found["no result.toml"] = Case(first, forge.then("result", first, records=forge.records(run_toml=RUN)))
    found["no run.toml"] = named(forge.attempt(records=forge.records(flags_toml=b"x = 1\n")))
    found["run.toml is a symlink"] = named(forge.attempt(records=forge.tree([("120000", b"run.toml", text)])))
    found["run.toml is a directory"] = named(forge.attempt(records=forge.tree([("40000", b"run.toml", forge.tree([]))])))
    folder: Entries = [("120000", b".gitrun", text)]
    found[".gitrun is a symlink"] = named(forge.commit(forge.tree(folder), (), words("attempt")))
    found[".gitrun is a submodule"] = named(
        forge.commit(forge.tree([("160000", b".gitrun", "1" * FORMAT.digits)]), (), words("attempt"))
    )
    found["no .gitrun"] = named(forge.commit(forge.tree([]), (), words("attempt")))
    return found


def shapes(forge: Forge) -> dict[str, Case]:
    first, user = forge.attempt(), forge.commit(forge.tree([]), (), "a commit of somebody's")
    result, folder = (
        forge.then("result", first),
        forge.tree([("40000", b".gitrun", forge.records(run_toml=sourced(RUN + CREATED)))]),
    )
    another = forge.attempt(flags_toml=b"x = 2\n")
    return {
        "a result of two": Case(first, forge.then("result", first, result)),
        "a result of nothing": named(forge.then("result")),
        "an annotation of nothing": named(forge.then("annotation")),
        "a merge of one": Case(first, forge.then("merge", result)),
        "a merge with itself": Case(first, forge.then("merge", result, result)),
        "a merge with another run": Case(first, forge.then("merge", result, another)),
        "an attempt of three": Case(first, forge.attempt(parents=(user, result, first))),
        "another run's attempt": Case(first, forge.attempt(parents=(user, another))),
        "an attempt after nothing": Case(first, another),
        "a user's commit": named(user),
        "no kind": named(forge.commit(folder, (), "x\n")),
        "a kind of no kind": named(forge.commit(folder, (), words("sample"))),
        "no format": named(forge.commit(folder, (), "x\n\nGitrun-Kind: attempt\n")),
        "a result of a user's commit": Case(first, forge.then("result", user)),
        "a time of fourteen digits": named(
            forge.object("commit", f"tree {folder}\nauthor {WHO}\ncommitter A <a> 99999999999999 +0000\n\n{words('attempt')}".encode())
        ),
        "no author": named(forge.commit(folder, (), words("attempt"), head="encoding x")),
        "a missing tree": named(forge.commit(MISSING, (), words("attempt")), poison=True),
        "a missing file": named(forge.attempt([("100644", b"a", MISSING)]), poison=True, sound=True),
        "a missing table": named(forge.attempt(records=forge.tree([("100644", b"run.toml", MISSING)])), poison=True),
        "a missing parent": Case(first, forge.then("result", MISSING), poison=True),
        "two attempts": Case(first, forge.then("result", forge.attempt(parents=(user, result), flags_toml=b"x = 3\n"), flags_toml=b"x = 3\n"), sound=True),
    }  # fmt: skip


def refs(forge: Forge) -> dict[str, Case]:
    first, other = forge.attempt(flags_toml=b"x = 5\n"), forge.attempt(flags_toml=b"x = 6\n")
    blob = forge.blob(b"a blob")
    tag = forge.object("tag", f"object {first}\ntype commit\ntag v1\ntagger {WHO}\n\nx\n".encode())
    return {
        "the id of another": Case(other, first),
        "a name that is no id": Case("best", first),
        "an id in capitals": Case("A" * FORMAT.digits, first),
        "an id with a folder": Case(f"{first}x/{first}", first),
        "an id of nothing": Case("e" * FORMAT.digits, first),
        "a blob": named(blob),
        "a tree": named(forge.tree([])),
        "a tag": Case(tag, tag),
    }


def texts(forge: Forge) -> dict[str, Case]:
    evil = EVIL.encode()
    notes = f'label = "{json_text(EVIL)}"\ntags = ["{json_text(EVIL)}"]\n[[comments]]\ntext = "{json_text(EVIL)}"\nauthor = "{json_text(EVIL)}"\n'
    flags = f'"{json_text(EVIL)}" = "{json_text(EVIL)}"\n'
    folder = forge.tree([("40000", b".gitrun", forge.records(run_toml=sourced(RUN + CREATED)))])
    return {
        "escapes in file names": named(forge.attempt([("100644", evil + b"\n\t.txt", forge.blob(evil))]), sound=True),
        "escapes in notes": named(forge.attempt(notes_toml=notes.encode()), sound=True),
        "escapes in flags": named(forge.attempt(flags_toml=flags.encode()), sound=True),
        "escapes in the subject": named(forge.commit(folder, (), words("attempt", EVIL)), sound=True),
        "escapes in the author": named(forge.commit(folder, (), words("attempt"), head=f"author {EVIL} <{EVIL}> 1 +0000"), sound=True),
        "a signature that is none": named(
            forge.commit(folder, (), words("attempt"), tail=f"gpgsig {EVIL}\n Good signature\n"), sound=True
        ),
    }  # fmt: skip


def json_text(text: str) -> str:
    """Text as it stands in a TOML string."""
    return "".join(f"\\u{ord(char):04x}" for char in text)


Builder = Callable[[Forge], dict[str, Case]]
