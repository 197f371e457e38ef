"""gitrun in a Python program: prints where the program prints, returns values, and is cheap to import."""

from __future__ import annotations

import asyncio
import io
import os
import pickle
import signal
import subprocess
import sys
import threading
from contextlib import nullcontext, redirect_stdout

import pytest
from forms import asked_form

import gitrun
from gitrun import Project
from gitrun.errors import GitrunError, NotARepository, UnknownRun, UsageError

HEAVY = {"click", "pygit2", "subprocess", "tomli", "json", "sqlite3", "asyncio", "ast", "typing"}


@pytest.fixture
def project(repo) -> Project:
    return Project(repo.path)


def modules_of(code: str) -> set[str]:
    """What Python has imported after this code, beyond what it has at its start."""
    told = f"import sys; before = set(sys.modules)\n{code}\nprint(*set(sys.modules) - before)"
    return set(subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout.split())


def test_import_is_cheap() -> None:
    assert modules_of("import gitrun; gitrun.log({'loss': 1.0})").isdisjoint(HEAVY)


def test_front_door_has_what_it_names_and_says_so() -> None:
    assert sorted(gitrun.__all__) == dir(gitrun) == [
        "Attempt", "Batch", "Flags", "Project", "Run", "choice", "errors", "log", "loguniform", "parse_flags", "range_",
        "restart_needed", "run_params_for_restart", "uniform",
    ]  # fmt: skip
    assert all(getattr(gitrun, name) for name in gitrun.__all__)
    exec("from gitrun import *", namespace := {})
    assert set(gitrun.__all__) <= namespace.keys()
    with pytest.raises(AttributeError, match="module 'gitrun' has no attribute 'nothing'"):
        _ = gitrun.nothing  # type: ignore[attr-defined]


def test_run_prints_what_the_program_prints_and_nothing_else(project, capsys) -> None:
    run = project.run("echo.py", flags={"z": "é"})
    assert capsys.readouterr() == ("1.0 2 'é'\n", "")
    assert (run.status, run.exit_status, run.output, run.flags) == ("completed", 0, "1.0 2 'é'\n", {"x": 1.0, "y": 2, "z": "é"})


def test_output_can_go_to_text_streams(repo, tmp_path, capsys) -> None:
    repo.write("both.py", "import sys\nprint('öut')\nprint('err', file=sys.stderr)\n")
    with (tmp_path / "out").open("w", encoding="latin-1") as out:
        Project(repo.path, stdout=out, stderr=(err := io.StringIO())).run("both.py")
    assert ((tmp_path / "out").read_bytes().decode(), err.getvalue()) == ("öut\n", "err\n")
    assert capsys.readouterr() == ("", "")


def test_stdout_of_the_moment_is_used(project, repo) -> None:
    repo.write("both.py", "import sys\nprint('out')\nprint('err', file=sys.stderr)\n")
    with redirect_stdout(io.StringIO()) as out:
        run = project.run("both.py")
    assert out.getvalue() == "out\n"
    assert sorted(run.output.split()) == ["err", "out"]


def test_a_stdout_that_is_closed_bare_or_of_few_letters_ends_no_program(project, repo, monkeypatch) -> None:
    class Few:
        seen = ""

        def write(self, text: str) -> None:
            self.seen += text.encode("ascii").decode()

    repo.write("p.py", "print('caf\u00e9')\nprint('end')\n")
    shown = [None, Few()]
    for stream in shown:
        monkeypatch.setattr("sys.stdout", stream)
        assert project.run("p.py").output == "café\nend\n"
    monkeypatch.undo()
    assert shown[1].seen == "caf\\xe9\nend\n"


def test_failure_of_the_program_is_no_exception(project) -> None:
    run = project.run(command=("sh", "-c", "exit 3"))
    assert (run.status, run.exit_status) == ("error", 3)


def test_what_cannot_be_run_is_an_error_with_a_hint(project, tmp_path_factory) -> None:
    with pytest.raises(UsageError, match=r"echo.py has no flag 'q'") as raised:
        project.run("echo.py", flags={"q": 1})
    assert raised.value.hint.startswith("Its flags: x, y, z")
    with pytest.raises(UnknownRun):
        project.run(restart="nosuch")
    with pytest.raises(NotARepository):
        Project(tmp_path_factory.mktemp("none"))
    assert issubclass(UsageError, GitrunError)


def test_options_are_looked_at_before_anything_is_written(project) -> None:
    with pytest.raises(UsageError, match="'soon' is not a duration"):
        project.run("echo.py", stop_after="soon")
    assert project.list_runs() == []
    run = project.run("echo.py", tags="abc", stop_after="30s")
    again = project.run(restart=project.run(restart=run, flags={"x": 2}), flags={"x": 3})
    assert (run.notes.tags, again.id, len(project.attempts(again))) == (("abc",), run.id, 3)


def test_project_is_found_from_any_directory(repo, monkeypatch) -> None:
    repo.write("sub/a.py", "import os\nprint(os.getcwd().endswith('sub'))\n")
    run = Project(repo.path / "sub").run("a.py")
    assert (run.operation, run.output) == ("sub/a.py", "True\n")
    monkeypatch.chdir(repo.path / "sub")
    assert [found.id for found in Project().list_runs()] == [run.id]
    assert Project(str(repo.path)).find("sub/a.py").id == run.id


def test_runs_and_attempts_are_values(project) -> None:
    run = project.run("echo.py")
    again = project.run(restart=run.id, flags={"x": 2})
    attempts = project.attempts(again)
    assert (again.id, [attempt.flags["x"] for attempt in attempts]) == (run.id, [1.0, 2])
    assert len({run, again, project.find(run.id), *attempts}) == 4
    copy = pickle.loads(pickle.dumps((again, attempts)))
    assert copy == (again, attempts)
    assert copy[0].output == "2 2 'a'\n"


def test_skip_returns_the_run_that_makes_it_unnecessary(project, capsys) -> None:
    run = project.run("echo.py")
    project.run("echo.py", flags={"x": 2})
    capsys.readouterr()
    assert project.run("echo.py", needed=True).id == run.id
    assert project.run(restart=run.id, needed=True).id == run.id
    out, err = capsys.readouterr()
    assert [line.partition(" ")[0] for line in out.splitlines()] == ["Skipping", "", "Skipping"]
    assert err == ""


def test_print_runs_aligns_its_columns_on_stdout_of_the_moment(project, repo, capsys) -> None:
    project.print_runs()
    repo.write("a_longer_name.py", "n = 1\n")
    project.run("echo.py", flags={"z": "a b"})
    project.run("a_longer_name.py")
    capsys.readouterr()
    project.print_runs(flags=True, status=True)
    assert capsys.readouterr().out == (
        "a_longer_name.py  n=1                completed\necho.py           x=1.0 y=2 z='a b'  completed\n"
    )
    project.print_runs(among=project.list_runs()[1:])
    assert capsys.readouterr().out == "echo.py\n"


def test_runs_in_a_with_share_git_processes(repo, tmp_path) -> None:
    project = Project(repo.path, environ={**os.environ, "GIT_TRACE2_EVENT": str(tmp_path)})

    def gits_of_run(x: int) -> int:
        before = len(list(tmp_path.iterdir()))
        run = project.run("echo.py", flags={"x": x})
        # a kill must not lose the note
        assert f"| {x} 2" in repo.git("notes", "--ref=runs", "show", run.attempt.id)
        return len(list(tmp_path.iterdir())) - before

    gits_of_run(1)
    outside = gits_of_run(2)
    with project, project:
        gits_of_run(3)
        inside = gits_of_run(4)
        assert project.batch("echo.py", flags={"x": [5, 6]}).counts.completed == 2
        gits_of_run(7)
        assert gits_of_run(8) == inside
    # in reftables git moves the HEAD of the slot
    assert (inside, outside) == (1 if asked_form().refs == "files" else 3, gits_of_run(9))
    assert outside > inside
    with project, pytest.raises(UnknownRun):
        project.find("nothing")
    assert project.git.processes is None


def test_runs_in_a_with_see_what_changes_between_them(repo) -> None:
    repo.write(".gitignore", "data.txt\n")
    repo.write("shared.py", "WORD = 'a'\n")
    repo.write("read.py", "import shared\nprint(shared.WORD, open('data.txt').read())\n")
    outputs, digests = [], []
    with Project(repo.path) as project:
        for step, word in enumerate("aabb"):
            # the sizes stay the same
            repo.write("data.txt", str(step))
            repo.write("shared.py", f"WORD = '{word}'\n")
            run = project.run("read.py")
            outputs.append(run.output)
            digests += [entry.digest for entry in project.lent(run)[0] if entry.path == "data.txt"]
    assert outputs == ["a 0\n", "a 1\n", "b 2\n", "b 3\n"]
    assert len(set(digests)) == 4


@pytest.mark.parametrize("keeps", [False, True])
def test_run_works_from_threads(project, repo, keeps) -> None:
    repo.run("echo.py", check=True)
    found: list[gitrun.Run] = []
    numbers = range(1, 5)
    with project if keeps else nullcontext():
        threads = [threading.Thread(target=lambda x=x: found.append(project.run("echo.py", flags={"x": x}))) for x in numbers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert sorted(run.output for run in found) == [f"{x} 2 'a'\n" for x in numbers]
    assert len(repo.git("notes", "--ref=runs", "list").splitlines()) == 6


def test_run_works_inside_a_running_event_loop(project) -> None:
    async def life() -> gitrun.Run:
        return project.run("echo.py")

    assert asyncio.run(life()).status == "completed"


def test_flags_are_parsed_as_on_the_command_line() -> None:
    assert gitrun.parse_flags(["lr=0.1", "opt=adam", "n=1", "on=yes", "off=null"]) == {
        "lr": 0.1, "opt": "adam", "n": 1, "on": True, "off": None,
    }  # fmt: skip
    with pytest.raises(UsageError):
        gitrun.parse_flags(["lr"])


def test_environment_of_programs_can_be_given(repo) -> None:
    repo.write("a.py", "import os\nprint(os.environ.get('COLOUR'))\n")
    run = Project(repo.path, environ={"PATH": os.environ["PATH"], "COLOUR": "blue"}).run("a.py")
    assert run.output == "blue\n"


@pytest.mark.parametrize("how", ["wish", "setting"])
def test_what_is_produced_is_brought_if_that_is_wished_for(repo, how, capfd) -> None:
    repo.write("p.py", "open('made', 'w').write('1'); open('mine', 'w').write('1')\n")
    repo.git("config", "gitrun.bring", str(how == "setting").lower())
    repo.write(".gitignore", "mine\n")
    project = Project(repo.path)
    project.run("p.py", no_link=True, bring=True if how == "wish" else None)
    assert ((repo.path / "made").read_text(), (repo.path / "mine").read_text()) == ("1", "1")
    repo.write("made", "changed")
    project.run("p.py", no_link=True, bring=False)
    assert (repo.path / "made").read_text() == "changed"


def test_ctrl_c_ends_a_loop_over_runs_once_its_run_is_recorded(repo) -> None:
    repo.write("wait.py", "import os, signal, time\nos.kill(os.getppid(), signal.SIGINT)\ntime.sleep(60)")
    script = "import gitrun\nproject = gitrun.Project('.')\nfor x in range(3):\n    project.run('wait.py')\n"
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, cwd=repo.path, capture_output=True, text=True, check=False, timeout=60)
    assert "KeyboardInterrupt" in done.stderr
    assert [run.status for run in Project(repo.path).list_runs()] == ["terminated"]


LOOP = """\
import gitrun, signal, sys
for number in map(int, sys.argv[1:]):
    signal.signal(number, lambda *_: sys.exit(7))
project = gitrun.Project('.')
for x in range(3):
    project.run('wait.py')
"""


@pytest.mark.parametrize("is_handled", [True, False])
def test_an_order_ends_a_loop_over_runs_once_its_run_is_recorded(repo, is_handled) -> None:
    repo.write("wait.py", "import os, signal, time\nos.kill(os.getppid(), signal.SIGTERM)\ntime.sleep(60)")
    words = [sys.executable, "-c", LOOP, *([str(int(signal.SIGTERM))] if is_handled else [])]
    done = subprocess.run(words, cwd=repo.path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == (7 if is_handled else -signal.SIGTERM)
    assert [run.status for run in Project(repo.path).list_runs()] == ["terminated"]


def test_stop_ends_a_run_and_not_the_loop_that_it_is_in(repo) -> None:
    repo.write("wait.py", "import os, subprocess\nsubprocess.run(['git', 'run', 'stop', os.environ['GITRUN_ID']])\n")
    done = subprocess.run([sys.executable, "-c", LOOP], cwd=repo.path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert [run.status for run in Project(repo.path).list_runs()] == ["terminated"] * 3


def test_colours_are_those_of_gits_configuration(repo) -> None:
    repo.git("config", "color.run.id", "red")
    project = Project(repo.path)
    assert project.config["color.run.id"] == ("red",)
    assert project.find_colour("color.run.id") == project.find_colour("", "red") == "\x1b[31m"
    assert project.find_colour("color.run.label") == ""
    assert project.find_colour("", "reddish") is project.find_colour("", "--list") is None


def test_paths_count_from_the_directory_of_the_project(repo) -> None:
    (repo.path / "deep").mkdir()
    deep = Project(repo.path / "deep")
    assert (deep.path_from_top("a"), deep.path_from_top("../a")) == ("deep/a", "a")
    assert [offer.name for offer in deep.list_operations(["echo.py"], from_top=True)] == ["echo.py"]
    with pytest.raises(GitrunError):
        deep.list_operations(["echo.py"])


def test_names_resolve_as_git_resolves_them(repo) -> None:
    project = Project(repo.path)
    assert project.is_commit("HEAD")
    assert not project.is_commit("nothing")
    assert project.resolve_name("HEAD") == repo.head().strip()


def test_an_invalid_setting_is_refused_by_name(repo) -> None:
    repo.git("config", "gitrun.prePush", "sometimes")
    project = Project(repo.path)
    project.require_settings("allow_delete")
    with pytest.raises(UsageError, match=r"gitrun\.prePush"):
        project.require_settings("pre_push")
