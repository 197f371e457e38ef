"""A git repository for a test, and the two ways to act in it: `git` and `git run`."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from calling import call, with_client

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ECHO = """\
x = 1.0
y = 2
z = "a"

print("%r %r %r" % (x, y, z))
"""
# commits made by the tests have the same ids everywhere; those of gitrun take the time that it gives them
DATES = {"GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z"}
ANSWERS: dict[str, bytes] = {}
"""Files in `.git/gitrun` with what the Python and the git of the tests say of themselves, which would be asked in each test."""


@dataclass(frozen=True, slots=True)
class Repo:
    """The working tree at `path`, of a repository that no configuration of this machine reaches."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> Repo:
        """A new repository at `path`, with nothing committed. gitrun knows the Python and the git of the tests there."""
        path.mkdir(parents=True)
        repo = cls(path)
        repo.git("init", "--quiet", "--initial-branch=main")
        repo.know_machine()
        return repo

    def know_machine(self) -> None:
        """Keeps here what a run in another repository has asked the Python and the git of the tests."""
        state = self.path / ".git" / "gitrun"
        state.mkdir(mode=0o700)
        for name, answer in ANSWERS.items():
            (state / name).write_bytes(answer)

    def forget_machine(self) -> None:
        """Makes the repository one in which gitrun has never been."""
        shutil.rmtree(self.path / ".git" / "gitrun")

    def git(self, *args: str | Path) -> str:
        """What `git ARGS` wrote to stdout, its last line end left out. Raises CalledProcessError."""
        ended = subprocess.run(
            ["git", *args],
            cwd=self.path,
            env={**os.environ, **DATES},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=True,
            encoding="utf-8",
            timeout=60,
        )
        return ended.stdout.removesuffix("\n")

    def write(self, name: str | Path, content: str | bytes) -> Path:
        """The file `name` of the working tree, after it got this content; folders are made."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def commit(self, message: str = "change") -> str:
        """The id of a commit of all that is in the working tree (it may be equal to the one before)."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self.head()

    def head(self) -> str:
        """The id of HEAD, without a git where a file has it."""
        state = self.path / ".git"
        try:
            name = (state / "HEAD").read_text().removeprefix("ref: ").rstrip("\n")
            return (state / name).read_text().rstrip("\n") if "/" in name else name
        except OSError:
            return self.git("rev-parse", "HEAD")

    def run(
        self,
        *args: str | Path,
        check: bool = False,
        input: str | None = None,  # noqa: A002 (the name that subprocess.run has for it)
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """The ended `git run ARGS`; with `check`, an exit status other than 0 shows what it wrote."""
        given = None if input is None else input.encode()
        ended = self.run_bytes(*args, input=given, cwd=cwd, env=env, timeout=timeout)
        out, err = ended.stdout.decode(), ended.stderr.decode()
        words = " ".join(map(str, args))
        assert not check or ended.returncode == 0, f"git run {words}: {ended.returncode}\n{out}{err}"
        return subprocess.CompletedProcess(ended.args, ended.returncode, out, err)

    def start(self, *args: str | Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """A `git run ARGS` that has been started, with its output in pipes."""
        return subprocess.Popen(
            ["git", "run", *args],
            cwd=self.path,
            env=with_client({**os.environ, **(env or {})}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def run_bytes(
        self,
        *args: str | Path,
        input: bytes | None = None,  # noqa: A002 (the name that subprocess.run has for it)
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[bytes]:
        """The ended `git run ARGS`, in `cwd` (else at the top of the tree), with `env` over the environment.

        Without `input` its stdin is empty. Most calls are forked; `pytest --exec` starts them all.
        """
        return call([os.fspath(word) for word in args], cwd or self.path, {**os.environ, **(env or {})}, input or b"", timeout)
