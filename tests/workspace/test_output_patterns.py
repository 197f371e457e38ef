"""Patterns of files that a result keeps."""

from __future__ import annotations

from supervised import shown


def project(repo, text: str) -> None:
    repo.write("gitrun.toml", text)


def files(repo) -> dict[str, str]:
    """The files that the newest run produced, and where each is stored."""
    found = shown(repo)
    return {file["path"]: file["stored"] for file in found["files"]}


def test_outputs_are_kept_in_git_though_it_ignores_them_up_to_the_limit(repo) -> None:
    repo.write(".gitignore", "*.pkl\nplots/\n*.tmp\n")
    repo.write(
        "a.py",
        "import os\nos.mkdir('plots')\nfor name in ('m.pkl', 'plots/a.png', 'x.tmp'): open(name, 'w').write('1')\n"
        "open('big.pkl', 'wb').write(bytes(2000))\n",
    )
    project(repo, '[operations.a]\nscript = "a.py"\noutputs = ["*.pkl", "plots/"]\n')
    repo.git("config", "gitrun.maxProduced", "1000")
    repo.run("a", check=True)
    assert files(repo) == {"m.pkl": "git", "plots/a.png": "git", "big.pkl": "local", "x.tmp": "local"}


def test_output_in_a_linked_directory_is_the_runs_own(repo) -> None:
    repo.write(".gitignore", "out/\n")
    repo.write("out/old.txt", "old")
    repo.write("out/model.txt", "mine")
    project(
        repo,
        '[operations.a]\ncommand = ["sh", "-c", "cat out/old.txt; echo new > out/model.txt"]\noutputs = ["out/model.txt"]\n',
    )
    assert repo.run("a", check=True).stdout == "old"
    assert (files(repo), (repo.path / "out/model.txt").read_text()) == ({"out/model.txt": "git"}, "mine")
    assert repo.run("--restart", "a", check=True).stdout == "old"
