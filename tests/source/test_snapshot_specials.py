"""FIFOs and sockets of the working tree are no part of a run, and gitrun notes that once."""

from __future__ import annotations

import os
import socket


def test_fifos_and_sockets_are_named_once(repo, monkeypatch):
    (repo.path / "sub").mkdir()
    os.mkfifo(repo.path / "sub" / "pipe")
    monkeypatch.chdir(repo.path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("sock")
        first, second = (repo.run("--", "sh", "-c", "ls; ls sub", check=False) for _ in range(2))
        os.mkfifo("another")
        third = repo.run("echo.py", check=True)
    assert "gitrun: note: FIFOs and sockets are not part of runs: sock, sub/pipe\n" in first.stderr
    assert "pipe" not in first.stdout
    assert "FIFOs" not in second.stderr
    assert "gitrun: note: FIFOs and sockets are not part of runs: another\n" in third.stderr
    assert "FIFOs" not in repo.run("--restart", "1", check=True).stderr


def test_a_run_in_place_has_them_and_nothing_is_said(repo):
    os.mkfifo(repo.path / "pipe")
    assert "FIFOs" not in repo.run("--in-place", "--", "ls", check=True).stderr


def test_a_large_directory_is_not_looked_into(repo, monkeypatch):
    from gitrun.source import snapshot

    os.mkfifo(repo.path / "pipe")
    assert list(snapshot.find_special_files(os.fsencode(repo.path))) == [b"pipe"]
    monkeypatch.setattr(snapshot, "LARGE", 0)
    assert list(snapshot.find_special_files(os.fsencode(repo.path))) == []
