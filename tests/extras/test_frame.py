"""runs_frame and notebooks, in a real kernel."""

from __future__ import annotations

import nbformat
import pytest
from evil_texts import EVIL
from nbclient import NotebookClient
from supervised import ended

from gitrun import Project
from gitrun.errors import UnknownRun

pd = pytest.importorskip("pandas")


def test_frame_has_a_row_for_each_run_and_trial(repo) -> None:
    repo.write("train.py", 'lr = 0.1\nopt = "sgd"\nprint("loss:", lr * 2)\n')
    repo.run("train.py", "lr=[0.5,0.25]", check=True)
    repo.run("echo.py", "--label", "=1+1", check=True)
    project = Project(repo.path)
    frame = project.runs_frame()
    assert list(frame["operation"]) == ["echo.py", "train.py", "train.py"]
    assert sorted(frame["metric.loss"].dropna()) == [0.5, 1.0]
    assert frame["flag.lr"].dtype == float
    assert frame["started"].dt.tz is not None
    assert list(project.runs_frame(where="lr<0.3")["flag.lr"]) == [0.25]
    assert list(project.runs_frame("train.py+")["operation"]) == ["train.py+"]
    with pytest.raises(UnknownRun):
        project.runs_frame("nothing")


def test_csv_reads_back_as_the_frame(repo) -> None:
    repo.run("echo.py", "x=[1.5,2.5]", check=True)
    repo.path.joinpath("runs.csv").write_text(repo.run("list", "--flat", "--csv", check=True).stdout)
    read = pd.read_csv(repo.path / "runs.csv")
    assert list(read["flag.x"].dropna().astype(str)) == ["2.5", "1.5", "[1.5, 2.5]"]


def test_kernel_shows_runs_as_tables(repo) -> None:
    repo.run("echo.py", "--label", EVIL, check=True)
    cells = ("import gitrun; runs = gitrun.Project('.').list_runs(); runs", "runs[0]", "gitrun.Project('.').runs_frame()")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(book, resources={"metadata": {"path": str(repo.path)}}, timeout=120).execute()
    shown = [cell.outputs[0].data["text/html"] for cell in book.cells]
    for page in shown[:2]:
        assert page.startswith("<table>")
        assert "&lt;b&gt;" in page
        assert "<b>" not in page
    assert "echo.py" in shown[2]


def test_missing_pandas_is_named(repo) -> None:
    program = (
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'pandas' else find(name, *a)\n"
        "import gitrun\ntry: gitrun.Project('.').runs_frame()\nexcept gitrun.errors.MissingPackage as error: print(error)"
    )
    done = ended(repo, "python", "-c", program)
    assert done.stdout == "runs_frame needs pandas. To install it: pip install 'git-run-tracker[pandas]'\n", done.stderr
