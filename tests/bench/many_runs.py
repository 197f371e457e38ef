"""Repositories with very many runs, written through git fast-import: `python tests/bench/many_runs.py DIR COUNT`."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import IO

MARKS = "marks"
FIRST = 1_760_000_000
"""The time of the first run's commits, in seconds since 1970."""
OPERATIONS = ("train.py", "eval.py", "prepare.py")
RUN = """format = 1
operation = "{operation}"
kind = "{kind}"
command = ["{{python}}", "{operation}"]
cwd = ""
created = {when}
nonce = "{number:032x}"
{trial}
[source]
tree = "{tree}"
base = "{base}"
branch = "main"
dirty = true

[params]
force_flags = false
no_gpus = false
opt_flags = []
random_seed = {number}
"""
RESULT = """format = 1
status = "{status}"
exit_status = {code}
started = {when}
stopped = {when}
duration = 12.5

[metrics]
loss = {loss:.5f}
acc = {acc:.5f}
"""


def make(place: Path, count: int, trials: int = 0) -> Path:
    """A repository at `place` with `count` runs of three scripts, their refs packed, each a minute after the other.

    The last `trials` of them belong to a batch, which is the one before them.
    """
    place.mkdir(parents=True)
    git = ("git", "-C", str(place))
    subprocess.run((*git, "init", "--quiet"), check=True)
    (place / "train.py").write_text("lr = 0.1\nepochs = 10\n")
    subprocess.run((*git, "add", "."), check=True)
    # older than the runs that are made from it, as git expects when it walks back in time
    author = {"NAME": "Ann", "EMAIL": "ann@example.org", "DATE": f"{FIRST - 60} +0000"}
    given = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in author.items()}
    subprocess.run((*git, "commit", "--quiet", "--message=base"), check=True, env={**os.environ, **given})
    said = subprocess.run((*git, "rev-parse", "HEAD", "HEAD^{tree}"), check=True, capture_output=True, text=True).stdout
    base, tree = said.split()
    marks = place / ".git" / MARKS
    with subprocess.Popen(
        (*git, "fast-import", "--quiet", f"--export-marks={marks}"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        for number in range(count - trials):
            is_batch = trials and number == count - trials - 1
            write_run(process.stdin, number, (base, tree), "train.py+" if is_batch else "")
        if trials:
            # fast-import tells the id of the batch, which its trials name
            process.stdin.write(f"get-mark :{2 * (count - trials) - 1}\n".encode())
            process.stdin.flush()
            assert process.stdout is not None
            batch = process.stdout.readline().decode().strip()
            for number in range(count - trials, count):
                trial = f'batch = "{batch}"\ntrial = {number - count + trials + 1}\n'
                write_run(process.stdin, number, (base, tree), "train.py", trial)
        process.stdin.close()
    subprocess.run((*git, "update-ref", "-d", "refs/heads/scratch"), check=True)
    pack_refs(place, marks, count)
    return place


def data(content: str) -> bytes:
    """Content as fast-import reads it."""
    return b"data %d\n%s\n" % (len(content.encode()), content.encode())


def write_run(stream: IO[bytes], number: int, source: tuple[str, str], operation: str = "", trial: str = "") -> None:
    """An attempt of a commit and its tree, and its result, as marks 2n + 1 and 2n + 2. `trial` are lines of run.toml."""
    base, tree = source
    luck = random.Random(number)
    day, minute = divmod(number, 1440)
    when = f"2025-{1 + day // 28 % 12:02d}-{1 + day % 28:02d}T{minute // 60:02d}:{minute % 60:02d}:00.000000+00:00"
    failed = number % 10 == 0
    values = {
        "operation": operation or OPERATIONS[number % 3], "kind": "batch" if operation.endswith("+") else "script",
        "when": when, "number": number, "base": base, "tree": tree, "loss": luck.random(),
        "acc": luck.random(), "status": "error" if failed else "completed", "code": int(failed),
    }  # fmt: skip
    head = f"commit refs/heads/scratch\nmark :{{}}\ncommitter A <a@example.org> {FIRST + 60 * number} +0000\n"
    flags = f"epochs = {luck.randrange(1, 100)}\nlr = {luck.random():.4f}\n"
    stream.write(
        head.format(2 * number + 1).encode() + data(f"run {values['operation']}\n\nGitrun-Kind: attempt\nGitrun-Format: 1\n")
    )
    stream.write(f"from {base}\nM 100644 inline .gitrun/flags.toml\n".encode() + data(flags))
    stream.write(b"M 100644 inline .gitrun/run.toml\n" + data(RUN.format(**values, trial=trial)))
    stream.write(b"M 100644 inline .gitrun/env.toml\n" + data('[python]\nversion = "3.11.7"\n'))
    stream.write(head.format(2 * number + 2).encode() + data("completed in 12.5s\n\nGitrun-Kind: result\nGitrun-Format: 1\n"))
    stream.write(f"from :{2 * number + 1}\nM 100644 inline .gitrun/result.toml\n".encode() + data(RESULT.format(**values)))
    stream.write(b"M 100644 inline .gitrun/output\n" + data(f"loss: {values['loss']}\n"))


def pack_refs(place: Path, marks: Path, count: int) -> None:
    """The runs' refs, as git packs them: a hundred thousand one by one would take minutes."""
    ids = dict(line.split() for line in marks.read_text().splitlines())
    named = sorted((f"refs/runs/{ids[f':{2 * n + 1}']}", ids[f":{2 * n + 2}"]) for n in range(count))
    if (place / ".git" / "reftable").is_dir():
        creations = "".join(f"create {name} {tip}\n" for name, tip in named)
        subprocess.run(("git", "-C", str(place), "update-ref", "--stdin"), input=creations, text=True, check=True)
        os.unlink(marks)  # noqa: PTH108 - as short
        return
    lines = "".join(f"{tip} {name}\n" for name, tip in named)
    (place / ".git" / "packed-refs").write_text(f"# pack-refs with: peeled fully-peeled sorted \n{lines}")
    os.unlink(marks)  # noqa: PTH108 - as short


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]))
