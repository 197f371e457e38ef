"""Signals to a supervisor are read with their sender, and do nothing else while they are watched."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time

import pytest

from gitrun.process.signals import WATCHED, Signals, interrupt_once


def test_a_signal_is_read_and_ends_nothing():
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.read() == [(signal.SIGTERM, False)]
        assert signals.read() == []


def test_what_nobody_read_is_gone_afterwards():
    with Signals():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.01)
    assert signal.sigpending() == set()


def test_afterwards_signals_do_what_they_did_before():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ()), [signal.getsignal(number) for number in WATCHED]
    with Signals() as signals:
        assert signals.descriptor >= 0
    assert (signal.pthread_sigmask(signal.SIG_BLOCK, ()), [signal.getsignal(number) for number in WATCHED]) == before


def test_only_the_first_of_two_interrupts_is_raised():
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with interrupt_once():
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            with Signals() as signals:
                os.kill(os.getpid(), signal.SIGINT)
                assert signals.read() == [(signal.SIGINT, False)]
            os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_is_ignored_is_not_watched():
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signals.read() == []
    finally:
        signal.signal(signal.SIGHUP, old)


def test_a_child_has_its_signals_back_and_those_that_came_before_its_program():
    with Signals() as signals:
        child = subprocess.run(["sh", "-c", "kill -TERM $$; sleep 5"], preexec_fn=signals.restore_defaults, check=False)
        assert child.returncode == -signal.SIGTERM


def test_in_another_thread_nothing_is_watched():
    seen = []

    def watch():
        with Signals() as signals:
            seen.append((signals.descriptor, signals.read(), signal.pthread_sigmask(signal.SIG_BLOCK, ())))

    thread = threading.Thread(target=watch)
    thread.start()
    thread.join()
    assert seen == [(-1, [], set())]


def test_where_there_is_no_signalfd_signals_are_read_all_the_same(monkeypatch):
    monkeypatch.setattr("gitrun.process.signals.signalfd", lambda _: None)
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)
        assert [number for number, _ in signals.read()] == [signal.SIGTERM]
