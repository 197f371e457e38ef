"""On a terminal a program under `git run` is on a terminal, and the terminal is afterwards what it was."""

from __future__ import annotations

import os
import signal
import time

import pytest
from keyboard import Terminal
from supervised import is_alive, last, live, output, owner, runs, until

READY = "print('ready', flush=True)\n"
COUNTER = f"""\
import signal, time
caught = []
signal.signal(signal.SIGINT, lambda *_: caught.append(1))
{READY}
end = time.monotonic() + 20
while not caught and time.monotonic() < end: time.sleep(0.01)
time.sleep(0.7)
print("caught", len(caught))
"""
SIZES = """\
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])  # a handler that sets an Event can wait for itself
print("size", tuple(os.get_terminal_size(1)), tuple(os.get_terminal_size(2)), flush=True)
while tuple(os.get_terminal_size(1)) == (80, 24):
    signal.sigtimedwait([signal.SIGWINCH], 60)
print("size", tuple(os.get_terminal_size(1)), flush=True)
"""


def test_stdout_and_stderr_of_the_program_are_terminals_of_the_right_size(repo):
    repo.write("p.py", "import os, sys\nprint(sys.stdin.isatty(), sys.stdout.isatty(), sys.stderr.isatty())\n" + SIZES)
    with Terminal(repo, "git", "run", "p.py") as terminal:
        terminal.shows("True True True\r\nsize (80, 24) (80, 24)\r\n")
        terminal.resize(40, 100)
        terminal.shows("size (100, 40)\r\n")
        assert terminal.ends() == 0


def test_a_program_that_was_quicker_than_we_to_see_its_window_change_is_told_again(repo):
    told = repo.path.parent / "told"
    look = f"lambda *_: (os.write(1, b'seen (%d, %d)\\n' % os.get_terminal_size(1)), open({str(told)!r}, 'w'))"
    # a Ctrl-C that comes at the end of a handler waits for the end of a sleep
    work = f"{READY}for _ in range(400):\n    time.sleep(0.05)\n"
    repo.write("p.py", f"import os, signal, time\nsignal.signal(signal.SIGWINCH, {look})\n{work}")
    with Terminal(repo, "git", "run", "p.py") as terminal:
        terminal.shows("ready")
        os.kill(owner(repo)["pid"], signal.SIGSTOP)
        terminal.resize(40, 100)
        until(told.exists)
        os.kill(owner(repo)["pid"], signal.SIGCONT)
        terminal.shows("seen (80, 24)\r\nseen (100, 40)")
        terminal.type("\x03")
        terminal.ends()


def test_colours_progress_bars_and_raw_bytes_pass_unchanged(repo):
    words = b"\x1b[31mred\x1b[0m 10%\r 20%\r\xff\x00done\t"
    repo.write("p.py", f"import os\nos.write(1, {words!r})\n")
    with Terminal(repo, "git", "run", "p.py") as terminal:
        terminal.ends()
        assert terminal.seen.startswith(words)
    assert output(repo) == words


def test_line_ends_are_those_of_the_program_in_the_record_and_those_of_the_terminal_on_the_terminal(repo):
    with Terminal(repo, "git", "run", "echo.py") as terminal:
        terminal.ends()
        assert terminal.seen.startswith(b"1.0 2 'a'\r\n")
    assert output(repo) == b"1.0 2 'a'\n"


def test_the_order_of_stdout_and_stderr_is_kept(repo):
    repo.write("p.py", "import os\nfor n in range(300): os.write(1 + n % 2, b'%d,' % n)\n")
    with Terminal(repo, "git", "run", "p.py") as terminal:
        terminal.ends()
    assert output(repo) == b"".join(b"%d," % n for n in range(300))


def test_questions_and_passwords_are_asked_and_answered(repo):
    # getpass asks /dev/tty itself: that is quicker than what goes through us
    asking = (
        "import getpass, time\nprint('hello', input('name? '))\ntime.sleep(.5)\nprint('secret', getpass.getpass('word? '))\n"
    )
    repo.write("p.py", asking)
    with Terminal(repo, "git", "run", "p.py") as terminal:
        terminal.shows("name? ")
        terminal.type("ada\n")
        assert b"hello ada" in terminal.shows("word? ")
        terminal.type("sesame\n")
        assert terminal.shows("secret sesame").count(b"sesame") == 1
        assert terminal.ends() == 0


def test_ctrl_c_reaches_the_program_once(repo):
    repo.write("p.py", COUNTER)
    with Terminal(repo, "git", "run", "p.py") as terminal:
        terminal.shows("ready")
        terminal.type("\x03")
        terminal.shows("caught 1\r\n")
        terminal.ends()
    assert last(repo)["status"] == "completed"


def test_ctrl_c_ends_a_program_as_always_and_is_recorded(repo):
    repo.write("p.py", f"import time\n{READY}time.sleep(60)\n")
    with Terminal(repo, "sh", "-c", "git run p.py; echo code $?") as terminal:
        terminal.shows("ready")
        terminal.type("\x03")
        terminal.ends()
        assert b"KeyboardInterrupt" in terminal.seen
        assert b" terminated" in terminal.seen
    assert last(repo)["status"] == "terminated"
    assert live(repo) == []


def test_after_ctrl_c_the_exit_code_is_130(repo):
    with Terminal(repo, "git", "run", "--", "sh", "-c", "echo ready; exec sleep 60") as terminal:
        terminal.shows("ready")
        terminal.type("\x03")
        assert terminal.ends() in {130, -signal.SIGINT}
    assert (last(repo)["status"], last(repo)["exit_status"]) == ("terminated", -signal.SIGINT)


def test_ctrl_c_again_and_again_does_not_lose_the_result(repo):
    repo.write("p.py", f"import time\nopen('made', 'w').write('x' * 5000000)\n{READY}time.sleep(60)\n")
    with Terminal(repo, "git", "run", "p.py") as terminal:
        terminal.shows("ready")
        for _ in range(8):
            terminal.type("\x03")
            time.sleep(0.05)
        terminal.ends()
    assert live(repo) == []
    assert last(repo)["status"] == "terminated"
    assert "made" in repo.run("show", "1", check=True).stdout


def test_ctrl_backslash_is_for_the_program(repo):
    repo.write("p.py", COUNTER.replace("SIGINT", "SIGQUIT"))
    with Terminal(repo, "git-run", "p.py") as terminal:
        terminal.shows("ready")
        terminal.type("\x1c")
        terminal.shows("caught 1\r\n")
        assert terminal.ends() == 0
    assert last(repo)["status"] == "completed"


def test_ctrl_z_stops_and_fg_goes_on_with_the_size_that_the_window_has_then(repo):
    repo.write("p.py", SIZES)
    with Terminal(repo, "bash", "--norc", "--noprofile", "-i") as terminal:
        terminal.type("git run p.py\n")
        terminal.shows("size (80, 24)")
        terminal.type("\x1a")
        seen = terminal.shows("Stopped")
        # before its prompt, readline reads the size and sets it again
        if b"bash-" not in seen.rpartition(b"Stopped")[2]:
            terminal.shows("bash-")
        terminal.resize(40, 100)
        assert last(repo)["status"] == "running"
        terminal.type("fg\n")
        # both may come at once
        assert b"size (100, 40)" in terminal.shows(" completed")
        terminal.type("exit\n")
        terminal.ends()


@pytest.mark.parametrize("redirected", ["stdout", "stderr"])
def test_only_what_is_not_redirected_is_a_terminal(repo, tmp_path, redirected):
    repo.write("p.py", "import os, sys\nos.write(1, b'out %d' % os.isatty(1))\nos.write(2, b'err %d' % os.isatty(2))\n")
    with (tmp_path / "log").open("wb") as log, Terminal(repo, "git", "run", "p.py", **{redirected: log}) as terminal:
        terminal.ends()
        seen = {"terminal": terminal.seen, "log": (tmp_path / "log").read_bytes()}
    other = "err" if redirected == "stdout" else "out"
    assert seen["terminal"].startswith(f"{other} 1".encode())
    assert seen["log"].startswith(f"{redirected[3:]} 0".encode())
    assert sorted(output(repo)) == sorted(seen["terminal"][:5] + seen["log"][:5])


def test_the_terminal_is_left_as_it_was(repo):
    repo.write("p.py", f"import sys, time, tty\ntty.setcbreak(1)\n{READY}time.sleep(.2)\n")
    with Terminal(repo, "git", "run", "p.py") as terminal:
        before = terminal.modes()
        terminal.ends()
        assert terminal.modes() == before


def test_a_terminal_that_is_closed_ends_the_program_and_the_run_is_recorded(repo):
    with Terminal(repo, "git", "run", "--", "sh", "-c", "echo $$ ready; exec sleep 60") as terminal:
        pid = int(terminal.shows("ready").split()[0])
    until(lambda: not is_alive(pid))
    until(lambda: live(repo) == [])
    assert (last(repo)["status"], last(repo)["exit_status"]) == ("terminated", -signal.SIGHUP)


def test_a_run_in_the_background_outlives_its_terminal(repo):
    with Terminal(repo, "git", "run", "--background", "--", "sh", "-c", "sleep 1; echo finished") as terminal:
        assert terminal.ends() == 0
    assert repo.run("watch", "1", check=True).stdout == "finished\n"
    assert last(repo)["status"] == "completed"


def test_ctrl_c_while_watching_ends_the_watching_alone(repo):
    with Terminal(repo, "bash", "--norc", "-c", "git run --background -- sleep 60; git run watch; echo watched $?") as terminal:
        pid = owner(repo)["pid"]
        terminal.shows("runs in the background")
        time.sleep(1)
        terminal.type("\x03")
        terminal.ends()
    assert is_alive(pid)
    repo.run("stop", "1", check=True)


@pytest.mark.parametrize(("answer", "count"), [("n", 0), ("y", 1)])
def test_very_many_untracked_files_are_asked_about_on_a_terminal(repo, answer, count):
    many(repo)
    with Terminal(repo, "git", "run", "--stage", "echo.py") as terminal:  # what is asked is the same, and no slot is filled
        terminal.shows("Continue?")
        terminal.type(f"{answer}\n")
        terminal.ends()
    assert len(runs(repo)) == count


def test_minus_y_answers_the_question(repo):
    many(repo)
    with Terminal(repo, "git", "run", "-y", "--stage", "echo.py") as terminal:
        assert terminal.ends() == 0
        assert b"Continue?" not in terminal.seen


def test_without_a_terminal_nothing_is_asked(repo):
    many(repo)
    done = repo.run("echo.py")
    assert (done.returncode, done.stdout) == (0, "1.0 2 'a'\n")
    fact = "the snapshot includes 10,050 untracked files (0 B) that git does not ignore, most of them in many/"
    assert f"gitrun: note: {fact}. To leave them out: add many/ to .gitignore\n" in done.stderr
    assert "Continue?" not in done.stderr


def many(repo):
    """More untracked files than anybody means to record."""
    (repo.path / "many").mkdir()
    for number in range(10_050):
        (repo.path / "many" / f"{number}").touch()


def test_line_of_ours_begins_a_line_behind_output_that_ended_without_one(repo) -> None:
    with Terminal(repo, "git", "run", "--", "printf", "half") as terminal:
        terminal.ends()
        assert b"half\r\ngitrun: run " in terminal.seen
        assert terminal.seen.count(b"\n") == 2
    assert repo.run("cat", check=True).stdout == "half"
    with Terminal(repo, "git", "run", "--", "printf", "whole\n") as terminal:
        terminal.ends()
        assert b"whole\r\ngitrun: run " in terminal.seen


def test_into_a_pipe_no_line_end_goes_that_the_program_did_not_write(repo) -> None:
    ended = repo.run("--", "sh", "-c", "printf half; printf half >&2", check=True)
    assert ended.stdout == "half"
    assert ended.stderr.startswith("halfgitrun: run ")
