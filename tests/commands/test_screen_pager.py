"""The pager by git's rules: who names it, when it is started, and what is never put into it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time

import pytest
from keyboard import Terminal
from sampled import sampled_values
from templates import made_once

from gitrun.commands.verbs import LOOKING

PAGER = "sed 's/^/paged: /'"


@pytest.fixture
@made_once
def one(repo):
    """A repository with a run, of source that is not committed."""
    repo.write("new.txt", "new\n")
    repo.run("echo.py", check=True)
    return repo


def on_terminal(repo, *words, **env) -> str:
    """What appears when `git <words>` is typed at a terminal."""
    with Terminal(repo, "git", *words, env={**os.environ, "GIT_PAGER": PAGER, **env}) as terminal:
        terminal.ends()
        return terminal.seen.decode()


@pytest.mark.parametrize("verb", sampled_values(3, sorted(LOOKING - {"plot"})))
def test_what_is_looked_at_on_a_terminal_is_paged(one, verb) -> None:
    lines = on_terminal(one, "run", verb).splitlines()
    assert lines
    assert all(line.startswith("paged: ") for line in lines)


def test_a_plot_on_a_terminal_is_paged(one) -> None:
    one.run("--", "printf", "loss: 1\\nloss: 2\\n", check=True)
    lines = on_terminal(one, "run", "plot", "loss").splitlines()
    assert "loss" in lines[0]
    assert all(line.startswith("paged: ") for line in lines)


def test_into_a_pipe_nothing_is_paged(one) -> None:
    assert "paged" not in one.run("list", env={"GIT_PAGER": PAGER}, check=True).stdout


@pytest.mark.parametrize("words", [("echo.py", "x=2"), ("cat",), ("watch",), ("--", "echo", "a"), ("list", "-h")], ids=" ".join)
def test_what_a_program_prints_is_never_paged(one, words) -> None:
    assert "paged" not in on_terminal(one, "run", *words)


@pytest.mark.parametrize(
    "words",
    [("--no-pager", "run"), ("-c", "pager.run=false", "run"), ("-c", "core.pager=cat", "run"), ("-c", "core.pager=", "run")],
)
def test_who_wants_no_pager_gets_none(one, words) -> None:
    with Terminal(one, "git", *words, "list", env={**os.environ, "PAGER": PAGER}) as terminal:
        assert terminal.ends() == 0
    assert b"echo.py" in terminal.seen
    assert b"paged" not in terminal.seen


def test_pager_is_named_as_for_git(one) -> None:
    env = {**os.environ, "PAGER": "sed s/^/fromPAGER:/"}
    for words, expected in ((("run",), b"fromPAGER:1"), (("-c", "core.pager=sed s/^/fromcore:/", "run"), b"fromcore:1")):
        with Terminal(one, "git", *words, "list", env=env) as terminal:
            terminal.ends()
        assert expected in terminal.seen


@pytest.mark.parametrize("words", [("-p", "run"), ("-c", "pager.run=true", "run")])
def test_pager_that_git_has_put_around_us_is_not_doubled(one, words) -> None:
    shown = on_terminal(one, *words, "list")
    assert shown.startswith("paged: #")
    assert "paged: paged: " not in shown


def test_pager_is_told_what_git_tells_it(one) -> None:
    shown = on_terminal(one, "run", "list", GIT_PAGER='cat >&2; echo "LESS=$LESS LV=$LV in use: $GIT_PAGER_IN_USE"')
    assert "LESS=FRX LV=-c" in shown
    assert "LESS=S" in on_terminal(one, "run", "list", GIT_PAGER="echo LESS=$LESS; cat", LESS="S")


def test_pager_that_is_not_there_is_done_without(one) -> None:
    assert "echo.py" in on_terminal(one, "run", "list", GIT_PAGER="no-such-pager")


def test_errors_are_said_after_the_pager_not_in_it(one) -> None:
    shown = on_terminal(one, "run", "show", "nothing")
    assert "paged" not in shown
    assert "gitrun: " in shown


def test_lines_are_as_wide_as_the_terminal_in_the_pager_too(one) -> None:
    one.run("--label", "a" * 100, "echo.py", check=True)
    rows = [line.removeprefix("paged: ") for line in on_terminal(one, "run", "list").splitlines()]
    assert max(map(len, rows)) == 80
    assert rows[1].endswith("…")


def test_pager_that_is_left_early_ends_us_in_silence(one) -> None:
    with Terminal(one, "git", "run", "list", env={**os.environ, "GIT_PAGER": "true"}) as terminal:
        assert terminal.ends() in {0, 141}
    assert terminal.seen == b""


def test_pipe_that_is_left_early_ends_us_in_silence_with_141(one) -> None:
    script = 'git run list --format "$(printf %0100000d 1)" | true; echo ${PIPESTATUS[0]}'
    done = subprocess.run(["bash", "-c", script], cwd=one.path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("141\n", "")


def test_less_in_a_real_terminal_scrolls_and_gives_the_screen_back(one, tmp_path) -> None:
    if not (shutil.which("tmux") and shutil.which("less")):
        pytest.skip("tmux or less is not installed")
    for number in range(3):
        one.run("echo.py", f"x={number}", check=True)
    tmux = ["tmux", "-S", str(tmp_path / "tmux")]
    env = {**os.environ, "TERM": "xterm", "PAGER": "less"}
    start = [*tmux, "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "4", "env", "-u", "GIT_PAGER", "PS1=$ ", "sh"]
    subprocess.run(start, cwd=one.path, env=env, check=True)

    def shows(text: str) -> str:
        end = time.monotonic() + 20
        while text not in (seen := subprocess.check_output([*tmux, "capture-pane", "-p"], text=True)):
            assert time.monotonic() < end, f"{text!r} did not appear: {seen}"
            time.sleep(0.1)
        return seen

    try:
        subprocess.run([*tmux, "send-keys", "git run list --all", "Enter"], check=True)
        assert shows(":").splitlines()[0].startswith("#")
        subprocess.run([*tmux, "send-keys", "G"], check=True)
        assert shows("(END)").splitlines()[2].startswith("4")
        subprocess.run([*tmux, "send-keys", "q", "echo s$?", "Enter"], check=True)
        shows("s0")
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)
