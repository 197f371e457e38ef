"""Names of the files in which a run is recorded."""

from __future__ import annotations

from gitrun import Project
from gitrun.model import record_files


def test_the_files_of_a_result_have_these_names(repo) -> None:
    repo.write("m.py", "import gitrun\ngitrun.log({'loss': 1})\nprint('x')\n")
    repo.write(".gitignore", "lent.txt\n")
    repo.write("lent.txt", "x")
    repo.commit()
    run = Project(repo.path).run("m.py", label="a")
    names = [value for name, value in vars(record_files).items() if name.isupper() and isinstance(value, str)]
    held = repo.git("ls-tree", "-r", "--name-only", f"runs/{run.id}", ".gitrun/").splitlines()
    assert set(held) <= set(names)
    assert len(held) > 4
