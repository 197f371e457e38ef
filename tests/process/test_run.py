"""A program under `git run` writes, reads and ends as it does without it."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from sampled import sampled
from supervised import ended, is_alive, last, live, output, owner, runs, said, start, until

from gitrun.process.run import Command, execute
from gitrun.process.signals import Signals
from gitrun.process.streams import NoStream

COUNTER = """\
import signal, sys, time
caught = []
signal.signal(signal.SIGINT, lambda *_: caught.append(1))
print("ready", flush=True)
end = time.monotonic() + 20
while not caught and time.monotonic() < end: time.sleep(0.01)
time.sleep(0.5)
print(len(caught))
"""
DEAF = """\
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


def test_stdout_and_stderr_arrive_byte_for_byte_each_where_it_belongs(repo):
    every = bytes(range(256)) * 1000
    repo.write("p.py", f"import os\nos.write(1, {every!r})\nos.write(2, b'\\xff\\x00no newline')\n")
    done = repo.run_bytes("p.py")
    assert done.stdout == every
    assert done.stderr.startswith(b"\xff\x00no newline")
    # how full the pipes were decides where in the record stderr stands: they are two
    assert output(repo).replace(b"\xff\x00no newline", b"", 1) == every


def test_the_order_of_stdout_and_stderr_is_kept_where_both_lead_to_one_place(repo, tmp_path):
    repo.write("p.py", "import os\nfor n in range(300): os.write(1 + n % 2, b'%d\\n' % n)\n")
    with (tmp_path / "log").open("wb") as log:
        start(repo, "p.py", stdout=log, stderr=log).wait(30)
    wanted = b"".join(b"%d\n" % n for n in range(300))
    assert (tmp_path / "log").read_bytes().startswith(wanted)
    assert output(repo) == wanted


def test_a_program_without_output_has_empty_output(repo):
    done = repo.run_bytes("--", "true")
    assert (done.returncode, done.stdout, output(repo)) == (0, b"", b"")


def test_what_follows_a_closed_stdout_still_arrives_on_stderr(repo):
    repo.write("p.py", "import os, time\nos.write(1, b'out')\nos.close(1)\ntime.sleep(.2)\nos.write(2, b'err')\n")
    done = repo.run_bytes("p.py")
    assert (done.returncode, done.stdout, done.stderr[:3]) == (0, b"out", b"err")
    assert output(repo) == b"outerr"


def test_a_line_arrives_when_it_is_written_not_when_the_program_ends(repo):
    repo.write("p.py", "import time\nprint('ready', flush=True)\ntime.sleep(30)\n")
    process = start(repo, "p.py")
    said(process)
    assert (live(repo)[0] / "output").read_bytes() == b"ready\n"
    process.terminate()
    process.communicate(timeout=20)


def test_stdin_reaches_the_program_byte_for_byte(repo):
    data = bytes(range(256)) * 2000
    assert repo.run_bytes("--", "cat", input=data).stdout == data


def test_descriptors_beyond_the_first_three_reach_the_program(repo, tmp_path):
    (tmp_path / "more").write_text("through 9")
    process = start(repo, program=("sh", "-c", f"git run -- cat /dev/fd/9 9<{tmp_path}/more"))
    assert process.communicate(timeout=30)[0] == b"through 9"


@pytest.mark.parametrize("code", sampled(3, [0, 1, 2, 3, 77, 126, 127]))
def test_the_exit_code_is_that_of_the_program(repo, code):
    assert repo.run("--", "sh", "-c", f"exit {code}").returncode == code
    assert last(repo)["status"] == ("error" if code else "completed")
    assert last(repo)["exit_status"] == code


@pytest.mark.parametrize("name", sampled(2, ["KILL", "TERM", "SEGV", "ABRT", "USR1"]))
def test_a_program_that_a_signal_ends_is_terminated_with_128_and_its_number(repo, name):
    number = signal.Signals[f"SIG{name}"]
    assert repo.run("--", "sh", "-c", f"kill -{name} $$").returncode == 128 + number
    assert (last(repo)["status"], last(repo)["exit_status"]) == ("terminated", -number)


@pytest.mark.parametrize(
    ("content", "mode", "code", "words"),
    [
        (None, 0, 127, "no such program: './tool'. To copy what an earlier run produced into"),
        ("#!/bin/sh\n", 0o644, 126, "cannot start './tool': Permission denied"),
        ("#!/no/such/interpreter\n", 0o755, 127, "the interpreter in its first line does not exist"),
    ],
)
def test_a_program_that_cannot_be_started_is_an_error_that_says_why(repo, content, mode, code, words):
    if content is not None:
        repo.write("tool", content).chmod(mode)
    done = repo.run("--", "./tool")
    assert (done.returncode, last(repo)["status"]) == (code, "error")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_script_without_a_first_line_runs_as_in_a_shell(repo):
    repo.write("tool", 'echo "$1"\n').chmod(0o755)
    assert repo.run("--", "./tool", "shown", check=True).stdout == "shown\n"


def test_a_reader_that_goes_away_ends_the_program_as_without_us(repo):
    process = start(repo, "--", "sh", "-c", "while :; do echo line; done")
    said(process, b"line\n")
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=20)
    assert process.returncode == 141
    assert last(repo)["exit_status"] == -signal.SIGPIPE
    assert b"Traceback" not in err


def test_our_words_to_a_closed_stderr_change_neither_result_nor_exit_code(repo):
    reading, writing = os.pipe()
    os.close(reading)
    process = start(repo, "--", "sh", "-c", "sleep 60 & echo out; exit 3", stderr=writing)
    os.close(writing)
    assert process.communicate(timeout=30)[0] == b"out\n"
    assert (process.returncode, last(repo)["status"]) == (3, "error")


@pytest.mark.parametrize(
    ("program", "closed"),
    sampled(4, [(program, closed) for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-") for program in ("git run", "git-run")]),
)
def test_closed_descriptors_of_ours_do_no_harm(repo, closed, program):
    done = ended(repo, "sh", "-c", f"{program} echo.py {closed}")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert output(repo) == b"1.0 2 'a'\n"
    repo.git("fsck", "--no-dangling")


def test_a_full_disk_behind_our_stdout_is_told_to_the_program_and_recorded(repo):
    with Path("/dev/full").open("wb") as full:
        process = start(repo, "--", "sh", "-c", "while echo line; do :; done", stdout=full)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert last(repo)["status"] in {"error", "terminated"}


def test_a_slow_reader_gets_all_of_it(repo):
    repo.write("p.py", "import os\nos.write(1, b'x' * 60000)\n")
    process = start(repo, "p.py", bufsize=0)
    time.sleep(3)
    assert len(process.communicate(timeout=30)[0]) == 60000


def test_a_reader_that_does_not_read_keeps_nobody_from_stopping_the_run(repo):
    process = start(repo, "--", "sh", "-c", "while :; do echo a line that nobody reads; done")
    until(lambda: live(repo) and (live(repo)[0] / "output").exists() and (live(repo)[0] / "output").stat().st_size)
    until(lambda: not goes_on(live(repo)[0] / "output"))
    assert repo.run("stop", "1", timeout=20).returncode == 0
    assert last(repo)["status"] == "terminated"
    process.communicate(timeout=20)


def goes_on(output: Path) -> bool:
    """Whether the output has become longer within a while: it stops where all pipes, however small, are full."""
    before = output.stat().st_size
    time.sleep(0.3)
    return output.stat().st_size > before


@pytest.mark.parametrize(
    ("name", "code", "whom"),
    sampled(
        4,
        [
            ("INT", 130, "git"), ("INT", 130, "supervisor"), ("TERM", 143, "supervisor"), ("TERM", 143, "git"),
            ("HUP", 129, "supervisor"), ("HUP", 129, "git"), ("QUIT", 131, "git"), ("QUIT", 131, "supervisor"),
        ],
    ),
)  # fmt: skip
def test_a_signal_to_us_reaches_the_program_and_is_recorded(repo, name, code, whom):
    number = signal.Signals[f"SIG{name}"]
    repo.write(
        "p.py", f"import signal, time\nsignal.signal({number}, signal.SIG_DFL)\nprint('ready', flush=True)\ntime.sleep(60)"
    )
    process = start(repo, "p.py", is_forked=False)
    said(process)
    os.kill(process.pid if whom == "git" else owner(repo)["pid"], number)
    process.communicate(timeout=20)
    assert process.returncode in {code, -number}
    assert (last(repo)["status"], last(repo)["exit_status"]) == ("terminated", -number)
    assert live(repo) == []


def test_a_signal_that_came_before_the_program_was_there_is_handed_on_to_it(tmp_path):
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        call = Command(("sleep", "60"), tmp_path, dict(os.environ), tag="0")
        found = execute(call, tmp_path / "output", NoStream(), NoStream(), signals)
    assert (found.exit_status, found.stopped_by) == (-signal.SIGTERM, signal.SIGTERM)


def test_a_program_that_takes_an_interrupt_and_ends_well_has_completed(repo):
    repo.write("p.py", COUNTER)
    process = start(repo, "p.py")
    said(process)
    os.kill(owner(repo)["pid"], signal.SIGINT)
    assert process.communicate(timeout=20)[0] == b"1\n"
    assert (process.returncode, last(repo)["status"]) == (0, "completed")


def test_a_message_signal_is_handed_on_and_ends_nothing(repo):
    repo.write("p.py", COUNTER.replace("SIGINT", "SIGUSR1"))
    process = start(repo, "p.py", program=("git-run",))
    said(process)
    process.send_signal(signal.SIGUSR1)
    assert process.communicate(timeout=20)[0] == b"1\n"
    assert (process.returncode, last(repo)["status"]) == (0, "completed")


def test_what_was_ignored_before_stays_ignored(repo):
    repo.write("p.py", "import time\nprint('ready', flush=True)\ntime.sleep(1)\nprint('still here')\n")
    process = start(repo, "p.py", program=("nohup", "git", "run"))
    said(process)
    os.kill(owner(repo)["pid"], signal.SIGHUP)
    assert process.communicate(timeout=20)[0] == b"still here\n"
    assert last(repo)["status"] == "completed"


def test_a_program_that_is_deaf_to_sigterm_is_killed_after_the_grace(repo):
    repo.git("config", "gitrun.stopGrace", "1")
    repo.write("p.py", DEAF)
    process = start(repo, "p.py")
    said(process)
    asked = time.monotonic()
    process.terminate()
    process.communicate(timeout=20)
    assert 0.9 < time.monotonic() - asked < 8
    assert (last(repo)["status"], last(repo)["exit_status"]) == ("terminated", -signal.SIGKILL)


def test_stop_after_ends_the_program_and_says_so(repo):
    done = repo.run("--stop-after", "1s", "--", "sleep", "60")
    assert (done.returncode, last(repo)["status"]) == (143, "terminated")
    assert "it ran longer than --stop-after" in done.stderr
    assert 0.9 < last(repo)["duration"] < 8


def test_time_that_is_over_after_the_program_has_ended_changes_nothing(repo):
    process = start(repo, "--stop-after", "2s", "--", "sh", "-c", "head -c 12000 /dev/zero", bufsize=0, pipesize=4096)
    time.sleep(3.5)
    assert len(process.communicate(timeout=20)[0]) == 12000
    assert (process.returncode, last(repo)["status"]) == (0, "completed")


def test_an_interrupt_while_only_a_reader_is_awaited_ends_the_waiting_and_loses_nothing(repo):
    process = start(repo, "--", "sh", "-c", "head -c 12000 /dev/zero", bufsize=0, pipesize=4096)
    until(lambda: live(repo) and (live(repo)[0] / "output").exists() and (live(repo)[0] / "output").stat().st_size > 4096)
    time.sleep(0.7)
    os.kill(owner(repo)["pid"], signal.SIGINT)
    until(lambda: live(repo) == [])
    assert (last(repo)["status"], len(output(repo))) == ("completed", 12000)
    process.communicate(timeout=20)


def test_a_run_in_the_background_returns_at_once_and_survives_its_session(repo):
    go = repo.path.parent / "go"
    repo.write("p.py", f"import os, time\nwhile not os.path.exists({str(go)!r}):\n    time.sleep(.05)\nprint('finished')\n")
    process = start(repo, "--background", "p.py", is_forked=False)
    out, _ = process.communicate(timeout=20)
    assert last(repo)["status"] == "running"
    go.touch()
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, signal.SIGHUP)
    assert repo.run("watch", out.decode().strip(), check=True).stdout == "finished\n"
    assert last(repo)["status"] == "completed"


def test_a_run_in_place_and_in_the_background_names_only_what_it_made(repo):
    repo.run("--background", "--in-place", "--", "sh", "-c", "sleep .3; echo new > made", check=True)
    until(lambda: live(repo) == [])
    assert "made" in (shown := repo.run("show", "1", check=True).stdout)
    assert "echo.py  " not in shown


@pytest.mark.parametrize(("number", "said_by_host"), [(signal.SIGINT, b"stopped\n"), (signal.SIGTERM, b"")])
def test_a_signal_to_a_host_of_many_threads_reaches_the_program_and_is_recorded(repo, tmp_path, number, said_by_host):
    script = tmp_path / "host.py"
    script.write_text(
        "import threading, gitrun\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "try: print(gitrun.Project('.').run(command=['sh', '-c', 'echo ready; exec sleep 60']).status)\n"
        "except KeyboardInterrupt: print('stopped')\n"
    )
    process = start(repo, program=(sys.executable, str(script)))
    said(process)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (out, last(repo)["exit_status"]) == (said_by_host, -number), err


def test_runs_from_threads_record_each_their_own(repo, tmp_path):
    script = tmp_path / "host.py"
    script.write_text(
        "import concurrent.futures as cf, gitrun\n"
        "def one(n): return gitrun.Project('.').run('echo.py', flags={'y': n}).output\n"
        "with cf.ThreadPoolExecutor(3) as pool: print(sorted(pool.map(one, range(3))))\n"
    )
    done = ended(repo, sys.executable, script)
    assert done.stdout.endswith("""["1.0 0 'a'\\n", "1.0 1 'a'\\n", "1.0 2 'a'\\n"]\n"""), done.stderr
    assert len(runs(repo)) == 3


def test_a_library_in_a_stream_of_text_shows_letters_that_came_in_two_pieces(repo, capsys):
    import io

    from gitrun.process.streams import TextStream

    text = io.StringIO()
    stream = TextStream(lambda: text)
    for piece in (b"caf\xc3", b"\xa9\n"):
        stream.write(piece)
    assert text.getvalue() == "café\n"


def test_none_of_our_own_descriptors_reaches_the_program(repo):
    names = repo.run("--", "sh", "-c", "ls /proc/self/fd | wc -l", check=True).stdout
    assert int(names) <= 4


def test_the_program_is_gone_with_its_supervisor(repo):
    process = start(repo, "--", "sh", "-c", "echo $$; echo ready; exec sleep 60")
    pid = int(said(process).split()[0])
    os.kill(owner(repo)["pid"], signal.SIGKILL)
    until(lambda: not is_alive(pid))
    process.communicate(timeout=20)
