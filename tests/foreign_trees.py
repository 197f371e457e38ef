"""Trees that git does not make by itself."""

from __future__ import annotations

import subprocess


def foreign(repo, run_toml: str | bytes, **more: str | bytes) -> str:
    """The ref, below refs/runs, of what looks like an attempt with this run.toml."""
    files = {"run.toml": run_toml, **{name.replace("_", "."): content for name, content in more.items()}}
    lines = ""
    for name, content in files.items():
        repo.write("content", content)
        lines += f"100644 blob {repo.git('hash-object', '-w', 'content')}\t{name}\n"
    (repo.path / "content").unlink()
    tree = mktree(repo, f"040000 tree {mktree(repo, lines)}\t.gitrun\n")
    made = repo.git("commit-tree", tree, "-m", "x\n\nGitrun-Kind: attempt\nGitrun-Format: 1")
    repo.git("update-ref", f"refs/runs/{made}", made)
    return made


def mktree(repo, lines: str) -> str:
    made = subprocess.run(["git", "mktree"], cwd=repo.path, input=lines.encode(), capture_output=True, check=True)
    return made.stdout.decode().strip()
